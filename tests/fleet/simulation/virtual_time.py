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

Entry = tuple[float, int, Callable[..., None], tuple[Any, ...]]


class VirtualTime:
    """The queues and the clock; `now_s` begins at 0. `quiet_s`: where nothing has stirred for so long, all that
    was on its way has come, and all that was due has been done."""

    def __init__(self, quiet_s: float) -> None:
        self.now_s = 0.0
        self.left_out_s = 0.0
        self.event_count = 0
        self._quiet_s = quiet_s
        self._stirs: list[Entry] = []
        self._repeats: list[Entry] = []
        self._last_stir_s = 0.0
        self._number = 0

    @property
    def elapsed_s(self) -> float:
        """The world's seconds: those simulated and those left out."""
        return self.now_s + self.left_out_s

    def at(self, when_s: float, act: Callable[..., None], *arguments: Any) -> None:
        """Do something that stirs the fleet at `when_s`, by `now_s`."""
        self._number += 1
        heapq.heappush(self._stirs, (max(when_s, self.now_s), self._number, act, arguments))

    def repeat_at(self, when_s: float, act: Callable[..., None], *arguments: Any) -> None:
        """Do something that says nothing new at `when_s`, by `now_s`."""
        self._number += 1
        heapq.heappush(self._repeats, (max(when_s, self.now_s), self._number, act, arguments))

    def stir(self) -> None:
        """Take it that something new happened just now."""
        self._last_stir_s = self.now_s

    def run(self, until_elapsed_s: float) -> None:
        """Let time pass until the world's clock shows `until_elapsed_s`."""
        stirs, repeats, pop, quiet_s = self._stirs, self._repeats, heapq.heappop, self._quiet_s
        while stirs or repeats:
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
        next_s = min(self._stirs[0][0], end_s) if self._stirs else end_s
        gap_s = next_s - LEAD_S - self.now_s
        if gap_s <= 1.0:
            return
        self.left_out_s += gap_s
        self._last_stir_s = self.now_s  # so that the lead is simulated before anything is left out again
        self._stirs[:] = [(when_s - gap_s, *rest) for when_s, *rest in self._stirs]  # type: ignore[misc]
