"""The pace of long work in a thread beside an event loop that others wait for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

RUN_S: Final = 0.0005
REST_S: Final = 0.001

One = TypeVar("One")


class Pacing:
    """Computes and rests by turns: whoever needs the interpreter meanwhile finds it free most of the time, while a
    thread that computed on would let go of it only when told, each time that the other has waited for something."""

    def __init__(
        self, clock: Callable[[], float] = time.perf_counter, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """Begin with a turn."""
        self._clock = clock
        self._sleep = sleep
        self._since_s = clock()
        self._hurries = False

    def hurry(self) -> None:
        """Rest no more: the process is to end."""
        self._hurries = True

    def each(self, items: Iterable[One]) -> Iterator[One]:
        """Yield items, which are worked on one by one, with rests between them."""
        for one in items:
            if not self._hurries and self._clock() - self._since_s > RUN_S:
                self._sleep(REST_S)
                self._since_s = self._clock()
            yield one
