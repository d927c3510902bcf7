"""Virtual time: what is to happen, in order; nothing waits.

Two queues. What *stirs* the fleet (a fault, a message with news, a result) is in one; what repeats by itself and says
nothing new (ticks, heartbeats) is in the other. While nothing stirs for long enough, the stretch up to the next stir is
left out: the world's clock goes on, the machines' do not. `elapsed_s` counts the world's seconds, `now_s` those that
were simulated.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any, Final

LEAD_S: Final = 3.0
"""So long before the next stir the simulation goes on."""

MOMENTS_A_SECOND: Final = 20

Entry = tuple[float, int, Callable[..., None], tuple[Any, ...]]


class EventQueue:
    """Entries by time: those of the first moment in order, all later ones by their moments alone. A hundred thousand
    probes are due at times, and a heap of all of them would be gone through from end to end for each."""

    def __init__(self) -> None:
        self._first: list[Entry] = []  # a heap
        self._moment = -1
        self._later: dict[int, list[Entry]] = {}
        self._moments: list[int] = []  # a heap

    def push(self, entry: Entry) -> None:
        """Take an entry, of a time that has not passed."""
        moment = int(entry[0] * MOMENTS_A_SECOND)
        if moment <= self._moment:
            heapq.heappush(self._first, entry)
            return
        there = self._later.get(moment)
        if there is not None:
            there.append(entry)
            return
        self._later[moment] = [entry]
        heapq.heappush(self._moments, moment)

    def first(self) -> list[Entry]:
        """Return a heap whose top is the earliest entry, which may be taken from it; an empty one where none is."""
        if not self._first and self._moments:
            self._moment = heapq.heappop(self._moments)
            self._first = self._later.pop(self._moment)
            heapq.heapify(self._first)
        return self._first

    def hasten(self, by_s: float) -> None:
        """Have all of them so much earlier."""
        entries = [*self._first, *(entry for there in self._later.values() for entry in there)]
        self._first, self._moment, self._later, self._moments = [], -1, {}, []
        for when_s, number, act, arguments in entries:
            self.push((when_s - by_s, number, act, arguments))


class VirtualTime:
    """The queues and the clock; `now_s` begins at 0. `quiet_s`: where nothing has stirred for so long, all that
    was on its way has come, and all that was due has been done."""

    def __init__(self, quiet_s: float) -> None:
        self.now_s = 0.0
        self.left_out_s = 0.0
        self.event_count = 0
        self._quiet_s = quiet_s
        self._stirs = EventQueue()
        self._repeats = EventQueue()
        self._last_stir_s = 0.0
        self._number = 0

    @property
    def elapsed_s(self) -> float:
        """The world's seconds: those simulated and those left out."""
        return self.now_s + self.left_out_s

    def at(self, when_s: float, act: Callable[..., None], *arguments: Any) -> None:
        """Do something that stirs the fleet at `when_s`, by `now_s`."""
        self._number += 1
        self._stirs.push((max(when_s, self.now_s), self._number, act, arguments))

    def repeat_at(self, when_s: float, act: Callable[..., None], *arguments: Any) -> None:
        """Do something that says nothing new at `when_s`, by `now_s`."""
        self._number += 1
        self._repeats.push((max(when_s, self.now_s), self._number, act, arguments))

    def stir(self) -> None:
        """Take it that something new happened just now."""
        self._last_stir_s = self.now_s

    def run(self, until_elapsed_s: float) -> None:
        """Let time pass until the world's clock shows `until_elapsed_s`."""
        first_stirs, first_repeats = self._stirs.first, self._repeats.first
        pop, quiet_s = heapq.heappop, self._quiet_s
        while True:
            stirs, repeats = first_stirs(), first_repeats()
            if not (stirs or repeats):
                break
            if stirs and (not repeats or stirs[0] < repeats[0]):
                when_s = stirs[0][0]
                if when_s + self.left_out_s > until_elapsed_s:
                    break
                _, _, act, arguments = pop(stirs)
                self._last_stir_s = when_s
            else:
                when_s = repeats[0][0]
                if when_s - self._last_stir_s > quiet_s:
                    self._leave_out(until_elapsed_s)
                if when_s + self.left_out_s > until_elapsed_s:
                    break
                _, _, act, arguments = pop(repeats)
            self.now_s = when_s
            self.event_count += 1
            act(*arguments)
        self.now_s = max(self.now_s, until_elapsed_s - self.left_out_s)

    def _leave_out(self, until_elapsed_s: float) -> None:
        end_s = until_elapsed_s - self.left_out_s
        stirs = self._stirs.first()
        next_s = min(stirs[0][0], end_s) if stirs else end_s
        gap_s = next_s - LEAD_S - self.now_s
        if gap_s <= 1.0:
            return
        self.left_out_s += gap_s
        self._last_stir_s = self.now_s  # so that the lead is simulated before anything is left out again
        self._stirs.hasten(gap_s)
