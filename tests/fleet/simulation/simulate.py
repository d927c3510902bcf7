"""Simulates fleets by seed: `scripts/fleet-simulate` runs it at length, tests a share of it.

A verdict and figures come out. What goes wrong is told with the seed; `--smaller` leaves out faults for as long as it
still goes wrong, and prints the schedule that is left, which `--schedule` plays again.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from tests.fleet.simulation.fault_schedule import Fault, ScheduleMaker, parse, show, smaller
from tests.fleet.simulation.observer_judge import Catalogue, ObserverJudge
from tests.fleet.simulation.sampled_fleet import SampledFleet
from tests.fleet.simulation.simulated_fleet import Outcome, Shape, SimulatedFleet
from tests.fleet.simulation.simulated_machine import MakeJudge
from tests.fleet.simulation.simulated_replicas import simulate_replicas

FAULTS_AN_HOUR: Final = 10
WRITES_AN_HOUR: Final = 100
OF_LARGE_FLEETS: Final = frozenset(
    {"isolate", "unplug", "blind", "flap", "split", "split_hub", "clock", "kill", "unhub", "down", "regional", "blink"}
)
NOT_OF_REPLICAS: Final = frozenset({"blind", "clock"})


def product_judges(shape: Shape, on_wire: bool) -> MakeJudge:
    """Return what makes the machines' judges: the product's code."""
    catalogue, regions = Catalogue(shape.endpoints, shape.check_regions), shape.machines

    def make(name: str, disk: object, now_s: float, wall_s: float) -> ObserverJudge:
        return ObserverJudge(name, regions[name], catalogue, shape.prober_count, disk, now_s, wall_s, on_wire)

    return make


def schedule(shape: Shape, hours: float, faults_an_hour: float) -> list[Fault]:
    """Return a shape's schedule of so many faults, of machines and network as of endpoints, and orders."""
    maker = ScheduleMaker(shape.seed, list(shape.machines), shape.regions, shape.endpoints, hours)
    count = max(1, round(faults_an_hour * hours / 2))
    return maker.make(count, count, 0, max(1, count // 4))


def simulate(shape: Shape, faults: Sequence[Fault], hours: float, on_wire: bool = False) -> Outcome:
    """Let a fleet of the product's judges live through a schedule."""
    return SimulatedFleet(shape, product_judges(shape, on_wire)).run(faults, hours)


def replica_schedule(
    seed: int, machine_count: int, hours: float, faults_an_hour: float, writes_an_hour: float
) -> list[Fault]:
    """Return a schedule of writes, and of faults that concern replicas."""
    names = [f"M{number:04d}" for number in range(machine_count)]
    maker = ScheduleMaker(seed, names, ["WEU"], ["pool-0/e0"], hours)
    faults = maker.make(round(faults_an_hour * hours), 0, round(writes_an_hour * hours), 0)
    return [one for one in faults if one.kind not in NOT_OF_REPLICAS]


def main(arguments: Sequence[str]) -> int:
    """Simulate; returns 1 where anything went wrong."""
    parser = argparse.ArgumentParser(prog="scripts/fleet-simulate", description="A fleet in virtual time, by seed.")
    parser.add_argument("--seed", type=int, default=1, help="of the first one")
    parser.add_argument("--runs", type=int, default=1, help="how many, with the seeds that follow")
    parser.add_argument("--machines", type=int, default=5)
    parser.add_argument("--endpoints", type=int, default=24)
    parser.add_argument("--regions", type=int, default=3)
    parser.add_argument("--hours", type=float, default=24.0, help="of the world's time")
    parser.add_argument("--faults-an-hour", type=float, default=FAULTS_AN_HOUR)
    parser.add_argument("--store-hours", type=float, default=2.0, help="of these also with the product's stores")
    parser.add_argument("--judges", type=int, help="so many machines judge, all others only tell: for large fleets")
    parser.add_argument("--mesh", action="store_true", help="machines reach each other without the hub")
    parser.add_argument("--schedule", type=Path, help="a file with faults to play, a line each")
    parser.add_argument("--smaller", action="store_true", help="make the schedule of what goes wrong smaller")
    asked = parser.parse_args(arguments)
    gc.disable()  # hardly anything of it is garbage, and millions of objects would be looked through for it
    failed = False
    for seed in range(asked.seed, asked.seed + asked.runs):
        shape = Shape(
            asked.machines, asked.endpoints, asked.regions, star=not asked.mesh, seed=seed, has_check_regions=True
        )
        faults = (
            parse(asked.schedule.read_text()) if asked.schedule else schedule(shape, asked.hours, asked.faults_an_hour)
        )
        if asked.judges is not None:
            failed |= _run_sampled(shape, faults, asked.hours, asked.judges)
            continue
        failed |= _run(shape, faults, asked.hours, asked.smaller)
        if not asked.schedule:
            failed |= _run_replicas(seed, asked.machines, asked.hours, asked.faults_an_hour)
            hours = min(asked.hours, asked.store_hours)
            with tempfile.TemporaryDirectory(prefix="fleet-simulate-") as work:
                failed |= _run_replicas(seed, asked.machines, hours, asked.faults_an_hour, Path(work))
    return int(failed)


def simulate_sampled(shape: Shape, faults: Sequence[Fault], hours: float, judge_count: int) -> Outcome:
    """Let a large fleet live through those of a schedule that are alike for all who are heard."""
    return SampledFleet(replace(shape, star=True), judge_count).run(
        [one for one in faults if one.kind in OF_LARGE_FLEETS], hours
    )


def _run_sampled(shape: Shape, faults: Sequence[Fault], hours: float, judge_count: int) -> bool:
    began_s, cpu_s = time.monotonic(), time.process_time()
    found = simulate_sampled(shape, faults, hours, judge_count)
    print(
        f"seed {shape.seed}: {'WRONG' if found.wrong else 'all held'}; {hours:g} h, {shape.machine_count:,} machines "
        f"of which {judge_count} judge, {shape.endpoint_count:,} endpoints; {hours * 3600.0 - found.left_out_s:,.0f} s "
        f"simulated, the rest was quiet; {found.message_count:,} messages, {found.beat_count:,} heartbeats, "
        f"{found.published_count:,} verdicts published, {found.audited_count:,} audited; "
        f"{time.monotonic() - began_s:.1f} s, {time.process_time() - cpu_s:.1f} s of CPU",
        flush=True,
    )
    for wrong in found.wrong:
        print(f"  {wrong}")
    return bool(found.wrong)


def _run(shape: Shape, faults: list[Fault], hours: float, is_made_smaller: bool) -> bool:
    began_s, cpu_s = time.monotonic(), time.process_time()
    outcome = simulate(shape, faults, hours)
    simulated_s = hours * 3600.0 - outcome.left_out_s
    print(
        f"seed {shape.seed}: {'WRONG' if outcome.wrong else 'all held'}; {hours:g} h, {shape.machine_count} machines, "
        f"{shape.endpoint_count} endpoints, {len(faults)} faults; {simulated_s:,.0f} s simulated, the rest was quiet; "
        f"{outcome.message_count:,} messages, {outcome.published_count:,} verdicts published, "
        f"{outcome.audited_count:,} audited; {time.monotonic() - began_s:.1f} s, "
        f"{time.process_time() - cpu_s:.1f} s of CPU",
        flush=True,
    )
    for wrong in outcome.wrong:
        print(f"  {wrong}")
    if outcome.wrong and is_made_smaller:
        found = smaller(faults, lambda fewer: bool(simulate(replace(shape), fewer, hours).wrong))
        print(f"{len(found)} of {len(faults)} faults are enough:\n{show(found)}")
        for wrong in simulate(shape, found, hours).wrong:
            print(f"  {wrong}")
    return bool(outcome.wrong)


def _run_replicas(seed: int, machine_count: int, hours: float, faults_an_hour: float, work: Path | None = None) -> bool:
    began_s, cpu_s = time.monotonic(), time.process_time()
    faults = replica_schedule(seed, machine_count, hours, faults_an_hour / 2, WRITES_AN_HOUR)
    found = simulate_replicas(seed, machine_count, faults, hours, work)
    what = "revisions" if work is None else f"{hours:g} h of them with the product's stores"
    print(
        f"  {what}: {'WRONG' if found.wrong else 'all held'}; {found.acknowledged_count:,} changes acknowledged, "
        f"{found.refused_count:,} refused or made anew, {found.unknown_count:,} not known at first; "
        f"{found.message_count:,} messages; {time.monotonic() - began_s:.1f} s, "
        f"{time.process_time() - cpu_s:.1f} s of CPU",
        flush=True,
    )
    for wrong in found.wrong:
        print(f"  {wrong}")
    return bool(found.wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
