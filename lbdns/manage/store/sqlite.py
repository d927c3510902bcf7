"""The store on disk: SQLite in WAL mode. A committed revision is on the disk before the commit returns.

objects    what is, one row each       revisions  who, when, why
changes    before and after of each object that a revision changed; any earlier state follows from them
tokens     of the API, hashed (tokens.py)
"""

from __future__ import annotations

import contextlib
import json
import logging
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import index
from pathlib import Path
from typing import Final, Protocol

from lbdns.base.kinds import Kind
from lbdns.base.lasting_trouble import LastingTrouble
from lbdns.base.words import STORE_FILE
from lbdns.manage.store.consistency import newer_object, object_count, set_object_count
from lbdns.manage.store.item import Change, Item, net_changes
from lbdns.manage.store.object_rows import (
    GIVEN_OUT,
    REVISIONS_KEPT,
    SET_META,
    UPDATES,
    EncodedChange,
    decode_item,
    dump_json,
    encode_changes,
    encode_item,
    forget_history,
    object_columns,
    once_encoded,
    read_body,
    read_text,
    write_history,
    write_rows,
)
from lbdns.manage.store.opening import described, file_at, is_disk, not_agreeing, open_store, put_back
from lbdns.manage.store.refusals import Outdated, StoreError
from lbdns.manage.store.shared_values import SharedTexts
from lbdns.manage.store.state import State
from lbdns.manage.store.tokens import Tokens
from lbdns.manage.store.unreadable import Unreadable, read_row, times_of
from lbdns.manage.store.versions import transaction

AT_ONCE: Final = 1000
"""Changes that are written together."""
DAMAGE_MAX: Final = 20
FLEET_MARK: Final = "fleet"
"""The row of meta that says how far the store has come in its fleet's stream; none where it is of no fleet."""

log = logging.getLogger("lbdns.store")


@dataclass(frozen=True, slots=True)
class Revision:
    """One change of the store: its number, when (RFC 3339), by whom, why, and what; lists leave `changes` empty.

    `update`: while it is made, what tells the dynamic update that it is from all others; "" where it is none. `texts`:
    its changes as the history has them, where who made it has encoded them already.
    """

    number: int
    time: str
    author: str
    message: str
    changes: tuple[Change, ...] = ()
    update: str = ""
    texts: Sequence[EncodedChange] | None = field(default=None, repr=False, compare=False)


class RowLedger(Protocol):
    """What keeps beside a store what its rows come to."""

    def following(self, connection: sqlite3.Connection, ids: Sequence[str]) -> contextlib.AbstractContextManager[None]:
        """Take in what becomes of the objects of some ids while the context lasts."""

    def forget(self) -> None:
        """Count anew, for what was taken in may not have been stored."""


