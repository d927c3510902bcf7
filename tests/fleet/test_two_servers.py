"""Real servers in one fleet, over a real nats-server: a change at one is in the answers of all."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fleet.nats_server import NatsServer
from tests.processes.load import NAME, configuration
from tests.store.served import StoreServer, wait_until

pytestmark = pytest.mark.process

MEDIAN_S = 0.3
SLOWEST_S = 1.0
BOUND_S = 5.0
"""Within which somebody who is cut off is told so, and machines are alike after healing."""


class FleetServer(StoreServer):
    """A machine of a fleet, whose bus is somebody's own nats-server."""

    def __init__(self, work: Path, name: str, nats: NatsServer) -> None:
        work.mkdir()
        super().__init__(work, f'fleet: {{name: {name}, join: "{nats.url}"}}')
        self.name = name

    def patch(self, pool: str, **fields: Any) -> httpx.Response:
        """Change a pool."""
        with self.local as client:
            return client.patch(f"{self.pools}/{pool}", json=fields)

    @property
    def pools(self) -> str:
        """The path of pools."""
        with self.local as client:
            account = str(client.get("/client/v4/accounts").json()["result"][0]["id"])
        return f"/client/v4/accounts/{account}/load_balancers/pools"

    def pool_id(self, name: str = "main") -> str:
        """The id of a pool."""
        with self.local as client:
            return next(str(one["id"]) for one in client.get(self.pools).json()["result"] if one["name"] == name)

    def names(self) -> list[str]:
        """The pools that are stored."""
        with self.local as client:
            return sorted(one["name"] for one in client.get(self.pools).json()["result"])

    def bus_problem(self) -> str:
        """What is wrong with its way to the fleet."""
        with self.local as client:
            fleet = client.get("/lbdns/v1/fleet").json()["result"]
        return next(str(one["status"]["bus"]) for one in fleet["machines"] if one["status"]["name"] == self.name)


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[NatsServer]:
    server = NatsServer(tmp_path / "nats")
    server.start()
    yield server
    server.kill()


@contextlib.contextmanager
def fleet_of(tmp_path: Path, nats: NatsServer, *names: str) -> Iterator[list[FleetServer]]:
    with contextlib.ExitStack() as cleanup:
        servers = []
        for name in names:
            server = FleetServer(tmp_path / name, name, nats)
            cleanup.callback(server.close)
            server.start()
            server.wait_for_api()
            servers.append(server)
        for server in servers:
            follows(server)
        tree = {key: value for key, value in configuration().items() if key != "settings"}
        with servers[0].local as client:
            client.post("/lbdns/v1/apply", json={"configuration": tree}).raise_for_status()
        for server in servers:
            answers(server, ["192.0.2.1", "192.0.2.2"])
        yield servers


def follows(server: FleetServer) -> float:
    """Wait until a server has come into its fleet."""
    return wait_until(lambda: server.bus_problem() == "", lambda: server.log)


def answers(server: FleetServer, wanted: Sequence[str]) -> float:
    """Wait until a server answers so."""
    return wait_until(lambda: server.addresses(NAME) == list(wanted), lambda: f"{wanted}\n{server.log}")


def test_a_change_at_one_is_in_the_answers_of_all(tmp_path: Path, nats: NatsServer) -> None:
    with fleet_of(tmp_path, nats, "AMS-1", "FRA-1") as servers:
        ams, fra = servers
        pool = ams.pool_id()
        assert fra.pool_id() == pool
        took = []
        for number in range(20):
            at, address = servers[number % 2], f"192.0.2.{100 + number}"
            began_s = time.monotonic()
            at.patch(pool, origins=[{"name": "one", "address": address}]).raise_for_status()
            for server in servers:
                answers(server, [address])
            took.append(time.monotonic() - began_s)
        print(f"median {statistics.median(took) * 1000:.0f} ms, slowest {max(took) * 1000:.0f} ms")
        token = ams.token(name="everywhere")
        wait_until(lambda: _enters(fra, token), lambda: fra.log)


def _enters(server: FleetServer, token: str) -> bool:
    found = httpx.get(f"{server.api}/client/v4/accounts", headers={"Authorization": f"Bearer {token}"})
    return found.status_code == 200
