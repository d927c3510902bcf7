"""A bus that is played in memory: one hub with a stream, and a connection for each machine, with whatever can go wrong.

    link UP         all arrives
    link CUT        nothing does, and the machine knows: BusUnreached
    link SILENT     nothing does, and the machine does not know yet: what it asks and appends ends without a reply
    link ONE_WAY    what the machine sends arrives, replies do not: appends are done, and nobody says so

`hub.lost_replies` says which of the next appends are done and not acknowledged; `hub.late` holds back appends that
arrive only when it is told so. Nothing here takes time but turns of the loop.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from enum import Enum

from lbdns.fleet.bus.fleet_bus import (
    BusUnreached,
    OutcomeUnknown,
    SequenceMoved,
    StreamFacts,
    StreamGone,
    StreamMessage,
    Take,
)

_GENERATIONS = itertools.count(1)


class Link(Enum):
    """How a machine's way to the hub is."""

    UP = "up"
    CUT = "cut"
    SILENT = "silent"
    ONE_WAY = "one way"


class PlayedHub:
    """Who keeps the stream."""

    def __init__(self) -> None:
        self.generation = ""
        self.messages: list[StreamMessage] = []
        self.sequence = 0
        self.ids: dict[str, int] = {}
        self.buses: list[PlayedBus] = []
        self.lost_replies: Callable[[], bool] = lambda: False
        self.late: list[Callable[[], object]] | None = None
        self._came: list[asyncio.Event] = []

    def make(self) -> None:
        """Make the stream where there is none."""
        if not self.generation:
            self.generation = f"g{next(_GENERATIONS)}"

    def wipe(self) -> None:
        """Lose the stream; another one is made in its place."""
        self.messages, self.ids, self.sequence, self.generation = [], {}, 0, ""
        self.make()
        self.wake()

    def facts(self) -> StreamFacts | None:
        """Return how the stream stands."""
        if not self.generation:
            return None
        first = self.messages[0].sequence if self.messages else self.sequence + 1
        octets = sum(len(one.data) for one in self.messages)
        return StreamFacts(self.generation, first, self.sequence, octets)

    def append(self, subject: str, data: bytes, id: str, expected: int | None) -> int:
        """Append as a real one does; raises SequenceMoved."""
        if id in self.ids:
            return self.ids[id]
        newest = next((one.sequence for one in reversed(self.messages) if one.subject == subject), 0)
        if expected is not None and expected != newest:
            raise SequenceMoved(f"wrong last sequence: {newest}")
        self.sequence += 1
        self.messages.append(StreamMessage(self.sequence, subject, data, id))
        self.ids[id] = self.sequence
        self.wake()
        return self.sequence

    def arrive(self) -> None:
        """Have appends arrive that were held back."""
        held, self.late = self.late or [], None
        for one in held:
            try:
                one()
            except SequenceMoved:
                continue

    def wake(self) -> None:
        """Have all that wait for messages look."""
        for one in self._came:
            one.set()

    async def changed(self, event: asyncio.Event) -> None:
        """Wait until something may be there that was not."""
        self._came.append(event)
        try:
            await event.wait()
        finally:
            self._came.remove(event)
            event.clear()


class PlayedSubscription:
    """A subscription of a played bus."""

    def __init__(self, bus: PlayedBus, entry: tuple[str, Take]) -> None:
        self._bus, self._entry = bus, entry

    async def close(self) -> None:
        """Stop listening."""
        self._bus.listening.remove(self._entry)


