"""When the thread of a queue naps: as many frames come as a test says, at times that it says."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from lbdns.xdp.nap_words import FEW, NAP_NS, PACE_LEAST, PACE_UNIT, PACED
from lbdns.xdp.naps import Naps, count_napped, find_pace, is_nap_due, is_pace_due

SECOND_NS = 1_000_000_000
WAKE_NS, FRAME_NS, BATCH = 2_000, 1_000, 64  # what a batch takes: once, and for each of its frames
SPELL_NS = SECOND_NS // 20


@dataclass
class Queue:
    """A queue into which frames come evenly, and a thread that takes them as FrameLoop does."""

    naps: Naps = field(default_factory=Naps)
    now_ns: int = SECOND_NS
    came: float = 0.0
    waiting: int = 0
    napped: int = 0

    def go(self, by_ns: int, rate: int) -> None:
        """Let time go by, in which frames come at a rate a second."""
        self.now_ns += by_ns
        self.came += by_ns * rate / SECOND_NS
        self.waiting += int(self.came)
        self.came %= 1.0

    def serve(self, rate: int, spell_ns: int = SPELL_NS) -> list[int]:
        """Return the sizes of the batches that it takes in a while."""
        batches, ends_ns = [], self.now_ns + spell_ns
        while self.now_ns < ends_ns:
            if is_nap_due(self.naps, self.waiting):
                self.go(NAP_NS, rate)
                self.napped += 1
                count_napped(self.naps, self.waiting)
            while not self.waiting:  # it sleeps until a frame wakes it
                self.go(FRAME_NS, rate)
            got = min(self.waiting, BATCH)
            self.waiting -= got
            batches.append(got)
            if is_pace_due(self.naps, got):
                find_pace(self.naps, self.now_ns)
            self.go(WAKE_NS + got * FRAME_NS, rate)
        return batches


@pytest.mark.parametrize("rate", [100_000, 200_000, 500_000])
def test_where_frames_come_fast_it_naps_and_finds_a_batch(rate: int) -> None:
    queue = Queue()
    queue.serve(rate)
    batches = queue.serve(rate)
    assert sum(batches) / len(batches) >= min(rate * NAP_NS / SECOND_NS, FEW)
    assert queue.naps.pace > PACE_LEAST


@pytest.mark.parametrize("rate", [500, 10_000, 50_000])
def test_where_they_come_slowly_each_is_answered_at_once(rate: int) -> None:
    queue = Queue()
    batches = queue.serve(rate, SECOND_NS // 2)
    assert queue.napped == 0
    assert max(batches) == 1


def test_it_naps_no_more_once_they_come_slowly() -> None:
    queue = Queue()
    queue.serve(200_000)
    assert queue.napped
    queue.serve(10_000)
    queue.napped = 0
    batches = queue.serve(10_000)
    assert queue.napped == 0
    assert max(batches) == 1


def test_it_naps_again_once_they_come_fast_after_a_silence() -> None:
    queue = Queue()
    queue.serve(200_000)
    queue.serve(10_000)
    queue.go(3600 * SECOND_NS, 0)
    queue.napped = 0
    queue.serve(200_000)
    assert queue.napped


def test_naps_that_bring_nothing_end() -> None:
    naps = Naps()
    naps.pace = FEW * PACE_UNIT
    count = 0
    while is_nap_due(naps, 0):
        count_napped(naps, 0)
        count += 1
    assert count == 9


def test_where_many_wait_nobody_naps() -> None:
    naps = Naps()
    naps.pace = FEW * PACE_UNIT
    assert not is_nap_due(naps, FEW)
    assert is_nap_due(naps, FEW - 1)


def test_the_pace_is_what_a_nap_would_have_brought() -> None:
    naps = Naps()
    naps.since_ns = SECOND_NS
    assert not is_pace_due(naps, PACED - 1)
    assert is_pace_due(naps, 1)
    find_pace(naps, SECOND_NS + 5 * NAP_NS - 1)
    assert naps.pace == PACED * PACE_UNIT // 5
    assert (naps.counted, naps.since_ns) == (0, SECOND_NS + 5 * NAP_NS - 1)
    assert not is_pace_due(naps, PACED)  # it naps
