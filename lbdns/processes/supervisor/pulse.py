"""Whether a process does what it exists for: its beats, times in shared memory that it writes as it works.

    beating --(a beat stands still)--> still --(for longer than the limit, and it had the processor)--> silent

One that begins, or takes up much at once, does not beat meanwhile: then its beat is that it computes, waits for a
processor or for a disk.

A process that waits for a processor is not silent: the time for which its threads were ready to run and did not is
taken off, within reason. The kernel adds a wait up when it is over: one that lasts is seen by a thread that is ready
and got nothing since the last look. Nor is a process silent whose supervisor was held up itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

LOOK_S: Final = 0.1  # how often beats are looked at
FIRST_BEAT_S: Final = 30.0  # a process that has much to read first has so long until its first beat
STARVED_MAX_S: Final = 5.0  # more waiting for a processor than that is held against nobody else

READY: Final = "R"  # state of a thread (proc(5)) that computes, or waits for a processor
HELD_UP: Final = frozenset((READY, "D"))  # it would go on, had it a processor or what a disk has

Beats = Callable[[], Sequence[int]]


class Scheduling(NamedTuple):
    """What a process's threads got: `ran_s` they have computed, and `waited_s` they have waited for a processor, in
    all; `is_held_up`: whether one waits for a processor or a disk now, or computes; `ready`: those that have a
    processor now or wait for one, each with what it has got (thread, ns it ran, ns it waited, times it ran)."""

    ran_s: float
    waited_s: float
    is_held_up: bool
    ready: frozenset[tuple[int, ...]] = frozenset()


class Pulse:
    """The beats of one process at a time; times are seconds of CLOCK_MONOTONIC."""

    def __init__(
        self,
        beats: Beats,
        limit_s: float,
        first_beat_s: float = FIRST_BEAT_S,
        is_excused: Callable[[], bool] = lambda: False,
    ) -> None:
        """Take what reads the beats, ns of CLOCK_MONOTONIC, none where they cannot be read; one that stands still for
        `limit_s` makes its process silent, or for `first_beat_s` where it has not beaten yet, or `is_excused`, as long
        as it is at work."""
        self._beats = beats
        self._limit_s = limit_s
        self._first_beat_s = first_beat_s
        self._is_excused = is_excused
        self.begin(0.0)

    def begin(self, now_s: float, is_up: bool = False) -> None:
        """Another process beats from now on; where it `is_up`, its first beat is waited for no longer than others."""
        self._is_up = is_up
        self._began_ns = now_s * 1e9
        self._seen: tuple[int, ...] | None = None
        self._looked_s: float | None = None
        self._still_s: list[float] = []
        self._idle_s = 0.0
        self._ran_s: float | None = None
        self._is_starting = False
        self._before: Scheduling | None = None
        self._credit_s = STARVED_MAX_S

    @property
    def still_s(self) -> float:
        """For how long the beat that is most behind has stood still."""
        return max(self._still_s, default=0.0)

    def age_s(self, now_s: float) -> float | None:
        """Return how long ago the last beat was, of the thread that is most behind; None where there was none yet."""
        oldest_ns = min(self._seen or (0,), default=0)
        return now_s - oldest_ns / 1e9 if oldest_ns else None

    def is_silent(self, now_s: float, scheduling: Callable[[], Scheduling], is_starting: bool = False) -> bool:
        """Look at the beats; `scheduling` tells what the process's threads got. One that `is_starting` has
        FIRST_BEAT_S until it is ready, and only then until its first beat."""
        if self._is_starting and not is_starting:
            self.begin(now_s)
        self._is_starting = is_starting
        beats = tuple(self._beats())
        if self._looked_s is None or self._seen is None or len(beats) != len(self._seen):
            self._seen, self._looked_s, self._still_s = beats, now_s, [0.0] * len(beats)
            return False
        step_s = min(now_s - self._looked_s, 2 * LOOK_S)
        self._looked_s = now_s
        moved = [one != other for one, other in zip(beats, self._seen, strict=True)]
        self._seen = beats
        has_begun = self._is_up or max(beats, default=0) > self._began_ns
        if is_starting or not has_begun or self._is_excused():
            limit_s = FIRST_BEAT_S if is_starting else self._first_beat_s
            self._note_idle(step_s, any(moved), scheduling())
        else:
            limit_s = self._limit_s
            self._idle_s, self._ran_s = 0.0, None
        if self.still_s > self._limit_s / 2:
            step_s -= self._excused(step_s, scheduling())
        else:
            self._before, self._credit_s = None, STARVED_MAX_S
        self._still_s = [
            0.0 if has_moved else still + step_s for still, has_moved in zip(self._still_s, moved, strict=True)
        ]
        return self.still_s > limit_s or self._idle_s > self._limit_s

    def _note_idle(self, step_s: float, has_beaten: bool, got: Scheduling) -> None:
        """Count for how long a process that need not beat has done nothing at all."""
        is_idle = got.ran_s == self._ran_s and not got.is_held_up and not has_beaten
        self._ran_s = got.ran_s
        self._idle_s = self._idle_s + step_s if is_idle else 0.0

    def _excused(self, step_s: float, got: Scheduling) -> float:
        """Return how much of a step the process waited for a processor."""
        before, self._before = self._before, got
        if before is None:
            return 0.0
        waited_s = step_s if got.ready & before.ready else max(got.waited_s - before.waited_s, 0.0)
        excused_s = min(step_s, self._credit_s, waited_s)
        self._credit_s -= excused_s
        return excused_s


def scheduling_of(pid: int) -> Scheduling:
    """Return what the threads of a process got (proc(5): schedstat, stat); nothing where it is gone."""
    ran_ns = waited_ns = 0
    is_held_up = False
    ready = set()
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            ran, waited, times = map(int, (task / "schedstat").read_bytes().split())
            ran_ns, waited_ns = ran_ns + ran, waited_ns + waited
            state = (task / "stat").read_text().rpartition(") ")[2][0]
            is_held_up |= state in HELD_UP
            if state == READY:
                ready.add((int(task.name), ran, waited, times))
    except (OSError, IndexError, ValueError):  # it ends just now, or the kernel keeps no such figures
        return Scheduling(0.0, 0.0, True)
    return Scheduling(ran_ns / 1e9, waited_ns / 1e9, is_held_up, frozenset(ready))
