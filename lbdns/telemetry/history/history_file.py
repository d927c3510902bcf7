"""The history's file: SQLite, with one writer and any number of readers, which wait for nobody (WAL).

    facts     what the writer knows of itself: where it is in the counters, in the record of changes, in its roll-ups
    names     texts by number
    blocks    counts: kind, step, start -> rows (history_block.py)
    samples   decisions that were sampled, some seconds a row
    events    changes of health

It was chosen over DuckDB, which packs as well: there no other process reads what one has open, so that a dead writer
would leave nothing to look at (docs/history.md has the figures).
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.base.words import HISTORY_FILE

FORMAT: Final = 1
APPLICATION: Final = 0x6C626873
"""What SQLite's files have a field for: whose they are ("lbhs")."""
BUSY_S: Final = 5.0
WAL_BYTES: Final = 4 << 20
"""What the write-ahead log is cut to, once it has been as long as a large roll-up."""
PAGE_BYTES: Final = 4096
CACHE_KIB: Final = 4096
DAMAGED_CODES: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

_SCHEMA: Final = f"""
PRAGMA page_size={PAGE_BYTES};
PRAGMA auto_vacuum=INCREMENTAL;
PRAGMA journal_mode=WAL;
BEGIN;
CREATE TABLE facts(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT INTO facts VALUES ('rows', 0);
CREATE TABLE names(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE, used_s INTEGER NOT NULL);
CREATE TABLE blocks(
    kind INTEGER NOT NULL,
    step_s INTEGER NOT NULL,
    start_s INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY(kind, step_s, start_s)
) WITHOUT ROWID;
CREATE TRIGGER rows_come AFTER INSERT ON blocks BEGIN
    UPDATE facts SET value = value + NEW.rows WHERE name = 'rows';
END;
CREATE TRIGGER rows_change AFTER UPDATE ON blocks BEGIN
    UPDATE facts SET value = value + NEW.rows - OLD.rows WHERE name = 'rows';
END;
CREATE TRIGGER rows_go AFTER DELETE ON blocks BEGIN
    UPDATE facts SET value = value - OLD.rows WHERE name = 'rows';
END;
CREATE TABLE samples(
    id INTEGER PRIMARY KEY,
    first_s REAL NOT NULL,
    last_s REAL NOT NULL,
    rows INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    data BLOB NOT NULL
);
CREATE INDEX samples_by_time ON samples(last_s, first_s, rows, bytes);
CREATE TABLE events(id INTEGER PRIMARY KEY, at_s REAL NOT NULL, bytes INTEGER NOT NULL, data BLOB NOT NULL);
CREATE INDEX events_by_time ON events(at_s, bytes);
PRAGMA application_id={APPLICATION};
PRAGMA user_version={FORMAT};
COMMIT;
"""


class HistoryDamaged(LbdnsError):
    """A file that is no history, or one that is damaged."""


class HistoryNewer(LbdnsError):
    """A history that a newer release wrote."""


def history_path(state_dir: Path) -> Path:
    """Return where the history of a server is."""
    return state_dir / HISTORY_FILE


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Open the history, made where there is none; raises HistoryDamaged, HistoryNewer and sqlite3.Error."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    try:
        if not _is_ours(connection, path):
            connection.executescript(_SCHEMA)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")  # a power cut may cost the last seconds, never the file
        connection.execute(f"PRAGMA journal_size_limit={WAL_BYTES}")
        connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
    except BaseException:
        connection.close()
        raise
    return connection


def open_for_reading(path: Path) -> sqlite3.Connection | None:
    """Open the history to read it, None where there is none; raises HistoryDamaged, HistoryNewer, sqlite3.Error,
    and OSError where nobody may look whether there is one."""
    try:
        path.stat()
    except FileNotFoundError:
        return None
    for mode in ("mode=ro", "mode=ro&immutable=1"):  # on a disk that cannot be written to nobody writes it meanwhile
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=BUSY_S, check_same_thread=False
        )
        try:
            if not _is_ours(connection, path):
                connection.close()
                return None
            connection.execute("PRAGMA query_only=1")
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM facts").fetchone()
            return connection
        except sqlite3.OperationalError:
            connection.close()
            if mode != "mode=ro" or os.access(path.parent, os.W_OK):
                raise
        except BaseException:
            connection.close()
            raise
    return None


def _is_ours(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether a file is a history of this release; False where nothing is in it yet."""
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        is_empty = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            raise HistoryDamaged(f"{path}: {error}") from error
        raise
    if application == APPLICATION and version > FORMAT:
        raise HistoryNewer(f"{path}: a history of format {version}; this release knows format {FORMAT}")
    if application == APPLICATION and version == FORMAT:
        return True
    if not is_empty:
        raise HistoryDamaged(f"{path}: not a history")
    return False


def is_damage(error: sqlite3.Error) -> bool:
    """Whether an error says that the file is damaged: it will be so the next time as well."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in DAMAGED_CODES


def file_bytes(path: Path) -> int:
    """Return the size of the history with its write-ahead log; 0 where there is none."""
    size = 0
    for one in (path, path.with_name(f"{path.name}-wal")):
        with contextlib.suppress(OSError):
            size += one.stat().st_size
    return size


def move_aside(path: Path, ending: str) -> Path:
    """Put a file that cannot be used out of the way, in place of one that was put there before; return where it is.

    Raises OSError.
    """
    aside = path.with_name(f"{path.name}.{ending}")
    for suffix in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).replace(aside.with_name(aside.name + suffix))
    path.replace(aside)
    return aside
