"""A store as its fleet's replica sees it, and the fleet's stream as whoever changes the store sees it.

    change, revise, mend --commit, in a thread--> FleetStore.append --> FleetReplica.append --> the stream
                    '--- then it is stored, with the mark --'
    the stream --> FleetReplica --> FleetStore.take --> StoreManager.follow: stored, and served where it can be

All of it happens under `StoreManager.writing`: what is appended follows on what is stored, or is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from lbdns.base.errors import LbdnsError
from lbdns.base.finishing import Finishing
from lbdns.base.wording import counted
from lbdns.base.words import FLEET_REPLACE_FILE
from lbdns.fleet.bus.fleet_bus import BusError, OutcomeUnknown, SequenceMoved
from lbdns.fleet.fleet_document import BadDocument
from lbdns.fleet.replica.fleet_base import FleetBase
from lbdns.fleet.replica.message_parts import Framed
from lbdns.fleet.replica.replica_store import StorePlace
from lbdns.fleet.replica.revision_message import Arrived, ObjectRow, SentRevision, StreamEntry, TokenRow, encode_entry
from lbdns.manage.store.appender import Followed
from lbdns.manage.store.consistency import served_revision
from lbdns.manage.store.fleet_rows import (
    StateLedger,
    dump_all,
    is_there,
    replace_all,
    sent,
    take_entries,
    take_tokens,
    write_mark,
)
from lbdns.manage.store.item import Change, Item, net_changes, new_id
from lbdns.manage.store.manager import TRIES_MAX, StoreManager
from lbdns.manage.store.refusals import RaceLost, StoreError, Unavailable, Unconfirmed
from lbdns.manage.store.sqlite import Revision
from lbdns.manage.store.state import State
from lbdns.manage.store.tokens import TokenColumns, is_taken
from lbdns.manage.store.unreadable import Unreadable, read_row
from lbdns.manage.store.versions import keep_copy
from lbdns.model.fleet_mark import FleetMark

NEWER_WITHIN_S: Final = 5.0
"""How long one waits for what was first to be stored here."""
_Done = TypeVar("_Done")

log = logging.getLogger("lbdns.store")


class AppendedStream(Protocol):
    """What appends: a FleetReplica."""

    def check(self) -> None:
        """Raise BusUnreached where nothing can be appended now."""

    async def append(self, entry: StreamEntry, frames: Framed, mark: FleetMark | None) -> FleetMark:
        """Append an entry, framed, that follows on a mark; returns its own. Raises BusError or BadDocument."""

    async def newer(self, sequence: int, within_s: float) -> bool:
        """Wait until an entry behind a sequence is stored."""


class FleetStore:
    """One machine's store in its fleet: a ReplicaStore for the replica, an Appender for the manager."""

    def __init__(self, manager: StoreManager, fleet_id: str, machine: str, directory: Path) -> None:
        """Join them; on the event loop. `directory`: the fleet's, below the state directory."""
        self._manager, self._store = manager, manager.store
        self._fleet_id, self._machine, self._directory = fleet_id, machine, directory
        self._loop = asyncio.get_running_loop()
        self._ledger = StateLedger(manager.store)
        self._store.ledger = self._ledger
        self._stream: AppendedStream | None = None
        self._lost_to = 0
        self._under_way = Finishing()
        self._thread = ThreadPoolExecutor(1, "fleet")

    def attach(self, stream: AppendedStream) -> None:
        """Have changes appended to a stream from now on."""
        self._stream = stream
        self._manager.appender = self

    def detach(self) -> None:
        """Let the store be by itself again."""
        self._manager.appender = None
        self._store.ledger = None
        self._thread.shutdown(wait=False)

    # What the manager calls

    def check(self) -> None:
        """Raise Unavailable where nothing can be appended now."""
        try:
            self._appending().check()
        except BusError as error:
            raise _unreached(error) from error

    def append(self, revisions: Sequence[Revision], dropped: Sequence[Unreadable], given_out: int) -> str:
        """Append revisions that follow on what is stored; returns the mark that goes with them."""
        made = [sent(one, dropped if one is revisions[-1] else ()) for one in revisions]
        return self._wait_for(self._append(*self._entry(made, (), given_out, revisions[-1].number)))

    async def newer(self) -> None:
        """Wait until what was first is stored."""
        await self._appending().newer(self._lost_to, NEWER_WITHIN_S)

    def change_tokens(self, changes: Sequence[TokenColumns | str]) -> None:
        """Write tokens, or delete them by id, everywhere in the fleet."""
        self._wait_for(self._change_tokens(changes))

    async def _change_tokens(self, changes: Sequence[TokenColumns | str]) -> None:
        for _ in range(TRIES_MAX):
            with contextlib.suppress(RaceLost):
                async with self._manager.writing:
                    self.check()
                    await self._in_thread(self._check_names, changes)
                    made = await self._in_thread(self._entry, (), changes, 0, self._manager.state.revision)
                    mark = await self._append(*made)
                    await self._in_thread(take_tokens, self._store, self._ledger, changes, mark)
                    return
            await self.newer()
        raise Unavailable(f"other machines of the fleet were first {TRIES_MAX} times in a row; nothing is changed")

    def _check_names(self, changes: Sequence[TokenColumns | str]) -> None:
        taken = {one.name for one in self._store.tokens.all()}
        for one in changes:
            if not isinstance(one, str) and one[1] in taken:
                raise is_taken(one[1])

    def _entry(
        self, revisions: Sequence[SentRevision], tokens: Sequence[TokenRow | str], given_out: int, number: int
    ) -> tuple[StreamEntry, Framed, FleetMark | None]:
        """Return an entry that follows on what is stored, framed, and the mark of that; raises LbdnsError."""
        mark = self._mark()
        total = self._ledger.after(revisions, tokens)
        follows = mark.sequence if mark is not None else 0
        entry = StreamEntry(new_id(), self._machine, follows, number, total, tuple(revisions), tuple(tokens), given_out)
        try:
            return entry, encode_entry(entry), mark
        except BadDocument as error:
            raise LbdnsError(f"the change is too large for the fleet's bus: {error}") from error

    async def _append(self, entry: StreamEntry, frames: Framed, mark: FleetMark | None) -> str:
        try:
            return self._mark_text(await self._appending().append(entry, frames, mark))
        except SequenceMoved as error:
            self._lost_to = entry.follows
            raise RaceLost(str(error)) from error
        except OutcomeUnknown as error:
            told = f"whether the change was made is not known: {error}; once the bus is there, it is served if it was"
            raise Unconfirmed(f"{told} (change {entry.id})") from error
        except BusError as error:
            raise _unreached(error) from error

    def _appending(self) -> AppendedStream:
        assert self._stream is not None, "attach comes first"
        return self._stream

    def _wait_for(self, work: Coroutine[Any, Any, _Done]) -> _Done:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _in_thread(self, work: Callable[..., _Done], *arguments: Any) -> _Done:
        """Do something in a thread of its own: those of the loop may all wait for a change that waits for this."""
        return await self._loop.run_in_executor(self._thread, work, *arguments)

    # What the replica calls

    async def place(self) -> StorePlace:
        """Return where the store stands."""
        return await self._in_thread(self._place)

    async def take(self, generation: str, arrived: Sequence[Arrived]) -> StorePlace:
        """Store entries that follow on what is there, and serve what can be served of them."""

        def make(before: State) -> Followed | None:
            mark = self._mark()
            known = mark.sequence if mark is not None and mark.generation == generation else 0
            new = [one for one in arrived if one.sequence > known]
            if not new:
                return None
            text = self._mark_text(FleetMark(generation, new[-1].sequence))
            entries = [one.entry for one in new]

            def commit() -> None:
                take_entries(self._store, self._ledger, entries, text, self._machine)

            return _followed(before, entries, commit)

        await self._follow(make, _cause(arrived))
        return await self.place()

    async def replace(self, generation: str, base: FleetBase, arrived: Sequence[Arrived]) -> StorePlace:
        """Store a base and what follows on it in place of everything, of which a copy is kept."""
        sequence = arrived[-1].sequence if arrived else base.as_of
        text = self._mark_text(FleetMark(generation, sequence))

        def make(before: State) -> Followed | None:
            there = self._ledger.total(), before.revision, self._store.account_id
            if not arrived and (base.sum, base.revision, base.account_id) == there:
                write_mark(self._store, text)
                return None

            def commit() -> None:
                self._keep_copy()
                served = served_revision(self._store.path.parent)
                entries = [one.entry for one in arrived]
                replace_all(self._store, base, entries, text, self._machine, served)

            return Followed(None, commit)

        revision = arrived[-1].entry.revision if arrived else base.revision
        await self._follow(make, f"the fleet's objects (revision {revision}) were taken over")
        await self._in_thread((self._directory / FLEET_REPLACE_FILE).unlink, True)
        return await self.place()

    async def begin(self, mark: FleetMark) -> None:
        """Note that what is stored is what the stream begins with."""
        async with self._manager.writing:
            await self._in_thread(write_mark, self._store, self._mark_text(mark))

    async def dump(self, id: str, by: str) -> FleetBase:
        """Return all that is stored."""
        async with self._manager.writing:
            return await self._in_thread(self._dump, id, by)

    async def may_replace(self) -> bool:
        """Tell whether an operator said that the fleet's objects may take the place of those that are there."""
        return await self._in_thread((self._directory / FLEET_REPLACE_FILE).exists)

    def told(self) -> tuple[int, tuple[str, ...]]:
        """Return the newest revision that is stored, and why it is not served, a sentence each."""
        state = self._manager.state
        unread = tuple(str(one.problem()) for one in state.unreadable)
        return state.revision, (*sorted(self._manager.mistakes), *unread)

    async def _follow(self, make: Callable[[State], Followed | None], cause: str) -> None:
        """Store and serve; that goes on where nobody waits for it any more: what it reloads may end the link."""
        await self._under_way.finish(self._manager.follow(make, cause))

    def _place(self) -> StorePlace:
        is_empty = not is_there(self._store) and not self._manager.state.revision
        return StorePlace(self._mark(), self._store.head, self._ledger.total(), is_empty)

    def _dump(self, id: str, by: str) -> FleetBase:
        mark = self._mark()
        if mark is None:
            raise LbdnsError("the store is of no stream of the fleet yet")
        return dump_all(self._store, id, by, mark.sequence, self._ledger.total())

    def _mark(self) -> FleetMark | None:
        """Return how far the store has come in a stream of this fleet."""
        try:
            fleet_id, generation, sequence = json.loads(self._store.mark or "[]")
        except (ValueError, TypeError):
            return None
        return FleetMark(generation, sequence) if fleet_id == self._fleet_id else None

    def _mark_text(self, mark: FleetMark) -> str:
        return json.dumps([self._fleet_id, *mark])

    def _keep_copy(self) -> None:
        """Keep the store as it is beside itself, where there is anything in it; raises StoreError."""
        if not self._store.head:
            return
        path = self._store.path
        try:
            with self._store.reading() as connection:
                version = int(connection.execute("PRAGMA user_version").fetchone()[0])
                kept = keep_copy(connection, path, version)
        except OSError as error:
            raise StoreError(f"{path}: no copy of it can be kept: {error.strerror or error}") from error
        log.warning("the store as it was before the fleet's took its place is kept as %s", kept)


