"""What samples and taps take of memory: the files of one responder, however many addresses it listens on."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbdns.fastpath.sampling import no_sampler
from lbdns.mapped.sample_room import allocate_samples, capacity_for
from lbdns.mapped.tap_ring import Tap
from lbdns.model.bounds import MAX_LISTEN

BOUND_BYTES = 4 << 20


@pytest.mark.parametrize("threads", [1, 2, 3, 5, 17, MAX_LISTEN + 1])
def test_a_responders_rings_are_within_four_megabytes(tmp_path: Path, threads: int) -> None:
    for part in range(threads):
        allocate_samples(tmp_path / f"samples-0-{part}.bin", capacity_for(threads))
    taken = sum(path.stat().st_blocks * 512 for path in tmp_path.iterdir())
    assert 0 < taken <= BOUND_BYTES


def test_a_tap_that_is_shut_has_no_ring() -> None:
    assert (Tap().size, len(Tap().octets), no_sampler().ring.capacity) == (0, 8, 0)
