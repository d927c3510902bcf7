"""Work that is ended where it stands: the one that is under way, and what would begin later; what has ended is left."""

from __future__ import annotations

import asyncio
import time

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.processes.supervisor.endable_work import EndableWork, WorkEnded

PATIENCE_S = 10.0


def test_what_is_under_way_is_ended_and_cleans_up() -> None:
    began, cleaned = [], []

    def work() -> None:
        began.append(time.monotonic())
        try:
            while True:
                time.sleep(0.001)
        finally:
            cleaned.append(True)

    async def scenario() -> None:
        endable, stop = EndableWork(), asyncio.Event()
        task: asyncio.Task[object] = asyncio.create_task(asyncio.to_thread(endable.within(work)))
        asyncio.get_running_loop().call_later(0.2, stop.set)
        await asyncio.wait_for(endable.until(stop, task), PATIENCE_S)
        with pytest.raises(WorkEnded):
            endable.within(lambda: None)()

    asyncio.run(scenario())  # which waits for its threads
    assert began and cleaned and time.monotonic() - began[0] < PATIENCE_S


def test_what_ends_by_itself_says_how() -> None:
    async def scenario() -> None:
        endable, stop = EndableWork(), asyncio.Event()
        assert await asyncio.to_thread(endable.within(lambda: 7)) == 7

        async def fail() -> object:
            raise LbdnsError("no")

        with pytest.raises(LbdnsError, match="no"):
            await endable.until(stop, asyncio.create_task(fail()))
        await asyncio.to_thread(endable.end)  # nobody is in it
        assert await asyncio.to_thread(lambda: 8) == 8

    asyncio.run(scenario())
