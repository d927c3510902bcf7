"""An event loop in a thread of its own, that ends with nothing left: no task pending, no connection open."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")

WAIT_S = 5.0


class LoopThread:
    """Runs coroutines given from other threads."""

    def __init__(self) -> None:
        """Start the thread."""
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()

    def run(self, what: Coroutine[Any, Any, Result]) -> Result:
        """Run `what` in the loop and return its result; raises TimeoutError."""
        return asyncio.run_coroutine_threadsafe(what, self.loop).result(WAIT_S)

    def stop(self) -> None:
        """Cancel what still runs, let its connections close, and end the thread."""
        self.run(_cancel_others())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(WAIT_S)
        self.loop.close()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    for _ in range(3):  # a stream's connection closes in a callback of its task, and its socket in one of that
        await asyncio.sleep(0)
