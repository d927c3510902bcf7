"""When Python's cyclic garbage collector is kept still, and free memory goes back to the system."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio

SELDOM: Final = (20_000, 20, 1000)
"""Thresholds of the collector for a process that makes next to no cycles: what it makes in a batch of work and throws
away is gone before anything is walked."""
_NEVER: Final = 2**31 - 1
WALKED_MAX: Final = 100_000
"""Objects that are walked together more than once: it takes 0.1 s on a busy machine, and every thread waits for it."""

_M_ARENA_MAX: Final = -8  # of mallopt(3)


@contextmanager
def without_cyclic_collection() -> Iterator[None]:
    """Keep it still where millions of objects are made and none thrown away: it would walk them again and again, and
    free none. A decorator as well.

    Where there are more than WALKED_MAX new ones at the end, neither they nor what is older are ever walked: they go
    when nothing refers to them.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            if gc.get_count()[0] > WALKED_MAX:
                gc.freeze()
            gc.enable()


@contextmanager
def still_until_quiet() -> Iterator[None]:
    """Keep it still while a server starts, until `collect_when_quiet` begins: nearly all that is made then stays."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def hold_one_heap() -> None:
    """Have the C library keep one heap for all threads; to be called before there is a second one.

    By itself glibc gives every thread a heap of its own. A thread that works on a large configuration leaves its heap
    nearly empty, and another one cannot use it: with 30,000 load balancers a third of the process. Other C libraries do
    as they do. Large blocks could do without a heap, and go back once they are free; but fresh memory costs a list more
    than that is worth.
    """
    mallopt = _in_libc("mallopt")
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)


def give_back_memory() -> bool:
    """Give free memory that the C library holds back to the system; False where it has none, or cannot."""
    trim = _in_libc("malloc_trim")
    return trim is not None and bool(trim(0))


def _in_libc(name: str) -> Callable[..., int] | None:
    """Return a function of glibc's, None where the C library is another."""
    import ctypes  # slow to import, for one call

    return getattr(ctypes.CDLL(None), name, None)


async def collect_when_quiet(changed: asyncio.Event, quiet_s: float) -> None:
    """Walk all objects only when `changed` has been set and then not again for `quiet_s`; runs until cancelled.

    For a process that holds a large configuration: to walk the objects of 10,000 load balancers takes 0.3 s, which a
    change would have to wait for. Young objects are looked after, seldom. What was there at the start is not walked at
    all, and more than WALKED_MAX objects only once. Behind it free memory goes back to the system.
    """
    from asyncio import to_thread, wait_for  # slow to import; who reads files alone has no loop

    thresholds = gc.get_threshold()
    gc.set_threshold(*SELDOM[:2], _NEVER)
    gc.freeze()
    gc.enable()
    try:
        while True:
            await changed.wait()
            while changed.is_set():
                changed.clear()
                with suppress(TimeoutError):
                    await wait_for(changed.wait(), quiet_s)
            gc.collect()
            if len(gc.get_objects(generation=2)) > WALKED_MAX:
                gc.freeze()
            await to_thread(give_back_memory)
    finally:
        gc.set_threshold(*thresholds)
