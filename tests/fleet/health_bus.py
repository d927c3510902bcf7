"""A bus that is played in one process: every machine has a connection, and who is cut off hears and says nothing."""

from __future__ import annotations

import asyncio
import fnmatch
from collections.abc import AsyncIterator, Callable

from lbdns.fleet.bus.fleet_bus import BusUnreached, StreamFacts, StreamMessage, Take
from lbdns.model.fleet_terms import FleetTerms


class PlayedSubscription:
    def __init__(self, bus: PlayedBus, subject: str, take: Take) -> None:
        self.bus, self.subject, self.take = bus, subject, take

    async def close(self) -> None:
        self.bus.subscriptions.remove(self)


class PlayedHub:
    """What all connections go to; `group` says who hears whom."""

    def __init__(self) -> None:
        self.buses: list[PlayedBus] = []
        self.groups: dict[str, int] = {}
        self.sent: list[tuple[str, str, int]] = []
        self.drops: Callable[[str], bool] = lambda subject: False

    def connect(self, terms: FleetTerms) -> PlayedBus:
        bus = PlayedBus(self, terms.machine)
        self.buses.append(bus)
        return bus

    def cut(self, *machines: str) -> None:
        """Cut each of these off by itself."""
        self.groups = {machine: number + 1 for number, machine in enumerate(machines)}

    def heal(self) -> None:
        self.groups = {}

    def reaches(self, one: str, other: str) -> bool:
        return self.groups.get(one, 0) == self.groups.get(other, 0)

    def deliver(self, sender: str, subject: str, data: bytes, reply: str = "") -> int:
        self.sent.append((sender, subject, len(data)))
        count = 0
        for bus in self.buses:
            for one in tuple(bus.subscriptions):
                if self.reaches(sender, bus.machine) and fnmatch.fnmatchcase(subject, one.subject):
                    count += 1
                    if not self.drops(subject):
                        asyncio.get_running_loop().call_soon(one.take, subject, data, reply)
        return count


class PlayedBus:
    """One machine's connection."""

    def __init__(self, hub: PlayedHub, machine: str) -> None:
        self.hub, self.machine = hub, machine
        self.subscriptions: list[PlayedSubscription] = []
        self._replies: dict[str, asyncio.Future[bytes]] = {}

    is_connected = True
    problem = ""

    async def publish(self, subject: str, data: bytes) -> None:
        self.hub.deliver(self.machine, subject, data)

    async def respond(self, reply: str, data: bytes) -> None:
        machine, _, number = reply.partition("#")
        for bus in self.hub.buses:
            if bus.machine == machine and self.hub.reaches(self.machine, machine):
                waiting = bus._replies.pop(number, None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(data)

    async def subscribe(self, subject: str, take: Take) -> PlayedSubscription:
        one = PlayedSubscription(self, subject, take)
        self.subscriptions.append(one)
        return one

    async def request(self, subject: str, data: bytes, timeout_s: float) -> bytes:
        number = str(len(self.hub.sent))
        self._replies[number] = waiting = asyncio.get_running_loop().create_future()
        if not self.hub.deliver(self.machine, subject, data, f"{self.machine}#{number}"):
            raise BusUnreached(f"nobody answers to {subject}")
        try:
            return await asyncio.wait_for(waiting, timeout_s)
        except TimeoutError:
            raise BusUnreached(f"no reply from {subject}") from None

    async def close(self) -> None:
        self.subscriptions.clear()
        self.hub.buses.remove(self)

    async def make_stream(self) -> StreamFacts:
        raise BusUnreached("health needs no stream")

    async def stream(self) -> StreamFacts | None:
        raise BusUnreached("health needs no stream")

    async def append(self, subject: str, data: bytes, *, id: str, expected: int | None) -> int:
        raise BusUnreached("health needs no stream")

    def follow(self, after: int, generation: str = "") -> AsyncIterator[StreamMessage]:
        raise BusUnreached("health needs no stream")

    def read(self, subject: str, after: int = 0) -> AsyncIterator[StreamMessage]:
        raise BusUnreached("health needs no stream")

    async def last(self, subject: str) -> StreamMessage | None:
        raise BusUnreached("health needs no stream")

    async def find(self, id: str, after: int) -> StreamMessage | None:
        raise BusUnreached("health needs no stream")

    async def purge(self, before: int) -> None:
        raise BusUnreached("health needs no stream")
