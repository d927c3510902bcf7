"""Measurements that are no table of servers: floods of queries for the slow path, beside queries for the fast path and
beside others like them, and new snapshots under full load."""

from __future__ import annotations

import contextlib
import itertools
import os
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measure import LOAD_CORE, Run, Running, wait_ready
from questions import ZONE

from lbdns.base.errors import LbdnsError
from lbdns.mapped.counter_words import BATCH_BOUNDS_US, BATCH_TIMES_FIRST, LONGEST_ADOPTION_NS, OVERFLOWS
from lbdns.mapped.counters import open_counters
from lbdns.mapped.run_directory import RunDirectory
from lbdns.processes.supervisor.control_socket import ask

if TYPE_CHECKING:
    from bench import Bench

FLOOD_FACTOR = 2.0  # times what the slow path can do
FAIR_NETWORKS = (0, 1, 40, 4000)
FAIR_WINDOW = 4
FAIR_FACTOR = 8.0
SWAP_EVERY_S = 0.5
LOWEST_PRIORITY = 19
START_S = 30.0
LEAD_S = 0.3  # the flood starts before, and ends after, what is measured


def _started(bench: Bench) -> Running:
    server = bench.start("lbdns", "main")
    why = wait_ready(server, bench.generator, bench.records("plain"), START_S)
    if why:
        raise SystemExit(f"bench: lbdns does not serve: {why}")
    return server


def flood(bench: Bench) -> dict[str, Any]:
    """Print what the fast path loses while the slow path is asked twice what it can do (signed queries)."""
    server, seconds, generator = _started(bench), bench.arguments.seconds, bench.generator
    capacity = generator.run(server, seconds, bench.records("signed")).rate
    rate = FLOOD_FACTOR * capacity
    calm: list[Run] = []
    flooded: list[Run] = []
    for _ in range(bench.arguments.rounds):
        calm.append(generator.run(server, seconds, bench.records("plain")))
        command = generator.command(server.port, seconds + 2 * LEAD_S, bench.records("signed"), "--rate", str(rate))
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as flooding:
            time.sleep(LEAD_S)
            flooded.append(generator.run(server, seconds, bench.records("plain")))
            flooding.wait()
    lost_share = statistics.median(1 - there.rate / here.rate for here, there in zip(calm, flooded, strict=True))
    bench.say("\n### flood of deferred queries\n")
    bench.say(f"slow path alone: {capacity:,.0f} queries/s; flood: {rate:,.0f} signed queries/s\n")
    bench.say("| good queries | queries/s | lost | mean us | p99.9 us | server's core busy |")
    bench.say("|---|--:|--:|--:|--:|--:|")
    for name, runs in (("alone", calm), ("beside the flood", flooded)):
        bench.say(
            f"| {name} | {_median(runs, 'rate'):,.0f} | {sum(run.load['lost'] for run in runs)} | "
            f"{_load_median(runs, 'mean_us'):.0f} | {_load_median(runs, 'p999_us'):.0f} | {_median(runs, 'busy'):.0%} |"
        )
    bench.say(f"\nthe flood takes {lost_share:.1%} of the throughput (bound: 20 %)")
    return {"slow_path_rate": capacity, "flood_rate": rate, "lost_share": lost_share}


def fairness(bench: Bench) -> dict[str, Any]:
    """Print what one client's signed queries, FAIR_WINDOW at a time, get beside a flood of them from other networks, of
    more than the slow path can do: those not answered in full are told to come over TCP."""
    server, seconds, generator = _started(bench), bench.arguments.seconds, bench.generator
    signed = bench.records("signed")
    capacity = generator.run(server, seconds, signed).rate
    rate = FAIR_FACTOR * capacity
    bench.say("\n### one client's signed queries beside a flood of them\n")
    bench.say(f"slow path alone: {capacity:,.0f} queries/s; flood: {rate:,.0f} queries/s\n")
    bench.say(
        "| networks that flood | of it told to come over TCP | answered/s | told to come over TCP | lost | "
        "mean us | p99 us | worst us |"
    )
    bench.say("|---|--:|--:|--:|--:|--:|--:|--:|")
    kept: dict[str, Any] = {"slow_path_rate": capacity, "flood_rate": rate}
    for networks in FAIR_NETWORKS:
        runs = []
        before = sum(words[OVERFLOWS] for words in _counters(server))
        for _ in range(bench.arguments.rounds):
            options = ["--rate", str(rate), "--networks", str(networks)] if networks else ["--rate", "1"]
            command = generator.command(server.port, seconds + 2 * LEAD_S, signed, *options)
            with subprocess.Popen(command, stdout=subprocess.DEVNULL) as flooding:
                time.sleep(LEAD_S)
                runs.append(generator.run(server, seconds, signed, "--window", str(FAIR_WINDOW), "--from", "1"))
                flooding.wait()
        told = sum(run.load["wrong"] for run in runs)
        others = sum(words[OVERFLOWS] for words in _counters(server)) - before - told
        bench.say(
            f"| {networks} | {others:,} | {_median(runs, 'rate'):,.0f} | {told} of "
            f"{sum(run.done + run.load['wrong'] for run in runs)} | {sum(run.load['lost'] for run in runs)} | "
            f"{_load_median(runs, 'mean_us'):.0f} | {_load_median(runs, 'p99_us'):.0f} | "
            f"{max(run.load['max_us'] for run in runs):.0f} |"
        )
        kept[f"{networks} networks"] = [run.load for run in runs]
    return kept


