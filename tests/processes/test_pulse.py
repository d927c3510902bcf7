"""When a process counts as silent: its beats stand still, and neither it nor its supervisor waited for a processor."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from lbdns.processes.supervisor.pulse import (
    FIRST_BEAT_S,
    LOOK_S,
    STARVED_MAX_S,
    Pulse,
    Scheduling,
    scheduling_of,
)
from tests.processes.test_reload import eventually

LIMIT_S = 0.6


class Played:
    """A process with two beats, and the clock that its pulse is looked at with."""

    def __init__(self) -> None:
        self.beats = [0, 0]
        self.now_s = 100.0
        self.got = Scheduling(0.0, 0.0, False)
        self.pulse = Pulse(lambda: self.beats, LIMIT_S)

    def silent_after(
        self,
        seconds: float,
        turn: Callable[[], None] = lambda: None,
        is_starting: bool = False,
    ) -> float | None:
        """Look at the pulse for so long; return when it was silent, None where it never was."""
        began_s = self.now_s
        while self.now_s < began_s + seconds:
            turn()
            if self.pulse.is_silent(self.now_s, lambda: self.got, is_starting):
                return self.now_s - began_s
            self.now_s += LOOK_S
        return None

    def beat(self, index: int) -> None:
        self.beats[index] = int(self.now_s * 1e9)

    def compute(self) -> None:
        self.got = self.got._replace(ran_s=self.got.ran_s + LOOK_S / 10)

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
        played.got = played.got._replace(waited_s=played.got.waited_s + LOOK_S)

    silent_s = played.silent_after(60.0, starve)
    assert silent_s == pytest.approx(LIMIT_S + STARVED_MAX_S, abs=5 * LOOK_S)  # for ever would hide one that hangs


def test_so_is_one_that_waits_on_and_on(played: Played) -> None:
    """The kernel says so of a wait that is over; what has been ready and got nothing since the last look waits yet."""
    played.got = played.got._replace(ready=frozenset({(7, 10, 20, 3)}))
    silent_s = played.silent_after(60.0)
    assert silent_s == pytest.approx(LIMIT_S + STARVED_MAX_S, abs=5 * LOOK_S)


def test_one_that_computes_on_and_on_is_silent(played: Played) -> None:
    def spin() -> None:
        played.compute()
        played.got = played.got._replace(ready=frozenset({(7, round(played.got.ran_s * 1e9), 20, 3)}))

    assert played.silent_after(60.0, spin) == pytest.approx(LIMIT_S, abs=2.5 * LOOK_S)


def test_a_supervisor_that_was_held_up_blames_nobody(played: Played) -> None:
    played.now_s += 3600.0
    assert not played.pulse.is_silent(played.now_s, lambda: played.got)


def test_the_first_beat_may_take_a_while_and_each_process_begins_anew() -> None:
    played = Played()
    assert played.silent_after(2 * FIRST_BEAT_S, played.compute) == pytest.approx(FIRST_BEAT_S, abs=3 * LOOK_S)
    assert played.silent_after(1.0, played.beat_both) is None
    played.pulse.begin(played.now_s)
    assert played.silent_after(FIRST_BEAT_S - 1, played.compute) is None


@pytest.mark.parametrize("is_starting", [True, False])
def test_one_that_begins_is_silent_as_soon_as_it_does_nothing(is_starting: bool) -> None:
    played = Played()
    assert played.silent_after(5.0, played.compute, is_starting) is None
    assert played.silent_after(5.0, is_starting=is_starting) == pytest.approx(LIMIT_S, abs=2 * LOOK_S)
    played.pulse.begin(played.now_s)
    played.got = played.got._replace(is_held_up=True)  # it waits for a disk
    assert played.silent_after(5.0, is_starting=is_starting) is None


def test_one_that_is_ready_has_as_long_until_its_first_beat_as_if_it_began_then() -> None:
    played = Played()
    played.pulse = Pulse(lambda: played.beats, LIMIT_S, first_beat_s=2.0)
    assert played.silent_after(5.0, played.compute, is_starting=True) is None
    assert played.silent_after(5.0, played.compute) == pytest.approx(2.0, abs=3 * LOOK_S)


def test_what_threads_got_is_read_from_the_kernel() -> None:
    before = after = scheduling_of(os.getpid())
    while after.ran_s == before.ran_s:  # the kernel adds up in steps
        sum(range(200_000))
        after = scheduling_of(os.getpid())
    assert before.ran_s < after.ran_s and 0 <= before.waited_s <= after.waited_s <= time.monotonic() * 100
    assert after.is_held_up and after.ready  # it computes
    assert not before.ready & after.ready
    assert scheduling_of(2**22 + 1) == (0.0, 0.0, True, frozenset())


@pytest.mark.process
def test_a_thread_that_another_keeps_from_its_processor_is_seen_to_wait() -> None:
    """While it waits, the time for which it has waited is not told yet."""
    spin = "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])}); sys.argv[2:] and os.sched_setscheduler(0, "
    spin += "os.SCHED_IDLE, os.sched_param(0))\nwhile True: pass"
    command, processor = [sys.executable, "-c", spin], str(min(os.sched_getaffinity(0)))
    first = subprocess.Popen([*command, processor])
    second = subprocess.Popen([*command, processor, "gives way"])

    def waits() -> bool:
        before = scheduling_of(second.pid)
        time.sleep(LOOK_S / 2)
        after = scheduling_of(second.pid)
        return bool(before.ready & after.ready) and before.waited_s == after.waited_s

    try:
        eventually(lambda: os.sched_getscheduler(second.pid) == os.SCHED_IDLE)
        eventually(waits)
    finally:
        for one in (first, second):
            one.kill()
            one.wait()
