"""Two measurements that are no table of servers: a flood of deferred queries, and new snapshots under full load."""

from __future__ import annotations

import statistics
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

from measure import Run, Running, wait_ready
from questions import ZONE

from lbdns.errors import LbdnsError
from lbdns.server.control import ask

if TYPE_CHECKING:
    from bench import Bench

FLOOD_FACTOR = 2.0  # times what the slow path can do
SWAP_EVERY_S = 0.5
START_S = 30.0
LEAD_S = 0.3  # the flood starts before, and ends after, what is measured


def _started(bench: Bench) -> Running:
    server = bench.start("lbdns", "main")
    why = wait_ready(server, bench.generator, bench.records("plain"), START_S)
    if why:
        raise SystemExit(f"bench: lbdns does not serve: {why}")
    return server


def flood(bench: Bench) -> dict[str, Any]:
    """Print what the fast path loses while the slow path is asked twice what it can do (class CHAOS)."""
    server, seconds, generator = _started(bench), bench.arguments.seconds, bench.generator
    capacity = generator.run(server, seconds, bench.records("chaos")).rate
    rate = FLOOD_FACTOR * capacity
    calm: list[Run] = []
    flooded: list[Run] = []
    for _ in range(bench.arguments.rounds):
        calm.append(generator.run(server, seconds, bench.records("plain")))
        command = generator.command(server.port, seconds + 2 * LEAD_S, bench.records("chaos"), "--rate", str(rate))
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as flooding:
            time.sleep(LEAD_S)
            flooded.append(generator.run(server, seconds, bench.records("plain")))
            flooding.wait()
    lost_share = statistics.median(1 - there.rate / here.rate for here, there in zip(calm, flooded, strict=True))
    bench.say("\n### flood of deferred queries\n")
    bench.say(f"slow path alone: {capacity:,.0f} queries/s; flood: {rate:,.0f} queries/s of class CHAOS\n")
    bench.say("| good queries | queries/s | lost | mean us | p99.9 us | server's core busy |")
    bench.say("|---|--:|--:|--:|--:|--:|")
    for name, runs in (("alone", calm), ("beside the flood", flooded)):
        bench.say(
            f"| {name} | {_median(runs, 'rate'):,.0f} | {sum(run.load['lost'] for run in runs)} | "
            f"{_load_median(runs, 'mean_us'):.0f} | {_load_median(runs, 'p999_us'):.0f} | {_median(runs, 'busy'):.0%} |"
        )
    bench.say(f"\nthe flood takes {lost_share:.1%} of the throughput (bound: 20 %)")
    return {"slow_path_rate": capacity, "flood_rate": rate, "lost_share": lost_share}


def swap(bench: Bench) -> dict[str, Any]:
    """Print what queries notice of a new snapshot every SWAP_EVERY_S: losses, latencies, pauses."""
    server, seconds, generator = _started(bench), bench.arguments.seconds, bench.generator
    control = server.folder / "state" / "control.sock"
    zone = server.folder / f"{ZONE}.zone"
    text = zone.read_text()
    calm: list[Run] = []
    swapped: list[Run] = []
    stop = threading.Event()

    def publish() -> None:
        count = 0
        while not stop.wait(SWAP_EVERY_S):
            count += 1
            partial = zone.with_name(".next")
            partial.write_text(text + f'changed TXT "{count}"\n')
            partial.replace(zone)
            try:
                ask(control, "reload")
            except LbdnsError as error:
                bench.say(f"a reload failed: {error}")

    first = ask(control, "status")["generation"]
    for _ in range(bench.arguments.rounds):
        calm.append(generator.run(server, seconds, bench.records("plain")))
        stop.clear()
        publisher = threading.Thread(target=publish)
        publisher.start()
        swapped.append(generator.run(server, seconds, bench.records("plain")))
        stop.set()
        publisher.join()
    published = ask(control, "status")["generation"] - first
    bench.say("\n### new snapshots under full load\n")
    bench.say(f"{published} snapshots published, compiled on the server's core beside the queries\n")
    bench.say("| queries | queries/s | lost | wrong | mean us | p99.9 us | worst us | longest silence us |")
    bench.say("|---|--:|--:|--:|--:|--:|--:|--:|")
    for name, runs in (("nothing published", calm), (f"a snapshot every {SWAP_EVERY_S} s", swapped)):
        bench.say(
            f"| {name} | {_median(runs, 'rate'):,.0f} | {sum(run.load['lost'] for run in runs)} | "
            f"{sum(run.load['wrong'] for run in runs)} | {_load_median(runs, 'mean_us'):.0f} | "
            f"{_load_median(runs, 'p999_us'):.0f} | {max(run.load['max_us'] for run in runs):.0f} | "
            f"{max(run.load['pause_us'] for run in runs):.0f} |"
        )
    lost = sum(run.load["lost"] for run in swapped)
    return {"published": published, "lost": lost, "pause_us": max(run.load["pause_us"] for run in swapped)}


def _median(runs: list[Run], what: str) -> float:
    return float(statistics.median(getattr(run, what) for run in runs))


def _load_median(runs: list[Run], what: str) -> float:
    return statistics.median(float(run.load[what]) for run in runs)
