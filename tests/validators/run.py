"""Ask validating resolvers what signed zones say while endpoints go down and up, at length; scripts/validators runs it.

    scripts/validators --questions 100000 --flips 800 --seed 7

Tells how far it is, and of each wrong reply as it comes. Prints in the end what each resolver was asked and gave; the
exit status is 1 where anything was bogus or not what was decided, but for what a resolver gets wrong of anybody's zone
(known_faults.py), which is counted and printed by its name.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.validators.resolvers import RESOLVERS
from tests.validators.stage import prepare, signed_server, trial_of

SHOWN = 50


def main() -> int:
    """Run a trial; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="scripts/validators", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--questions", type=int, default=25_000, help="to each resolver (default 25,000)")
    parser.add_argument("--flips", type=int, default=200, help="of endpoints (default 200: each five times down)")
    parser.add_argument("--seed", type=int, default=1, help="(default 1)")
    names = [kind.name for kind in RESOLVERS]
    parser.add_argument("--resolvers", nargs="+", choices=names, default=names, help="(default: all)")
    said = parser.parse_args()
    kinds = [kind for kind in RESOLVERS if kind.name in said.resolvers]
    with tempfile.TemporaryDirectory(prefix="lbdns-validators-") as name:
        folder = Path(name)
        scene = prepare()
        with (
            signed_server(folder, scene) as (server, anchors),
            trial_of(folder, scene, server, anchors, said.seed, kinds=kinds, tell=_tell) as trial,
        ):
            begun_s = time.monotonic()
            trial.run(said.questions, said.flips)
            took_s = time.monotonic() - begun_s
    print(f"{len(kinds) * said.questions:,} questions, {said.flips} flips, seed {said.seed}, {took_s:.0f} s")
    for resolver, report in trial.reports.items():
        print(f"{resolver}: {report}")
        for line in report.wrong[:SHOWN]:
            print(f"    {line}")
        for fault, line in report.known[:SHOWN]:
            print(f"    {fault.name}: {line}")
    return 1 if any(report.wrong for report in trial.reports.values()) else 0


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
