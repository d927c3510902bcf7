"""Measure lbdns beside other servers; scripts/bench runs this.

Figures: CPU microseconds a query (user + system, the server's whole process tree, as the kernel accounts it), median of
the rounds; its ratio to `echo` in the same round, which is what to compare over machines and days; queries a second;
losses. A server that answers otherwise than expected does not count. The server has core 0, the generator core 1.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dashboard
import dnssec
import guards
import history
import kept_streams
import past_sockets
import rules
import samples
import special
import starting
import transfer
import updates
import views
import workers
from measure import Generator, Row, Running, build, free_port, trouble, wait_ready, wait_settled
from peers import ALL, PEERS, Scene, beside
from questions import KINDS, LOADS, NAMES, write_load, write_size_load

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TABLE_LOADS = (*ALL, "geo")
SPECIAL: dict[str, Callable[[Bench], dict[str, Any]]] = {
    "flood": special.flood,
    "fairness": special.fairness,
    "swap": special.swap,
    "rules": rules.rules,
    "views": views.views,
    "history": history.history,
    "dashboard": dashboard.dashboard,
    "samples": samples.samples,
    "updates": updates.updates,
    "guards": guards.guards,
    "dnssec": dnssec.dnssec,
    "transfer": transfer.transfer,
    "start": starting.starting,
    "xdp": past_sockets.past_sockets,
    "tcp": kept_streams.tcp,
    "workers": workers.workers,
    **{f"dnssec-{name}": part for name, part in dnssec.PARTS.items()},
}
SPECIAL_LOADS = ("size", *SPECIAL)
SIZES = (1000, 100, 10_000, 1_000_000)  # the first is what the others are compared with
START_S, LARGE_START_S = 30.0, 180.0


class Bench:
    """One run of the benchmark: its folder, its generator, the servers that it started."""

    def __init__(self, arguments: argparse.Namespace, work: Path) -> None:
        self.arguments = arguments
        self.work = work
        build(HERE / "echo.c", work / "echo")
        self.generator = Generator(build(HERE / "load.c", work / "load"))
        self.servers: list[Running] = []
        self.results: dict[str, Any] = {}

    def say(self, text: str = "") -> None:
        """Print a line for people; with --json it goes to standard error."""
        print(text, file=sys.stderr if self.arguments.json else sys.stdout, flush=True)

    def start(self, name: str, kind: str, static_names: int = NAMES, city: Path | None = None) -> Running:
        """Start a server in a folder of its own."""
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-{kind}-{static_names}-", dir=self.work))
        scene = Scene(folder, free_port(), kind, static_names, city)
        server = Running(name, PEERS[name].write(scene), scene.port, folder)
        self.servers.append(server)
        return server

    def stop_all(self) -> None:
        """End every server."""
        for server in self.servers:
            server.stop()
        self.servers.clear()

    def records(self, load: str) -> Path:
        """Return the file of a load's queries."""
        path = self.work / f"{load}.queries"
        return path if path.exists() else write_load(load, path)

    def settle(self, servers: list[Running]) -> None:
        """Let what servers load and write at their start go by; say who never comes to rest."""
        busy = wait_settled(servers)
        if busy:
            self.say(f"still at work by itself: {busy}")

    def rounds(self, servers: list[Running], records: list[Path]) -> list[Row]:
        """Load servers in turn, a round after the other; each with its own queries."""
        rows = [Row(server.name) for server in servers]
        for _ in range(self.arguments.rounds):
            for row, server, queries in zip(rows, servers, records, strict=True):
                row.runs.append(self.generator.run(server, self.arguments.seconds, queries))
        return rows

    def compare(self, kind: str, loads: list[str], city: Path | None) -> None:
        """Measure the table loads that one configuration of each server serves."""
        servers = []
        for name in self.arguments.peers:
            if any(load in PEERS[name].loads for load in loads):
                server = self.start(name, kind, city=city)
                why = wait_ready(server, self.generator, self.records(loads[0]), START_S)
                if why:
                    self.say(f"{name} is left out of {', '.join(loads)}: {why}")
                    server.stop()
                else:
                    servers.append(server)
        self.settle(servers)
        for load in loads:
            here = []
            for server in servers:
                why = trouble(server, self.generator, self.records(load))
                if why:
                    self.say(f"{server.name} is left out of {load}: {why}")
                else:
                    here.append(server)
            for name in self.arguments.peers:
                if load in PEERS[name].apart:
                    self.say(f"{name} is left out of {load}: {PEERS[name].apart[load]}")
            self.report(load, self.rounds(here, [self.records(load)] * len(here)), "echo")
        self.stop_all()

    def size(self) -> None:
        """Measure lbdns with few and many static names against its own figure at the first of SIZES."""
        servers, records = [], []
        for count in SIZES:
            queries = write_size_load(count, self.work / f"size-{count}.queries")
            server = self.start("lbdns", "size", static_names=count)
            server.name = f"{count:,} names"
            why = wait_ready(server, self.generator, queries, LARGE_START_S)
            if why:
                self.say(f"{server.name}: left out: {why}")
                continue
            servers.append(server)
            records.append(queries)
        self.settle(servers)
        self.report("size", self.rounds(servers, records), f"{SIZES[0]:,} names")
        self.stop_all()

    def report(self, load: str, rows: list[Row], base_name: str) -> None:
        """Print the table of a load and keep its figures."""
        base = next((row for row in rows if row.name == base_name), None)
        self.say(f"\n### {load}\n")
        self.say(f"| server | CPU us/query | user | to {base_name} | queries/s | lost | wrong | mean us | p99.9 us |")
        self.say("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
        kept = []
        for row in rows:
            ratio = row.ratio_to(base) if base else float("nan")
            last = row.runs[-1].load
            self.say(
                f"| {row.name} | {row.median('cpu_us'):.2f} | {row.median('user_us'):.2f} | {ratio:.2f} | "
                f"{row.median('rate'):,.0f} | {row.total('lost')} | {row.total('wrong')} | {last['mean_us']:.0f} | "
                f"{last['p999_us']} |"
            )
            kept.append({"ratio": ratio, **row.as_json()})
        self.results[load] = kept

    def summary(self) -> None:
        """Print one table of all ratios, the one for docs/speed.md."""
        loads = [load for load in (*TABLE_LOADS, *KINDS) if load in self.results]
        if not loads:
            return
        self.say("\n### CPU time a query, against echo (echo's own in microseconds)\n")
        self.say("| server | " + " | ".join(loads) + " |")
        self.say("|---|" + "--:|" * len(loads))
        for name in self.arguments.peers:
            cells = []
            for load in loads:
                row = next((row for row in self.results[load] if row["server"] == name), None)
                figure = "-" if row is None else f"{row['ratio']:.2f}"
                cells.append(f"1.00 ({row['cpu_us']:.2f})" if row is not None and name == "echo" else figure)
            version = PEERS[name].version_text()
            self.say(f"| {name}{' ' + version if version else ''} | " + " | ".join(cells) + " |")
        self.say("")
        for name in self.arguments.peers:
            if PEERS[name].note:
                self.say(f"{name}: {PEERS[name].note}")


def machine() -> dict[str, str]:
    """Return what has to stand beside the figures."""
    model = platform.processor()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "date": datetime.date.today().isoformat(),
        "cpu": f"{model}, {os.cpu_count()} cores",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def city_database(said: Path | None) -> Path | None:
    """Return the city database for the geo load, None for the country one that lbdns ships."""
    if said is not None:
        return said
    return next(iter(sorted(Path(ROOT, "geodata").rglob("*city*ipv4.mmdb"))), None)


def parse_arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"loads: {', '.join(TABLE_LOADS)} (the default: these); {', '.join(SPECIAL_LOADS)}; all; kinds: "
        f"{', '.join(KINDS)}",
    )
    parser.add_argument("loads", nargs="*", metavar="LOAD", help="see below")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each run (default 4)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each server and load (default 3)")
    parser.add_argument("--peers", nargs="+", choices=sorted(PEERS), help="default: all that are installed")
    parser.add_argument("--beside", type=Path, metavar="CHECKOUT", help="measure its build too, as `before`")
    parser.add_argument("--city", type=Path, help="for geo; default: what scripts/fetch-city-database brought")
    parser.add_argument("--json", action="store_true", help="figures as JSON; the tables go to standard error")
    parser.add_argument("--keep", action="store_true", help="keep the folder with configurations and logs")
    said = parser.parse_args()
    said.loads = said.loads or list(TABLE_LOADS)
    if said.loads == ["all"]:
        said.loads = [*TABLE_LOADS, *SPECIAL_LOADS]
    said.loads = [each for load in said.loads for each in (KINDS if load == "kinds" else [load])]
    for load in said.loads:
        if load not in (*TABLE_LOADS, *SPECIAL_LOADS, *KINDS):
            parser.error(f"there is no load {load!r}")
    if said.beside is not None:
        PEERS["before"] = beside(said.beside)
        said.peers = said.peers and [*said.peers, "before"]
    if not 0.5 <= said.seconds <= 600 or not 1 <= said.rounds <= 100:
        parser.error("--seconds: 0.5 to 600; --rounds: 1 to 100")
    return said


