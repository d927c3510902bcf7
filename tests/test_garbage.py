"""When full collections happen in a process that holds a large configuration."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref

import pytest

from lbdns.base.garbage import collect_when_quiet, without_cyclic_collection

QUIET_S = 1.0
PAUSE_S = 0.02


class Loop:
    """An object that refers to itself."""

    def __init__(self) -> None:
        self.itself = self


def old_garbage() -> weakref.ref[Loop]:
    """Return a cycle that nobody refers to any more, of the oldest generation."""
    cycle = Loop()
    gc.collect(1)
    return weakref.ref(cycle)


@pytest.mark.slow
def test_what_is_old_is_collected_once_changes_have_ceased() -> None:
    async def watch() -> None:
        changed = asyncio.Event()
        task = asyncio.create_task(collect_when_quiet(changed, QUIET_S))
        await asyncio.sleep(0)
        found = old_garbage()
        young = [[number] for number in range(100_000)]
        assert found() is not None and len(young) == 100_000, "young objects alone were walked"
        for _ in range(4):
            changed.set()
            await asyncio.sleep(PAUSE_S)
            assert found() is not None
        while found() is not None:
            await asyncio.sleep(PAUSE_S)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    before = gc.get_threshold()
    asyncio.run(asyncio.wait_for(watch(), 10))
    assert gc.get_threshold() == before


def test_nothing_is_collected_within() -> None:
    with without_cyclic_collection():
        assert not gc.isenabled()
    assert gc.isenabled()
