"""A machine's connection to the simulated hub: a FleetBus whose messages take time, get lost, and come late.

What is sent while the link works arrives, also when its sender has given up or was killed meanwhile. What the stream
tells of, followers hear or miss; what follows from that is the product's own code (`bus/following.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from lbdns.fleet.bus.fleet_bus import (
    BusUnreached,
    OutcomeUnknown,
    SequenceMoved,
    StreamFacts,
    StreamMessage,
    Take,
)
from lbdns.fleet.bus.following import Following, TakeNews
from tests.fleet.simulation.fault_schedule import HUB
from tests.fleet.simulation.stream_hub import Kept, Moved, StreamHub
from tests.fleet.simulation.virtual_network import VirtualNetwork
from tests.fleet.simulation.virtual_time import VirtualTime

REPLY_S: Final = 1.0
NOTICED_S: Final = 2.4
"""A connection that is gone is believed in for so long."""
PULSE_S: Final = 0.2


class SimulatedHub:
    """The hub's stream on the network, and who has its news told."""

    def __init__(self, time: VirtualTime, network: VirtualNetwork) -> None:
        self.stream = StreamHub()
        self.generation = "1"
        self.history: list[Kept] = []  # all there ever was, purged or not
        self._time = time
        self._network = network
        self._listeners: dict[int, tuple[str, TakeNews]] = {}
        self._subscribers: dict[int, tuple[str, str, Take]] = {}
        self._questions: dict[str, asyncio.Future[bytes]] = {}
        self._number = 0

    def ask(self, machine: str, question: Callable[[], Any], reply: Callable[[Any], None]) -> None:
        """Carry a machine's question to the stream, and the answer back."""

        def answer() -> None:
            found = question()
            self._network.send(HUB, machine, False, reply, found)

        self._network.send(machine, HUB, False, answer)

    def append(self, subject: str, data: bytes, id: str, expected: int | None) -> int | Moved:
        """Append, and tell of it."""
        before = self.stream.last_sequence
        found = self.stream.append(self._time.now_s, subject, data, id, expected)
        if self.stream.last_sequence > before and subject.startswith("cfg."):
            self.history.append(self.stream.kept[-1])
            news = message_of(self.stream.kept[-1])
            for machine, take in list(self._listeners.values()):
                self._network.send(HUB, machine, False, take, news)
        return found

    def listen(self, machine: str, take: TakeNews) -> Callable[[], None]:
        """Have news told; returns what ends that."""
        self._number += 1
        number = self._number
        self._listeners[number] = machine, take
        return lambda: self._listeners.pop(number, None) and None

    def subscribe(self, machine: str, pattern: str, take: Take) -> Callable[[], None]:
        """Have the messages of some subjects told to a machine; returns what ends that."""
        self._number += 1
        number = self._number
        self._subscribers[number] = machine, pattern, take
        return lambda: self._subscribers.pop(number, None) and None

    def publish(self, machine: str, subject: str, data: bytes, reply: str = "") -> None:
        """Carry a machine's message to all who subscribe to its subject, itself where it does."""
        for hearer, pattern, take in list(self._subscribers.values()):
            kind, _, rest = pattern.partition(".")
            if subject == pattern or (rest == "*" and subject.partition(".")[0] == kind):
                self._network.send(machine, hearer, False, take, subject, data, reply)

    def question(self, machine: str) -> tuple[str, asyncio.Future[bytes]]:
        """Return where an answer goes, and what it comes to."""
        self._number += 1
        reply = f"{machine}.{self._number}"
        future = self._questions[reply] = asyncio.get_running_loop().create_future()
        return reply, future

    def respond(self, machine: str, reply: str, data: bytes) -> None:
        """Carry a machine's answer to who asked."""

        def arrive() -> None:
            future = self._questions.pop(reply, None)
            if future is not None and not future.done():
                future.set_result(data)

        self._network.send(machine, reply.partition(".")[0], False, arrive)

    def facts(self) -> StreamFacts:
        """Return how the stream stands."""
        kept = self.stream.kept
        first = kept[0].sequence if kept else self.stream.last_sequence + 1
        return StreamFacts(self.generation, first, self.stream.last_sequence, self.stream.octets)


def message_of(kept: Kept) -> StreamMessage:
    """Return a message as the bus gives it."""
    return StreamMessage(kept.sequence, kept.subject, kept.data, kept.id)


class Listening:
    """A subscription."""

    def __init__(self, end: Callable[[], None]) -> None:
        self._end = end

    async def close(self) -> None:
        """End it."""
        self._end()


