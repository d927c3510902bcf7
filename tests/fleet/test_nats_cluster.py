"""The bus at a real cluster of three nats-servers: as many keep the stream as there are, and one may be lost."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lbdns.fleet.bus.fleet_bus import BusError
from lbdns.fleet.bus.nats_bus import NatsBus
from lbdns.fleet.bus.subjects import REVISION
from lbdns.fleet.replica.appending import append_entry
from lbdns.fleet.replica.message_parts import Framed
from tests.fleet.nats_cluster import nats_cluster
from tests.fleet.nats_server import NatsServer, access_to

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(240)]

ELECTION_S = 60.0
"""Until a cluster has a leader on a busy machine; 4 to 8 s on one that has nothing else to do."""
PAUSE_S = 0.1


@pytest.fixture
def cluster(tmp_path: Path, starts_processes: None) -> Iterator[list[NatsServer]]:
    """Three servers, none of which runs yet."""
    servers = nats_cluster(tmp_path)
    yield servers
    for one in servers:
        one.kill()


def test_one_of_three_may_be_lost_and_who_was_missing_is_taken_in(cluster: list[NatsServer]) -> None:
    first, second, third = cluster

    async def scenario() -> None:
        for one in cluster:
            await asyncio.to_thread(one.start)
        await _until_led(first)
        bus = NatsBus(access_to(first.url, second.url, third.url))
        bus.start()
        try:
            assert await bus.wait_connected(ELECTION_S)
            facts = await bus.stream()
            assert facts is not None and facts.is_single, "as a cluster of two, or one server, has it"
            sequences = [await _appended(bus, 0, 0)]
            facts = await bus.make_stream()
            assert not facts.is_single and facts.last == sequences[-1]
            await _until_current(first)

            leader = next(one for one in cluster if one.folder.name == _keeping(first)["cluster"]["leader"])
            leader.kill()
            for number in range(1, 20):
                sequences.append(await _appended(bus, number, sequences[-1]))
            assert [message.sequence async for message in bus.read(REVISION)] == sequences
            assert [message.id async for message in bus.read(REVISION)] == [f"change-{one}" for one in range(20)]
        finally:
            await bus.close()

    asyncio.run(scenario())


async def _until_led(server: NatsServer) -> None:
    """Wait until the cluster keeps streams, and have one of its servers keep the fleet's."""
    subjects = ["lbdns.t.cfg.>", "lbdns.t.dump.>"]
    wanted = {"name": "LBDNS-t", "subjects": subjects, "storage": "file", "num_replicas": 1, "allow_direct": True}
    async with asyncio.timeout(ELECTION_S):
        while True:
            with contextlib.suppress(TimeoutError):  # nobody answers before there is a leader
                if "config" in await asyncio.to_thread(server.call, "STREAM.CREATE.LBDNS-t", wanted, 1.0):
                    return
            await asyncio.sleep(PAUSE_S)


async def _appended(bus: NatsBus, number: int, follows: int) -> int:
    """Append an entry, again where it was not done while a leader was elected; returns its sequence."""
    async with asyncio.timeout(ELECTION_S):
        while True:
            with contextlib.suppress(BusError):
                return await append_entry(bus, f"change-{number}", follows, Framed(b"x", ()), ELECTION_S)
            await asyncio.sleep(PAUSE_S)


def _keeping(server: NatsServer) -> dict[str, Any]:
    """Return what a server says of the stream, and of who keeps it."""
    return server.call("STREAM.INFO.LBDNS-t", {})


async def _until_current(server: NatsServer) -> None:
    """Wait until three keep the stream, and all have all of it."""
    async with asyncio.timeout(ELECTION_S):
        while True:
            told = _keeping(server)["cluster"]
            if "leader" in told and [one["current"] for one in told.get("replicas", ())] == [True, True]:
                return
            await asyncio.sleep(PAUSE_S)
