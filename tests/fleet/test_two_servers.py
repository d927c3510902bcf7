"""Real servers in one fleet, over a real nats-server: a change at one is in the answers of all."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest

from tests.fleet.nats_server import NatsServer
from tests.processes.load import NAME, configuration
from tests.store.served import WAIT_S, StoreServer, wait_until

pytestmark = pytest.mark.process

BOUND_S = 5.0
"""Within which somebody who is cut off is told so, and machines are alike after healing."""


class FleetServer(StoreServer):
    """A machine of a fleet, whose bus is somebody's own nats-server."""

    def __init__(self, work: Path, name: str, nats: NatsServer) -> None:
        work.mkdir()
        super().__init__(work, f'fleet: {{name: {name}, join: "{nats.url}"}}')
        self.name = name

    def patch(self, pool: str, address: str) -> httpx.Response:
        """Have a pool answer with one address."""
        with self.local as client:
            return client.patch(f"{self.pools}/{pool}", json={"origins": [{"name": "one", "address": address}]})

    def create(self, name: str) -> httpx.Response:
        """Create a pool."""
        with self.local as client:
            body = {"name": name, "origins": [{"name": "one", "address": "192.0.2.1"}]}
            return client.post(self.pools, json=body)

    def kill_supervisor(self) -> None:
        """Kill the supervisor alone: its children answer on."""
        assert self.process is not None, "it was started"
        self.process.kill()
        self.process.wait()

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
        for number in range(6):
            at, address = servers[number % 2], f"192.0.2.{100 + number}"
            at.patch(pool, address).raise_for_status()
            for server in servers:
                answers(server, [address])
        token = ams.token(name="everywhere")
        wait_until(lambda: _enters(fra, token), lambda: fra.log)
        with fra.local as client:
            assert client.delete("/lbdns/v1/tokens/everywhere").status_code == 200
        wait_until(lambda: not _enters(ams, token), lambda: ams.log)
        with ams.local as client:
            history = client.get("/lbdns/v1/revisions").json()["result"]
        with fra.local as client:
            assert [one["revision"] for one in client.get("/lbdns/v1/revisions").json()["result"]] == [
                one["revision"] for one in history
            ]


def test_who_is_cut_off_says_so_and_comes_after(tmp_path: Path, nats: NatsServer) -> None:
    """nats-server is killed, and one machine is killed, changes and starts again meanwhile."""
    with fleet_of(tmp_path, nats, "AMS-1", "FRA-1") as (ams, fra):
        pool = ams.pool_id()
        nats.kill()
        began_s = time.monotonic()
        refused = fra.patch(pool, "192.0.2.50")
        assert refused.status_code == 503 and time.monotonic() - began_s < BOUND_S
        (error,) = refused.json()["errors"]
        assert "nothing is changed" in error["message"] or "not known" in error["message"]
        refused = fra.patch(pool, "192.0.2.50")  # it knows by now
        assert refused.status_code == 503 and "nothing is changed" in refused.json()["errors"][0]["message"]
        with pytest.raises(httpx.HTTPStatusError):
            fra.token()
        assert fra.addresses(NAME) == ["192.0.2.1", "192.0.2.2"]
        ams.kill_supervisor()
        assert ams.addresses(NAME) == ["192.0.2.1", "192.0.2.2"]
        ams.start()
        ams.wait_for_api()
        nats.start()
        follows(fra)
        fra.patch(pool, "192.0.2.51").raise_for_status()
        for server in (ams, fra):
            assert answers(server, ["192.0.2.51"]) < WAIT_S
        follows(ams)
        ams.patch(pool, "192.0.2.52").raise_for_status()
        for server in (ams, fra):
            answers(server, ["192.0.2.52"])


def test_a_supervisor_that_is_killed_while_it_changes_loses_nothing(tmp_path: Path, nats: NatsServer) -> None:
    with fleet_of(tmp_path, nats, "AMS-1", "FRA-1") as (ams, fra):
        acknowledged: set[str] = set()
        tried: set[str] = set()

        ending = threading.Event()

        def write() -> None:
            """Write until the server ends, over one connection: to open one where nobody listens leaves a socket."""
            path = fra.pools
            with contextlib.suppress(httpx.HTTPError), fra.local as client:
                for number in range(200):
                    name = f"p{number}"
                    if ending.is_set():
                        return
                    tried.add(name)
                    body = {"name": name, "origins": [{"name": "one", "address": "192.0.2.1"}]}
                    if client.post(path, json=body).status_code == 200:
                        acknowledged.add(name)

        writer = threading.Thread(target=write)
        writer.start()
        wait_until(lambda: len(acknowledged) >= 3, lambda: fra.log)
        ending.set()
        fra.kill_supervisor()
        writer.join()
        fra.start()
        fra.wait_for_api()
        follows(fra)
        for number in range(3):
            assert ams.create(f"after{number}").status_code == 200
        wait_until(lambda: fra.names() == ams.names(), lambda: fra.log)
        names = {name for name in ams.names() if name.startswith("p")}
        assert acknowledged <= names <= tried


def _enters(server: FleetServer, token: str) -> bool:
    found = httpx.get(f"{server.api}/client/v4/accounts", headers={"Authorization": f"Bearer {token}"})
    return found.status_code == 200
