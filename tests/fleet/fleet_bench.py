"""What a fleet of three costs and how soon its news arrive, in network namespaces with real nats-servers.

| figure | bound |
|---|---|
| a change by API at one machine, until it is in the answers of all | median 300 ms, slowest 1 s |
| an endpoint that fails for two of three regions, from the deciding probe until it is in no answer | 500 ms |
| processor time of each machine of an idle fleet, beyond a single server of the same configuration | 2 % of a core |
| bus: octets a second of an idle machine, octets a change; with 1,000 and with 100 load balancers | |
| memory of nats-server | |

`--before PATH` compares a single server without `fleet:` with another build's: its processes, memory and imports.
Exit status: 0 where all bounds hold, 1 where one does not, 3 where no namespaces can be made.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

import dns.message
import dns.rdatatype

from tests.fleet.fleet_changing import ZONE, ask, make_record, zone_id
from tests.fleet.fleet_trial import ENDPOINTS, NAMES, configuration, right_answers
from tests.fleet.forming import form_fleet
from tests.fleet.machines import (
    BUS_SERVER,
    INSIDE,
    STANDS,
    Fleet,
    Machine,
    apart,
    run,
    running_machines,
    socket_within,
    why_no_networks,
)
from tests.fleet.regional_endpoints import PORT, RegionalEndpoints, endpoint_address
from tests.fleet.single_server import single_server
from tests.strain.process_tree import TICKS

SKIPPED: Final = 3
NEWS, IDLE, SINGLE = PARTS = ("news", "idle", "single")
CHANGE_MEDIAN_MS, CHANGE_SLOWEST_MS, VERDICT_MS, IDLE_CPU_PERCENT = 300.0, 1000.0, 500.0, 2.0
PATIENCE_S: Final = 60.0
POLL_S: Final = 0.001
SETTLED_S: Final = 20.0
"""After a start, until nothing is busy with it."""
ENDPOINTS_A_POOL: Final = 3
BALANCERS_A_POOL: Final = 10
CHANGES_COUNTED: Final = 20


class Watch:
    """Asks every machine for one name all the time, by a socket each."""

    def __init__(self, fleet: Fleet, name: str) -> None:
        """Prepare the questions."""
        self._wire = dns.message.make_query(name, "A", id=7).to_wire()
        self._socks = []
        for machine in fleet.machines:
            sock = socket_within(machine.name, socket.SOCK_DGRAM)
            sock.connect((machine.host, machine.port))
            sock.settimeout(1.0)
            self._socks.append(sock)

    def until(self, holds: Callable[[set[str]], bool]) -> float:
        """Return the monotonic time at which every machine's answer has held."""
        ends_s = time.monotonic() + PATIENCE_S
        waiting = list(self._socks)
        while waiting:
            waiting = [sock for sock in waiting if not holds(self._ask(sock))]
            if time.monotonic() > ends_s:
                raise TimeoutError(f"{len(waiting)} machines do not answer as they ought to")
            time.sleep(POLL_S)
        return time.monotonic()

    def _ask(self, sock: socket.socket) -> set[str]:
        with contextlib.suppress(TimeoutError):
            sock.send(self._wire)
            reply = dns.message.from_wire(sock.recv(4096))
            return {str(one) for rrset in reply.answer if rrset.rdtype == dns.rdatatype.A for one in rrset}
        return set()

    def close(self) -> None:
        """Ask no more."""
        for sock in self._socks:
            sock.close()


def change_times_ms(fleet: Fleet, rounds: int, seed: int) -> list[float]:
    """Change a record at one machine or another, and return how long each change took to all answers, sorted."""
    chance, name, took = Random(seed), f"changed.{ZONE}", []
    record = make_record(fleet.hub, name, "192.0.2.1")
    fleet.wait_for(name, ["192.0.2.1"])
    path = f"/client/v4/zones/{zone_id(fleet.hub)}/dns_records/{record}"
    with contextlib.closing(Watch(fleet, name)) as watch:
        for number in range(rounds):
            address = f"172.16.{number >> 8}.{number & 255}"
            with chance.choice(fleet.machines).local as client:
                client.get("/client/v4/accounts")  # the connection is made, as a client's is that goes on
                began_s = time.monotonic()
                client.patch(path, json={"content": address}).raise_for_status()
            took.append(1000.0 * (watch.until({address}.__eq__) - began_s))
            time.sleep(chance.uniform(0.0, 0.2))
    return sorted(took)


def verdict_times_ms(fleet: Fleet, endpoints: RegionalEndpoints, rounds: int, seed: int) -> list[float]:
    """Let an endpoint fail for two of three regions; return how long after the second's probe it left all answers."""
    chance, took, ill = Random(seed), [], endpoint_address(0)
    with contextlib.closing(Watch(fleet, NAMES[0])) as watch:
        for _ in range(rounds):
            watch.until(lambda found: ill in found)
            probers = frozenset(one.address for one in chance.sample(STANDS, 2))
            seen_before = len(endpoints.seen)
            endpoints.fail(0, probers)
            gone_s = watch.until(lambda found: ill not in found)
            first: dict[str, float] = {}
            for at_s, endpoint, prober, was_well in endpoints.seen[seen_before:]:
                if endpoint == ill and not was_well:
                    first.setdefault(prober, at_s)
            took.append(1000.0 * (gone_s - max(first.values())))
            endpoints.mend(0)
    return sorted(took)


