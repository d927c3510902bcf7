"""Transfer soak: zones of a real server change at random while NSD, Knot, BIND and PowerDNS follow them as secondaries,
by TSIG; all of them are stopped, killed and started again in between, and endpoints of load balancers go up and down.

No serial that anybody serves may go backwards, and whenever everybody is waited for, all have the same records. Exit
status: 0 where that holds, 1 where it does not; what was seen is told, with the seed that repeats it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.peers.following import KINDS, Following

SETTLED_EVERY: Final = 50  # changes
SERVER_RESTARTS: Final = 0.02  # a change
SECONDARY_RESTARTS: Final = 0.04
FLIPS: Final = 0.05


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(
        prog="scripts/transfer-soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--changes", type=int, default=1000, help="default 1000")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--peers", default=",".join(KINDS), help=f"default {','.join(KINDS)}")
    return parser.parse_args()


def soak(following: Following, changes: int, tell: bool = False) -> None:
    """Change a server that runs so many times, with all that comes in between; raises AssertionError."""
    following.settle()
    for number in range(1, changes + 1):
        following.change()
        draw = following.rng.random()
        if draw < SERVER_RESTARTS:
            following.restart_server()
        elif draw < SERVER_RESTARTS + SECONDARY_RESTARTS:
            following.restart_secondary()
        elif draw < SERVER_RESTARTS + SECONDARY_RESTARTS + FLIPS:
            following.flip()
        if number % SETTLED_EVERY == 0:
            began = time.monotonic()
            following.settle()
            if tell:
                took = time.monotonic() - began
                print(f"{number} changes: all have the same after {took:.1f} s; {following.told()}", flush=True)
    following.settle()


def main() -> int:
    """Run one soak."""
    asked = arguments()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lbdns-transfer-soak-") as folder:
        following = Following(Path(folder), asked.peers.split(","), asked.seed)
        try:
            with following.running():
                soak(following, asked.changes, tell=True)
        except AssertionError as error:
            print(f"fails, --seed {asked.seed}: {error}\n{following.server.log[-4000:]}", file=sys.stderr)
            return 1
    took = time.monotonic() - began
    print(f"holds: {following.told()} in {took:.0f} s; {asked.peers}: no serial went backwards, all records are equal")
    return 0


if __name__ == "__main__":
    sys.exit(main())
