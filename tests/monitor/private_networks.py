"""Virtual networks that only namespaces can show; test_private_networks.py runs it in one, a scenario a time.

Two sites, `a` and `b`, are network namespaces with the same addresses, 10.0.0.1 and 10.0.0.2, each behind a link of its
own: `va` and `vb` here, `wire` there. Prints what it saw as JSON on its last line.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from lbdns.cli.commands.probe_command import probe_all
from lbdns.health.events import HealthChange, read_events
from lbdns.health.reasons import REASONS
from lbdns.health.verdict import HEALTHY, UNHEALTHY
from lbdns.manage.api.v4 import preview
from lbdns.manage.ways_out import WaysOut
from lbdns.mapped.resolved import read_addresses
from lbdns.mapped.run_directory import opener_path
from lbdns.model.configuration import Configuration
from lbdns.model.monitors import Monitor
from lbdns.model.pool import Pool
from lbdns.model.settings import Settings
from lbdns.model.targets_document import NetworkTarget
from lbdns.model.virtual_network import Via, VirtualNetwork
from lbdns.monitor.ways import names_there
from lbdns.monitor.ways.opener_client import Opening
from lbdns.monitor.ways.ways import Ways
from tests.monitor.documents import endpoint, pool
from tests.monitor.stage import Running, Stage, hurry, until

SITES = ("a", "b")
VRFS = {"a": "red", "b": "blue"}
ADDRESSES = ("10.0.0.1", "10.0.0.2")
HTTP_PORT, UDP_PORT, DNS_PORT = 8000, 9000, 53
KINDS = ("http", "tcp", "icmp_ping", "udp_icmp")


def run(command: str) -> None:
    """Change this network."""
    subprocess.run(command, shell=True, check=True)


def make_sites() -> None:
    """Make both, with nobody in them yet."""
    run("mount -t tmpfs none /run && mkdir /run/netns && ip link set lo up")
    for number, site in enumerate(SITES):
        make_site(site)
        run(f"ip link add v{site} type veth peer name wire netns {site}")
        run(f"ip addr add 10.0.0.{250 + number}/24 dev v{site} && ip link set v{site} up")
        bring_up(site)


def make_site(site: str) -> None:
    """Make the namespace of one."""
    run(f"ip netns add {site} && ip -n {site} link set lo up")


def bring_up(site: str) -> None:
    """Give a site its addresses, on its end of the link."""
    for address in ADDRESSES:
        run(f"ip -n {site} addr add {address}/24 dev wire")
    run(f"ip -n {site} link set wire up")


@contextlib.contextmanager
def serving(site: str) -> Any:
    """Have someone answer in a site: its name over HTTP, nothing over UDP, its names over DNS."""
    command = ["ip", "netns", "exec", site, sys.executable, "-m", "tests.monitor.private_host", site]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdin is not None
        process.stdout.readline()
        try:
            yield process.stdin
        finally:
            process.kill()


@contextlib.asynccontextmanager
async def opening(path: Path) -> AsyncIterator[subprocess.Popen[bytes]]:
    """Run an opener."""
    command = [sys.executable, "-m", "lbdns.monitor.ways.opener", "--socket", str(path)]
    with subprocess.Popen(command) as process:
        await until(path.exists)
        try:
            yield process
        finally:
            process.terminate()


async def faults(folder: Path) -> dict[str, Any]:
    """Break and mend ways of every kind, and tell what is said of each."""
    make_sites()
    told: list[str] = []
    ways = Ways(Opening(opener_path(folder)), lambda way: told.append(f"{way.name}: {way.told(way.fault) or 'up'}"))
    targets = [
        NetworkTarget("device", 0, device="va"),
        NetworkTarget("namespace", 1, namespace="b"),
        NetworkTarget("path", 2, namespace="/run/netns/b"),
        NetworkTarget("source", 3, source="10.0.0.250"),
        NetworkTarget("plain", 4),
    ]
    steps = (
        "ip link set va down",
        "ip link set va up",
        "ip -n a link set wire down",
        "ip -n a link set wire up",
        "ip addr del 10.0.0.250/24 dev va",
        "ip addr add 10.0.0.250/24 dev va",
        "ip -n b addr flush dev wire",
        "ip -n b addr add 10.0.0.1/24 dev wire",
        "ip netns del b",
        "ip netns add b",
        "ip -n b addr add 10.0.0.1/24 dev lo && ip -n b link set lo up",
        "ip link del va",
    )
    seen: dict[str, list[str]] = {}
    async with opening(opener_path(folder)) as opener:
        ways.adopt(targets)
        for way in ways.all:
            way.join("10.0.0.9", 80)
        ways.begin()
        await until(lambda: len(told) == len(targets))
        seen["at first"] = sorted(told)
        for step in steps:
            told.clear()
            run(step)
            await asyncio.sleep(1.5)  # a namespace is looked for once a second
            seen[step] = sorted(told)
        told.clear()
        opener.kill()
        opener.wait()
        await until(lambda: len(told) == 2, within_s=20)
        seen["no opener"] = sorted(told)
        await ways.close()
    return {"seen": seen, "left": left_open()}


def left_open() -> list[str]:
    """Return what sockets this process has open."""
    links = [str(one.readlink()) for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]
    return [one for one in links if one.startswith("socket:")]


def network(slot: int, site: str, **via: str) -> dict[str, Any]:
    """Return one network's part of the document."""
    return {"name": f"site-{site}", "slot": slot, **via}


