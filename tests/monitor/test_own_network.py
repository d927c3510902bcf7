"""Failures that loopback cannot show: no route, no network, an address that stops answering pings."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]
SLACK_S = 0.1
TRIES = 3  # a machine that is busy with other tests may be slow to look


def in_own_network(scenario: str) -> dict[str, Any]:
    """Run a scenario of own_network.py in a network namespace made for it."""
    if shutil.which("ip") is None or subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode:
        pytest.skip("no network namespace can be made here (needs root, unshare and ip: Debian's util-linux, iproute2)")
    command = ["unshare", "-n", sys.executable, "-m", "tests.monitor.own_network", scenario]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def test_no_network_and_no_route_are_told_apart() -> None:
    said = in_own_network("unreachable")
    assert "Network unreachable" in said["without a network"]
    assert "No route to host" in said["with a route that refuses"]


def test_answers_change_when_pings_are_no_longer_answered() -> None:
    delays_s: list[float] = []
    while not delays_s or (delays_s[-1] >= SLACK_S and len(delays_s) < TRIES):
        said = in_own_network("ping_failover")
        assert (said["before"], said["after"]) == (["192.0.2.10"], ["192.0.2.11"])
        assert said["words"][-1] == "unhealthy"
        delays_s.append(said["delay_s"])
    assert delays_s[-1] < SLACK_S, delays_s
