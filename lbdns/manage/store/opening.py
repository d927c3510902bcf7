"""Opening a store, in whatever state it and its disk are.

| what is found                              | what comes of it                                          |
|--------------------------------------------|-----------------------------------------------------------|
| a store of this version                    | it, to be read and written                                |
| one of an earlier version                  | brought to this one, with a copy kept                     |
| its disk takes nothing                     | its contents, to be read; `problem` says why              |
| nothing, and nothing was ever served of one| a new store                                               |
| nothing or an empty file, where one was    | StoreError: a store that vanished is not "no zones"       |
| one of a later version, something else     | StoreError                                                |
| damaged, locked by somebody                | StoreError                                                |
| parts that do not agree, an older copy     | StoreError                                                |
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from lbdns.base.errors import LbdnsError
from lbdns.base.wording import moment
from lbdns.manage.store.consistency import disagreement, older_than_served
from lbdns.manage.store.refusals import StoreError
from lbdns.manage.store.versions import VERSION, bring_up, copies, keep_copy, make_tables, version_of, write_copy
from lbdns.publish.last_served import find_served_of_store

BUSY_S: Final = 10.0
OPEN_BUSY_S: Final = 2.0
"""How long an opening waits for somebody else's lock: there may be zones to serve from elsewhere."""
_DISK: Final = frozenset(
    {
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOLFS,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_READONLY,
    }
)
"""What SQLite says where a file may be sound and cannot be written."""
_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


@dataclass(frozen=True, slots=True)
class Opened:
    """A store's connection. `problem`: why it can only be read, "" where it can be written."""

    connection: sqlite3.Connection
    problem: str = ""


def open_store(path: Path) -> Opened:
    """Open the store at a path, making it where there never was one; raises StoreError with the way back."""
    is_there = holds_store(path)
    problem = ""
    try:
        if not is_there:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        return Opened(_writable(path))
    except OSError as error:
        problem = error.strerror or str(error)
    except sqlite3.Error as error:
        if not is_disk(error):
            raise _refusal(path, error) from error
        problem = str(error)
    if not is_there:
        raise StoreError(f"{path}: cannot make the store: {problem}")
    try:
        return Opened(_readable(path), problem)
    except OSError as error:
        raise StoreError(f"{path}: cannot read the store: {error.strerror or error}") from error
    except sqlite3.Error as error:
        raise _refusal(path, error) from error


def file_at(path: Path) -> tuple[int, int] | None:
    """Return which file is at a path, None where none is."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def put_back(connection: sqlite3.Connection, path: Path) -> Opened:
    """Write what a connection reads to its path, where its file was removed, and open that in its place.

    The connection is closed. Raises OSError, sqlite3.Error or StoreError.
    """
    fresh = path.with_name(f".{path.name}")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_copy(connection, fresh)
    connection.close()  # which removes what is called after the file, were it another's
    for end in ("-wal", "-shm"):
        path.with_name(f"{path.name}{end}").unlink(missing_ok=True)
    fresh.replace(path)
    return open_store(path)


def is_disk(error: sqlite3.Error) -> bool:
    """Tell whether an error says that the disk takes or gives nothing, not that the store is damaged."""
    return primary_code(error) in _DISK


def primary_code(error: sqlite3.Error) -> int:
    """Return the code of an error without what details it; 0 where it has none."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def described(path: Path, error: sqlite3.Error) -> str:
    """Return what an error means for whoever runs the server, with the way back where the store is damaged."""
    code = primary_code(error)
    if code in _DAMAGE:
        return f"{path}: the store is damaged ({error}); {way_back(path)}"
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return f"{path}: another process has the store locked ({error})"
    return f"{path}: the store failed: {error}"


def way_back(path: Path) -> str:
    """Return how a store that cannot be read is had again, in words."""
    state_dir, ways = path.parent, []
    with contextlib.suppress(LbdnsError):
        kept = find_served_of_store(state_dir)
        if kept is not None:
            made = f"makes it of what was served last, as of {moment(kept.served_at)}"
            ways.append(f"`lbdns store restore --state {state_dir}` {made}")
    ways += [f"`lbdns store restore --state {state_dir} --from {one}` takes that copy" for one in copies(path)[:1]]
    return ", ".join([*ways, "a backup of yours may be put in its place"])


def taken_as_it_is(path: Path) -> str:
    """Return how a store whose objects can be read is taken as it is found, in words."""
    return f"`lbdns store restore --state {path.parent} --from {path}` takes its objects as they are"


