"""Seeded fuzzing without further packages: damaged datagrams of corpus and wire tests, each held to the invariant.

    python -m tests.fastpath.fuzz_seeded [--count 20000] [--seed 1] [--lane compiled|interpreted|both] [--overrun]

scripts/sanitize runs it on a build with sanitizers, where a read or a write outside a buffer ends the process.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from random import Random

from lbdns.answer.serving_view import ServingView
from lbdns.dns.codes import HEADER_BYTES
from lbdns.fastpath.layout import DEFERRED
from tests.answer.mutations import good_messages, mutate, sound_message
from tests.fastpath.fuzz_check import Checker, available_lanes, exact_buffer, make_view, read_corpus
from tests.fastpath.lanes import Lane

SOUND_SHARE = 0.4  # of the datagrams are queries that nothing is wrong with, which damage of others seldom leaves
CUT_SHARE = 0.1  # of the datagrams are cut short somewhere, which damage of the header alone seldom does


def overrun(lane: Lane, view: ServingView) -> None:
    """Read two octets from the place after a datagram."""
    server = lane.server_class(view.columns, view.table.columns, view.region_index)
    server.incoming = exact_buffer(bytes(HEADER_BYTES))
    module = sys.modules[lane.server_class.__module__]
    print("read past the end, and nothing happened:", module.get16(server, HEADER_BYTES))


def main() -> None:
    """Run until `--count` datagrams are checked; an AssertionError holds the datagram that breaks the invariant."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lane", choices=("compiled", "interpreted", "both"), default="compiled")
    parser.add_argument("--overrun", action="store_true", help="read past a datagram on purpose: does anything see it?")
    said = parser.parse_args()
    lanes = [lane for lane in available_lanes() if said.lane in (lane.name.split()[0], "both")]
    if not lanes:
        raise SystemExit("the compiled kernel is not installed")
    chance = Random(said.seed)
    with tempfile.TemporaryDirectory() as folder:
        view = make_view(Path(folder))
        if said.overrun:
            overrun(lanes[0], view)
            return
        checker = Checker(view, lanes, exact=True)
        known = [*good_messages(), *read_corpus()]
        deferred = sum(checker.check(datagram) == DEFERRED for datagram in known)
        for _ in range(said.count):
            if chance.random() < SOUND_SHARE:
                deferred += checker.check(sound_message(chance)) == DEFERRED
                continue
            datagram = mutate(chance.choice(known), chance, known)
            if chance.random() < CUT_SHARE:
                datagram = datagram[: chance.randrange(len(datagram) + 1)]
            deferred += checker.check(datagram) == DEFERRED
    total = len(known) + said.count
    print(
        f"{total} datagrams, seed {said.seed}, {' and '.join(lane.name for lane in lanes)}: "
        f"all as the slow path's, {deferred} of them deferred"
    )


if __name__ == "__main__":
    main()