def check_machine(bench: Bench) -> None:
    """Choose the peers; say what is missing."""
    if (os.cpu_count() or 1) < 2:
        raise SystemExit("bench: needs two cores, one for the server and one for the load generator")
    if shutil.which("taskset") is None:
        raise SystemExit("bench: needs taskset (Debian: util-linux)")
    wanted = bench.arguments.peers or list(PEERS)
    bench.arguments.peers = [name for name in PEERS if name in wanted and PEERS[name].is_installed()]
    for name in wanted:
        if not PEERS[name].is_installed():
            bench.say(f"{name} is left out: {PEERS[name].program} is not installed")


def main() -> None:
    """Run the loads asked for."""
    arguments = parse_arguments()
    os.environ["PATH"] += ":/usr/sbin:/usr/local/sbin:/sbin"
    work = Path(tempfile.mkdtemp(prefix="lbdns-bench-"))
    bench = Bench(arguments, work)
    try:
        check_machine(bench)
        here = machine()
        bench.say(f"{here['date']}, {here['cpu']}, {here['kernel']}, Python {here['python']}")
        bench.say(f"medians of {arguments.rounds} rounds of {arguments.seconds:g} s: {', '.join(arguments.loads)}")
        main_loads = [load for load in arguments.loads if load in ALL]
        if main_loads:
            bench.compare("main", main_loads, None)
        kinds = [load for load in arguments.loads if load in KINDS]
        if kinds:
            bench.compare("kinds", kinds, None)
        if "geo" in arguments.loads:
            city = city_database(arguments.city)
            what = city or "the country database that lbdns ships; scripts/fetch-city-database brings a city one"
            bench.say(f"\ngeo: ECS /24 at random over all of IPv4; places from {what}")
            shipped = ROOT / "geodata" / "geo-whois-asn-country.mmdb"
            bench.compare("geo", ["geo"], (city or shipped).resolve())
        for load in arguments.loads:
            if load == "size":
                bench.size()
            elif load in SPECIAL:
                bench.results[load] = SPECIAL[load](bench)
                bench.stop_all()
        bench.summary()
        if arguments.json:
            print(json.dumps({"machine": here, "loads": bench.results}, indent=1))
    finally:
        bench.stop_all()
        if arguments.keep:
            bench.say(f"configurations and logs: {work}")
        else:
            shutil.rmtree(work, ignore_errors=True)


assert set(TABLE_LOADS) <= set(LOADS)
if __name__ == "__main__":
    main()