def monitors(**more: Any) -> dict[str, Any]:
    """Return a monitor of each kind and one that knows each site by its answer."""
    fields = {"interval": 3600, "timeout": 2, "retries": 0, **more}
    found = {kind: {"type": kind, "port": UDP_PORT if "udp" in kind else HTTP_PORT, **fields} for kind in KINDS}
    found |= {f"web-{site}": found["http"] | {"expected_body": f"site {site}"} for site in SITES}
    return found


def changes(stage: Stage, since: int) -> list[str]:
    """Return what was told since so many changes, without how long something lasted."""
    return [change.text.partition("; was")[0] for change in events(stage)[since:]]


def events(stage: Stage) -> list[HealthChange]:
    """Return all that was told."""
    return read_events(stage.path)


def states(stage: Stage, count: int) -> list[tuple[int, str]]:
    """Return the state and reason of the first endpoints."""
    rows = zip(stage["endpoint_state"][:count], stage["endpoint_reason"][:count], strict=True)
    return [(state, REASONS[reason]) for state, reason in rows]


async def two_sites(folder: Path, by: str) -> dict[str, Any]:
    """Probe both through their own ways; take one away, bring it back, let an endpoint in it fail."""
    make_sites()
    if by == "vrf":
        for number, (site, name) in enumerate(VRFS.items()):
            run(f"ip link add {name} type vrf table {100 + number} && ip link set {name} up")
            run(f"ip link set v{site} master {name}")
    via = {
        "device": {site: {"device": f"v{site}"} for site in SITES},
        "vrf": {site: {"device": VRFS[site]} for site in SITES},
        "namespace": {site: {"namespace": site} for site in SITES},
    }[by]
    away, back = {
        "device": ("ip link set va down", "ip link set va up"),
        "vrf": ("ip link set red down", "ip link set red up && ip link set va down && ip link set va up"),
        "namespace": (
            "ip -n a addr flush dev wire",
            " && ".join(f"ip -n a addr add {one}/24 dev wire" for one in ADDRESSES),
        ),
    }[by]
    stage = Stage(folder)
    pools = [
        pool(site, *(endpoint(one, one, network=f"site-{site}") for one in ADDRESSES), monitor=f"web-{site}")
        for site in SITES
    ]
    networks = [network(slot, site, **via[site]) for slot, site in enumerate(SITES)]
    saw: dict[str, Any] = {}
    with serving("a") as host, serving("b"):
        async with opening(opener_path(folder)), stage.running() as running:
            stage.publish(*pools, networks=networks, monitors=monitors(consecutive_up=3, consecutive_down=3))
            await until(lambda: list(stage["endpoint_state"][:4]) == [HEALTHY] * 4)
            saw["networks up"] = list(stage["network_state"][:3])
            told = len(events(stage))
            run(away)
            await until(lambda: list(stage["pool_state"][:2]) == [UNHEALTHY, HEALTHY], within_s=20)
            await until(lambda: len(events(stage)) >= told + 2)
            saw["link down"] = changes(stage, told), states(stage, 4), stage["network_state"][0]
            hurry(running)  # what probes say meanwhile is not told either
            await asyncio.sleep(0.5)
            saw["still down"] = changes(stage, told + 2), stage["network_state"][0]
            told = len(events(stage))
            run(back)
            await until(lambda: list(stage["endpoint_state"][:4]) == [HEALTHY] * 4, within_s=20)
            await until(lambda: len(events(stage)) >= told + 3)
            saw["link up"] = changes(stage, told), stage["network_state"][0]
            told = len(events(stage))
            host.write(f"{ADDRESSES[1]}\n")
            host.flush()
            await until(lambda: probed_again(running, stage) and stage["endpoint_state"][1] == UNHEALTHY)
            saw["endpoint down"] = changes(stage, told), states(stage, 2), stage["network_state"][0]
            saw["frozen"] = stage["frozen_since"][0]
    saw["left"] = left_open()
    return saw


