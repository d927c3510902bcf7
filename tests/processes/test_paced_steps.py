"""Work in steps: the first is done at once, others have their turn between two, and nothing that is woken is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator

import pytest

from lbdns.processes.responder.paced_steps import PacedSteps

PAUSE_S = 0.001
NEVER_S = 3600.0


def on_loop(test: Callable[[], Coroutine[None, None, None]]) -> Callable[[], None]:
    """Run a test on an event loop."""
    return lambda: asyncio.run(test())


class Work:
    """Notes its steps."""

    def __init__(self, pauses: int) -> None:
        self.done: list[int] = []
        self.pauses = pauses
        self.fails = False

    def __call__(self) -> Iterator[None]:
        for step in range(self.pauses):
            self.done.append(step)
            yield
        if self.fails:
            raise ValueError("a step that fails")
        self.done.append(self.pauses)


async def until(work: Work, done: list[int]) -> None:
    """Wait until so much is done."""
    async with asyncio.timeout(10):
        while work.done != done:
            assert len(work.done) <= len(done), work.done
            await asyncio.sleep(PAUSE_S)


@on_loop
async def test_without_a_pause_all_is_done_by_who_wakes_it() -> None:
    work = Work(pauses=0)
    steps = PacedSteps(work, PAUSE_S, NEVER_S)
    steps.start()
    steps.wake()
    assert work.done == [0]
    steps.wake()
    assert work.done == [0, 0]
    steps.stop()


@on_loop
async def test_others_have_their_turn_between_two_steps() -> None:
    work = Work(pauses=2)
    steps = PacedSteps(work, PAUSE_S, NEVER_S)
    steps.start()
    steps.wake()
    assert work.done == [0]  # the rest comes by and by
    await until(work, [0, 1, 2])
    steps.stop()


@on_loop
async def test_what_is_woken_meanwhile_is_done_once_more() -> None:
    work = Work(pauses=1)
    steps = PacedSteps(work, PAUSE_S, NEVER_S)
    steps.start()
    for _ in range(3):
        steps.wake()
    assert work.done == [0]
    await until(work, [0, 1, 0, 1])
    await asyncio.sleep(5 * PAUSE_S)
    assert work.done == [0, 1, 0, 1]
    steps.stop()


@on_loop
async def test_nobody_need_wake_it() -> None:
    work = Work(pauses=0)
    steps = PacedSteps(work, PAUSE_S, 0.01)
    steps.start()
    async with asyncio.timeout(10):
        while len(work.done) < 3:
            await asyncio.sleep(PAUSE_S)
    steps.stop()


@on_loop
async def test_what_fails_is_begun_anew() -> None:
    work = Work(pauses=0)
    work.fails = True
    steps = PacedSteps(work, PAUSE_S, NEVER_S)
    steps.start()
    with pytest.raises(ValueError, match="fails"):
        steps.wake()
    work.fails = False
    steps.wake()
    assert work.done == [0]
    steps.stop()


@on_loop
async def test_nothing_is_done_after_the_end() -> None:
    work = Work(pauses=1)
    steps = PacedSteps(work, PAUSE_S, NEVER_S)
    steps.start()
    steps.wake()
    steps.stop()
    steps.wake()
    await asyncio.sleep(5 * PAUSE_S)
    assert work.done == [0]
