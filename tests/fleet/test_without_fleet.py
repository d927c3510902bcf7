"""A server that is in no fleet loads nothing of what a fleet takes, in any of its processes, whatever it is asked."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from lbdns.processes.supervisor.control_socket import ask
from tests.processes.load import NAME, configuration
from tests.store.served import StoreServer, wait_until

pytestmark = [pytest.mark.process, pytest.mark.slow]

PROCESSES = (
    "lbdns.processes.supervisor.supervisor",
    "lbdns.manage.api.app",
    "lbdns.processes.responder.fast_port",
    "lbdns.monitor.worker",
    "lbdns.telemetry.history.low_priority",
)
"""A module that one process of the server below has alone, for each; and one of its API."""


@pytest.fixture
def alone(tmp_path: Path, starts_processes: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[StoreServer]:
    """A server over a store whose processes write into its log what they import."""
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    with contextlib.closing(StoreServer(tmp_path)) as server:
        server.start()
        server.wait_for_api()
        yield server


def test_nothing_of_a_fleet_is_imported(alone: StoreServer) -> None:
    """Whatever shows a fleet is asked once: it says that there is none, without knowing what one is."""
    tree: dict[str, Any] = {key: value for key, value in configuration().items() if key != "settings"}
    tree["pools"]["main"]["monitor"] = "m"
    tree["monitors"] = {"m": {"type": "tcp", "port": 9, "interval": 10}}
    with alone.local as client:
        client.post("/lbdns/v1/apply", json={"configuration": tree}).raise_for_status()
        (owner,) = _result(client, "/client/v4/accounts")
        account = owner["id"]
        (made,) = _result(client, f"/client/v4/accounts/{account}/load_balancers/pools")
        assert (
            "local"
            in _result(client, f"/client/v4/accounts/{account}/load_balancers/pools/{made['id']}/health")["pop_health"]
        )
        assert _result(client, "/lbdns/v1/fleet") == {"machine": "", "machines": [], "problems": []}
        assert "in no fleet" in client.get("/lbdns/v1/health?at=AMS-1").text
        link = client.post("/lbdns/v1/dashboard_links").json()["result"]["url"]
    with httpx.Client(follow_redirects=True, timeout=30) as browser:
        browser.get(link)
        assert "This server is in no fleet" in browser.get(f"{alone.api}/fleet").text
    wait_until(lambda: bool(alone.addresses(NAME)), lambda: alone.log)
    for op in ("status", "health", "fleet"):
        ask(alone.control, op)
    wait_until(lambda: not set(PROCESSES) - _imported(alone), lambda: str(set(PROCESSES) - _imported(alone)))
    assert alone.stop() == 0
    foreign = re.compile(r"nats|nkeys|lbdns\.fleet|lbdns\.monitor\.joined|lbdns\.manage\.store\.fleet_")
    assert sorted(filter(foreign.match, _imported(alone))) == []


def _imported(server: StoreServer) -> set[str]:
    """Return the names of all modules that its processes have imported until now."""
    return set(re.findall(r"^import time:.*\| +(\S+)$", server.log, re.MULTILINE))


def _result(client: httpx.Client, path: str) -> Any:
    reply = client.get(path)
    reply.raise_for_status()
    return reply.json()["result"]
