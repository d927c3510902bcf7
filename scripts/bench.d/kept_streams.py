"""What a query over TCP costs on connections that are kept: `scripts/bench tcp`.

1,000 connections of 50 addresses, each with one query under way, or with eight. The generator's core bounds what comes,
so the figure is the server's processor time a query, and how many queries a second a core of it is enough for. Beside
it: a server that sends back what it reads, and with `--beside` another build.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from measure import LOAD_CORE, Generator, Row, Run, Running, build, cpu_s, free_port, wait_ready

if TYPE_CHECKING:
    from bench import Bench

HERE: Final = Path(__file__).resolve().parent
CONNECTIONS: Final = 1000
WINDOWS: Final = (1, 8)
GOAL: Final = 20_000
LOADS: Final = ("plain", "mixed")
START_S: Final = 30.0
ECHO: Final = "echo"


@dataclass
class StreamGenerator(Generator):
    """The load generator over TCP; `window`: queries under way on a connection."""

    window: int = 1

    def command(self, port: int, seconds: float, records: Path, *options: str) -> list[str]:
        """Return the command of a run."""
        takes_any = [option for option in options if option == "--any"]
        command = ["taskset", "-c", LOAD_CORE, str(self.program), str(port), str(seconds), str(records), *takes_any]
        return [*command, "--connections", str(CONNECTIONS), "--window", str(self.window)]

    def run(self, server: Running, seconds: float, records: Path, *options: str) -> Run:
        """Load a server for some seconds, on connections that are open before and after."""
        command = self.command(server.port, seconds, records, *(["--any"] if server.name == ECHO else []), *options)
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as load:
            assert load.stdin and load.stdout
            if load.stdout.readline() != "ready\n":
                raise SystemExit("bench: the load generator failed")
            before = cpu_s(server.pid)
            load.stdin.write("begin\n")
            load.stdin.flush()
            said = json.loads(load.stdout.readline())
            after = cpu_s(server.pid)
            load.stdin.close()
        return Run(said, after[0] - before[0], after[1] - before[1])


def _echo(bench: Bench, program: Path) -> Running:
    folder = Path(tempfile.mkdtemp(prefix="stream-echo-", dir=bench.work))
    port = free_port()
    server = Running(ECHO, [str(program), str(port)], port, folder)
    bench.servers.append(server)
    return server


def tcp(bench: Bench) -> dict[str, Any]:
    """Print what a query over TCP costs, of each load with one query and with several under way on a connection."""
    generator = StreamGenerator(build(HERE / "stream_load.c", bench.work / "stream_load"))
    echo = build(HERE / "stream_echo.c", bench.work / "stream_echo")
    kept: dict[str, Any] = {}
    names = [name for name in ("lbdns", "before") if name in bench.arguments.peers]
    servers = [_echo(bench, echo), *(bench.start(name, "main") for name in names)]
    for server in servers[1:]:
        why = wait_ready(server, bench.generator, bench.records("plain"), START_S)
        if why:
            raise SystemExit(f"bench: {server.name} does not serve: {why}")
    for load in LOADS:
        for window in WINDOWS:
            generator.window = window
            rows = [Row(server.name) for server in servers]
            for number in range(bench.arguments.rounds):
                pairs = list(zip(rows, servers, strict=True))
                for row, server in pairs if number % 2 == 0 else reversed(pairs):
                    row.runs.append(generator.run(server, bench.arguments.seconds, bench.records(load)))
            title = f"tcp {load}, {CONNECTIONS:,} connections, {window} under way on each"
            bench.report(title, rows, ECHO)
            kept[title] = _say(bench, rows)
    return kept


def _say(bench: Bench, rows: list[Row]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for row in rows:
        rate = 1e6 / row.median("cpu_us")
        held = min(int(run.load["held"]) for run in row.runs)
        goal = f" (goal: {GOAL:,} and {CONNECTIONS:,})" if row.name == "lbdns" else ""
        bench.say(f"\n{row.name}: {rate:,.0f} queries a second and core, {held:,} connections held{goal}")
        found[row.name] = {"per_core": rate, "held": held}
    return found
