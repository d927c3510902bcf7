"""Whether what a store says of itself agrees: its objects, its revisions, what these changed, what was served last.

A store is one file, and whoever has it open by other means than lbdns may leave it so that it reads well and says
something that never was: no objects any more, no revisions, an older copy in its place. That is damage like any other.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.base.wording import counted
from lbdns.publish.last_served import find_served_of_store

OBJECT_COUNT: Final = "object_count"
"""The row of meta that says how many objects there are."""
RESTORED_OVER: Final = "restored_over"
"""The row of meta that says which revision was served last when somebody put this store there."""

Connection = sqlite3.Connection


def disagreement(connection: Connection) -> str:
    """Return what in a store does not agree with the rest of it, "" where all does; raises sqlite3.Error."""
    oldest, head, count = connection.execute(
        "SELECT coalesce(min(number), 0), coalesce(max(number), 0), count(*) FROM revisions"
    ).fetchone()
    objects = _number(connection, "SELECT count(*) FROM objects")
    if not count and objects:
        return f"it has {counted(objects, 'object')} and no revision"
    changed = connection.execute("SELECT min(revision), max(revision) FROM changes").fetchone()
    if changed[1] is not None and (changed[1] > head or changed[0] < oldest):
        stray = changed[1] if changed[1] > head else changed[0]
        return f"it has changes of revision {stray}, which is not among its revisions"
    if head - oldest + 1 != count and count:
        after, before = connection.execute(
            "SELECT number, (SELECT min(number) FROM revisions WHERE number > one.number) FROM revisions one "
            "WHERE number < ? AND number + 1 NOT IN (SELECT number FROM revisions) LIMIT 1",
            (head,),
        ).fetchone()
        missing = f"revision {after + 1} is" if before == after + 2 else f"revisions {after + 1} to {before - 1} are"
        return f"{missing} missing between others"
    written = _meta(connection, OBJECT_COUNT)
    if written.isdecimal() and objects < int(written):
        lost = int(written) - objects
        return f"{lost:,} of its {counted(int(written), 'object')} {'is' if lost == 1 else 'are'} missing"
    return ""


def newer_object(revision: int, head: int) -> str:
    """Return what is wrong where the newest object is of a revision, and the store's newest is `head`; else ""."""
    if revision <= head:
        return ""
    return f"it has an object of revision {revision}, and its newest revision is {head}"


def older_than_served(connection: Connection, path: Path) -> str:
    """Return what is wrong where a store is older than what was served of it last, "" where it is not.

    One that `lbdns store restore` put there since is as it is meant to be.
    """
    served = served_revision(path.parent)
    head = _number(connection, "SELECT coalesce(max(number), 0) FROM revisions")
    if head >= served or int(_meta(connection, RESTORED_OVER) or 0) >= served:
        return ""
    return f"it is at revision {head}, and revision {served} of it was served"


def served_revision(state_dir: Path) -> int:
    """Return the revision of the store that was served last, 0 where that is not known."""
    try:
        kept = find_served_of_store(state_dir)
        revision = kept.origin().revision if kept is not None else None
    except LbdnsError:
        return 0
    return revision or 0


def note_restored(connection: Connection, served: int, author: str, now: str) -> None:
    """Say that a store is meant to be as it is though revision `served` was served, and have it agree: objects that its
    revisions do not explain are taken as they are, in a revision with none before it. Raises sqlite3.Error."""
    _set(connection, RESTORED_OVER, str(served))
    newest = _number(connection, "SELECT coalesce(max(revision), 0) FROM objects")
    head = _number(connection, "SELECT coalesce(max(number), 0) FROM revisions")
    if not disagreement(connection) and not newer_object(newest, head):
        return
    changed = _number(connection, "SELECT coalesce(max(revision), 0) FROM changes")
    for table in ("changes", "revisions"):
        connection.execute(f"DELETE FROM {table}")
    row = max(newest, head, changed) + 1, now, author, "objects as they were found"
    connection.execute("INSERT INTO revisions VALUES (?, ?, ?, ?)", row)
    set_object_count(connection, _number(connection, "SELECT count(*) FROM objects"))


def object_count(connection: Connection) -> int:
    """Return how many objects a store says that it has; where it does not say, how many it has."""
    written = _meta(connection, OBJECT_COUNT)
    return int(written) if written.isdecimal() else _number(connection, "SELECT count(*) FROM objects")


def set_object_count(connection: Connection, count: int) -> None:
    """Have a store say how many objects it has."""
    _set(connection, OBJECT_COUNT, str(count))


def _number(connection: Connection, query: str) -> int:
    return int(connection.execute(query).fetchone()[0])


def _meta(connection: Connection, key: str) -> str:
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return "" if row is None else str(row[0])


def _set(connection: Connection, key: str, value: str) -> None:
    connection.execute(
        "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (key, value)
    )
