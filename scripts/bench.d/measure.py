"""Measuring: a server's processor time over its process tree, one run of the load generator, and what they make."""

from __future__ import annotations

import json
import os
import signal
import socket
import statistics
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SERVER_CORE, LOAD_CORE = "0", "1"
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
STOP_S = 15.0
PROBE_S = 0.3
# A server that has come to rest takes no more of a core, over so long, at a time when nobody asks it.
REST_SHARE, REST_S, REST_PATIENCE_S = 0.04, 4.0, 40.0
WINDOW = 200  # queries under way; more than some servers' receive buffers hold would measure those
LOAD_SLACK_S = 10.0


def build(source: Path, target: Path) -> Path:
    """Compile a C file of the benchmark; raises SystemExit with what the compiler says."""
    compiler = os.environ.get("CC", "cc")
    try:
        said = subprocess.run([compiler, "-O2", "-o", target, source], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise SystemExit(f"bench: needs a C compiler; there is no {compiler} (Debian: apt-get install gcc)") from None
    if said.returncode:
        raise SystemExit(f"bench: {compiler} cannot compile {source.name}:\n{said.stderr}")
    return target


def free_port() -> int:
    """Return a loopback port that is free for UDP and TCP now."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            udp.bind(("127.0.0.1", 0))
            port: int = udp.getsockname()[1]
            try:
                tcp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def cpu_s(pid: int) -> tuple[float, float]:
    """Return the user and system seconds that a process and all below it have used; threads are in it."""
    used: dict[int, tuple[float, float]] = {}
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        number = int(entry.parent.name)
        used[number] = int(fields[11]) / CLOCK_TICKS, int(fields[12]) / CLOCK_TICKS
        children.setdefault(int(fields[1]), []).append(number)
    user = system = 0.0
    todo = [pid]
    while todo:
        number = todo.pop()
        user += used.get(number, (0.0, 0.0))[0]
        system += used.get(number, (0.0, 0.0))[1]
        todo += children.get(number, [])
    return user, system


class Running:
    """A server that runs pinned to its core, or to `cores`, in a process group of its own."""

    def __init__(self, name: str, command: Sequence[str], port: int, folder: Path, cores: str = SERVER_CORE) -> None:
        self.name = name
        self.port = port
        self.folder = folder
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["taskset", "-c", cores, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=folder,
            )

    @property
    def pid(self) -> int:
        """The first process of its tree."""
        return self._process.pid

    def has_ended(self) -> bool:
        """Return whether the server is gone."""
        return self._process.poll() is not None

    def whole_log(self) -> str:
        """Return what it has said."""
        return self._log.read_text(errors="replace")

    def last_words(self) -> str:
        """Return the end of its log."""
        lines = self.whole_log().strip().splitlines()
        return " | ".join(lines[-3:]) or "it said nothing"

    def stop(self) -> None:
        """End it: gently, then not; its whole process group, which is its alone."""
        if not self.has_ended():
            self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


@dataclass
class Run:
    """One run of the generator against one server."""

    load: dict[str, Any]
    user_s: float
    system_s: float

    @property
    def done(self) -> int:
        """Right answers."""
        return int(self.load["done"])

    @property
    def cpu_us(self) -> float:
        """Processor time for each right answer."""
        return 1e6 * (self.user_s + self.system_s) / self.done if self.done else float("nan")

    @property
    def user_us(self) -> float:
        """The part of it outside the kernel."""
        return 1e6 * self.user_s / self.done if self.done else float("nan")

    @property
    def rate(self) -> float:
        """Right answers a second."""
        return self.done / float(self.load["seconds"])


@dataclass
class Generator:
    """The load generator on its core."""

    program: Path
    seed: int = 1

    def command(self, port: int, seconds: float, records: Path, *options: str) -> list[str]:
        """Return the command of a run."""
        return ["taskset", "-c", LOAD_CORE, str(self.program), str(port), str(seconds), str(records), *options]

    def run(self, server: Running, seconds: float, records: Path, *options: str) -> Run:
        """Load a server for some seconds."""
        self.seed += 1
        command = self.command(
            server.port, seconds, records, "--window", str(WINDOW), "--ecs", str(self.seed), *_options(server, options)
        )
        before = cpu_s(server.pid)
        said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + LOAD_SLACK_S)
        after = cpu_s(server.pid)
        if said.returncode:
            raise SystemExit(f"bench: the load generator failed: {said.stderr.strip()}")
        return Run(json.loads(said.stdout), after[0] - before[0], after[1] - before[1])


def _options(server: Running, options: Iterable[str]) -> list[str]:
    return [*options, *(["--any"] if server.name.startswith("echo") else [])]


def trouble(server: Running, generator: Generator, records: Path) -> str:
    """Ask a server for a moment and say what is wrong with its answers, "" where all are right."""
    probe = generator.run(server, PROBE_S, records)
    if probe.load["wrong"]:
        return (
            f"{probe.load['wrong']} of {probe.done + probe.load['wrong']} answers wrong, RCODEs {probe.load['rcodes']}"
        )
    return "" if probe.done else "no answer"


def wait_ready(server: Running, generator: Generator, records: Path, patience_s: float) -> str:
    """Wait until a server answers rightly; return "" then, else why not."""
    deadline = time.monotonic() + patience_s
    while True:
        if server.has_ended():
            return f"it ended: {server.last_words()}"
        what = trouble(server, generator, records)
        if not what or time.monotonic() > deadline:
            return what
        time.sleep(0.2)


def wait_settled(servers: Sequence[Running]) -> str:
    """Wait until what servers do at their start is done, so that no round has it; return who is at it still."""
    deadline = time.monotonic() + REST_PATIENCE_S
    while True:
        before = [sum(cpu_s(server.pid)) for server in servers]
        time.sleep(REST_S)
        after = [sum(cpu_s(server.pid)) for server in servers]
        busy = [
            one.name for one, was, now in zip(servers, before, after, strict=True) if now - was > REST_SHARE * REST_S
        ]
        if not busy or time.monotonic() > deadline:
            return ", ".join(busy)


@dataclass
class Row:
    """A server's runs of one load, and what they come to."""

    name: str
    runs: list[Run] = field(default_factory=list)

    def median(self, what: str) -> float:
        """Return the median of one of the figures of Run."""
        return float(statistics.median(getattr(run, what) for run in self.runs))

    def ratio_to(self, other: Row) -> float:
        """Return the median over rounds of CPU per query against another server's in the same round."""
        return statistics.median(mine.cpu_us / its.cpu_us for mine, its in zip(self.runs, other.runs, strict=True))

    def total(self, what: str) -> int:
        """Return the sum of a figure of the generator."""
        return sum(int(run.load[what]) for run in self.runs)

    def as_json(self) -> dict[str, Any]:
        """Return everything that was measured."""
        return {
            "server": self.name,
            "cpu_us": self.median("cpu_us"),
            "user_us": self.median("user_us"),
            "rate": self.median("rate"),
            "lost": self.total("lost"),
            "wrong": self.total("wrong"),
            "rounds": [{"user_s": run.user_s, "system_s": run.system_s, **run.load} for run in self.runs],
        }
