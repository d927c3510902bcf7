"""Work that goes on where nobody waits for it any more: what a thread has begun cannot be taken back."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

_Done = TypeVar("_Done")


class Finishing:
    """Keeps what is under way until it is over."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._under_way: set[asyncio.Task[Any]] = set()

    async def finish(self, work: Coroutine[Any, Any, _Done]) -> _Done:
        """Return what work comes to, or raise what it raises; whoever is cancelled meanwhile leaves it to itself."""
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)
