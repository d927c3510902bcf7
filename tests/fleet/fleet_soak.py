"""Schedules of cuts and kills, by seed, played on a fleet of three in network namespaces under queries and changes.

Each schedule cuts each machine off in turn, the hub among them, silently, one way, or by its cable, some of these with
another fault at once; then come kills and endpoints that fail. `--kills N` does that many kills at random moments, by
itself or after `--schedules`. Prints what held and what did not, with the seed and the step that repeats it.

Exit status: 0 where everything holds that must, 1 where something does not, 3 where no namespaces can be made.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.fleet.fleet_faults import Step, draw_kills, draw_steps
from tests.fleet.fleet_trial import Trial, trial
from tests.fleet.likeness import ALIKE_S
from tests.fleet.machines import go_apart, why_no_networks

SKIPPED: Final = 3
SCHEDULES: Final = 50
KILLS_AT_ONCE: Final = 5
"""So many kills stand between two looks at whether everything is whole."""


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(
        prog="scripts/fleet-soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--schedules", type=int, help="how many schedules; default 50, none with --kills")
    parser.add_argument("--steps", type=int, default=6, help="steps of each; default 6")
    parser.add_argument("--kills", type=int, default=0, help="so many kills, after the schedules")
    parser.add_argument("--seed", type=int, default=1, help="the first schedule's")
    parser.add_argument("--longest", type=float, default=12.0, help="seconds that a step lasts at most; default 12")
    parser.add_argument("--alike", type=float, default=ALIKE_S, help="seconds until all are alike again; default 5")
    parser.add_argument("--rate", type=float, default=50.0, help="queries a second to each machine; default 50")
    parser.add_argument("--no-leaves", action="store_true", help="machines without a nats-server, but the hub's")
    parser.add_argument("--work", type=Path, help="where the machines' files and logs are kept")
    return parser.parse_args()


def main() -> int:
    """Run it, in namespaces made for it."""
    asked = arguments()
    if why := why_no_networks():
        print(f"fleet-soak: skipped: {why}")
        return SKIPPED
    go_apart("tests.fleet.fleet_soak", *sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix="fleet-soak-") as temporary:
        work = asked.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        began_s = time.monotonic()
        with trial(work, asked.rate, asked.alike, not asked.no_leaves) as running:
            print(f"a fleet of three after {time.monotonic() - began_s:.0f} s", flush=True)
            for seed, steps in schedules(asked, running):
                tell(seed, steps, running.play(steps, seed))
        problems = running.outcome.problems()
    for problem in problems:
        print(f"FAILS {problem}")
    for what, figure in running.outcome.figures().items():
        print(f"      {what}: {figure}")
    print(json.dumps({"problems": problems, **running.outcome.figures()}))
    return int(bool(problems))


def schedules(asked: argparse.Namespace, running: Trial) -> Iterator[tuple[int, list[Step]]]:
    """Yield a seed and its steps, one after the other."""
    count = asked.schedules if asked.schedules is not None else 0 if asked.kills else SCHEDULES
    for seed in range(asked.seed, asked.seed + count):
        yield seed, draw_steps(running.scene, seed, asked.steps, asked.longest)
    for number, first in enumerate(range(0, asked.kills, KILLS_AT_ONCE)):
        kills = min(KILLS_AT_ONCE, asked.kills - first)
        yield asked.seed + number, draw_kills(running.scene, asked.seed + number, kills, asked.longest / 4)


def tell(seed: int, steps: Sequence[Step], problems: Sequence[str]) -> None:
    """Print what a schedule did, and what did not hold until then."""
    print(f"{'FAILS' if problems else 'holds'} seed {seed}: {'; '.join(one.name for one in steps)}", flush=True)
    for problem in problems:
        print(f"      {problem}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
