"""What a start costs, of the example in zones/: seconds from `lbdns serve` to the first answer, and of each process the
processor time, the memory and the modules; with `--beside`, of another checkout as well, in turn with this one.

Memory is read once all have been up for SETTLED_S, when the spare responder and the history process are there too.
Bytecode is kept as where lbdns is installed: one start before the first round writes it.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from measure import CLOCK_TICKS, free_port

if TYPE_CHECKING:
    from bench import Bench

ROOT: Final = Path(__file__).resolve().parent.parent.parent
NAME: Final = "www.example.org"
ASK_S: Final = 0.01
START_S: Final = 60.0
SETTLED_S: Final = 8.0
STOP_S: Final = 15.0


@dataclass(frozen=True)
class Build:
    """A checkout with its Python."""

    name: str
    root: Path
    python: str


@dataclass
class Process:
    """One process of a server: a figure for each start."""

    cpu_s: list[float] = field(default_factory=list)
    pss_mb: list[float] = field(default_factory=list)
    private_mb: list[float] = field(default_factory=list)


@dataclass
class Starts:
    """The starts of one build."""

    first_s: list[float] = field(default_factory=list)
    cpu_first_s: list[float] = field(default_factory=list)
    processes: dict[str, Process] = field(default_factory=dict)


def starting(bench: Bench) -> dict[str, Any]:
    """Print what a start of the example costs; return the figures."""
    builds = [Build("lbdns", ROOT, sys.executable)]
    other: Path | None = bench.arguments.beside
    if other is not None:
        venv = os.environ.get("LBDNS_PYTHON", "")
        python = other.resolve() / f".venv{'-' + venv if venv else ''}" / "bin" / "python"
        builds.append(Build("before", other.resolve(), str(python)))
    starts = {build.name: Starts() for build in builds}
    for build in builds:
        _start(bench, build, Starts())
    for number in range(bench.arguments.rounds):
        for build in builds if number % 2 == 0 else reversed(builds):
            _start(bench, build, starts[build.name])
    return _report(bench, starts)


def _start(bench: Bench, build: Build, starts: Starts) -> None:
    """Start a server, wait for its first answer, read what its processes took, and end it."""
    folder = Path(tempfile.mkdtemp(prefix=f"start-{build.name}-", dir=bench.work))
    port = free_port()
    shutil.copytree(ROOT / "zones", folder / "zones")
    settings = folder / "zones" / "lbdns.yaml"
    settings.write_text("".join(line for line in settings.open() if not line.startswith(("listen:", "state:"))))
    command = [build.python, "-P", "-m", "lbdns", "serve", "zones", "--listen", f"127.0.0.1:{port}", "--state", "state"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    with (folder / "log").open("wb") as log:
        began_s = time.monotonic()
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=environment, start_new_session=True)
    try:
        _first_answer(server, port, folder / "log")
        starts.first_s.append(time.monotonic() - began_s)
        starts.cpu_first_s.append(sum(_cpu_s(pid) for pid in _tree(server.pid)))
        time.sleep(SETTLED_S)
        roles: set[str] = set()
        for pid in _tree(server.pid):
            roles.add(role := _role(pid, server.pid, roles))
            kept = starts.processes.setdefault(role, Process())
            kept.cpu_s.append(_cpu_s(pid))
            memory = _memory_mb(pid)
            kept.pss_mb.append(memory["Pss"])
            kept.private_mb.append(memory["Private_Dirty"] + memory["Private_Clean"])
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(STOP_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _first_answer(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Ask until there is an answer; raises SystemExit where none comes."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in NAME.split("."))
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s and server.poll() is None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.settimeout(ASK_S)
            udp.connect(("127.0.0.1", port))
            try:
                udp.send(secrets.token_bytes(2) + b"\0\0\0\1\0\0\0\0\0\0" + labels + b"\0\0\1\0\1")
                if udp.recv(512)[7] != 0:  # one answer or more
                    return
            except ConnectionRefusedError:
                time.sleep(ASK_S)
            except TimeoutError:
                pass
    raise SystemExit(f"bench: no answer from lbdns: {log.read_text()[-2000:]}")


def _tree(pid: int) -> list[int]:
    """Return a process and all below it."""
    found = [pid]
    for one in found:
        for task in Path(f"/proc/{one}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def _memory_mb(pid: int) -> dict[str, float]:
    """Return what of its memory is whose, in megabytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {line.partition(":")[0]: int(line.split()[1]) * 1024 / 1e6 for line in lines}


def _role(pid: int, first: int, others: set[str]) -> str:
    """Return what a process is, where those that began before it are `others`: the first responder may have been made
    of a process that waited."""
    if pid == first:
        return "supervisor"
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    module = words[words.index("-m") + 1].rpartition(".")[2]
    is_spare = module == "responder" in others and "--listen" not in words
    return "spare responder" if is_spare else module.replace("_", " ")


def _report(bench: Bench, starts: dict[str, Starts]) -> dict[str, Any]:
    bench.say("\n### start of the example\n")
    bench.say("| | " + " | ".join(starts) + " | ratio |\n|---|" + "--:|" * (len(starts) + 1))
    figures: dict[str, Any] = {}

    def row(words: str, values: list[float], unit: str) -> None:
        ratio = f"{values[0] / values[1]:.2f}" if len(values) > 1 and values[1] else "-"
        bench.say(f"| {words} | " + " | ".join(f"{value:.2f} {unit}" for value in values) + f" | {ratio} |")
        figures[words] = values

    def median(values: list[float]) -> float:
        return statistics.median(values) if values else 0.0

    each = list(starts.values())
    row("to the first answer", [median(one.first_s) for one in each], "s")
    row("processor time by then", [median(one.cpu_first_s) for one in each], "s")
    row("processor time of all", [sum(median(p.cpu_s) for p in one.processes.values()) for one in each], "s")
    for name in each[0].processes:
        found = [one.processes.get(name, Process()) for one in each]
        row(f"{name}, processor time", [median(one.cpu_s) for one in found], "s")
        row(f"{name}, PSS", [median(one.pss_mb) for one in found], "MB")
        row(f"{name}, private", [median(one.private_mb) for one in found], "MB")
    return figures
