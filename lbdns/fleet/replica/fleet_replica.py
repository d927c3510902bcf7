"""One machine's replica: START HERE. Its store is kept equal to the stream, and appends to it.

    UNREACHED --the stream is found--> which one is it?
        ^                                |- the one that the store has a mark of ------------------> FOLLOWING
        |                                |- another, or the store is of none:
        |                                |    nothing in it, and this machine may begin it: BEGIN --> FOLLOWING
        |                                |    nothing in it yet ---------------------------------> WAITING
        |                                |    the store has objects of its own, nobody said what of them -> REFUSED
        |                                '--- else: COPYING, the newest base and what follows -----> FOLLOWING
        '--the bus is lost, the stream is another---------------------------------------------------------'

    FOLLOWING: an entry comes | it follows on the newest we have, and leads to the sum that it says -> taken
                              | we have it already: it was ours                                     -> passed over
                              | it follows on one that we do not have, or leads elsewhere           -> COPYING

Whatever happens here, what is stored is served on. No clock but the loop's, no I/O but the bus's and the store's.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.base.wording import counted
from lbdns.fleet.bus.fleet_bus import (
    BusError,
    BusUnreached,
    FleetBus,
    OutcomeUnknown,
    SequenceMoved,
    StreamFacts,
    StreamGone,
    StreamMessage,
)
from lbdns.fleet.bus.subjects import BASE, REVISION
from lbdns.fleet.fleet_document import BadDocument, decode_document
from lbdns.fleet.replica.appending import AGAIN_S, WITHIN_S, append_entry, append_parts, read_parts
from lbdns.fleet.replica.fleet_base import BaseNote, FleetBase, decode_base, encode_base, is_due
from lbdns.fleet.replica.message_parts import WHOLE_BYTES_MAX, Framed, joined, part_count
from lbdns.fleet.replica.replica_store import ReplicaStore, StorePlace
from lbdns.fleet.replica.revision_message import Arrived, StreamEntry, decode_entry, encode_entry
from lbdns.model.fleet_mark import FleetMark

RETRY_S: Final = 0.25
ASTRAY_RETRY_S: Final = 30.0
"""Between copies where one did not help: it would not a moment later."""
TAKEN_MAX: Final = 500
"""Entries that are stored and served together, where many have come."""
BUFFERED_MAX: Final = 2_000

log = logging.getLogger("lbdns.fleet")


class ReplicaPhase(StrEnum):
    """What a replica is at."""

    UNREACHED = "unreached"
    WAITING = "waiting"
    REFUSED = "refused"
    COPYING = "copying"
    FOLLOWING = "following"


class Astray(LbdnsError):
    """The store is not what the stream says: something was lost on the way."""


class FleetReplica:
    """The replica of one machine."""

    def __init__(
        self,
        bus: FleetBus,
        store: ReplicaStore,
        machine: str,
        new_id: Callable[[], str],
        may_begin: bool,
        is_newest: Callable[[int], bool] = lambda revision: True,
        within_s: float = WITHIN_S,
    ) -> None:
        """`within_s`: how long an append is tried for before its outcome is said to be unknown.

        `may_begin`: whether a stream without anything begins with this store. `is_newest`: tells of the revision of
        a store whose stream is lost whether no other machine is known to have a newer one; then it begins another."""
        self._bus, self._store, self._machine, self._new_id = bus, store, machine, new_id
        self._may_begin, self._is_newest = may_begin, is_newest
        self._within_s = within_s
        self.phase = ReplicaPhase.UNREACHED
        self.problem = "the bus has not been reached yet"
        self._generation = ""
        self._base: BaseNote | None = None
        self._octets_since = 0
        self._arrived: list[StreamMessage] = []
        self._came, self._drained, self._took = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._taken = 0
        self._base_task: asyncio.Task[None] | None = None
        self._is_astray, self._astray_count = False, 0

    async def run(self) -> None:
        """Keep the store equal to the stream, until cancelled."""
        try:
            while True:
                wait_s = RETRY_S
                try:
                    await self._enter_and_follow()
                except StreamGone as error:
                    self._stand(ReplicaPhase.UNREACHED, str(error))
                except Astray as error:
                    wait_s = min(RETRY_S * 2**self._astray_count, ASTRAY_RETRY_S)
                    self._astray_count += 1
                    self._is_astray = True
                    self._stand(ReplicaPhase.COPYING, str(error))
                except LbdnsError as error:
                    self._stand(ReplicaPhase.UNREACHED, str(error))
                except Exception as error:  # a mistake of ours: what is stored is served on, and it is tried again
                    log.exception("lbdns failed on the fleet's stream")
                    self._stand(ReplicaPhase.UNREACHED, f"lbdns failed on the fleet's stream: {error!r}")
                await asyncio.sleep(wait_s)
        finally:
            if self._base_task is not None:
                self._base_task.cancel()

    def check(self) -> None:
        """Raise BusUnreached where nothing can be appended now, with why."""
        if self.phase is not ReplicaPhase.FOLLOWING:
            raise BusUnreached(self.problem)
        if not self._bus.is_connected:
            raise BusUnreached(self._bus.problem)

    async def append(self, entry: StreamEntry, frames: Framed, mark: FleetMark | None) -> FleetMark:
        """Append an entry, framed, that follows on a mark of the store; returns its own. Raises as `append_entry` does.

        Whoever calls it lets nothing else change the store until it has stored the entry.
        """
        self.check()
        if mark is None or mark.generation != self._generation:
            raise BusUnreached("the fleet's stream is another now, and is being taken up")
        sequence = await append_entry(self._bus, entry.id, entry.follows, frames, self._within_s)
        self._begin_base(entry.revision)
        return FleetMark(mark.generation, sequence)

    async def newer(self, sequence: int, within_s: float) -> bool:
        """Wait until an entry behind this sequence is stored; returns whether one is."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self._taken <= sequence:
                    self._took.clear()
                    await self._took.wait()
        return self._taken > sequence

    @property
    def lag(self) -> int:
        """How many entries are known of and not stored yet, as far as they have come here."""
        return len(self._arrived)

    def _stand(self, phase: ReplicaPhase, problem: str = "") -> None:
        if (phase, problem) != (self.phase, self.problem):
            told = log.info if phase in (ReplicaPhase.FOLLOWING, ReplicaPhase.COPYING) else log.warning
            told("fleet: %s%s", phase, f": {problem}" if problem else "")
        self.phase, self.problem = phase, problem

    async def _enter_and_follow(self) -> None:
        facts = await self._bus.stream()
        place = await self._store.place()
        if facts is None and not self._begins(place):
            self._stand(ReplicaPhase.WAITING, "the bus has no stream of this fleet yet: who begins it makes it")
            return
        if facts is None or facts.is_single:
            facts = await self._bus.make_stream()
        await self._note_base()
        if self._is_astray or not _continues(place.mark, facts):
            entered = await self._enter(facts, place)
            if entered is None:
                return
            place = entered
        self._generation = facts.generation
        self._took_up(place)
        if self._base is None or is_due(self._base, place.revision, 0):
            self._begin_base(place.revision)
        await self._follow(facts.generation, place)

    async def _enter(self, facts: StreamFacts, place: StorePlace) -> StorePlace | None:
        """Begin the stream, or take what is in it; returns where the store stands then, None where it does not yet."""
        newest = await self._bus.last(REVISION)
        if newest is None:
            return await self._begin(facts.generation, place, 0)
        head = await self._bus.last(BASE)
        if head is None:
            self._stand(ReplicaPhase.WAITING, "whoever began the fleet's stream has not said yet what there is")
            return None
        base = await self._read_base(head)
        is_own = place.mark is None and not place.is_empty and (base.sum, base.revision) != (place.sum, place.revision)
        if is_own and (base.revision, base.sum) == (0, 0) and newest.sequence == base.as_of:
            return await self._begin(facts.generation, place, newest.sequence)  # it was begun with nothing
        if is_own and not await self._store.may_replace():
            told = (
                f"this machine's store has objects of its own (revision {place.revision}), which are none of the "
                f"fleet's (revision {base.revision}): `lbdns fleet join --replace` has the fleet's take their place, "
                "and keeps a copy of the store"
            )
            self._stand(ReplicaPhase.REFUSED, told)
            return None
        self._stand(ReplicaPhase.COPYING, f"taking the base of revision {base.revision}, which {base.by} made")
        arrived = [await self._opened(one) async for one in self._bus.read(REVISION, base.as_of)]
        if _broken_at(base.as_of, arrived) is not None:
            raise BadDocument("entries after the newest base are not there yet, or no more")
        after = await self._store.replace(facts.generation, base, arrived)
        if arrived:
            _check_sum(after, arrived[-1])
        elif (after.revision, after.sum) != (base.revision, base.sum):
            raise Astray(f"the base of revision {base.revision} is not what it says of itself")
        self._is_astray = False
        return after

    def _begins(self, place: StorePlace) -> bool:
        """Tell whether a stream without anything begins with this machine's store."""
        return self._may_begin if place.mark is None else self._is_newest(place.revision)

    async def _begin(self, generation: str, place: StorePlace, follows: int) -> StorePlace | None:
        """Begin a stream with what is stored, behind an entry that began it with nothing (0: behind none)."""
        if not follows and not self._begins(place):
            self._stand(
                ReplicaPhase.WAITING, "the fleet's stream is empty: the machine that begins it has not come yet"
            )
            return None
        entry = StreamEntry(self._new_id(), self._machine, follows, place.revision, place.sum)
        try:
            mark = FleetMark(generation, await append_entry(self._bus, entry.id, follows, encode_entry(entry)))
        except SequenceMoved:  # somebody else was first, whose stream it is
            return None
        await self._store.begin(mark)
        self._base = None
        log.info("fleet: this machine's store (revision %d) begins the stream", place.revision)
        return place._replace(mark=mark)

    async def _follow(self, generation: str, place: StorePlace) -> None:
        assert place.mark is not None, "it was entered"
        self._arrived = []
        self._came.clear()
        self._stand(ReplicaPhase.FOLLOWING)
        reading = asyncio.create_task(self._read(generation, place.mark.sequence))
        reading.add_done_callback(lambda _: self._came.set())
        try:
            while True:
                await self._came.wait()
                self._came.clear()
                while self._arrived:
                    batch = self._arrived[:TAKEN_MAX]
                    await self._take(generation, batch)
                    del self._arrived[: len(batch)]
                    self._drained.set()
                if reading.done():
                    reading.result()
                    return
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError, BusError):
                await reading

    async def _read(self, generation: str, after: int) -> None:
        async for message in self._bus.follow(after, generation):
            while len(self._arrived) >= BUFFERED_MAX:
                self._drained.clear()
                await self._drained.wait()
            if message.subject in (REVISION, BASE):
                self._arrived.append(message)
                self._came.set()

    async def _take(self, generation: str, batch: Sequence[StreamMessage]) -> None:
        place = await self._store.place()
        mark = place.mark
        if mark is None or mark.generation != generation:
            raise StreamGone("the store is of another stream now")
        arrived = []
        for message in batch:
            if message.subject == BASE:
                self._note(message)
            elif message.sequence > mark.sequence:
                arrived.append(await self._opened(message))
        broken = _broken_at(mark.sequence, arrived)
        if broken is not None:
            follows = broken.entry.follows
            raise Astray(f"entry {broken.sequence} of the fleet's stream follows on {follows}, which is not here")
        if arrived:
            after = await self._store.take(generation, arrived)
            self._octets_since += sum(one.octets for one in arrived)
            self._took_up(after)
            _check_sum(after, arrived[-1])
            self._astray_count = 0

    def _took_up(self, place: StorePlace) -> None:
        assert place.mark is not None, "it is of a stream"
        self._taken = place.mark.sequence
        self._took.set()

    async def _opened(self, message: StreamMessage) -> Arrived:
        """Return the entry of a message, with its parts where it has any; raises BadDocument and BusUnreached."""
        said = decode_document(message.data, bytes_max=WHOLE_BYTES_MAX)
        if part_count(said):
            parts = await read_parts(self._bus, message.id)
            said = await asyncio.to_thread(joined, said, parts)
            return Arrived(message.sequence, decode_entry(said), sum(map(len, parts)))
        return Arrived(message.sequence, decode_entry(said), len(message.data))

    async def _read_base(self, head: StreamMessage) -> FleetBase:
        said = decode_document(head.data, bytes_max=WHOLE_BYTES_MAX)
        if part_count(said):
            said = await asyncio.to_thread(joined, said, await read_parts(self._bus, head.id))
        return await asyncio.to_thread(decode_base, said)

    async def _note_base(self) -> None:
        head = await self._bus.last(BASE)
        self._base, self._octets_since = None, 0
        if head is not None:
            self._note(head)

    def _note(self, head: StreamMessage) -> None:
        said = decode_document(head.data, bytes_max=WHOLE_BYTES_MAX)
        revision, octets = said.get("revision"), said.get("octets", len(head.data))
        if isinstance(revision, int) and isinstance(octets, int):
            self._base, self._octets_since = BaseNote(revision, octets), 0

    def _begin_base(self, revision: int) -> None:
        """Write a base where one is due; nobody waits for it."""
        if (self._base_task is None or self._base_task.done()) and is_due(self._base, revision, self._octets_since):
            self._base_task = asyncio.create_task(self._write_base())

    async def _write_base(self) -> None:
        """Append a base, and remove what it makes needless. Whoever else does so at the same time may be first."""
        try:
            before = await self._bus.last(BASE)
            base = await self._store.dump(self._new_id(), self._machine)
            frames = await asyncio.to_thread(encode_base, base)
            await append_parts(self._bus, base.id, frames.parts)
            expected = 0 if before is None else before.sequence
            while True:
                with contextlib.suppress(OutcomeUnknown):
                    await self._bus.append(BASE, frames.head, id=base.id, expected=expected)
                    break
                await asyncio.sleep(AGAIN_S)
            await self._bus.purge(before=base.as_of)
        except SequenceMoved:
            return
        except LbdnsError as error:
            log.warning("fleet: no base was written: %s", error)
            return
        log.info("fleet: a base of revision %d was written (%s)", base.revision, counted(frames.octets, "octet"))


def _continues(mark: FleetMark | None, facts: StreamFacts) -> bool:
    """Tell whether a store goes on with a stream where it stands."""
    return mark is not None and mark.generation == facts.generation and mark.sequence <= facts.last


def _check_sum(place: StorePlace, newest: Arrived) -> None:
    """Raise Astray where a store is not what the newest entry that it has says of it."""
    entry, is_there = newest.entry, place.mark is not None and place.mark.sequence == newest.sequence
    if is_there and (place.revision, place.sum) != (entry.revision, entry.sum):
        raise Astray(f"what is stored here differs from the fleet's at revision {entry.revision}: it is copied anew")


def _broken_at(sequence: int, arrived: Sequence[Arrived]) -> Arrived | None:
    """Return the first entry that does not follow on the one before it, the first one on that of a sequence."""
    for one in arrived:
        if one.entry.follows != sequence:
            return one
        sequence = one.sequence
    return None