def large_configuration(balancers: int) -> dict[str, Any]:
    """Return so many load balancers, with a probed pool for each BALANCERS_A_POOL."""
    pools = {
        f"p{number}": {
            "monitor": "web",
            "origins": [
                {"name": f"e{one}", "address": endpoint_address(one), "port": PORT}
                for one in range(number * ENDPOINTS_A_POOL, (number + 1) * ENDPOINTS_A_POOL)
            ],
        }
        for number in range(balancers // BALANCERS_A_POOL)
    }
    wanted = configuration()
    wanted["monitors"]["web"]["interval"] = 60
    wanted["pools"] = {**pools, "last": wanted["pools"]["last"]}
    wanted["load_balancers"] = [
        {"name": f"lb{number}.{ZONE}", "default_pools": [f"p{number // BALANCERS_A_POOL}"], "fallback_pool": "last"}
        for number in range(balancers)
    ]
    return wanted


def cpu_s(machine: Machine) -> dict[str, float]:
    """Return the processor time that the programs in a machine's namespace have used, by program."""
    used: dict[str, float] = {}
    for pid in machine.pids():
        with contextlib.suppress(OSError):
            name = Path(f"/proc/{pid}/comm").read_text().strip()
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            used[name] = used.get(name, 0.0) + (int(fields[11]) + int(fields[12])) / TICKS
    return used


def bus_octets(machine: Machine) -> int:
    """Return what the open connections between a machine and others' buses have carried, both ways."""
    said = subprocess.run(machine.within("ss", "-tinHO"), check=True, capture_output=True, text=True).stdout
    octets = 0
    for line in said.splitlines():
        words = line.split()
        ports = {words[3].rpartition(":")[2], words[4].rpartition(":")[2]}
        if str(PORT) not in ports and not words[4].startswith("127."):
            octets += sum(
                int(one.partition(":")[2]) for one in words if one.startswith(("bytes_sent:", "bytes_received:"))
            )
    return octets


def bus_memory_kib(machine: Machine) -> int:
    """Return the resident memory of a machine's nats-server, 0 where it has none."""
    total = 0
    for pid in machine.pids(BUS_SERVER):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1])
    return total


def idle(work: Path, balancers: int, seconds: float, embedded_leaves: bool) -> dict[str, Any]:
    """Return what a single server uses, and what each machine of a fleet with the same configuration does."""
    count = balancers // BALANCERS_A_POOL * ENDPOINTS_A_POOL
    names = [one.name for one in STANDS]
    with running_machines(work) as fleet, contextlib.closing(RegionalEndpoints(count)):
        ask(fleet.hub, "POST", "/lbdns/v1/apply", {"configuration": large_configuration(balancers)})
        time.sleep(SETTLED_S)
        single = rates(fleet.machines[:1], seconds)[names[0]]
        form_fleet(fleet, embedded_leaves)
        fleet.wait_for(f"lb0.{ZONE}", sorted(endpoint_address(one) for one in range(ENDPOINTS_A_POOL)))
        time.sleep(SETTLED_S)
        used = rates(fleet.machines, seconds)
        before = {one.name: bus_octets(one) for one in fleet.machines}
        began_s = time.monotonic()
        change_times_ms(fleet, CHANGES_COUNTED, 1)
        lasted_s = time.monotonic() - began_s
        each = {
            one.name: (bus_octets(one) - before[one.name] - used[one.name]["bus octets/s"] * lasted_s) / CHANGES_COUNTED
            for one in fleet.machines
        }
        memory = {one.name: round(bus_memory_kib(one) / 1024, 1) for one in fleet.machines}
    return {
        "load balancers": balancers,
        "single, % of a core": single["cpu %"],
        "fleet": used,
        "beyond single, % of a core": {name: round(used[name]["cpu %"] - single["cpu %"], 2) for name in names},
        "bus octets a change": {name: round(found) for name, found in each.items()},
        "nats-server MiB": memory,
    }


def rates(machines: Sequence[Machine], seconds: float) -> dict[str, dict[str, Any]]:
    """Return what each machine uses a second, over so many seconds."""
    before = [(cpu_s(one), bus_octets(one)) for one in machines]
    time.sleep(seconds)
    found = {}
    for machine, (cpu, octets) in zip(machines, before, strict=True):
        now = cpu_s(machine)
        by_program = {name: round(100 * (used - cpu.get(name, 0.0)) / seconds, 2) for name, used in now.items()}
        found[machine.name] = {
            "cpu %": round(sum(by_program.values()), 2),
            "by program": by_program,
            "bus octets/s": round((bus_octets(machine) - octets) / seconds),
        }
    return found


