"""A server that root starts as another user probes in network namespaces, by one process that may enter them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from lbdns.health.events import read_events
from lbdns.processes.supervisor.capabilities import Capability, bits
from lbdns.testing import LbdnsServer, running_server, write_files
from tests.processes.load import configuration
from tests.processes.test_reload import eventually
from tests.processes.users import USER, USER_ID, needs_root, open_python, public_directory, who

pytestmark = pytest.mark.process

WITHIN_S = 60.0
ENTERS = bits([Capability.SYS_ADMIN, Capability.NET_RAW])
SYS_ADMIN = bits([Capability.SYS_ADMIN])
ADDRESS = "10.99.0.1"
MADE = (
    "mount -t tmpfs none /run && mkdir /run/netns && ip netns add lbdns-far && "
    f"ip -n lbdns-far addr add {ADDRESS}/32 dev lo && ip -n lbdns-far link set lo up && "
)
PING = {"ping": {"type": "icmp_ping", "interval": 5, "timeout": 1, "retries": 0}}

Started = Callable[..., contextlib.AbstractContextManager[LbdnsServer]]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, starts_processes: None) -> Iterator[Started]:
    """Return a function that starts a server, which finds a namespace in which ADDRESS answers pings."""
    needs_root()
    if shutil.which("ip") is None or subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode:
        pytest.skip("no network namespaces can be made here (needs ip: Debian's iproute2)")
    with public_directory() as work:
        open_python(monkeypatch, work, first=MADE)

        def start(wanted: Mapping[str, Any]) -> Any:
            return running_server(wanted, work)

        yield start


def configured(**networks: Any) -> dict[str, Any]:
    """Return a configuration with virtual networks, and an endpoint in the one that is called far."""
    found = configuration()
    found["settings"] = {**found.get("settings", {}), "user": USER}
    found["monitors"] = {**found.get("monitors", {}), **PING}
    origin = {"name": "e", "address": ADDRESS} | ({"virtual_network": "far"} if "far" in networks else {})
    found["pools"] = {**found["pools"], "private": {"monitor": "ping", "origins": [origin]}}
    if networks:
        found["virtual_networks"] = networks
    return found


def endpoint(server: LbdnsServer) -> tuple[str, str | None]:
    """Return the state and the reason of the endpoint in the network."""
    (pool,) = (one for one in server.ask("health")["pools"] if one["name"] == "private")
    return pool["origins"][0]["state"], pool["origins"][0]["reason"]


def test_one_process_may_enter_and_does_nothing_else(started: Started) -> None:
    with started(configured(far={"via": {"namespace": "lbdns-far"}})) as server:
        eventually(lambda: endpoint(server) == ("healthy", "No failures"), WITHIN_S)
        status = server.status()
        said = who(status["opener"]["pid"])
        assert {int(one, 16) for one in said["CapEff"]} == {ENTERS}
        assert said["Uid"] == ["\t".join([str(USER_ID)] * 4)]
        assert said["NoNewPrivs"] == ["1"]
        for pid in (status["pid"], status["monitor"]["pid"], status["responders"][0]["pid"]):
            effective = [int(one, 16) for one in who(pid)["CapEff"]]
            assert not any(one & SYS_ADMIN for one in effective)
        (network,) = server.ask("health")["virtual_networks"]
        assert (network["name"], network["state"], network["endpoints"]) == ("far", "up", 1)


def test_it_comes_back_and_so_does_whoever_asks_it(started: Started) -> None:
    with started(configured(far={"via": {"namespace": "lbdns-far"}})) as server:
        eventually(lambda: endpoint(server)[0] == "healthy", WITHIN_S)
        before = server.status()
        os.kill(before["opener"]["pid"], signal.SIGKILL)
        assert endpoint(server)[0] == "healthy"
        eventually(lambda: server.status()["opener"]["pid"] not in (0, before["opener"]["pid"]), WITHIN_S)
        os.kill(before["monitor"]["pid"], signal.SIGKILL)
        eventually(lambda: server.status()["monitor"]["pid"] not in (0, before["monitor"]["pid"]), WITHIN_S)
        eventually(lambda: server.ask("health")["virtual_networks"][0]["state"] == "up", WITHIN_S)
        eventually(lambda: endpoint(server) == ("healthy", "No failures"), WITHIN_S)
        opener = server.status()["opener"]["pid"]
        told = [change.kind for change in read_events(server.state_dir)]
        assert "virtual_network" not in told[1:]  # neither took anything down
    assert not os.path.exists(f"/proc/{opener}")


def test_what_a_reload_adds_says_that_it_takes_a_start(started: Started) -> None:
    with started(configured()) as server:
        assert "opener" not in server.status()
        wanted = configured(far={"via": {"namespace": "lbdns-far"}}, lost={"via": {"namespace": "lbdns-lost"}})
        write_files(wanted, server.directory)
        server.ask("reload")
        reason = "Virtual network far is down: namespace lbdns-far may not be entered"
        eventually(lambda: (endpoint(server)[1] or "").startswith(reason), WITHIN_S)
        assert endpoint(server)[0] == "unhealthy"
        assert reason in str(server.status()["standing"]["rows"])
        eventually(lambda: server.ask("health")["virtual_networks"][1]["reason"] is not None, WITHIN_S)
        assert server.ask("health")["virtual_networks"][1]["reason"] == "namespace lbdns-lost is not there"
