"""A virtual network that is down, wherever it is shown: answers, health, status, explain, metrics, events, previews."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lbdns.health.events import read_events
from lbdns.testing import LbdnsServer
from tests.monitor.peers import refused_port
from tests.processes.test_metrics import scrape
from tests.processes.test_reload import eventually

pytestmark = pytest.mark.process

NAME = "www.example.com"
ZONE = "$TTL 300\n@ IN SOA ns hostmaster 1 7200 900 1209600 60\n@ IN NS ns\nns IN A 192.0.2.53\n"
WITHIN_S = 60.0
TWO = ("10.0.0.1", "10.0.0.2")


def tree(port: int) -> dict[str, Any]:
    """Return a configuration whose first pool stands in a network behind a proxy."""
    origins = [{"name": f"e{one[-1]}", "address": one, "virtual_network": "far"} for one in TWO]
    return {
        "settings": {"metrics": "127.0.0.1:0"},
        "zones": {"example.com": ZONE},
        "virtual_networks": {"far": {"via": {"proxy": f"socks5://u:s3cret@127.0.0.1:{port}"}}},
        "monitors": {
            "tcp": {"type": "tcp", "port": 80, "interval": 5, "timeout": 1, "retries": 0, "consecutive_up": 2}
        },
        "pools": {
            "far": {"monitor": "tcp", "origins": origins},
            "near": {"origins": [{"name": "n", "address": "192.0.2.1"}]},
        },
        "load_balancers": [{"name": NAME, "default_pools": ["far"], "fallback_pool": "near"}],
    }


@contextlib.contextmanager
def proxy(port: int) -> Iterator[None]:
    """Play a proxy that says of everything that it is connected, without credentials."""

    def serve(client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            client.recv(300)
            client.sendall(b"\x05\x02")
            client.recv(300)
            client.sendall(b"\x01\x00")
            client.recv(300)
            client.sendall(b"\x05\x00\x00\x01" + bytes(6))
            client.recv(1)

    def run() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", port)) as listening:
        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def lbdns(*arguments: Any) -> str:
    """Return what a command prints."""
    command = [sys.executable, "-m", "lbdns", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=None).stdout


def test_a_network_that_is_down_is_shown_once_and_everywhere(
    lbdns_server: Callable[[dict[str, Any]], LbdnsServer],
) -> None:
    port = refused_port()
    with proxy(port):
        server = lbdns_server(tree(port))
        eventually(
            lambda: sorted(server.addresses(NAME)) == list(TWO)[:1] or server.addresses(NAME)[0] in TWO, WITHIN_S
        )
        assert scrape(server)("virtual_network_up", virtual_network="far") == 1
    why = f"Virtual network far is down: proxy 127.0.0.1:{port} refuses"
    eventually(lambda: server.addresses(NAME) == ["192.0.2.1"], WITHIN_S)
    report = server.ask("health")
    assert [one["reason"] for one in report["pools"][0]["origins"]] == [why, why]
    (network,) = report["virtual_networks"]
    assert (network["state"], network["reason"], network["endpoints"]) == ("down", f"proxy 127.0.0.1:{port} refuses", 2)
    shown = " ".join(lbdns("health", "--control", server.control).split())
    assert why in shown and "2 endpoints in it" in shown
    assert f"{why}; 2 endpoints in it" in " ".join(lbdns("status", "--control", server.control).split())
    assert scrape(server)("virtual_network_up", virtual_network="far") == 0
    steps = json.loads(lbdns("explain", NAME, "--control", server.control, "--json"))["steps"]
    assert [(step["pool"], step["text"]) for step in steps if "reason" in step] == [
        ("far", f"far: passed over, critical; {why}")
    ]
    told = read_events(server.state_dir)
    assert [change.kind for change in told if change.after in ("down", "unhealthy")] == ["virtual_network"]
    assert any(change.text.startswith(why[0].lower() + why[1:]) for change in told)
    everything = server.log + json.dumps(report) + json.dumps(steps) + json.dumps(server.status())
    assert "s3cret" not in everything
    with proxy(port):
        eventually(lambda: server.addresses(NAME)[0] in TWO, WITHIN_S)
    assert "unhealthy" not in [change.after for change in read_events(server.state_dir)]