def _unreached(error: BusError) -> Unavailable:
    return Unavailable(f"this machine does not reach its fleet ({error}); nothing is changed")


def _followed(before: State, entries: Sequence[StreamEntry], commit: Callable[[], None]) -> Followed:
    """Return what entries come to on a state, where all that they have can be read."""
    after, changed = before, dict[str, Item]()
    for entry in entries:
        changes: list[Change] = []
        now: dict[str, Item | None] = {}
        for revision in entry.revisions:
            for change in revision.changes:
                id = change if isinstance(change, str) else change[0]
                old = now[id] if id in now else after.item(id)
                new = None if isinstance(change, str) else _item(change, old)
                if isinstance(new, Unreadable):
                    return Followed(None, commit)
                if old is not None or new is not None:
                    changes.append(Change(old, new))
                now[id] = new
        if entry.revisions:
            after = after.changed(net_changes(changes), entry.revision)
        changed |= {id: item for id, item in now.items() if item is not None}
    return Followed(after, commit, [item for id, item in changed.items() if after.item(id) is item])


def _item(row: ObjectRow, before: Item | None) -> Item | Unreadable:
    """Return the object of a row as it is stored: what was there keeps when it was made."""
    id, kind, zone_id, body, made, *rest = row
    return read_row((kind, id, body, zone_id, made if before is None else before.created_on, *rest))


def _cause(arrived: Sequence[Arrived]) -> str:
    """Return what the log says of entries: by whom and why."""
    revisions = [revision for one in arrived for revision in one.entry.revisions]
    if len(revisions) == 1:
        return f"{arrived[0].entry.by}: {revisions[0].author}: {revisions[0].message}"
    names = ", ".join(dict.fromkeys(one.entry.by for one in arrived))
    return f"{counted(len(revisions), 'revision')} of {names}"
