"""How much work something does, told in a way that a busy machine does not change: calls, or growth beside a part."""

from __future__ import annotations

import gc
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

TRIES: Final = 5
TICK_S: Final = 0.0002
"""What a measurement may be off by, whatever is measured: an interrupt, a cold cache."""


def calls_of(work: Callable[[], object]) -> Counter[str]:
    """Return the calls that `work` makes in this thread: of Python's functions by qualified name, of others by name."""
    calls: Counter[str] = Counter()

    def count(frame: FrameType, event: str, called: Any) -> None:
        if event == "call":
            calls[frame.f_code.co_qualname] += 1
        elif event == "c_call":
            calls[called.__name__] += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return calls


def least_s(work: Callable[[], object], bearable_s: float = 0.0) -> float:
    """Return the processor time of this thread for `work`, the least of some; fewer where one is `bearable_s` or less.

    No garbage is collected meanwhile: that would go through all that other tests have made.
    """
    least = float("inf")
    with _uncollected():
        for _ in range(TRIES):
            begun_s = time.thread_time()
            work()
            least = min(least, time.thread_time() - begun_s)
            if least <= bearable_s:
                break
    return least


def grows_in_proportion(work: Callable[[int], object], size: int, parts: int = 8) -> bool:
    """Tell whether `work(size)` takes no more than two and a half times what `parts` times a part of the size takes.

    What grows with the square takes `parts` times as much. Measured anew some times before it is denied.
    """
    for _ in range(TRIES):
        of_a_part_s = least_s(lambda: work(size // parts))
        bearable_s = 2.5 * parts * (of_a_part_s + TICK_S / parts)
        if least_s(lambda: work(size), bearable_s) <= bearable_s:
            return True
    return False


@contextmanager
def _uncollected() -> Iterator[None]:
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
