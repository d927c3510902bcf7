"""Monitor workers of several machines, in this process, and endpoints that answer each of them as the test says.

Machine number n probes from 127.0.0.(10 + n): by that an endpoint knows who asks.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from lbdns.fleet.told_hearing import ToldHearing, read_hearing
from lbdns.monitor.joined.fleet_part import FleetPart
from tests.monitor.documents import endpoint, pool
from tests.monitor.stage import Running, Stage, adopted, hurry, until

TCP = {"type": "http", "interval": 3600, "timeout": 10, "retries": 0}


class Endpoint:
    """A real server on loopback that answers 200 or 503, by who asks."""

    def __init__(self) -> None:
        self.port = 0
        self.down: set[str] = set()
        self.asked: dict[str, int] = {}

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Endpoint]:
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            await server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        who = writer.get_extra_info("peername")[0]
        self.asked[who] = self.asked.get(who, 0) + 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            code = b"503 No" if who in self.down else b"200 OK"
            writer.write(b"HTTP/1.1 " + code + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
        writer.close()


class Machine:
    """One machine: a run directory and the worker in it."""

    def __init__(self, path: Path, name: str, number: int, region: str, urls: tuple[str, ...] = ()) -> None:
        path.mkdir(mode=0o700)
        self.name, self.source, self.region = name, f"127.0.0.{10 + number}", region
        self.stage = Stage(path)
        self.access: dict[str, Any] = {"machine": name, "fleet_id": "t", "urls": urls}
        self.probe_from: int | None = 3
        self.running: Running | None = None
        self._stack = contextlib.AsyncExitStack()

    def publish(self, *pools: dict[str, Any], **more: Any) -> None:
        terms = {"access": self.access, "probe_from": self.probe_from}
        vantage = {"name": self.name, "region": self.region, "source": self.source}
        self.stage.publish(*pools, **{"fleet": terms, "vantage_points": [vantage], "monitors": {"web": TCP}, **more})

    async def start(self) -> None:
        self.running = await self._stack.enter_async_context(self.stage.running())
        await until(lambda: bool(self.running and self.running._at_work))
        await adopted(self.stage, self.stage.control.generation)

    async def stop(self) -> None:
        await self._stack.aclose()
        self.running = None

    @property
    def part(self) -> FleetPart:
        assert self.running is not None
        found = self.running.worker._fleet
        assert found is not None
        return found

    @property
    def check_count(self) -> int:
        assert self.running is not None
        return len(self.running.worker._plan.checks)

    def probe(self) -> None:
        assert self.running is not None
        hurry(self.running)

    def state(self, slot: int = 0) -> int:
        found: int = self.stage["endpoint_state"][slot]
        return found

    @property
    def hearing(self) -> ToldHearing:
        return read_hearing(self.stage.path) or ToldHearing()


class Fleet:
    """All machines, and one endpoint or several that all of them probe."""

    def __init__(self, path: Path, regions: str, urls: tuple[str, ...] = ()) -> None:
        self.machines = [
            Machine(path / name, name, number, f"R{region}", urls)
            for number, (name, region) in enumerate(zip("ABCDEFG", regions, strict=False))
        ]
        self.endpoints: list[Endpoint] = []
        self._stack = contextlib.AsyncExitStack()

    def __getitem__(self, name: str) -> Machine:
        return next(one for one in self.machines if one.name == name)

    def pool(self, name: str = "p", **more: Any) -> dict[str, Any]:
        return pool(name, *(endpoint(f"e{at}", port=one.port) for at, one in enumerate(self.endpoints)), **more)

    @contextlib.asynccontextmanager
    async def running(self, endpoint_count: int = 1, **more: Any) -> AsyncIterator[Fleet]:
        async with contextlib.AsyncExitStack() as stack:
            self.endpoints = [await stack.enter_async_context(Endpoint().serving()) for _ in range(endpoint_count)]
            for one in self.machines:
                one.publish(self.pool(**more))
                await one.start()
                stack.push_async_callback(one.stop)
            await self.all_heard()
            yield self

    async def all_heard(self, *names: str) -> None:
        """Wait until all machines hear each other."""
        some = [one for one in self.machines if (not names or one.name in names) and one.running is not None]
        for one in some:
            await until(lambda one=one: len(one.hearing.heard) == len(some) - 1)  # type: ignore[misc]

    def down_for(self, names: str, *endpoints: int) -> None:
        """Have endpoints (none: all) fail for these machines alone."""
        for number, one in enumerate(self.endpoints):
            if not endpoints or number in endpoints:
                one.down = {self[name].source for name in names}

    async def shows(self, state: int, names: str = "", slot: int = 0, within_s: float = 30.0) -> float:
        """Wait until an endpoint's state is this at all machines; return how long that took."""
        begun_s = time.monotonic()
        for one in self.machines:
            if (not names or one.name in names) and one.running is not None:
                await until(lambda one=one: one.state(slot) == state, within_s)  # type: ignore[misc]
        return time.monotonic() - begun_s

    def probe(self, names: str = "") -> None:
        for one in self.machines:
            if (not names or one.name in names) and one.running is not None:
                one.probe()
