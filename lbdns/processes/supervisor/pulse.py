"""Whether a process does what it exists for: its beats, times in shared memory that it writes as it works.

    beating --(a beat stands still)--> still --(for longer than the limit, and it had the processor)--> silent

A process that waits for a processor is not silent: the time for which its threads were ready to run and did not is
taken off, within reason. Nor is one silent whose supervisor was held up itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

LOOK_S: Final = 0.1  # how often beats are looked at
FIRST_BEAT_S: Final = 30.0  # a process that has much to read first has so long until its first beat
STARVED_MAX_S: Final = 5.0  # more waiting for a processor than that is held against nobody else

Beats = Callable[[], Sequence[int]]


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
        `limit_s` makes its process silent, or for `first_beat_s` where it has not beaten yet, or `is_excused`."""
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
        self._waited_s: float | None = None
        self._credit_s = STARVED_MAX_S

    @property
    def still_s(self) -> float:
        """For how long the beat that is most behind has stood still."""
        return max(self._still_s, default=0.0)

    def age_s(self, now_s: float) -> float | None:
        """Return how long ago the last beat was, of the thread that is most behind; None where there was none yet."""
        oldest_ns = min(self._seen or (0,), default=0)
        return now_s - oldest_ns / 1e9 if oldest_ns else None

    def is_silent(self, now_s: float, waited_s: Callable[[], float]) -> bool:
        """Look at the beats; `waited_s` tells for how long the process's threads have waited for a processor in all."""
        beats = tuple(self._beats())
        if self._looked_s is None or self._seen is None or len(beats) != len(self._seen):
            self._seen, self._looked_s, self._still_s = beats, now_s, [0.0] * len(beats)
            return False
        step_s = min(now_s - self._looked_s, 2 * LOOK_S)
        self._looked_s = now_s
        moved = [one != other for one, other in zip(beats, self._seen, strict=True)]
        self._seen = beats
        if self.still_s > self._limit_s / 2:
            step_s -= self._excused(step_s, waited_s())
        else:
            self._waited_s, self._credit_s = None, STARVED_MAX_S
        self._still_s = [
            0.0 if has_moved else still + step_s for still, has_moved in zip(self._still_s, moved, strict=True)
        ]
        has_begun = (self._is_up or max(beats, default=0) > self._began_ns) and not self._is_excused()
        return self.still_s > (self._limit_s if has_begun else self._first_beat_s)

    def _excused(self, step_s: float, waited_s: float) -> float:
        """Return how much of a step the process waited for a processor."""
        before, self._waited_s = self._waited_s, waited_s
        excused_s = min(step_s, self._credit_s, max(waited_s - before, 0.0) if before is not None else 0.0)
        self._credit_s -= excused_s
        return excused_s


def processor_wait_s(pid: int) -> float:
    """Return for how long the threads of a process have been ready to run and did not (proc(5), schedstat), in all."""
    waited_ns = 0
    try:
        for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            waited_ns += int(path.read_bytes().split()[1])
    except (OSError, IndexError, ValueError):  # it ends just now, or the kernel keeps no such figures
        return 0.0
    return waited_ns / 1e9
