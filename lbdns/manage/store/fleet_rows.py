"""A fleet's store, row by row: entries of the stream taken as they are, whether this release can read them or not.

What is written is what was sent, to the octet: bodies are not read here. So all machines' rows have the same sum, and a
machine of an earlier release keeps for the others, and for its own upgrade, what it cannot serve.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Final

from lbdns.fleet.replica.fleet_base import FleetBase
from lbdns.fleet.replica.revision_message import ObjectRow, SentRevision, StreamEntry, TokenRow
from lbdns.fleet.replica.state_sum import MODULUS, moved_sum, rows_sum
from lbdns.manage.store.consistency import RESTORED_OVER, object_count, set_object_count
from lbdns.manage.store.object_rows import (
    COLUMNS,
    GIVEN_OUT,
    SET_META,
    UPDATES,
    EncodedChange,
    dump_json,
    encode_columns,
    forget_history,
    object_columns,
    rows_of,
    write_history,
    write_rows,
)
from lbdns.manage.store.sqlite import Revision, Store
from lbdns.manage.store.tokens import TokenColumns
from lbdns.manage.store.unreadable import Unreadable

OBJECT: Final = "object"
TOKEN: Final = "token"
_TOKEN_COLUMNS: Final = "id, name, scope, hash, created_on"


class StateLedger:
    """The sum of a store's objects and tokens (state_sum.py), kept with every change of it."""

    def __init__(self, store: Store) -> None:
        """Keep it beside `store`; it is counted when it is first asked for."""
        self._store = store
        self._sum: int | None = None

    def total(self) -> int:
        """Return the sum of what is stored."""
        if self._sum is None:
            with self._store.reading() as connection:
                self._sum = _whole_sum(connection)
        return self._sum

    def forget(self) -> None:
        """Count anew."""
        self._sum = None

    @contextlib.contextmanager
    def following(self, connection: sqlite3.Connection, ids: Sequence[str]) -> Iterator[None]:
        """Take in what becomes of the objects of some ids while the context lasts."""
        before = rows_sum(OBJECT, rows_of(connection, ids))
        yield
        if self._sum is not None:
            self._sum = moved_sum(self._sum, before, rows_sum(OBJECT, rows_of(connection, ids)))

    def follow_tokens(self, gone: int, come: int) -> None:
        """Take in that tokens of one sum have gone, and others have come."""
        if self._sum is not None:
            self._sum = moved_sum(self._sum, gone, come)

    def after(self, revisions: Sequence[SentRevision], tokens: Sequence[TokenRow | str] = ()) -> int:
        """Return what the sum is once these are stored."""
        total = self.total()
        net = _net(revisions)
        with self._store.reading() as connection:
            before = {row[0]: row for row in rows_of(connection, [*net])}
            known = _tokens_of(connection, [_token_id(one) for one in tokens])
        # A row that is there keeps when it was made, and its kind.
        come = (
            (*row[:1], before[id][1], *row[2:4], before[id][4], *row[5:]) if id in before else row
            for id, row in net.items()
            if row is not None
        )
        total = moved_sum(total, rows_sum(OBJECT, before.values()), rows_sum(OBJECT, come))
        return moved_sum(total, rows_sum(TOKEN, known), rows_sum(TOKEN, _rows_among(tokens)))


def sent(revision: Revision, dropped: Sequence[Unreadable]) -> SentRevision:
    """Return a revision as the stream has it."""
    changes = [it.item.id if it.after is None else object_columns(it.after) for it in revision.changes]
    lost = [one.id for one in dropped]
    return SentRevision(
        revision.number, revision.time, revision.author, revision.message, (*changes, *lost), revision.update
    )


def take_entries(store: Store, ledger: StateLedger, entries: Sequence[StreamEntry], mark: str, own: str) -> None:
    """Store entries that follow on what is there, all or nothing; `own`: this machine's name. Raises StoreError."""
    ids = list(dict.fromkeys(id for entry in entries for id in _net(entry.revisions)))
    gone = come = 0
    with store.changing(ids) as connection:
        for entry in entries:
            _take_revisions(connection, entry, entry.by == own)
            gone, come = _add(gone, come, _write_tokens(connection, entry.tokens))
        store.set_mark(connection, mark)
    ledger.follow_tokens(gone, come)
    store.tokens.forget()


def take_tokens(store: Store, ledger: StateLedger, tokens: Sequence[TokenColumns | str], mark: str) -> None:
    """Store tokens that are in the stream at a mark; raises StoreError."""
    with store.changing(()) as connection:
        gone, come = _write_tokens(connection, tokens)
        store.set_mark(connection, mark)
    ledger.follow_tokens(gone, come)
    store.tokens.forget()


def write_mark(store: Store, mark: str) -> None:
    """Note a mark; raises StoreError."""
    with store.writing() as connection:
        store.set_mark(connection, mark)


