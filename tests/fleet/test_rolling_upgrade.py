"""Three real servers in one fleet: each is seen and asked from another; releases differ, and work together."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Iterator, Sequence

import pytest

from lbdns import __version__
from lbdns.fleet.bus.nats_bus import NatsBus
from lbdns.fleet.fleet_status import encode_status
from lbdns.model.fleet_report import MachineStatus
from lbdns.model.fleet_terms import BusAccess
from tests.cli.commands import run
from tests.fleet.nats_server import NatsServer
from tests.fleet.served_fleet import PLACES, SETTLE_S, PlacedServer, served_fleet, wait_alike
from tests.processes.load import NAME, Load
from tests.store.served import wait_until

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(600)]

MAJOR, MINOR = (int(part) for part in __version__.split(".")[:2])
NEXT = f"{MAJOR}.{MINOR + 1}.0"
FAR = f"{MAJOR}.{MINOR + 2}.0"
PAUSE_S = 0.02
REPLY_S = 10.0
"""A reply that takes longer is lost, on whatever machine runs these tests."""


@pytest.fixture(scope="module")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    server = NatsServer(tmp_path_factory.mktemp("nats"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory, bus: NatsServer) -> Iterator[list[PlacedServer]]:
    with served_fleet(tmp_path_factory.mktemp("fleet"), bus) as made:
        yield made


class GentleLoad(Load):
    """A query at a time, with a pause: it is to lose none, not to keep a core busy."""

    def _ask(self, sock: socket.socket, identity: bytes) -> None:
        super()._ask(sock, identity)
        self._stop.wait(PAUSE_S)


def told(servers: Sequence[PlacedServer]) -> str:
    return "\n".join(f"{one.name}: {one.report()}\n{one.log[-3000:]}" for one in servers)


def change_ttl(server: PlacedServer, ttl: int) -> None:
    """Change the load balancer's TTL by one machine's API."""
    account = server.call("GET", "/client/v4/accounts")[0]["id"]
    path = f"/client/v4/accounts/{account}/load_balancers"
    [balancer] = server.call("GET", f"/lbdns/v1/load_balancers?name={NAME}")
    zone = balancer["zone_id"]
    path = path if zone is None else f"/client/v4/zones/{zone}/load_balancers"
    server.call("PATCH", f"{path}/{balancer['id']}", {"ttl": ttl})


def answer_ttl(server: PlacedServer) -> int:
    return int(server.query(NAME, timeout_s=REPLY_S).answer[0].ttl)


def wait_ttl(servers: Sequence[PlacedServer], ttl: int) -> None:
    wait_until(lambda: {answer_ttl(one) for one in servers} == {ttl}, lambda: told(servers), SETTLE_S)


def test_each_machine_is_seen_and_asked_from_another(servers: list[PlacedServer]) -> None:
    ams, fra, _ = servers

    def shown() -> str:
        return run("fleet", "--control", str(ams.control)).out

    wait_until(
        lambda: [line.split()[0] for line in shown().splitlines() if "2 of 2" in line] == list(PLACES), shown, SETTLE_S
    )
    assert run("fleet", "--control", str(ams.control)).status == 0
    assert ams.call("GET", "/lbdns/v1/fleet")["machine"] == "AMS-1"
    explained = run("explain", NAME, "--at", "FRA-1", "--control", str(ams.control))
    assert explained.status == 0 and "127.0.0.1" in explained.out
    assert ams.call("GET", "/lbdns/v1/status?at=FRA-1")["pid"] == fra.pid
    account = ams.call("GET", "/client/v4/accounts")[0]["id"]
    pools = f"/client/v4/accounts/{account}/load_balancers/pools"
    [pool] = ams.call("GET", pools)

    def places() -> dict[str, bool]:
        found = ams.call("GET", f"{pools}/{pool['id']}/health")["pop_health"]
        return {place: seen["healthy"] for place, seen in found.items()}

    wait_until(lambda: places() == dict.fromkeys(PLACES, True), lambda: f"{places()}\n{told(servers)}", SETTLE_S)
    assert "3 of 3 machines heard" in run("status", "--control", str(ams.control)).out


def test_one_machine_after_the_other_becomes_the_next_release(servers: list[PlacedServer]) -> None:
    ttl = 40
    for upgraded in servers:
        others = [one for one in servers if one is not upgraded]
        with contextlib.ExitStack() as asked:
            loads = [asked.enter_context(GentleLoad(one.host, one.port, REPLY_S).kept(10)) for one in others]
            assert upgraded.stop() == 0
            ttl += 1
            change_ttl(others[0], ttl)
            wait_ttl(others, ttl)
            upgraded.version = NEXT
            upgraded.start()
            upgraded.wait_for_api(SETTLE_S)
            wait_alike(servers)
            assert answer_ttl(upgraded) == ttl, "it has what was changed meanwhile"
            ttl += 1
            change_ttl(upgraded, ttl)
            wait_ttl(servers, ttl)
            ttl += 1
            change_ttl(others[1], ttl)
            wait_ttl(servers, ttl)
        assert [load.lost for load in loads] == [0, 0]
        versions = {row.status.name: row.status.version for row in others[0].report().machines}
        assert versions == {one.name: one.version or __version__ for one in servers}
        assert not others[0].report().problems, "one minor version apart is nothing to tell"


async def _say(url: str, machine: str, data: bytes, heard: asyncio.Event) -> None:
    """Say a status as a machine of another release would, until `heard`."""
    peer = NatsBus(BusAccess(machine, "lbdns", (url,)))
    peer.start()
    try:
        assert await peer.wait_connected(SETTLE_S), peer.problem
        while not heard.is_set():
            await peer.publish(f"here.{machine}", data)
            await asyncio.sleep(0.2)
    finally:
        await peer.close()


def hear(server: PlacedServer, url: str, machine: str, data: bytes, wanted: str) -> None:
    """Have a server hear a peer until its log or its report says what is wanted."""

    def is_told() -> bool:
        return wanted in server.log or wanted in "\n".join(server.report().problems)

    async def listen() -> None:
        heard = asyncio.Event()
        saying = asyncio.create_task(_say(url, machine, data, heard))
        await asyncio.to_thread(wait_until, is_told, lambda: told([server]), SETTLE_S)
        heard.set()
        await saying

    asyncio.run(listen())


def test_peers_of_other_releases(servers: list[PlacedServer], bus: NatsServer) -> None:
    ams = servers[0]
    newer = json.loads(encode_status(MachineStatus("NEW-1", FAR, revision=1))) | {"mood": {"good": True}}
    ams_runs = ams.version or __version__
    if ams_runs == __version__:
        hear(ams, bus.url, "NEW-1", json.dumps(newer).encode(), f"NEW-1 runs lbdns {FAR}")
    else:  # the last test made it the next release
        newer["version"] = f"{MAJOR}.{MINOR + 3}.0"
        hear(ams, bus.url, "NEW-1", json.dumps(newer).encode(), f"NEW-1 runs lbdns {newer['version']}")
    hear(ams, bus.url, "ODD-1", b'{"v": 2, "name": "ODD-1"}', "a newer release wrote it")
    assert "ODD-1" not in [row.status.name for row in ams.report().machines]
    ttl = answer_ttl(ams) + 1
    change_ttl(ams, ttl)
    wait_ttl(servers, ttl)
