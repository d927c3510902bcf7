"""The beats of a process: what is looked at over and over is looked at in the same moments, as far as periods allow.

To wake a process that sleeps costs more than most of what it then looks at. So those who wait for the next beat of some
period wait for a multiple of it by the loop's clock, which is a multiple of every period that divides it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Final

SLACK: Final = 0.05
"""The part of a period that a beat may be early: who is woken just before it waits for the one behind."""


async def next_beat(period_s: float) -> None:
    """Wait for the next beat of a period, for longer than nothing and not much longer than the period."""
    loop = asyncio.get_running_loop()
    beat = loop.create_future()
    timer = loop.call_at(beat_after(loop.time(), period_s), _strike, beat)
    try:
        await beat
    finally:
        timer.cancel()


async def at_each_beat(period_s: float, look: Callable[[], None]) -> None:
    """Call `look` at each beat from now on, at least once, until cancelled; raises what it raises.

    Nothing but a timer waits meanwhile: a task that is woken each time costs as much as what it looks at.
    """
    loop = asyncio.get_running_loop()
    failed: asyncio.Future[None] = loop.create_future()
    timers: list[asyncio.Handle] = []

    def strike() -> None:
        timers[:] = [loop.call_at(beat_after(loop.time(), period_s), strike)]
        try:
            look()
        except Exception as error:
            if not failed.done():
                failed.set_exception(error)

    timers.append(loop.call_soon(strike))
    try:
        await failed
    finally:
        timers[0].cancel()


def beat_after(now_s: float, period_s: float) -> float:
    """Return when the next beat of a period is; seconds of the loop's clock."""
    return (math.floor(now_s / period_s + SLACK) + 1) * period_s


def _strike(beat: asyncio.Future[None]) -> None:
    if not beat.done():
        beat.set_result(None)
