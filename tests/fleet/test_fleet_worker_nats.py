"""The monitor workers of a fleet over a real nats-server: how soon a flip is everywhere, a bus that goes and comes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lbdns.fleet.observing.observation import Observation
from lbdns.fleet.observing.sharing_out import place_hash
from lbdns.health.verdict import HEALTHY, UNHEALTHY
from tests.fleet.nats_server import NatsServer
from tests.fleet.worker_fleet import Fleet
from tests.monitor.stage import until

pytestmark = [pytest.mark.slow, pytest.mark.process]

FLIP_S = 0.5
"""From the probe that decides to the tables of all; a busy machine gets several tries, of which the best counts."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    found = NatsServer(tmp_path / "nats", text="")
    found.start()
    yield found
    found.kill()


def test_a_flip_is_everywhere_within_half_a_second(tmp_path: Path, server: NatsServer) -> None:
    async def main() -> None:
        fleet = Fleet(tmp_path, "123", (server.url,))
        async with fleet.running():
            await fleet.shows(HEALTHY)
            fleet.down_for("A")
            fleet["A"].probe()
            await until(lambda: fleet["A"].stage["endpoint_checks"][0] > 1)
            took = []
            for state, down in ((UNHEALTHY, "AB"), (HEALTHY, "A")) * 3:
                fleet.down_for(down)
                asked = fleet.endpoints[0].asked[fleet["B"].source]
                fleet["B"].probe()
                await until(lambda asked=asked: fleet.endpoints[0].asked[fleet["B"].source] > asked)  # type: ignore[misc]
                took.append(await fleet.shows(state))
            assert min(took) < FLIP_S, took

    asyncio.run(main())


def test_a_bus_that_dies_changes_nothing_and_all_is_as_before_when_it_is_back(
    tmp_path: Path, server: NatsServer
) -> None:
    async def main() -> None:
        fleet = Fleet(tmp_path, "123", (server.url,))
        async with fleet.running(2):
            await fleet.shows(HEALTHY)
            await fleet.shows(HEALTHY, slot=1)
            server.kill()
            for one in fleet.machines:
                await until(lambda one=one: one.hearing.cut_off_since_s is not None)  # type: ignore[misc]
            fleet.down_for("ABC", 0)
            fleet.probe()
            await asyncio.sleep(0.5)
            assert [one.state() for one in fleet.machines] == [HEALTHY] * 3, "each alone takes nothing down"
            server.start()
            begun_s = time.monotonic()
            await fleet.shows(UNHEALTHY)
            await fleet.shows(HEALTHY, slot=1)
            assert time.monotonic() - begun_s < 10
            await fleet.all_heard()

    asyncio.run(main())


def test_more_endpoints_than_a_message_holds_are_known_to_who_joins(tmp_path: Path, server: NatsServer) -> None:
    async def main() -> None:
        fleet = Fleet(tmp_path, "12", (server.url,))
        async with fleet.running():
            a, b = (one.part._observer for one in fleet.machines)
            now_s = asyncio.get_running_loop().time()
            for number in range(45_000):
                key = place_hash(str(number)).to_bytes(8, "little") + b"more"
                a.see("A", key, Observation(HEALTHY, 0, 200, 1000, 1, 1.0), now_s)
            await until(lambda: len(b._neighbours["A"].table) == 45_001)
            await fleet["B"].stop()
            await fleet["B"].start()
            tables = fleet["B"].part._observer._neighbours
            await until(lambda: "A" in tables and len(tables["A"].table) == 45_001)  # in three pages
            await fleet.all_heard()

    asyncio.run(main())
