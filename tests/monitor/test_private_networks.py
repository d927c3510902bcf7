"""Ways into virtual networks, in network namespaces: the same addresses in two, links that come and go, all probes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lbdns.health.way_faults import WAY_DOWN, WAY_UP

pytestmark = [pytest.mark.process, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
GOOD = [1, "No failures"]
CUT = [2, "Virtual network is down"]


def in_own_network(scenario: str) -> dict[str, Any]:
    """Run a scenario of private_networks.py in namespaces made for it."""
    if shutil.which("ip") is None or subprocess.run(["unshare", "-n", "-m", "true"], capture_output=True).returncode:
        pytest.skip("no namespaces can be made here (needs root, unshare and ip: Debian's util-linux, iproute2)")
    command = ["unshare", "-n", "-m", sys.executable, "-m", "tests.monitor.private_networks", scenario]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    if "Unknown device type" in done.stderr:
        pytest.skip(f"this kernel has no such device: {done.stderr.splitlines()[0]}")
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def test_each_fault_of_a_way_is_told_and_so_is_its_end() -> None:
    said = in_own_network("faults")
    seen = said["seen"]
    assert seen["at first"] == ["device: up", "namespace: up", "path: up", "plain: up", "source: up"]
    assert seen["ip link set va down"] == ["device: interface va is down"]
    assert "device: up" in seen["ip link set va up"]
    assert seen["ip -n a link set wire down"] == ["device: interface va has no carrier"]
    assert seen["ip -n a link set wire up"] == ["device: up"]
    assert seen["ip addr del 10.0.0.250/24 dev va"] == ["source: address 10.0.0.250 is not there"]
    assert seen["ip addr add 10.0.0.250/24 dev va"] == ["source: up"]
    assert seen["ip -n b addr flush dev wire"] == ["namespace: no route", "path: no route"]
    assert seen["ip -n b addr add 10.0.0.1/24 dev wire"] == ["namespace: up", "path: up"]
    assert "device: interface va is not there" in seen["ip link del va"]
    assert "plain: no route" in seen["ip link del va"]
    assert seen["no opener"][0] == ("namespace: namespace b cannot be entered: the process that does so is not there")
    assert len(said["left"]) == 2  # the event loop's own


def test_a_namespace_that_is_made_anew_under_its_name_is_another() -> None:
    seen = in_own_network("faults")["seen"]
    assert "namespace: namespace b is not there" in seen["ip netns del b"]
    assert "path: namespace /run/netns/b is not there" in seen["ip netns del b"]
    assert "namespace: no route" in seen["ip netns add b"]
    # Its news are heard: the next change shows, which is in the namespace that was made last.
    assert seen["ip -n b addr add 10.0.0.1/24 dev lo && ip -n b link set lo up"] == ["namespace: up", "path: up"]


@pytest.mark.parametrize(
    ("by", "fault"), [("device", "interface va is down"), ("namespace", "no route"), ("vrf", "interface red is down")]
)
def test_two_sites_with_the_same_addresses_fail_and_come_back_by_themselves(by: str, fault: str) -> None:
    said = in_own_network(f"two sites by {by}")
    assert said["networks up"] == [WAY_UP, WAY_UP, 0]
    told, states, network = said["link down"]
    assert told == [
        f"virtual network site-a is down: {fault}",
        "pool a is critical: 0 of 2 endpoints up, 1 needed",
    ]
    assert (states, network) == ([CUT, CUT, GOOD, GOOD], WAY_DOWN)
    assert said["still down"] == [[], WAY_DOWN]
    told, network = said["link up"]  # at once, though it takes three passes to be healthy again
    assert (told[0], told[-1]) == ("virtual network site-a is up", "pool a is healthy: 2 of 2 endpoints up, 1 needed")
    assert not any("endpoint 10" in one for one in told)
    assert network == WAY_UP
    told, states, network = said["endpoint down"]
    assert told[-1] == "pool a endpoint 10.0.0.2 (10.0.0.2 in site-a) is unhealthy: TCP connection failed"
    assert (states, network) == ([GOOD, [2, "TCP connection failed"]], WAY_UP)
    assert said["frozen"] == 0
    assert len(said["left"]) == 2


def test_every_type_probes_in_a_namespace_and_names_are_resolved_there() -> None:
    said = in_own_network("every type")
    assert said["states"] == [GOOD] * 8
    assert said["resolved"] == ["10.0.0.1"]
    assert said["by hand"] == ["No failures"]  # lbdns monitor probe --namespace a
    assert said["previewed"] == "No failures"