def rounded(took_ms: Sequence[float]) -> dict[str, float]:
    """Return the median and the slowest."""
    return {"median ms": round(took_ms[len(took_ms) // 2], 1), "slowest ms": round(took_ms[-1], 1)}


def news(work: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """Return how soon changes and verdicts arrive."""
    with running_machines(work) as fleet, contextlib.closing(RegionalEndpoints(ENDPOINTS)) as endpoints:
        ask(fleet.hub, "POST", "/lbdns/v1/apply", {"configuration": configuration()})
        form_fleet(fleet, not asked.no_leaves)
        for name, wanted in right_answers().items():
            fleet.wait_for(name, wanted)
        time.sleep(SETTLED_S)
        changes = change_times_ms(fleet, asked.rounds, asked.seed)
        verdicts = verdict_times_ms(fleet, endpoints, asked.verdicts, asked.seed)
    return {"change": rounded(changes), "verdict": rounded(verdicts)}


def beyond_bounds(said: dict[str, Any]) -> list[str]:
    """Return the bounds that do not hold, in words."""
    found = []
    for what, median_ms, slowest_ms in (("change", CHANGE_MEDIAN_MS, CHANGE_SLOWEST_MS), ("verdict", None, VERDICT_MS)):
        if figures := said.get(what):
            if median_ms is not None and figures["median ms"] > median_ms:
                found.append(f"{what}: median {figures['median ms']} ms, bound {median_ms:.0f} ms")
            if figures["slowest ms"] > slowest_ms:
                found.append(f"{what}: slowest {figures['slowest ms']} ms, bound {slowest_ms:.0f} ms")
    for idle_at in said.get("idle", ()):
        for name, percent in idle_at["beyond single, % of a core"].items():
            if percent > IDLE_CPU_PERCENT:
                found.append(f"{name}: {percent} % of a core beyond a single server, bound {IDLE_CPU_PERCENT:.0f} %")
    return found


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench-fleet", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="*", choices=PARTS, default=[NEWS, IDLE])
    parser.add_argument("--rounds", type=int, default=100, help="changes that are timed; default 100")
    parser.add_argument("--verdicts", type=int, default=10, help="failing endpoints that are timed; default 10")
    parser.add_argument(
        "--balancers", type=int, nargs="*", default=[1000, 100], help="of idle fleets; default 1000 100"
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="how long idle machines are watched; default 60")
    parser.add_argument("--no-leaves", action="store_true", help="machines without a nats-server, but the hub's")
    parser.add_argument("--before", type=Path, help="another build's Python, to compare a single server with")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def main() -> int:
    """Run it, each part in namespaces made for it."""
    asked = arguments()
    if INSIDE in os.environ:
        print(json.dumps(part(asked)))
        return 0
    if why := why_no_networks():
        print(f"bench-fleet: skipped: {why}")
        return SKIPPED
    said: dict[str, Any] = {}
    for what in asked.what:
        if what == IDLE:
            said[IDLE] = []
            for balancers in asked.balancers:
                said[IDLE].append(found_apart(asked, what, balancers))
                print(f"{IDLE}: {json.dumps(said[IDLE][-1])}", flush=True)
        else:
            said |= (found := found_apart(asked, what, 0))
            print("\n".join(f"{name}: {json.dumps(figures)}" for name, figures in found.items()), flush=True)
    for problem in (wrong := beyond_bounds(said)):
        print(f"FAILS {problem}")
    return int(bool(wrong))


def found_apart(asked: argparse.Namespace, what: str, balancers: int) -> dict[str, Any]:
    """Do a part in namespaces of its own; returns what it found."""
    options = [f"--{name}={getattr(asked, name)}" for name in ("rounds", "verdicts", "seconds", "seed")]
    options += ["--no-leaves"] * asked.no_leaves + ([f"--before={asked.before}"] if asked.before else [])
    done = apart("tests.fleet.fleet_bench", what, *options, "--balancers", str(balancers))
    if done.returncode:
        raise SystemExit(f"bench-fleet: {what} failed: {done.stdout[-4000:]}")
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def part(asked: argparse.Namespace) -> dict[str, Any]:
    """Do one part, here."""
    with tempfile.TemporaryDirectory(prefix="bench-fleet-") as folder:
        work = Path(folder)
        if asked.what[0] == NEWS:
            return news(work, asked)
        if asked.what[0] == IDLE:
            return idle(work, asked.balancers[0], asked.seconds, not asked.no_leaves)
        run("ip", "link", "set", "lo", "up")
        ours = single_server(work / "this", Path(sys.executable))
        theirs = single_server(work / "before", asked.before) if asked.before else ours
        return {SINGLE: compared(ours, theirs)}


def compared(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of both builds, and which modules only one of them imports."""
    said = {what: {"this": ours[what], "before": theirs[what]} for what in ours if what != "imported"}
    here, there = set(ours["imported"]), set(theirs["imported"])
    counts = {"this": len(here), "before": len(there)}
    return said | {"imported": counts, "only this": sorted(here - there), "only before": sorted(there - here)}


if __name__ == "__main__":
    sys.exit(main())