def probed_again(running: Running, stage: Stage) -> bool:
    """Probe everything once more; always true."""
    hurry(running)
    return True


async def every_type(folder: Path) -> dict[str, Any]:
    """Probe by each kind of probe in a namespace, and by names that its resolver knows."""
    make_sites()
    names_there.CONFIGURED = folder / "netns"  # type: ignore[misc]
    stage = Stage(folder)
    pools = [
        pool(kind, endpoint("e", "10.0.0.1", network="site-a"), endpoint("n", "app.corp.example", network="site-b"))
        | {"monitor": kind}
        for kind in KINDS
    ]
    for site in SITES:
        (folder / "netns" / site).mkdir(parents=True)
        (folder / "netns" / site / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    networks = [network(slot, site, namespace=site) for slot, site in enumerate(SITES)]
    with serving("a"), serving("b"):
        async with opening(opener_path(folder)), stage.running():
            stage.publish(*pools, networks=networks, monitors=monitors())
            await until(lambda: 0 not in stage["endpoint_state"][:8], within_s=20)
            by_hand = await probe_all(Monitor(type="http", port=HTTP_PORT), "10.0.0.2", "", "", (), {"namespace": "a"})
            previewed = await preview_of("app.corp.example", folder)
            found = read_addresses(stage.table.columns, 1, 4)
            saw = {"states": states(stage, 8), "resolved": [str(ip_address(one)) for one in found]}
            saw["by hand"] = [result.text for _, result in by_hand]
            saw["previewed"] = previewed
    return saw


async def preview_of(name: str, folder: Path) -> Any:
    """Return what a preview says of a hostname in the network of site b."""
    network = VirtualNetwork(name="site-b", via=Via(namespace="b"))
    configuration = Configuration(virtual_networks={"site-b": network})
    published: Any = SimpleNamespace(configuration=configuration, table=SimpleNamespace(path=folder / "table"))
    origin = {"name": "n", "address": name, "port": HTTP_PORT, "virtual_network": "site-b"}
    one = Pool.model_validate({"name": "p", "origins": [origin]})
    previews, monitor = preview.Previews(), Monitor(type="http", expected_body="site b")
    id = previews.start(monitor, {"1" * 32: one}, Settings(), is_local=True, ways=WaysOut(published))
    shown = await previews.result(id)
    return shown and shown["1" * 32]["origins"][0][name]["failure_reason"]


SCENARIOS: dict[str, Callable[[Path], Coroutine[Any, Any, dict[str, Any]]]] = {
    "faults": faults,
    "two sites by device": lambda folder: two_sites(folder, "device"),
    "two sites by vrf": lambda folder: two_sites(folder, "vrf"),
    "two sites by namespace": lambda folder: two_sites(folder, "namespace"),
    "every type": every_type,
}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        print(json.dumps(asyncio.run(SCENARIOS[sys.argv[1]](Path(directory)))))