class Store:
    """A store file. Every method may be called from any thread."""

    def __init__(self, state_dir: Path) -> None:
        """Open the store of a state directory, making it where there is none; raises StoreError."""
        self.path = state_dir / STORE_FILE
        self._lock = threading.Lock()
        self._opened = open_store(self.path)
        self._file = file_at(self.path)
        self._trouble = LastingTrouble(log, f"{self.path}: what is changed is stored again")
        if self._opened.problem:
            self._trouble.begin(self._unwritable(self._opened.problem))
        try:
            self.account_id = self._meta("account_id")
        except StoreError:
            self.close()
            raise
        self.tokens = Tokens(self)
        self.ledger: RowLedger | None = None  # in a fleet

    def load(self) -> State:
        """Read everything; rows that cannot be read are beside it (`State.unreadable`)."""
        with self._lock, self._failures():
            unreadable: list[Unreadable] = []
            texts = SharedTexts()
            try:
                items = [
                    Item(
                        Kind(kind),
                        texts.of(id),
                        texts.share(Kind(kind), read_body(body)),
                        texts.of(zone_id),
                        texts.of(made),
                        texts.of(changed),
                        index(number),
                        times_of(since),
                        bool(local),
                    )
                    for kind, id, body, zone_id, made, changed, number, since, local in self._rows()
                ]
            except (ValueError, TypeError, AttributeError, RecursionError, sqlite3.OperationalError):
                items = self._items_one_by_one(unreadable)
            head = self._head()
            if why := newer_object(max((item.revision for item in items), default=0), head):
                raise not_agreeing(self.path, why)
            return State.of(items, head, unreadable)

    def _rows(self) -> sqlite3.Cursor:
        return self._connection.execute(
            "SELECT kind, id, body, zone_id, created_on, modified_on, revision, disabled_at, is_local FROM objects "
            "ORDER BY position"
        )

    def _items_one_by_one(self, unreadable: list[Unreadable]) -> list[Item]:
        """Return the objects of the rows that can be read, and note the others."""
        self._connection.text_factory = read_text
        try:
            found = [read_row(row) for row in self._rows()]
        finally:
            self._connection.text_factory = str
        unreadable += (one for one in found if isinstance(one, Unreadable))
        return [one for one in found if isinstance(one, Item)]

    def commit(
        self,
        changes: Sequence[Change],
        author: str,
        message: str,
        time: str,
        based_on: int,
        dropped: Sequence[Unreadable] = (),
        given_out: int = 0,
    ) -> Revision:
        """Write one revision, all of it or nothing; raises Outdated where another one came in between.

        `dropped`: objects that cannot be read, and are deleted. `given_out`: see the property.
        """
        made = Revision(based_on + 1, time, author, message, tuple(changes))
        self.commit_all([made], dropped, given_out)
        return made

    def commit_all(
        self,
        revisions: Sequence[Revision],
        dropped: Sequence[Unreadable] = (),
        given_out: int = 0,
        mark: str = "",
    ) -> None:
        """Write revisions whose numbers follow on the newest, all of them or nothing; raises Outdated where another one
        came in between. `mark`: see FLEET_MARK; without one, what is written is the store's own, and of no fleet."""
        objects = (
            revisions[0].changes
            if len(revisions) == 1
            else net_changes(one for revision in revisions for one in revision.changes)
        )
        lost = [one.id for one in dropped]
        with self.changing([*(change.item.id for change in objects), *lost] if self.ledger else ()) as connection:
            head, first = self._head(), revisions[0].number
            if head != first - 1:
                raise Outdated("the store", first - 1, head)
            count = object_count(connection)
            rows = ((one.number, one.time, one.author, one.message) for one in revisions)
            connection.executemany("INSERT INTO revisions VALUES (?, ?, ?, ?)", rows)
            for at in range(0, len(objects), AT_ONCE):
                some = objects[at : at + AT_ONCE]
                gone = [change.item.id for change in some if change.after is None]
                count += write_rows(connection, [object_columns(one.after) for one in some if one.after], gone)
            encode = encode_item if len(revisions) == 1 else once_encoded()
            write_history(
                connection, ((one.number, one.texts or encode_changes(one.changes, encode)) for one in revisions)
            )
            count += write_rows(connection, (), lost)
            set_object_count(connection, count)
            if given_out:
                connection.execute(SET_META, (GIVEN_OUT, str(given_out)))
            if updates := {one.update: one.number for one in revisions if one.update}:
                connection.execute(SET_META, (UPDATES, dump_json(updates)))
            forget_history(connection, first, revisions[-1].number)
            self.set_mark(connection, mark)

    @contextlib.contextmanager
    def changing(self, ids: Sequence[str]) -> Iterator[sqlite3.Connection]:
        """Write what changes objects of some ids, all or nothing, with the ledger kept beside; raises StoreError."""
        ledger = self.ledger
        try:
            with self.writing() as connection:
                if ledger is None:
                    yield connection
                else:
                    with ledger.following(connection, ids):
                        yield connection
        except BaseException:
            if ledger is not None:
                ledger.forget()
            raise

    def set_mark(self, connection: sqlite3.Connection, mark: str) -> None:
        """Note how far the store has come in its fleet's stream, "" where what it has is its own."""
        if mark:
            connection.execute(SET_META, (FLEET_MARK, mark))
        else:
            connection.execute("DELETE FROM meta WHERE key = ?", (FLEET_MARK,))

    @property
    def mark(self) -> str:
        """How far the store has come in its fleet's stream, "" where it is of none."""
        with self._lock, self._failures():
            row = self._connection.execute("SELECT value FROM meta WHERE key = ?", (FLEET_MARK,)).fetchone()
        return str(row[0]) if row is not None else ""

    def revisions(self, limit: int = 50, before: int | None = None) -> list[Revision]:
        """Return the newest revisions, those below a number where one is given, without their changes."""
        with self._lock, self._failures():
            rows = self._connection.execute(
                "SELECT number, time, author, message FROM revisions WHERE number < ? ORDER BY number DESC LIMIT ?",
                (before if before is not None else 1 << 62, limit),
            )
            return [Revision(*row) for row in rows]

    def revision(self, number: int) -> Revision:
        """Return one revision with its changes; raises LbdnsError where it is not known, or no longer."""
        with self._lock, self._failures():
            found = self._connection.execute(
                "SELECT time, author, message FROM revisions WHERE number = ?", (number,)
            ).fetchone()
            if found is None:
                raise self._unknown(number)
            time, author, message = found
            return Revision(number, time, author, message, self._changes(number))

    def state_at(self, number: int) -> State:
        """Return the objects as they were at a revision (0: before the first); raises LbdnsError where not known."""
        state = self.load()
        with self._lock, self._failures():
            oldest = self._connection.execute("SELECT min(number) FROM revisions").fetchone()[0] or 1
            if not oldest - 1 <= number <= state.revision:
                raise self._unknown(number)
            for later in range(state.revision, number, -1):
                undone = [Change(change.after, change.before) for change in reversed(self._changes(later))]
                state = state.changed(undone, later - 1)
        return state

    def feed(self, after: int) -> Iterator[Revision]:
        """Yield every revision after a number, oldest first, with its changes."""
        number = after
        while number < self.head:
            number += 1
            yield self.revision(number)

    @property
    def head(self) -> int:
        """The number of the newest revision; 0 where nothing was ever stored."""
        with self._lock, self._failures():
            return self._head()

    @property
    def given_out(self) -> int:
        """The number of the last address that was given out (model/private_names.py); 0 where none was."""
        with self._lock, self._failures():
            row = self._connection.execute("SELECT value FROM meta WHERE key = ?", (GIVEN_OUT,)).fetchone()
        return int(row[0]) if row is not None and str(row[0]).isdecimal() else 0

    @property
    def last_updates(self) -> dict[str, int]:
        """What tells the dynamic updates from all others that were stored last, together, with their revisions."""
        with self._lock, self._failures():
            row = self._connection.execute("SELECT value FROM meta WHERE key = ?", (UPDATES,)).fetchone()
        try:
            return (
                {str(update): int(number) for update, number in json.loads(row[0]).items()} if row is not None else {}
            )
        except (ValueError, TypeError, AttributeError):  # a list, as older releases had it
            return {}

    def damage(self) -> list[str]:
        """Return what SQLite finds wrong with the file, looking through all of it."""
        with self.reading() as connection:
            found = [str(row[0]) for row in connection.execute(f"PRAGMA quick_check({DAMAGE_MAX})")]
        return [f"{self.path}: {text}" for text in found if text != "ok"]

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def _meta(self, key: str) -> str:
        with self._failures():
            row = self._connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        if row is None:
            raise StoreError(f"{self.path}: not a store of lbdns")
        return str(row[0])

    def _head(self) -> int:
        return int(self._connection.execute("SELECT coalesce(max(number), 0) FROM revisions").fetchone()[0])

    def _changes(self, number: int) -> tuple[Change, ...]:
        rows = self._connection.execute(
            "SELECT before, after FROM changes WHERE revision = ? ORDER BY sequence", (number,)
        )
        try:
            return tuple(Change(decode_item(before), decode_item(after)) for before, after in rows)
        except (ValueError, TypeError, RecursionError) as error:
            raise StoreError(f"{self.path}: what revision {number} changed cannot be read: {error}") from error

    def _unknown(self, number: int) -> StoreError:
        kept = f"{REVISIONS_KEPT} are kept, or as many as there is room for"
        return StoreError(f"there is no revision {number}; the newest is {self._head()}, {kept}")

    @property
    def problem(self) -> str:
        """Why nothing can be stored, "" where it can, or could be when it was tried last."""
        return self._trouble.text

    def retry(self) -> None:
        """Look whether the file is there, and try to store where nothing could be; `problem` says what came of it."""
        with contextlib.suppress(StoreError), self._lock, self._failures():
            self._check_place()
        if self.problem:
            with contextlib.suppress(StoreError), self.writing() as connection:
                connection.execute("INSERT INTO meta VALUES ('tried', '')")
                connection.execute("DELETE FROM meta WHERE key = 'tried'")

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Write all or nothing; raises StoreError where the disk takes nothing, and says so in the log once."""
        with self._lock, self._failures():
            self._make_writable()
            self._check_place()
            try:
                with transaction(self._connection):
                    yield self._connection
            except sqlite3.Error as error:
                if is_disk(error):
                    self._trouble.begin(self._unwritable(str(error)))
                raise
            self._trouble.end()

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read; raises StoreError."""
        with self._lock, self._failures():
            yield self._connection

    def _make_writable(self) -> None:
        """Open anew what could be read alone when it was opened; raises StoreError."""
        if not self._opened.problem:
            return
        opened = open_store(self.path)
        if opened.problem:
            opened.connection.close()
            self._trouble.begin(self._unwritable(opened.problem))
            raise StoreError(self.problem)
        self._opened.connection.close()
        self._opened, self._file = opened, file_at(self.path)

    def _check_place(self) -> None:
        """See that what is written is what the next start reads.

        A file that was removed is written back; raises StoreError where another one is in its place.
        """
        found = file_at(self.path)
        if found == self._file or self._opened.problem:
            return
        if found is not None:
            self._trouble.begin(
                f"{self.path}: another file is in the place of the store: start lbdns again to serve it"
            )
            raise StoreError(self.problem)
        try:
            self._opened = put_back(self._connection, self.path)
        except OSError as error:
            self._trouble.begin(f"{self.path}: the store was removed, and cannot be written back: {error.strerror}")
            raise StoreError(self.problem) from error
        self._file = file_at(self.path)
        log.warning("%s: the store was removed while it was served, and is written back", self.path)

    def _unwritable(self, why: str) -> str:
        return f"{self.path}: nothing can be stored: {why}"

    @property
    def _connection(self) -> sqlite3.Connection:
        return self._opened.connection

    @contextlib.contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(described(self.path, error)) from error