class PlayedBus:
    """One machine's connection: a FleetBus."""

    def __init__(self, hub: PlayedHub, name: str = "") -> None:
        self.hub, self.name = hub, name
        self.link = Link.UP
        self.listening: list[tuple[str, Take]] = []
        self._replies: dict[str, asyncio.Future[bytes]] = {}
        hub.buses.append(self)

    @property
    def is_connected(self) -> bool:
        """Whether it believes itself connected."""
        return self.link is not Link.CUT

    @property
    def problem(self) -> str:
        """Why not."""
        return "" if self.is_connected else "the bus is not reached"

    def turn(self, link: Link) -> None:
        """Have the way be so from now on."""
        self.link = link
        self.hub.wake()

    async def publish(self, subject: str, data: bytes) -> None:
        """Tell whoever listens."""
        if self.link in (Link.UP, Link.ONE_WAY):
            self._deliver(subject, data, "")

    async def respond(self, reply: str, data: bytes) -> None:
        """Answer a question."""
        for bus in self.hub.buses:
            future = bus._replies.get(reply)
            if future is not None and not future.done() and self.link is Link.UP is bus.link:
                future.set_result(data)

    async def subscribe(self, subject: str, take: Take) -> PlayedSubscription:
        """Listen."""
        self.listening.append((subject, take))
        return PlayedSubscription(self, (subject, take))

    async def request(self, subject: str, data: bytes, timeout_s: float) -> bytes:
        """Ask."""
        reply = f"reply.{self.name}.{len(self._replies)}"
        self._replies[reply] = asyncio.get_running_loop().create_future()
        if self.link is Link.UP:
            self._deliver(subject, data, reply)
        try:
            return await asyncio.wait_for(self._replies[reply], timeout_s)
        except TimeoutError:
            raise BusUnreached("nobody answered") from None

    async def make_stream(self) -> StreamFacts:
        """Make the stream where it is not there."""
        await self._reach()
        self.hub.make()
        facts = self.hub.facts()
        assert facts is not None
        return facts

    async def stream(self) -> StreamFacts | None:
        """Return how the stream stands."""
        await self._reach()
        return self.hub.facts()

    async def append(self, subject: str, data: bytes, *, id: str, expected: int | None) -> int:
        """Append to the stream."""
        await asyncio.sleep(0)
        if self.link is Link.CUT:
            raise BusUnreached("the bus is not reached")
        if self.link is Link.SILENT:
            raise OutcomeUnknown(id, "no reply came")
        if self.hub.late is not None:
            self.hub.late.append(lambda: self.hub.append(subject, data, id, expected))
            raise OutcomeUnknown(id, "no reply came")
        try:
            sequence = self.hub.append(subject, data, id, expected)
        except SequenceMoved:
            if self.link is Link.ONE_WAY:
                raise OutcomeUnknown(id, "no reply came") from None
            raise
        if self.link is Link.ONE_WAY or self.hub.lost_replies():
            raise OutcomeUnknown(id, "no reply came")
        await asyncio.sleep(0)
        return sequence

    async def follow(self, after: int, generation: str = "") -> AsyncIterator[StreamMessage]:
        """Yield what comes below `cfg.`."""
        generation, event = generation or self.hub.generation, asyncio.Event()
        while True:
            if self.link is Link.UP:
                if self.hub.generation != generation or self.hub.sequence < after:
                    raise StreamGone("the stream is another")
                for one in [one for one in self.hub.messages if one.sequence > after]:
                    after = one.sequence
                    if one.subject.startswith("cfg."):
                        yield one
                        if self.link is not Link.UP:
                            break
                else:
                    await self.hub.changed(event)
            else:
                await self.hub.changed(event)

    async def read(self, subject: str, after: int = 0) -> AsyncIterator[StreamMessage]:
        """Yield what is there now."""
        await self._reach()
        for one in [one for one in self.hub.messages if one.sequence > after and _matches(subject, one.subject)]:
            yield one

    async def last(self, subject: str) -> StreamMessage | None:
        """Return the newest message of a subject."""
        await self._reach()
        return next((one for one in reversed(self.hub.messages) if one.subject == subject), None)

    async def find(self, id: str, after: int) -> StreamMessage | None:
        """Return the message of an id."""
        await self._reach()
        return next((one for one in self.hub.messages if one.id == id and one.sequence > after), None)

    async def purge(self, before: int) -> None:
        """Remove the messages before a sequence."""
        await self._reach()
        self.hub.messages = [one for one in self.hub.messages if one.sequence >= before]

    async def close(self) -> None:
        """End the connection."""
        self.hub.buses.remove(self)

    async def _reach(self) -> None:
        await asyncio.sleep(0)
        if self.link is not Link.UP:
            raise BusUnreached("the bus is not reached")

    def _deliver(self, subject: str, data: bytes, reply: str) -> None:
        for bus in self.hub.buses:
            if bus.link is Link.UP:
                for pattern, take in tuple(bus.listening):
                    if _matches(pattern, subject):
                        take(subject, data, reply)


def _matches(pattern: str, subject: str) -> bool:
    words, found = pattern.split("."), subject.split(".")
    if words[-1] == ">":
        return len(found) >= len(words) and all(one in ("*", two) for one, two in zip(words[:-1], found, strict=False))
    return len(words) == len(found) and all(one in ("*", two) for one, two in zip(words, found, strict=True))