def not_agreeing(path: Path, why: str) -> StoreError:
    """Return the refusal of a store of which a part does not agree with another, with the way back."""
    return StoreError(f"{path}: the store is damaged ({why}); {taken_as_it_is(path)}, {way_back(path)}")


def _check_agreement(connection: sqlite3.Connection, path: Path) -> None:
    """Raise StoreError where what a store says does not agree, or is older than what was served of it."""
    if why := disagreement(connection):
        raise not_agreeing(path, why)
    if why := older_than_served(connection, path):
        told = f"an older copy of the store is in its place ({why})"
        raise StoreError(f"{path}: {told}; {taken_as_it_is(path)}, {way_back(path)}")


def _refusal(path: Path, error: sqlite3.Error) -> StoreError:
    return StoreError(described(path, error))


def holds_store(path: Path) -> bool:
    """Tell whether there is a store, or may be; raises StoreError where one is gone."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise StoreError(f"{path}: the store is to be a file there, and something else is; move it away")
        if found.st_size:
            return True
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        raise StoreError(f"{path}: cannot read the store: {error.strerror}") from error
    try:
        was_served = find_served_of_store(path.parent) is not None
    except LbdnsError:
        was_served = True
    if was_served or copies(path):
        _refuse_vanished(path)
    return False


def _refuse_vanished(path: Path) -> None:
    raise StoreError(
        f"{path}: the store is gone, and there was one: {way_back(path)}; to begin with an empty one, remove "
        f"{path.parent / 'served'} and copies of the store"
    )


def _writable(path: Path) -> sqlite3.Connection:
    """Return a connection to a store, at this version; raises sqlite3.Error, OSError or StoreError."""
    connection = sqlite3.connect(path, timeout=OPEN_BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        version = version_of(connection, path)
        if version == 0 and path.stat().st_size and _was_served(path):
            _refuse_vanished(path)
        if version:
            _check_agreement(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        if version == 0:
            make_tables(connection)
        elif version < VERSION:
            keep_copy(connection, path, version)
            bring_up(connection, version)
        connection.execute(f"PRAGMA busy_timeout = {round(BUSY_S * 1000)}")
    except BaseException:
        connection.close()
        raise
    return connection


def _was_served(path: Path) -> bool:
    try:
        return find_served_of_store(path.parent) is not None
    except LbdnsError:
        return True


def _readable(path: Path) -> sqlite3.Connection:
    """Return a connection to what stands in a store that cannot be written, at this version, maybe in memory."""
    found = as_it_lies(path)
    try:
        version = version_of(found, path)
        if version:
            _check_agreement(found, path)
        if 0 < version < VERSION:
            with contextlib.closing(found):
                found = _in_memory(found)
            bring_up(found, version)
        found.execute("PRAGMA query_only = ON")
    except BaseException:
        found.close()
        raise
    return found


def as_it_lies(path: Path) -> sqlite3.Connection:
    """Return a connection that writes nothing beside the store.

    What has been committed since the last checkpoint stands in a log beside it, which a connection for files that
    nobody changes does not look at.
    """
    log = path.with_name(f"{path.name}-wal")
    if not log.exists() or not log.stat().st_size:
        return _read_only(f"{_uri(path)}?mode=ro&immutable=1")
    try:
        return _read_once(f"{_uri(path)}?mode=ro")
    except sqlite3.Error:  # the index of the log is not there, and cannot be made
        with _copied(path, log) as copy, contextlib.closing(sqlite3.connect(copy)) as source:
            return _in_memory(source)


def _read_once(uri: str) -> sqlite3.Connection:
    found = _read_only(uri)
    try:
        found.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    except BaseException:
        found.close()
        raise
    return found


def _in_memory(source: sqlite3.Connection) -> sqlite3.Connection:
    memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    try:
        source.backup(memory)
    except BaseException:
        memory.close()
        raise
    return memory


@contextlib.contextmanager
def _copied(*files: Path) -> Iterator[Path]:
    """Copy files to where there is room, for a moment; yields the first one's copy."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if os.access(shared, os.W_OK) else None) as folder:
        for file in files:
            Path(folder, file.name).write_bytes(file.read_bytes())
        yield Path(folder, files[0].name)


def _read_only(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(uri, timeout=OPEN_BUSY_S, isolation_level=None, check_same_thread=False, uri=True)


def _uri(path: Path) -> str:
    return f"file:{quote(str(path))}"
