"""The rows of a store: objects as they are stored, and as the history of revisions has them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from pydantic_core import to_json

from lbdns.base.kinds import Kind
from lbdns.manage.store.item import Change, Item

ObjectColumns = tuple[Any, ...]
"""Of an object: id, kind, zone id, body, made, changed, revision, disabled at, is local."""
EncodedChange = tuple[str | None, str | None]
"""An object before and after a change, as the history has them."""
Encode = Callable[[Item | None], str | None]
COLUMNS: Final = "id, kind, zone_id, body, created_on, modified_on, revision, disabled_at, is_local"
SET_META: Final = "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
GIVEN_OUT: Final = "given_out"
"""The row of meta that says which address was given out last, by its number; none where none was."""
UPDATES: Final = "updates"
"""The row that says which dynamic updates were stored last, together: JSON of what tells each from all others, with its
revision."""
REVISIONS_KEPT: Final = 10_000
REVISIONS_CHARS_MAX: Final = 1 << 30
"""What the kept revisions' changes may take; beyond it the oldest go, but never the newest."""
_HISTORY_CHARS: Final = "history_chars"
"""The row of meta that says what they take."""
_UPSERT: Final = (
    f"INSERT INTO objects ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
    "zone_id = excluded.zone_id, body = excluded.body, modified_on = excluded.modified_on, "
    "revision = excluded.revision, disabled_at = excluded.disabled_at, is_local = excluded.is_local"
)


def object_columns(item: Item) -> ObjectColumns:
    """Return the row of an object."""
    since = dump_json(dict(item.disabled_at)) if item.disabled_at else ""
    times = item.created_on, item.modified_on
    return (
        item.id,
        item.kind.value,
        item.zone_id,
        dump_json(item.body),
        *times,
        item.revision,
        since,
        int(item.is_local),
    )


def dump_json(value: Any) -> str:
    """Return JSON as it is stored."""
    return to_json(value).decode()


def read_body(text: str) -> dict[str, Any]:
    """Return a body as its row has it; raises ValueError or TypeError."""
    body: dict[str, Any] = json.loads(text)
    if type(body) is not dict:
        raise TypeError
    return body


def read_text(data: bytes) -> str | bytes:
    """Return a text, or what is none as it lies."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def encode_item(item: Item | None) -> str | None:
    """Return an object as the history has it, None where there is none."""
    if item is None:
        return None
    fields = item.kind.value, item.id, item.body, item.zone_id, item.created_on, item.modified_on, item.revision
    return dump_json([*fields, int(item.is_local)])


def encode_changes(changes: Iterable[Change], encode: Encode) -> Iterator[EncodedChange]:
    """Yield changes as the history has them."""
    return ((encode(one.before), encode(one.after)) for one in changes)


def once_encoded() -> Encode:
    """Return the same, which makes the text of each object once: of revisions that are made together, the zone after
    one is the zone before the next. The objects are to stay as long as it is asked."""
    texts: dict[int, str | None] = {}

    def encode(item: Item | None) -> str | None:
        key = id(item)
        if key not in texts:
            texts[key] = encode_item(item)
        return texts[key]

    return encode


def encode_columns(row: Sequence[Any]) -> str:
    """Return the same of a row, whose body may be what this release cannot read."""
    id, kind, zone_id, body, made, changed, revision, _, is_local = row
    heading, rest = dump_json([kind, id]), dump_json([zone_id, made, changed, revision, is_local])
    return f"{heading[:-1]},{body},{rest[1:]}"


def decode_item(text: str | None) -> Item | None:
    """Return an object of the history; raises ValueError or TypeError."""
    if text is None:
        return None
    kind, id, body, zone_id, created_on, modified_on, revision, *later = json.loads(text)
    # Earlier releases did not say by whom: not by an operator, then.
    return Item(Kind(kind), id, body, zone_id, created_on, modified_on, revision, is_local=any(later))


def rows_of(connection: sqlite3.Connection, ids: Sequence[str]) -> Iterable[tuple[Any, ...]]:
    """Return the rows of objects that have some ids."""
    wanted = f"SELECT {COLUMNS} FROM objects WHERE id IN (SELECT value FROM json_each(?))"
    return connection.execute(wanted, (dump_json(list(ids)),))


def write_rows(connection: sqlite3.Connection, rows: Sequence[ObjectColumns], gone: Sequence[str]) -> int:
    """Write objects and delete others by id; returns how many there are more than before."""
    lost = connection.executemany("DELETE FROM objects WHERE id = ?", ((id,) for id in gone)).rowcount
    found = connection.execute(
        "SELECT count(*) FROM objects WHERE id IN (SELECT value FROM json_each(?))",
        (dump_json([row[0] for row in rows]),),
    )
    gained = len(rows) - int(found.fetchone()[0])
    connection.executemany(_UPSERT, rows)
    return gained - max(lost, 0)


def write_history(connection: sqlite3.Connection, revisions: Iterable[tuple[int, Iterable[EncodedChange]]]) -> None:
    """Write what revisions, by their numbers, changed."""
    rows = ((number, at, before, after) for number, changes in revisions for at, (before, after) in enumerate(changes))
    connection.executemany("INSERT INTO changes VALUES (?, ?, ?, ?)", rows)


def forget_history(connection: sqlite3.Connection, first: int, newest: int) -> None:
    """Count what the newest revisions take, from `first` on, and delete the oldest ones: those too many, and those too
    large."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (_HISTORY_CHARS,)).fetchone()
    taken = int(row[0]) + _chars(connection, ">= ?", first) if row is not None else _chars(connection, "<= ?", newest)
    oldest = connection.execute("SELECT min(number) FROM revisions").fetchone()[0]
    upto = newest - REVISIONS_KEPT
    while oldest < newest and (oldest <= upto or taken > REVISIONS_CHARS_MAX):
        last = max(oldest, upto)
        taken -= _chars(connection, "<= ?", last)
        connection.execute("DELETE FROM changes WHERE revision <= ?", (last,))
        connection.execute("DELETE FROM revisions WHERE number <= ?", (last,))
        oldest = last + 1
    connection.execute(SET_META, (_HISTORY_CHARS, str(taken)))


def _chars(connection: sqlite3.Connection, which: str, revision: int) -> int:
    """Return how many characters the changes of some revisions take."""
    found = connection.execute(
        "SELECT coalesce(sum(coalesce(length(before), 0) + coalesce(length(after), 0)), 0) FROM changes "
        f"WHERE revision {which}",
        (revision,),
    )
    return int(found.fetchone()[0])
