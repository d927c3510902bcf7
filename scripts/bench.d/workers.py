"""What a query costs with one responder and with two: `scripts/bench workers`.

Queries come at a given rate, from 64 addresses, so that the kernel spreads them: to one responder at a rate, and to two
at twice that. Where both cost the same a query, two do twice as much as one. Processor time is the responders' alone.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from measure import Running, cpu_s, free_port, wait_ready
from peers import PEERS, Scene

from lbdns.base.words import RESPONDER_MODULE
from lbdns.mapped.counter_words import BATCH_BOUND_COUNT, BATCH_TIMES_FIRST, DATAGRAMS
from lbdns.mapped.counters import open_counters
from lbdns.mapped.run_directory import RunDirectory

if TYPE_CHECKING:
    from bench import Bench

RATES: Final = (10_000, 30_000)
"""Of each responder, a second."""
LIMITED: Final = "rate_limit: {per_second: 1000000, instant: 100000}\n"
"""Of nothing; but both count each reply in one table."""
SOURCES: Final = 64
GOAL: Final = 1.9
START_S: Final = 30.0


def _start(bench: Bench, count: int, extra: str) -> Running:
    folder = Path(tempfile.mkdtemp(prefix=f"workers-{count}-", dir=bench.work))
    scene = Scene(folder, free_port(), "main", extra=extra)
    command = PEERS["lbdns"].write(scene)
    settings = folder / "lbdns.yaml"
    settings.write_text(settings.read_text().replace("workers: 1\n", f"workers: {count}\n"))
    server = Running(f"{count}", command, scene.port, folder, cores="0,1")
    bench.servers.append(server)
    why = wait_ready(server, bench.generator, bench.records("plain"), START_S)
    if why:
        raise SystemExit(f"bench: lbdns with {count} responders does not serve: {why}")
    run, deadline_s = RunDirectory(folder / "state"), time.monotonic() + START_S
    while not all(run.counters(index, 1).exists() for index in range(count)):
        if time.monotonic() > deadline_s:
            raise SystemExit(f"bench: lbdns has no {count} responders")
        time.sleep(0.05)
    return server


def _responders_s(server: Running) -> float:
    """Return the processor time that the responders of a server have used."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    of = [int(pid) for pid in children if RESPONDER_MODULE in Path(f"/proc/{pid}/cmdline").read_text()]
    return sum(sum(cpu_s(pid)) for pid in of)


class _Counted:
    """What the fast path of each responder has counted."""

    def __init__(self, server: Running) -> None:
        run = RunDirectory(server.folder / "state")
        self._words = [open_counters(run.counters(index, 1), False) for index in range(int(server.name))]
        self.datagrams = [int(words[DATAGRAMS]) for words in self._words]
        ends = BATCH_TIMES_FIRST + BATCH_BOUND_COUNT + 1
        self.batches = sum(int(sum(words[BATCH_TIMES_FIRST:ends])) for words in self._words)


def _run(bench: Bench, server: Running, rate: int) -> dict[str, Any]:
    """Return the processor time a query, how many came to each responder, and how many to a batch."""
    options = ("--rate", str(rate), "--networks", str(SOURCES))
    command = bench.generator.command(server.port, bench.arguments.seconds, bench.records("plain"), *options)
    counted, before_s = _Counted(server), _responders_s(server)
    said = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    after_s, later = _responders_s(server), _Counted(server)
    came = [now - then for now, then in zip(later.datagrams, counted.datagrams, strict=True)]
    return {
        "cpu_us": 1e6 * (after_s - before_s) / max(sum(came), 1),
        "shares": [one / sum(came) for one in came],
        "batch": sum(came) / (later.batches - counted.batches),
        "unread": said["sent"] - sum(came),
    }


def workers(bench: Bench) -> dict[str, Any]:
    """Print what a query costs one responder and two, and how much more two can do than one; and the same where both
    count each reply in one table."""
    bench.say("\n### one responder and two\n")
    bench.say("| | queries/s to each | CPU us/query, one | two | two do | datagrams a batch | shares | not read |")
    bench.say("|---|--:|--:|--:|--:|--:|--:|--:|")
    kept: dict[str, Any] = {}
    for what, extra in (("plain", ""), ("rate_limit", LIMITED)):
        servers = [_start(bench, count, extra) for count in (1, 2)]
        for rate in RATES:
            kept[f"{what} {rate}"] = _compare(bench, servers, what, rate)
        bench.stop_all()
    return kept


def _compare(bench: Bench, servers: list[Running], what: str, rate: int) -> dict[str, Any]:
    runs: list[list[dict[str, Any]]] = [[], []]
    for number in range(bench.arguments.rounds):
        for place in (0, 1) if number % 2 == 0 else (1, 0):
            runs[place].append(_run(bench, servers[place], rate * (1 + place)))
    one, two = (statistics.median(run["cpu_us"] for run in of) for of in runs)
    gain = 2 * statistics.median(a["cpu_us"] / b["cpu_us"] for a, b in zip(*runs, strict=True))
    batches = [statistics.median(run["batch"] for run in of) for of in runs]
    shares = ", ".join(f"{100 * share:.0f} %" for share in runs[1][-1]["shares"])
    unread = sum(run["unread"] for of in runs for run in of)
    bench.say(
        f"| {what} | {rate:,} | {one:.2f} | {two:.2f} | {gain:.2f} times (goal: {GOAL}) | "
        f"{batches[0]:.1f}, {batches[1]:.1f} | {shares} | {unread:,} |"
    )
    return {"one": one, "two": two, "gain": gain, "runs": runs}