def swap(bench: Bench) -> dict[str, Any]:
    """Print what queries notice of a new snapshot every SWAP_EVERY_S: losses, latencies, pauses; and what the fast path
    says of itself: how many of its batches took over a millisecond from being read to being answered, whatever else ran
    on its core meanwhile, and for how long the first batch from a new snapshot kept the core at most.

    The supervisor compiles first on the server's core, where it takes processor time from the queries, then on the
    generator's at the lowest priority, which shows publishing alone.
    """
    server, seconds, generator = _started(bench), bench.arguments.seconds, bench.generator
    calm: list[Run] = []
    beside: list[Run] = []
    apart: list[Run] = []
    published = 0
    slow: dict[int, tuple[int, int]] = {}  # by run: batches, those over 1 ms

    def measure() -> Run:
        before = _batches(server)
        run = generator.run(server, seconds, bench.records("plain"))
        after = _batches(server)
        slow[id(run)] = after[0] - before[0], after[1] - before[1]
        return run

    for _ in range(bench.arguments.rounds):
        calm.append(measure())
        with _publishing(server) as count:
            beside.append(measure())
        published += count()
    _move_supervisor(server)
    for _ in range(bench.arguments.rounds):
        with _publishing(server) as count:
            apart.append(measure())
        published += count()
    bench.say("\n### new snapshots under full load\n")
    bench.say(f"{published} snapshots published, one every {SWAP_EVERY_S} s where that goes\n")
    bench.say(
        "| queries while | queries/s | lost | wrong | mean us | p99.9 us | worst us | longest silence us | batches | "
        "over 1 ms |"
    )
    bench.say("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    kinds = {"nothing is published": calm, "compiled on the server's core": beside, "compiled on the other core": apart}
    for name, runs in kinds.items():
        bench.say(
            f"| {name} | {_median(runs, 'rate'):,.0f} | {sum(run.load['lost'] for run in runs)} | "
            f"{sum(run.load['wrong'] for run in runs)} | {_load_median(runs, 'mean_us'):.0f} | "
            f"{_load_median(runs, 'p999_us'):.0f} | {max(run.load['max_us'] for run in runs):.0f} | "
            f"{max(run.load['pause_us'] for run in runs):.0f} | {sum(slow[id(run)][0] for run in runs):,} | "
            f"{sum(slow[id(run)][1] for run in runs):,} |"
        )
    adoption_us = max(words[LONGEST_ADOPTION_NS] for words in _counters(server)) / 1e3
    bench.say(f"\nthe first batch from a new snapshot kept the core for at most {adoption_us:.0f} us (bound: 1,000)")
    return {
        "published": published,
        "adoption_us": adoption_us,
        **{name: [{**run.load, "batches": slow[id(run)]} for run in runs] for name, runs in kinds.items()},
    }


def _counters(server: Running) -> list[memoryview]:
    return [open_counters(path) for path in RunDirectory(server.folder / "state").all_counters()]


def _batches(server: Running) -> tuple[int, int]:
    """Return how many batches there were, and how many of them took over a millisecond."""
    over = BATCH_TIMES_FIRST + BATCH_BOUNDS_US.index(1000) + 1
    last = BATCH_TIMES_FIRST + len(BATCH_BOUNDS_US) + 1
    files = _counters(server)
    return sum(sum(words[BATCH_TIMES_FIRST:last]) for words in files), sum(sum(words[over:last]) for words in files)


@contextlib.contextmanager
def _publishing(server: Running) -> Iterator[Callable[[], int]]:
    """Change a zone file and reload, over and over; gives the function that says how many generations there were."""
    control = server.folder / "state" / "control.sock"
    zone = server.folder / f"{ZONE}.zone"
    text = zone.read_text()
    stop = threading.Event()
    failures: list[LbdnsError] = []

    def publish() -> None:
        for number in itertools.count():
            if stop.wait(SWAP_EVERY_S):
                return
            partial = zone.with_name(".next")
            partial.write_text(text + f'changed TXT "{number}"\n')
            partial.replace(zone)
            try:
                ask(control, "reload")
            except LbdnsError as error:
                failures.append(error)

    def generation() -> int:
        return int(ask(control, "status")["generation"])

    first = generation()
    publisher = threading.Thread(target=publish)
    publisher.start()
    try:
        yield lambda: generation() - first
    finally:
        stop.set()
        publisher.join()
        zone.write_text(text)
    if failures:
        raise SystemExit(f"bench: a reload failed: {failures[0]}")


def _move_supervisor(server: Running) -> None:
    """Put the supervisor alone, not the responder, on the generator's core, where it gives way to it."""
    for task in Path(f"/proc/{server.pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {int(LOAD_CORE)})
        os.setpriority(os.PRIO_PROCESS, int(task.name), LOWEST_PRIORITY)


def _median(runs: list[Run], what: str) -> float:
    return float(statistics.median(getattr(run, what) for run in runs))


def _load_median(runs: list[Run], what: str) -> float:
    return statistics.median(float(run.load[what]) for run in runs)
