"""The history's bounds on disk: what is older than its days goes, and where the file is too large, what is finest and
oldest.

    samples beyond an hour -> minutes beyond two hours -> changes -> quarter hours beyond two days -> days

Samples and changes have a share of their own that they never exceed. Where the file system runs full the history gives
way: it takes a part of what is left and no more.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import Final, NamedTuple

from lbdns.telemetry.history.history_file import WAL_BYTES, file_bytes
from lbdns.telemetry.history.history_store import HistoryStore
from lbdns.telemetry.history.history_words import DAY_S, MINUTE_S, QUARTER_S, STEPS, HistoryKind

HOUR_S: Final = 3600
SAMPLES_SHARE: Final = 0.1
EVENTS_SHARE: Final = 0.05
RESERVE_SHARE: Final = 0.01
RESERVE_MAX: Final = 256 << 20
"""Of the file system so much is left free, this part and so many bytes at most: the history gives way to others."""
PIECE: Final = 60
"""So many blocks of a kind go at once: a transaction of theirs holds nobody up for long."""
_SLACK: Final = 0.98
"""Below its bound by so much, not to prune a little each minute."""


class HistoryBounds(NamedTuple):
    """At most so many bytes and days."""

    size: int
    days: int


def prune(store: HistoryStore, bounds: HistoryBounds, now_s: float, is_steady: bool = True) -> int:
    """Delete what is beyond the bounds; return how many bytes the file has then. `is_steady`: the time of day has not
    jumped lately: what is old is known.

    Raises sqlite3.Error.
    """
    if is_steady:
        _forget_old(store, int(now_s) - bounds.days * DAY_S)
    _bound(store, "samples", int(bounds.size * SAMPLES_SHARE), "last_s", now_s - HOUR_S)
    _bound(store, "events", int(bounds.size * EVENTS_SHARE), "at_s", now_s)
    most = _most(store, bounds)
    if _used(store) > most:
        for step_s, kept_s in ((0, HOUR_S), (MINUTE_S, 2 * HOUR_S), (QUARTER_S, 2 * DAY_S), (DAY_S, 0), (0, 0)):
            while _used(store) > most * _SLACK and _delete_oldest(store, step_s, now_s - kept_s):
                pass
    _shrink(store.connection)
    return file_bytes(store.path)


def _most(store: HistoryStore, bounds: HistoryBounds) -> int:
    """Return how many bytes may be in use."""
    most = bounds.size - WAL_BYTES
    with contextlib.suppress(OSError):
        has = os.statvfs(store.path.parent)
        reserve = min(int(has.f_blocks * has.f_frsize * RESERVE_SHARE), RESERVE_MAX)
        most = min(most, _used(store) + has.f_bavail * has.f_frsize - reserve)
    return most


def _used(store: HistoryStore) -> int:
    """Return how many bytes of the file are in use."""
    pages, free, size = (
        store.connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def _forget_old(store: HistoryStore, before_s: int) -> None:
    """Delete what ended before a time."""
    first = [_first(store, step_s) for step_s in STEPS]
    others = [
        store.connection.execute(f"SELECT min({column}) FROM {table}").fetchone()[0]
        for table, column in (("samples", "last_s"), ("events", "at_s"))
    ]
    ends = [start_s + step_s for step_s, start_s in zip(STEPS, first, strict=True) if start_s is not None]
    if min((*ends, *(one for one in others if one is not None)), default=before_s) >= before_s:
        return
    with store.transaction() as connection:
        for step_s in STEPS:
            _delete_blocks(connection, step_s, 0, before_s - step_s + 1)
        connection.execute("DELETE FROM samples WHERE last_s < ?", (before_s,))
        connection.execute("DELETE FROM events WHERE at_s < ?", (before_s,))
        store.names.forget(connection, before_s)


def _first(store: HistoryStore, step_s: int) -> int | None:
    query = "SELECT min(start_s) FROM blocks WHERE kind = ? AND step_s = ?"
    found: int | None = store.connection.execute(query, (HistoryKind.SERVER, step_s)).fetchone()[0]
    return found


def _delete_blocks(connection: sqlite3.Connection, step_s: int, first_s: int, before_s: int) -> None:
    query = "DELETE FROM blocks WHERE kind = ? AND step_s = ? AND start_s >= ? AND start_s < ?"
    connection.executemany(query, [(kind, step_s, first_s, before_s) for kind in HistoryKind])


def _bound(store: HistoryStore, table: str, most: int, column: str, kept_s: float) -> None:
    """Delete the oldest rows of a table that are more than `most` bytes, but none that are newer than a time."""
    query = f"""SELECT max({column}) FROM
        (SELECT {column}, sum(bytes) OVER (ORDER BY {column} DESC, id DESC) AS total FROM {table})
        WHERE total > ?"""
    last_s = store.connection.execute(query, (most,)).fetchone()[0]
    if last_s is not None:
        with store.transaction() as connection:
            connection.execute(f"DELETE FROM {table} WHERE {column} <= ?", (min(last_s, kept_s),))


def _delete_oldest(store: HistoryStore, step_s: int, before_s: float) -> bool:
    """Delete a piece of the oldest blocks of a step, or of the samples where that is 0, from before a time; return
    whether there was any."""
    with store.transaction() as connection:
        if not step_s:
            query = "DELETE FROM samples WHERE id IN (SELECT id FROM samples WHERE last_s < ? ORDER BY last_s LIMIT ?)"
            return connection.execute(query, (before_s, PIECE)).rowcount > 0
        first_s = _first(store, step_s)
        if first_s is None or first_s + step_s > before_s:
            return False
        last_s = min(first_s + PIECE * step_s, int(before_s) - step_s + 1)
        _delete_blocks(connection, step_s, 0, last_s)
        return True


def _shrink(connection: sqlite3.Connection) -> None:
    """Give the file system what is free in the file, but for a part that is needed again at once."""
    pages, free = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count"))
    if free > max(pages // 20, 64):
        # Each step of the statement gives one page back, and `execute` takes one step where no rows come.
        connection.executescript(f"PRAGMA incremental_vacuum({free - pages // 40})")
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
