"""What only a network of one's own can show; test_own_network.py runs it in one (`unshare -n`), a scenario a time.

Prints what it saw as JSON on its last line.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lbdns.health.events import HealthChange, read_events
from lbdns.testing import running_server

ZONE = "@ IN SOA ns hostmaster 1 7200 900 1209600 60\n@ IN NS ns\nns IN A 192.0.2.53"
FIRST, SECOND = "192.0.2.10", "192.0.2.11"
PATIENCE_S = 15.0


def ip(*words: str) -> None:
    """Change this network."""
    subprocess.run(["ip", *words], check=True)


def probe(kind: str, address: str, *options: str) -> str:
    """Return what `lbdns monitor probe` prints."""
    command = [sys.executable, "-m", "lbdns", "monitor", "probe", kind, address, *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=30).stdout


def unreachable() -> dict[str, Any]:
    """Probe without any network, then with a route that refuses."""
    without = probe("tcp", FIRST, "--port", "80")
    ip("link", "set", "lo", "up")
    ip("route", "add", "unreachable", FIRST)
    return {"without a network": without, "with a route that refuses": probe("tcp", FIRST, "--port", "80")}


def ping_failover() -> dict[str, Any]:
    """Take a pinged address away from under a running server; say how long after the deciding probe answers change."""
    ip("link", "set", "lo", "up")
    for address in (FIRST, SECOND):
        ip("addr", "add", f"{address}/32", "dev", "lo")
    pools = {
        name: {"monitor": "ping", "origins": [{"name": "e", "address": address}]}
        for name, address in (("first", FIRST), ("second", SECOND))
    }
    configuration = {
        "zones": {"example.com": ZONE},
        "monitors": {"ping": {"type": "icmp_ping", "interval": 5, "timeout": 1, "retries": 0}},
        "pools": pools,
        "load_balancers": [{"name": "www.example.com", "default_pools": ["first"], "fallback_pool": "second"}],
    }
    with tempfile.TemporaryDirectory() as folder, running_server(configuration, Path(folder)) as server:
        before = server.addresses("www.example.com")
        ip("addr", "del", f"{FIRST}/32", "dev", "lo")
        ip("route", "add", "unreachable", FIRST)
        changed_s = wait_for(lambda: server.addresses("www.example.com") == [SECOND])
        wait_for(lambda: flips_of_first(server.state_dir)[-1].after == "unhealthy")  # written after the answers change
        flips = flips_of_first(server.state_dir)
        return {
            "before": before,
            "after": server.addresses("www.example.com"),
            "words": [event.after for event in flips],
            "reason": flips[-1].reason,
            "delay_s": changed_s - flips[-1].at_s,
        }


def flips_of_first(state_dir: Path) -> list[HealthChange]:
    """Return what happened to the endpoint of the pool `first`."""
    return [event for event in read_events(state_dir) if (event.kind, event.pool) == ("endpoint", "first")]


def wait_for(holds: Callable[[], bool]) -> float:
    """Return the unix time at which a condition first held."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError("the answer did not change")
    return time.time()


if __name__ == "__main__":
    scenarios: dict[str, Callable[[], dict[str, Any]]] = {"unreachable": unreachable, "ping_failover": ping_failover}
    print(json.dumps(scenarios[sys.argv[1]]()))
