"""The layout of a store and how it became so: a step a version, and a copy of the store before it is changed.

PRAGMA user_version says which version a file has. Where it says 0, the row `format` of `meta` does, which stays 1 as
long as the first release reads what is written.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from lbdns.manage.store.item import new_id
from lbdns.manage.store.refusals import StoreError

FORMAT: Final = 1
APPLICATION_ID: Final = 0x6C62646E  # "lbdn"; PRAGMA application_id of stores since version 2
COPIES_MAX: Final = 3
_COPY: Final = ".v"
_SCHEMA: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE objects (
    position INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, zone_id TEXT NOT NULL,
    body TEXT NOT NULL, created_on TEXT NOT NULL, modified_on TEXT NOT NULL, revision INTEGER NOT NULL,
    disabled_at TEXT NOT NULL DEFAULT '', is_local INTEGER NOT NULL DEFAULT 0);
CREATE TABLE revisions (number INTEGER PRIMARY KEY, time TEXT NOT NULL, author TEXT NOT NULL, message TEXT NOT NULL);
CREATE TABLE changes (
    revision INTEGER NOT NULL, sequence INTEGER NOT NULL, before TEXT, after TEXT, PRIMARY KEY (revision, sequence)
) WITHOUT ROWID;
CREATE TABLE tokens (
    id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, scope TEXT NOT NULL, hash TEXT NOT NULL, created_on TEXT NOT NULL
) WITHOUT ROWID;
"""

_ADDED: Final = frozenset({"disabled_at", "is_local"})
"""Columns of objects that no store of this version is without."""

_FIRST_TABLES: Final = frozenset({"meta", "objects", "revisions", "changes"})
"""By which a store is known that does not say by its application_id that it is one."""

Connection = sqlite3.Connection


def _note_disabling(connection: Connection) -> None:
    """Version 2: since when an object is disabled (disabling.py); of those that are, it is not known."""
    _add_column(connection, "disabled_at", "TEXT NOT NULL DEFAULT ''")


def _note_makers(connection: Connection) -> None:
    """Version 3: who made an object (making.py), as far as the revisions say."""
    if _add_column(connection, "is_local", "INTEGER NOT NULL DEFAULT 0"):
        connection.execute(
            "UPDATE objects SET is_local = 1 "
            "WHERE revision IN (SELECT number FROM revisions WHERE author LIKE 'local user %')"
        )


def _know_views(_: Connection) -> None:
    """Version 4: objects may be of a view. Their layout stays; a release that knows no views would serve to everybody
    what is of one, and so refuses the store by its version."""


STEPS: Final[tuple[Callable[[Connection], None], ...]] = (_note_disabling, _note_makers, _know_views)
"""What leads from version 1 to 2, from 2 to 3, and so on; a step may find done what it does."""
VERSION: Final = 1 + len(STEPS)


def make_tables(connection: Connection) -> None:
    """Make an empty file a store of this version."""
    with transaction(connection):
        for statement in _SCHEMA.split(";"):
            connection.execute(statement)
        rows = [("format", str(FORMAT)), ("account_id", new_id())]
        connection.executemany("INSERT INTO meta VALUES (?, ?)", rows)
        _mark(connection)


def version_of(connection: Connection, path: Path) -> int:
    """Return the version of a file, 0 where it is empty.

    Raises StoreError where it is no store, or a later one's; sqlite3.DatabaseError, as SQLite does, where a part of it
    is gone.
    """
    application, user_version = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("application_id", "user_version")
    )
    tables = [str(row[0]) for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    if not tables and application in (0, APPLICATION_ID):
        return 0
    if application not in (0, APPLICATION_ID) or not (application or {*tables} >= _FIRST_TABLES):
        held = ", ".join(sorted(tables)[:5]) or "no tables"
        raise StoreError(f"{path}: not a store of lbdns but a database of something else (it has {held}); move it away")
    if user_version > VERSION:
        raise _later(path, user_version)
    if lacking := _lacking(connection):
        raise _damaged(f"it has no {', '.join(lacking)}")
    row = connection.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
    if row is None or not str(row[0]).isdecimal():
        raise _damaged("it does not say its format")
    if int(row[0]) > FORMAT:
        raise _later(path, int(row[0]))
    columns = {str(row[0]) for row in connection.execute("SELECT name FROM pragma_table_info('objects')")}
    return user_version if user_version and columns >= _ADDED else 1


def _later(path: Path, found: int) -> StoreError:
    return StoreError(
        f"{path}: version {found}, made by a later release of lbdns; this one reads versions up to {VERSION}: run "
        "that release, or put a copy from before it in its place"
    )


def _damaged(what: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(what)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def _lacking(connection: Connection) -> list[str]:
    """Return the tables and columns that every store has, whatever its version, and this one has not."""
    with contextlib.closing(sqlite3.connect(":memory:")) as whole:
        whole.executescript(_SCHEMA)
        expected = _columns(whole)
    found = _columns(connection)
    lacking = [f"table {table}" for table in expected if table not in found]
    for table in expected.keys() & found.keys():
        lacking += [f"column {table}.{name}" for name in sorted(expected[table] - found[table] - _ADDED)]
    return lacking


def _columns(connection: Connection) -> dict[str, set[str]]:
    rows = connection.execute(
        "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'"
    )
    columns: dict[str, set[str]] = {}
    for table, name in rows:
        columns.setdefault(str(table), set()).add(str(name))
    return columns


def bring_up(connection: Connection, version: int) -> None:
    """Bring a store to this version, all of it or nothing."""
    with transaction(connection):
        for step in STEPS[version - 1 :]:
            step(connection)
        _mark(connection)


def keep_copy(connection: Connection, path: Path, version: int) -> Path:
    """Keep a store as it is beside itself, the newest COPIES_MAX of such; returns the copy's path. Raises OSError or
    sqlite3.Error with nothing left."""
    stem = f"{path.name}{_COPY}{version}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    place = next(one for one in _numbered(path, stem) if not one.exists())
    fresh = path.with_name(f".{place.name}")
    try:
        write_copy(connection, fresh)
        fresh.replace(place)
    except BaseException:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise
    for old in copies(path)[COPIES_MAX:]:
        with contextlib.suppress(OSError):
            old.unlink()
    return place


def write_copy(connection: Connection, path: Path) -> None:
    """Write what a connection reads into a file, which is on the disk when this returns; raises OSError or
    sqlite3.Error."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
    with contextlib.closing(sqlite3.connect(path)) as copy:
        connection.backup(copy)
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def copies(path: Path) -> list[Path]:
    """Return the copies that were kept of a store before it was changed, the newest first."""
    try:
        found = [one for one in path.parent.iterdir() if one.name.startswith(f"{path.name}{_COPY}")]
    except OSError:
        return []
    return sorted(found, key=lambda one: one.name.partition("-")[2], reverse=True)


@contextlib.contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """Write all or nothing; whatever fails, the commit itself too, leaves no transaction open."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite has ended it by itself where the disk is full
            connection.execute("ROLLBACK")
        raise


def _numbered(path: Path, stem: str) -> Iterator[Path]:
    yield path.with_name(stem)
    number = 1
    while True:
        number += 1
        yield path.with_name(f"{stem}.{number}")


def _add_column(connection: Connection, name: str, kind: str) -> bool:
    """Add a column of objects; False where it is there."""
    if connection.execute("SELECT 1 FROM pragma_table_info('objects') WHERE name = ?", (name,)).fetchone():
        return False
    connection.execute(f"ALTER TABLE objects ADD COLUMN {name} {kind}")
    return True


def _mark(connection: Connection) -> None:
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
