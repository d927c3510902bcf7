"""Work on the event loop that is done in steps, with a pause between two: others have their turn meanwhile.

The first step is done by who wakes it, not by a task that waits for its turn: where the loop has much to do, each round
of it takes milliseconds, and a task has its turn some rounds later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from lbdns.processes.beats import beat_after


class PacedSteps:
    """Does the same work whenever it is woken, and every `poll_s` anyway, from `start` to `stop`."""

    def __init__(self, work: Callable[[], Iterator[None]], pause_s: float, poll_s: float) -> None:
        """Describe it: `work` yields where it pauses, for `pause_s`."""
        self._work = work
        self._pause_s, self._poll_s = pause_s, poll_s
        self._steps: Iterator[None] | None = None
        self._is_woken = False
        self._pause: asyncio.TimerHandle | None = None
        self._polling: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin; called on the event loop."""
        loop = asyncio.get_running_loop()
        self._polling = loop.call_at(beat_after(loop.time(), self._poll_s), self._poll)

    def stop(self) -> None:
        """Do nothing more, whatever was begun."""
        for timer in (self._pause, self._polling):
            if timer is not None:
                timer.cancel()
        self._pause = self._polling = None

    def wake(self) -> None:
        """Do it now; where it is being done, once more after that."""
        if self._polling is None:
            return
        if self._steps is not None:
            self._is_woken = True
            return
        self._steps = self._work()
        self._go_on()

    def _poll(self) -> None:
        self.start()
        self.wake()

    def _go_on(self) -> None:
        """Do the next steps, up to a pause or the end."""
        steps, self._steps = self._steps, None  # begun anew where it fails
        while steps is not None:
            for _ in steps:
                self._steps = steps
                self._pause = asyncio.get_running_loop().call_later(self._pause_s, self._go_on)
                return
            steps = self._work() if self._is_woken else None
            self._is_woken = False