def replace_all(
    store: Store, base: FleetBase, entries: Sequence[StreamEntry], mark: str, own: str, served: int
) -> None:
    """Store a base, and entries that follow on it, in place of everything, all or nothing; raises StoreError.

    `served`: the revision that was served last, which this may be older than.
    """
    with store.changing(()) as connection:
        for table in ("objects", "changes", "revisions", "tokens"):
            connection.execute(f"DELETE FROM {table}")
        connection.execute("DELETE FROM meta WHERE key = 'history_chars'")
        if base.revision:
            about = base.revision, base.time, base.author, base.message
            connection.execute("INSERT INTO revisions VALUES (?, ?, ?, ?)", about)
        set_object_count(connection, write_rows(connection, base.objects, ()))
        _write_tokens(connection, base.tokens)
        connection.execute("UPDATE meta SET value = ? WHERE key = 'account_id'", (base.account_id,))
        connection.execute(SET_META, (GIVEN_OUT, str(base.given_out)))
        connection.execute(SET_META, (RESTORED_OVER, str(served)))
        for entry in entries:
            _take_revisions(connection, entry, entry.by == own)
            _write_tokens(connection, entry.tokens)
        store.set_mark(connection, mark)
    store.account_id = base.account_id
    store.tokens.forget()
    if store.ledger is not None:
        store.ledger.forget()


def dump_all(store: Store, id: str, by: str, as_of: int, total: int) -> FleetBase:
    """Return everything that is stored, as of a sequence; raises StoreError."""
    given_out = store.given_out
    with store.reading() as connection:
        newest = connection.execute("SELECT * FROM revisions ORDER BY number DESC LIMIT 1").fetchone() or (
            0,
            "",
            "",
            "",
        )
        number, time, author, message = newest
        objects = tuple(connection.execute(f"SELECT {COLUMNS} FROM objects ORDER BY position"))
        tokens = tuple(connection.execute(f"SELECT {_TOKEN_COLUMNS} FROM tokens ORDER BY created_on, id"))
    return FleetBase(id, by, as_of, number, total, store.account_id, given_out, time, author, message, objects, tokens)


def is_there(store: Store) -> bool:
    """Tell whether a store has objects; raises StoreError."""
    with store.reading() as connection:
        return connection.execute("SELECT 1 FROM objects LIMIT 1").fetchone() is not None


def _take_revisions(connection: sqlite3.Connection, entry: StreamEntry, is_own: bool) -> None:
    if not entry.revisions:
        return
    net = _net(entry.revisions)
    before: dict[str, str | None] = {row[0]: encode_columns(row) for row in rows_of(connection, [*net])}
    rows = [(one.number, one.time, one.author, one.message) for one in entry.revisions]
    connection.executemany("INSERT INTO revisions VALUES (?, ?, ?, ?)", rows)
    history = []
    for revision in entry.revisions:
        pairs: list[EncodedChange] = []
        for change in revision.changes:
            id, after = (change, None) if isinstance(change, str) else (change[0], encode_columns(change))
            pairs.append((before.get(id), after))
            before[id] = after
        history.append((revision.number, [pair for pair in pairs if pair != (None, None)]))
    write_history(connection, history)
    count = object_count(connection)
    gone = [id for id, row in net.items() if row is None]
    count += write_rows(connection, [row for row in net.values() if row is not None], gone)
    set_object_count(connection, count)
    if entry.given_out:
        connection.execute(SET_META, (GIVEN_OUT, str(entry.given_out)))
    if is_own and (updates := {one.update: one.number for one in entry.revisions if one.update}):
        connection.execute(SET_META, (UPDATES, dump_json(updates)))
    forget_history(connection, entry.revisions[0].number, entry.revisions[-1].number)


def _net(revisions: Sequence[SentRevision]) -> dict[str, ObjectRow | None]:
    """Return what revisions come to: by id each object's last row, None where it is gone, in order of the first change
    of each, as who made them stored them."""
    found: dict[str, ObjectRow | None] = {}
    for revision in revisions:
        for change in revision.changes:
            if isinstance(change, str):
                found[change] = None
            else:
                found[change[0]] = change
    return found


def _write_tokens(connection: sqlite3.Connection, changes: Sequence[TokenColumns | str]) -> tuple[int, int]:
    """Write tokens, and delete those of which there is an id alone; returns the sums of what was there and is."""
    if not changes:
        return 0, 0
    ids = [_token_id(one) for one in changes]
    before = rows_sum(TOKEN, _tokens_of(connection, ids))
    connection.executemany("DELETE FROM tokens WHERE id = ?", ((id,) for id in ids))
    connection.executemany("INSERT INTO tokens VALUES (?, ?, ?, ?, ?)", _rows_among(changes))
    return before, rows_sum(TOKEN, _tokens_of(connection, ids))


def _tokens_of(connection: sqlite3.Connection, ids: Sequence[str]) -> list[TokenColumns]:
    wanted = f"SELECT {_TOKEN_COLUMNS} FROM tokens WHERE id IN (SELECT value FROM json_each(?))"
    return list(connection.execute(wanted, (dump_json(list(ids)),)))


def _token_id(change: TokenColumns | str) -> str:
    return change if isinstance(change, str) else change[0]


def _rows_among(changes: Sequence[TokenColumns | str]) -> list[TokenColumns]:
    return [one for one in changes if not isinstance(one, str)]


def _add(gone: int, come: int, more: tuple[int, int]) -> tuple[int, int]:
    return (gone + more[0]) % MODULUS, (come + more[1]) % MODULUS


def _whole_sum(connection: sqlite3.Connection) -> int:
    objects = rows_sum(OBJECT, connection.execute(f"SELECT {COLUMNS} FROM objects"))
    return (objects + rows_sum(TOKEN, connection.execute(f"SELECT {_TOKEN_COLUMNS} FROM tokens"))) % MODULUS
