"""Transfer soak: zones of a real server change at random while NSD, Knot, BIND and PowerDNS follow them as secondaries,
by TSIG; all of them are stopped, killed and started again in between, and endpoints of load balancers go up and down.
With --inward, NSD, Knot and BIND one after the other are the primary, and the real server follows.

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

from tests.peers.feeding import Feeding
from tests.peers.following import KINDS, Following
from tests.transfer.real_primaries import PRIMARIES

SETTLED_EVERY: Final = 50  # changes
SERVER_RESTARTS: Final = 0.02  # a change
SECONDARY_RESTARTS: Final = 0.04
PRIMARY_RESTARTS: Final = 0.04
FLIPS: Final = 0.05


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(
        prog="scripts/transfer-soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--changes", type=int, default=1000, help="default 1000")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--inward", action="store_true", help="the others are primaries")
    parser.add_argument("--peers", help=f"default {','.join(KINDS)}; with --inward {','.join(PRIMARIES)}")
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
        _settle(following, number, tell)
    following.settle()


def soak_inward(feeding: Feeding, changes: int, tell: bool = False) -> None:
    """Change a primary that runs so many times, with all that comes in between; raises AssertionError."""
    feeding.settle()
    for number in range(1, changes + 1):
        feeding.change()
        draw = feeding.rng.random()
        if draw < SERVER_RESTARTS:
            feeding.restart_server()
        elif draw < SERVER_RESTARTS + PRIMARY_RESTARTS:
            feeding.restart_primary()
        _settle(feeding, number, tell)
    feeding.settle()


def _settle(one: Following | Feeding, number: int, tell: bool) -> None:
    if number % SETTLED_EVERY == 0:
        began = time.monotonic()
        one.settle()
        if tell:
            print(
                f"{number} changes: all have the same after {time.monotonic() - began:.1f} s; {one.told()}", flush=True
            )


def _outward(folder: Path, asked: argparse.Namespace) -> bool:
    kinds = (asked.peers or ",".join(KINDS)).split(",")
    following = Following(folder, kinds, asked.seed)
    began = time.monotonic()
    try:
        with following.running():
            soak(following, asked.changes, tell=True)
    except AssertionError as error:
        print(f"fails, --seed {asked.seed}: {error}\n{following.server.log[-4000:]}", file=sys.stderr)
        return False
    return _holds(", ".join(kinds), following.told(), began)


def _inward(folder: Path, asked: argparse.Namespace) -> bool:
    for kind in (asked.peers or ",".join(PRIMARIES)).split(","):
        feeding = Feeding(folder / kind, kind, asked.seed)
        began = time.monotonic()
        try:
            with feeding.running():
                soak_inward(feeding, asked.changes, tell=True)
                told = feeding.told()
        except AssertionError as error:
            print(f"fails, --peers {kind} --seed {asked.seed}: {error}\n{feeding.server.log[-4000:]}", file=sys.stderr)
            return False
        _holds(kind, told, began)
    return True


def _holds(who: str, told: str, began: float) -> bool:
    took = time.monotonic() - began
    print(f"holds: {told} in {took:.0f} s; {who}: no serial went backwards, all records are equal", flush=True)
    return True


def main() -> int:
    """Run one soak."""
    asked = arguments()
    with tempfile.TemporaryDirectory(prefix="lbdns-transfer-soak-") as folder:
        return 0 if (_inward if asked.inward else _outward)(Path(folder), asked) else 1


if __name__ == "__main__":
    sys.exit(main())
