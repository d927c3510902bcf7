"""asyncio in virtual time: what the product does with an event loop, deterministically; threads are done at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from tests.fleet.simulation.virtual_time import VirtualTime
from tests.monitor.virtual import VirtualLoop

Value = TypeVar("Value")


class InlineLoop(VirtualLoop):
    """A virtual loop without threads: what would go to one is done before anything else."""

    def run_in_executor(  # type: ignore[override]
        self, _executor: Any, function: Callable[..., Value], *arguments: Any
    ) -> asyncio.Future[Value]:
        """Do it now."""
        future: asyncio.Future[Value] = self.create_future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future


class LoopTime(VirtualTime):
    """The simulation's time as a loop's: nothing is left out, the loop leaps over what is quiet by itself."""

    def __init__(self, loop: InlineLoop) -> None:
        super().__init__(quiet_s=float("inf"))
        self._loop = loop

    @property
    def now_s(self) -> float:
        """The loop's time."""
        return self._loop.time()

    @now_s.setter
    def now_s(self, value: float) -> None:
        """It goes on by itself."""

    def at(self, when_s: float, act: Callable[..., None], *arguments: Any) -> None:
        """Do something at a time."""
        self._loop.call_at(max(when_s, self._loop.time()), self._act, act, arguments)

    def repeat_at(self, when_s: float, act: Callable[..., None], *arguments: Any) -> None:
        """The same."""
        self.at(when_s, act, *arguments)

    def _act(self, act: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        self.event_count += 1
        act(*arguments)


def run(main: Coroutine[Any, Any, Value], make_loop: Callable[[], InlineLoop] = InlineLoop) -> Value:
    """Run it on a loop of its own."""
    with asyncio.Runner(loop_factory=make_loop) as runner:
        return runner.run(main)
