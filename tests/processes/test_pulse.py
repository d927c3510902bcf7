"""When a process counts as silent: its beats stand still, and neither it nor its supervisor waited for a processor."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest

from lbdns.processes.supervisor.pulse import FIRST_BEAT_S, LOOK_S, STARVED_MAX_S, Pulse, processor_wait_s

LIMIT_S = 0.6


class Played:
    """A process with two beats, and the clock that its pulse is looked at with."""

    def __init__(self) -> None:
        self.beats = [0, 0]
        self.now_s = 100.0
        self.waited_s = 0.0
        self.pulse = Pulse(lambda: self.beats, LIMIT_S)

    def silent_after(
        self,
        seconds: float,
        turn: Callable[[], None] = lambda: None,
    ) -> float | None:
        """Look at the pulse for so long; return when it was silent, None where it never was."""
        began_s = self.now_s
        while self.now_s < began_s + seconds:
            turn()
            if self.pulse.is_silent(self.now_s, lambda: self.waited_s):
                return self.now_s - began_s
            self.now_s += LOOK_S
        return None

    def beat(self, index: int) -> None:
        self.beats[index] = int(self.now_s * 1e9)

    def beat_both(self) -> None:
        self.beat(0)
        self.beat(1)


@pytest.fixture
def played() -> Played:
    """A process that has beaten."""
    played = Played()
    assert played.silent_after(1.0, played.beat_both) is None
    return played


def test_a_process_that_beats_is_never_silent(played: Played) -> None:
    assert played.silent_after(60.0, played.beat_both) is None


def test_one_beat_that_stands_still_makes_a_process_silent(played: Played) -> None:
    assert played.silent_after(5.0, lambda: played.beat(0)) == pytest.approx(LIMIT_S, abs=2.5 * LOOK_S)


def test_a_process_that_waits_for_a_processor_is_not_silent(played: Played) -> None:
    def starve() -> None:
        played.waited_s += LOOK_S

    silent_s = played.silent_after(60.0, starve)
    assert silent_s == pytest.approx(LIMIT_S + STARVED_MAX_S, abs=5 * LOOK_S)  # for ever would hide one that hangs


def test_a_supervisor_that_was_held_up_blames_nobody(played: Played) -> None:
    played.now_s += 3600.0
    assert not played.pulse.is_silent(played.now_s, lambda: 0.0)


def test_the_first_beat_may_take_a_while_and_each_process_begins_anew() -> None:
    played = Played()
    assert played.silent_after(2 * FIRST_BEAT_S) == pytest.approx(FIRST_BEAT_S, abs=3 * LOOK_S)
    assert played.silent_after(1.0, played.beat_both) is None
    played.pulse.begin(played.now_s)
    assert played.silent_after(FIRST_BEAT_S - 1) is None


def test_the_wait_for_a_processor_is_read_from_the_kernel() -> None:
    before = processor_wait_s(os.getpid())
    assert 0 <= before <= time.monotonic() and before <= processor_wait_s(os.getpid())
    assert processor_wait_s(2**22 + 1) == 0.0
