"""An event loop whose time passes at once: it jumps to the next timer whenever nothing is left to do."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Value = TypeVar("Value")


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop with a clock of its own, in seconds from 0."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def time(self) -> float:
        """Return the simulated time."""
        return self.now_s

    def _run_once(self) -> None:
        scheduled: Any = self._scheduled  # type: ignore[attr-defined]
        if not self._ready and scheduled:  # type: ignore[attr-defined]
            first = scheduled[0]
            if first.cancelled():  # the loop drops it and waits for the next, in real time if that is later
                first = min((one for one in scheduled if not one.cancelled()), default=first)
            self.now_s = max(self.now_s, first.when())
        super()._run_once()  # type: ignore[misc]


def run(main: Coroutine[Any, Any, Value]) -> Value:
    """Run `main` in simulated time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