class SimulatedBus:
    """One machine's FleetBus."""

    def __init__(self, machine: str, time: VirtualTime, network: VirtualNetwork, hub: SimulatedHub) -> None:
        self._machine = machine
        self._time = time
        self._network = network
        self._hub = hub

    @property
    def is_connected(self) -> bool:
        """Whether the hub is reached, or was a moment ago."""
        if self._reaches():
            return True
        return self._loop_s() - self._network.changed_s(self._machine, HUB) < NOTICED_S

    @property
    def problem(self) -> str:
        """Why it is not."""
        return "" if self.is_connected else "the hub is not reached"

    def _loop_s(self) -> float:
        return asyncio.get_running_loop().time()

    def _reaches(self) -> bool:
        there, back = (self._machine, HUB), (HUB, self._machine)
        return self._network.reaches(*there) and self._network.reaches(*back)

    async def _ask(self, question: Callable[[], Any]) -> Any:
        """Return an answer of the hub; raises BusUnreached, which for what changes something means: unknown."""
        if not self.is_connected:
            raise BusUnreached("the hub is not reached")
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def reply(found: Any) -> None:
            if not future.done():
                future.set_result(found)

        self._hub.ask(self._machine, question, reply)
        try:
            async with asyncio.timeout(REPLY_S):
                return await future
        except TimeoutError:
            raise BusUnreached("the hub did not reply") from None

    async def publish(self, subject: str, data: bytes) -> None:
        """Tell whoever subscribes; nobody hears what a link that is cut does not carry."""
        self._hub.publish(self._machine, subject, data)

    async def respond(self, reply: str, data: bytes) -> None:
        """Answer who asked."""
        self._hub.respond(self._machine, reply, data)

    async def subscribe(self, subject: str, take: Take) -> Listening:
        """Listen."""
        return Listening(self._hub.subscribe(self._machine, subject, take))

    async def request(self, subject: str, data: bytes, timeout_s: float) -> bytes:
        """Ask; raises BusUnreached where no answer comes."""
        reply, future = self._hub.question(self._machine)
        self._hub.publish(self._machine, subject, data, reply)
        try:
            async with asyncio.timeout(timeout_s):
                return await future
        except TimeoutError:
            raise BusUnreached("nobody answers") from None

    async def make_stream(self) -> StreamFacts:
        """Return how the stream stands; it is always there."""
        found: StreamFacts = await self._ask(self._hub.facts)
        return found

    async def stream(self) -> StreamFacts | None:
        """Return how the stream stands."""
        found: StreamFacts = await self._ask(self._hub.facts)
        return found

    async def append(self, subject: str, data: bytes, *, id: str, expected: int | None) -> int:
        """Append; raises what FleetBus says."""
        if not self.is_connected:
            raise BusUnreached("the hub is not reached")
        try:
            found = await self._ask(lambda: self._hub.append(subject, data, id, expected))
        except BusUnreached as error:
            raise OutcomeUnknown(id, str(error)) from None
        if isinstance(found, Moved):
            raise SequenceMoved(f"the newest is {found.newest}")
        assert isinstance(found, int)
        return found

    def follow(self, after: int, generation: str = "") -> AsyncIterator[StreamMessage]:
        """Yield what comes, as the product follows."""
        return Following(self, after, generation).messages()

    async def read(self, subject: str, after: int = 0) -> AsyncIterator[StreamMessage]:
        """Yield what is there."""
        for one in await self._ask(lambda: self._hub.stream.after(after, subject)):
            yield message_of(one)

    async def last(self, subject: str) -> StreamMessage | None:
        """Return the newest of a subject."""
        found = await self._ask(lambda: self._hub.stream.last(subject))
        return None if found is None else message_of(found)

    async def find(self, id: str, after: int) -> StreamMessage | None:
        """Return the message with an id."""
        found = await self._ask(lambda: self._hub.stream.find(id, after))
        return None if found is None else message_of(found)

    async def purge(self, before: int) -> None:
        """Forget what is older."""
        await self._ask(lambda: self._hub.stream.purge(before))

    async def listen_to_news(self, take: TakeNews) -> Listening:
        """Have news told, and each time that the hub is reached again."""
        ended = asyncio.Event()
        end = self._hub.listen(self._machine, take)

        async def watch() -> None:
            was_there = self._reaches()
            while True:
                await asyncio.sleep(PULSE_S)
                is_there = self._reaches()
                if is_there and not was_there:
                    take(None)
                was_there = is_there

        watching = asyncio.create_task(watch())

        def close() -> None:
            end()
            watching.cancel()
            ended.set()

        return Listening(close)

    async def wait_connected(self, timeout_s: float) -> bool:
        """Wait until the hub is reached."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + timeout_s
        while not self._reaches() and loop.time() < end_s:
            await asyncio.sleep(PULSE_S)
        return self._reaches()

    async def close(self) -> None:
        """Nothing is held open."""
