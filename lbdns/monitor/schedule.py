"""When probes start: at once when a check is new, then every interval, spread out, never more at a time than bounded.

    new or hurried -> due -> [lane full: waits in its lane] -> in flight -> due again, an interval after it began

A check's first interval is cut to a random part of itself, so that checks which began together spread over the
interval; every later one is shortened by up to 5 %, so that they never fall into step with each other or with
the endpoints' own habits. Shortened and never lengthened: a change is noticed within the interval that was asked for.

Checks whose last probe timed out have a lane of their own, half of what may be in flight: silent endpoints hold
probes for a whole time-out, and must not hold up those that answer.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections import deque
from collections.abc import Callable
from typing import Final

from lbdns.monitor.probe_check import Check
from lbdns.monitor.probe_watch import Runs, Unwatched, hung

JITTER_SHARE: Final = 0.05
STARTS_PER_TURN: Final = 32  # of the event loop: answers are read in between, and no time-out is our own doing
LATE_S: Final = 0.25
OVERDUE_S: Final = 5.0  # beyond all its time-outs, a probe hangs
STALLED_S: Final = 2.0
IN_FLIGHT_MAX: Final = 16_384
HEAP_WASTE: Final = 1024  # entries of removed checks that may lie in the heap before it is rebuilt


class Scheduler:
    """Starts checks in time; all methods are for the loop's thread."""

    def __init__(self, in_flight_max: int = IN_FLIGHT_MAX, seed: int | None = None, runs: Runs | None = None) -> None:
        """Run at most `in_flight_max` probes at a time, each by `runs`; `seed` makes the spreading repeatable."""
        self._runs = runs or Unwatched()
        self._loop = asyncio.get_running_loop()
        self._random = random.Random(seed)
        self._heap: list[tuple[float, int, Check]] = []
        self._ticket = 0
        self._timer: asyncio.TimerHandle | asyncio.Handle | None = None
        self._wakes_at_s = float("inf")
        self._in_flight_max = max(in_flight_max, 2)
        self._slow_max = self._in_flight_max // 2
        self._waiting: deque[Check] = deque()
        self._waiting_slow: deque[Check] = deque()
        self._slow_in_flight = 0
        self._running: dict[Check, bool] = {}  # with whether it has the slow lane
        self._removed = 0
        self.in_flight = 0
        self.started = 0
        self.late = 0

    @property
    def clock(self) -> Callable[[], float]:
        """By what probes start."""
        return self._loop.time

    def add(self, check: Check) -> None:
        """Begin a check: its first probe starts at once."""
        check.active = True
        self._push(check, self._loop.time())

    def remove(self, check: Check) -> None:
        """End a check; a probe in flight is broken off, and its result is nobody's."""
        check.active = False
        self._removed += 1
        self.break_off(check)
        if self._removed > HEAP_WASTE and self._removed > len(self._heap) // 2:
            self._heap = [entry for entry in self._heap if entry[2].active]
            heapq.heapify(self._heap)
            self._removed = 0

    def hurry(self, check: Check) -> None:
        """Probe now, unless a probe is in flight or waits already; the interval begins anew."""
        if check.active and check.task is None and not check.queued:
            self._push(check, self._loop.time())

    def break_off(self, check: Check) -> None:
        """End a check's probe in flight, whose result is nobody's; the interval goes on."""
        task = check.task
        if task is not None:
            task.cancel()
            self._ended(check)  # not by its own last step: one that is cancelled before its first has none

    def end_overdue(self) -> None:
        """Break off each probe that goes on though all its time-outs have passed: it fails as one that hung."""
        now_s = self._loop.time()
        for check in [one for one in self._running if now_s - one.started_s > one.longest_s + OVERDUE_S]:
            if check.task is not None and check.active:
                self.break_off(check)
                check.give(hung(check), check.started_s)

    def is_stalled(self) -> bool:
        """Whether checks are long due that nothing starts."""
        return bool(self._heap) and self._loop.time() - self._heap[0][0] > STALLED_S

    async def close(self) -> None:
        """Break off every probe in flight and start none."""
        if self._timer is not None:
            self._timer.cancel()
        tasks = [check.task for check in self._running if check.task is not None]
        self._heap.clear()
        self._waiting.clear()
        self._waiting_slow.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _push(self, check: Check, due_s: float) -> None:
        check.due_s = due_s
        self._ticket += 1
        heapq.heappush(self._heap, (due_s, self._ticket, check))
        if due_s < self._wakes_at_s:
            self._wake_at(due_s)

    def _wake_at(self, when_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._wakes_at_s = when_s
        self._timer = self._loop.call_at(when_s, self._turn)

    def _turn(self) -> None:
        """Start what is due, at most a batch of it."""
        now_s = self._loop.time()
        heap = self._heap
        started = 0
        while heap and heap[0][0] <= now_s and started < STARTS_PER_TURN:
            due_s, _, check = heapq.heappop(heap)
            # A check that was hurried or removed leaves its old entry behind.
            if check.active and check.due_s == due_s and check.task is None and not check.queued:
                self._start_or_wait(check, now_s)
                started += 1
        self._wakes_at_s = float("inf")
        if heap:
            self._wake_at(max(heap[0][0], now_s))

    def _start_or_wait(self, check: Check, now_s: float) -> None:
        if self.in_flight >= self._in_flight_max or (check.slow and self._slow_in_flight >= self._slow_max):
            check.queued = True
            (self._waiting_slow if check.slow else self._waiting).append(check)
        else:
            self._start(check, now_s)

    def _start(self, check: Check, now_s: float) -> None:
        slow = check.slow
        self.in_flight += 1
        self._slow_in_flight += slow
        self.started += 1
        self.late += now_s - check.due_s > LATE_S
        self._running[check] = slow
        check.started_s = now_s
        check.task = self._loop.create_task(self._run(check))

    async def _run(self, check: Check) -> None:
        task = check.task
        try:
            await self._runs.run(check)
        finally:
            if check.task is task:
                self._ended(check)

    def _ended(self, check: Check) -> None:
        check.task = None
        self.in_flight -= 1
        self._slow_in_flight -= self._running.pop(check)
        if check.active:
            self._push(check, self._next_due_s(check))
        if self._waiting or self._waiting_slow:
            self._start_waiting()

    def _next_due_s(self, check: Check) -> float:
        if check.first:
            check.first = False
            gap_s = check.interval_s * self._random.random()
        else:
            gap_s = check.interval_s * (1 - JITTER_SHARE * self._random.random())
        # From when it began and not from when it was due: what was missed is not made up for, which would miss more.
        return max(check.started_s + gap_s, self._loop.time())

    def _start_waiting(self) -> None:
        now_s = self._loop.time()
        while self._waiting and self.in_flight < self._in_flight_max:
            self._start_from(self._waiting, now_s)
        while self._waiting_slow and self.in_flight < self._in_flight_max and self._slow_in_flight < self._slow_max:
            self._start_from(self._waiting_slow, now_s)

    def _start_from(self, lane: deque[Check], now_s: float) -> None:
        check = lane.popleft()
        check.queued = False
        if check.active:
            self._start(check, now_s)
