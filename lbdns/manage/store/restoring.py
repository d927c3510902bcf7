"""A store made anew in the place of one that is gone or cannot be read, which is kept beside it.

Of a copy everything is taken; where its objects and its revisions do not agree, its objects as they are, in a revision
with none before it. What was served last is what files can say: no revisions, comments and tags, and none of the load
balancers whose names are in no zone; tokens are taken over where the store before still gives them. In a fleet it is
served until the fleet's objects take its place, as soon as the bus is reached.
"""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from lbdns.base.errors import LbdnsError
from lbdns.base.kinds import REACHING, Kind
from lbdns.base.wording import moment
from lbdns.base.words import FLEET_DIRECTORY, FLEET_REPLACE_FILE, STORE_FILE
from lbdns.manage.store.consistency import note_restored, served_revision
from lbdns.manage.store.item import Change, new_id, time_text
from lbdns.manage.store.opening import as_it_lies, described
from lbdns.manage.store.refusals import StoreError
from lbdns.manage.store.revisions.from_files import desired
from lbdns.manage.store.revisions.wanted import wanted_of
from lbdns.manage.store.sqlite import Store
from lbdns.manage.store.state import State
from lbdns.manage.store.versions import transaction, version_of, write_copy
from lbdns.model.configuration import Configuration
from lbdns.publish.last_served import find_served_of_store

AUTHOR: Final = "lbdns store restore"
_LOGS: Final = ("", "-wal", "-shm")
"""What a store's files end in."""


def restore_store(state_dir: Path, copy: Path | None = None) -> str:
    """Put a copy, or what was served last, in the place of a state directory's store; returns what was done, in words.

    Raises LbdnsError with nothing changed. Whoever calls it has the lock of the state directory, and not the store.
    """
    path = state_dir / STORE_FILE
    with tempfile.TemporaryDirectory(prefix=f".{STORE_FILE}.", dir=_made(state_dir)) as folder:
        fresh = Path(folder, STORE_FILE)
        try:
            whence = _from_served(state_dir, fresh) if copy is None else _from_copy(copy, fresh)
            _mean_it(fresh, state_dir)
            kept = _put_aside(path)
            fresh.replace(path)
            if (state_dir / FLEET_DIRECTORY).is_dir():  # of a fleet: what the others have meanwhile is what counts
                (state_dir / FLEET_DIRECTORY / FLEET_REPLACE_FILE).touch()
        except sqlite3.Error as error:
            raise StoreError(described(path, error)) from error
        except OSError as error:
            raise StoreError(f"{path}: cannot be made anew: {error.strerror or error}") from error
    beside = f"; what was there is kept as {kept}" if kept is not None else ""
    return f"{path}: made of {whence}{beside}"


def _mean_it(fresh: Path, state_dir: Path) -> None:
    """Note in a store that it is put there on purpose, whatever was served before."""
    with contextlib.closing(sqlite3.connect(fresh, isolation_level=None)) as connection, transaction(connection):
        note_restored(connection, served_revision(state_dir), AUTHOR, time_text(time.time()))


def _made(state_dir: Path) -> Path:
    try:
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreError(f"{state_dir}: cannot be written: {error.strerror}") from error
    return state_dir


def _from_copy(copy: Path, fresh: Path) -> str:
    if not copy.is_file():
        raise StoreError(f"{copy}: there is no such file")
    with contextlib.closing(_sound(copy)) as source:
        write_copy(source, fresh)
    return str(copy)


def _sound(copy: Path) -> sqlite3.Connection:
    """Return a connection to a copy that is a whole store; raises StoreError."""
    found = None
    try:
        found = as_it_lies(copy)
        if version_of(found, copy) == 0:
            raise StoreError(f"{copy}: is empty")
        if (told := str(found.execute("PRAGMA quick_check(1)").fetchone()[0])) != "ok":
            raise StoreError(f"{copy}: is damaged ({told})")
    except sqlite3.Error as error:
        if found is not None:
            found.close()
        raise StoreError(f"{copy}: is damaged ({error})") from error
    except StoreError:
        if found is not None:
            found.close()
        raise
    return found


def _from_served(state_dir: Path, fresh: Path) -> str:
    kept = find_served_of_store(state_dir)
    if kept is None:
        raise StoreError(
            f"{state_dir}: nothing that was served of a store is kept there; --from FILE takes a copy of one"
        )
    try:
        configuration = kept.configuration()
    except LbdnsError:  # of another release
        from lbdns.config.loading import examine

        configuration = examine(kept.texts(), base=state_dir, knows_settings=False).loaded().configuration
    with contextlib.closing(Store(fresh.parent)) as store:
        _fill(store, configuration, kept.served_at, _tokens(state_dir / STORE_FILE))
        with store.reading() as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("PRAGMA journal_mode = DELETE")
    return f"what was served last, as of {moment(kept.served_at)}"


def _fill(store: Store, configuration: Configuration, served_at: float, tokens: Iterable[tuple[Any, ...]]) -> None:
    def id_of(kind: Kind, name: str, _: str) -> str:
        known = configuration.pool_ids.get(name) if kind is Kind.POOL else None
        return known or new_id()

    now = time_text(time.time())
    wanted = desired(wanted_of(configuration), State(), make_id=id_of)
    items = [
        replace(item, created_on=now, modified_on=now, revision=1, is_local=_is_local(item.kind)) for item in wanted
    ]
    message = f"what was served last, as of {moment(served_at)}"
    store.commit([Change(None, item) for item in items], AUTHOR, message, now, 0)
    with store.writing() as connection:
        if configuration.account_id:
            row = (configuration.account_id,)
            connection.execute("UPDATE meta SET value = ? WHERE key = 'account_id'", row)
        connection.executemany("INSERT OR IGNORE INTO tokens VALUES (?, ?, ?, ?, ?)", tokens)


def _is_local(kind: Kind) -> bool:
    """Nobody knows any more who made it: what probes, or is told, is taken for a token's."""
    return kind not in REACHING


def _tokens(path: Path) -> list[tuple[Any, ...]]:
    """Return the tokens of a store that cannot be read as a whole, as far as they can be."""
    try:
        with contextlib.closing(as_it_lies(path)) as connection:
            return list(connection.execute("SELECT id, name, scope, hash, created_on FROM tokens"))
    except (OSError, sqlite3.Error):
        return []


def _put_aside(path: Path) -> Path | None:
    """Rename a store's files; returns what the first is called then, None where there is none."""
    kept = path.with_name(f"{path.name}.before-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
    found = None
    for end in _LOGS:
        file = path.with_name(f"{path.name}{end}")
        if file.exists():
            found = kept
            file.rename(kept.with_name(f"{kept.name}{end}"))
    return found
