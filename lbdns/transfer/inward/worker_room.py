"""How much the transfer worker does at a time: questions to primaries, and transfers, of all zones together."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from typing import Final

CHECKS_MAX: Final = 50
"""Questions for an SOA at a time."""
TRANSFERS_MAX: Final = 4
"""Transfers at a time: each may have a whole zone in memory."""
TRANSFERS_OF_PRIMARY_MAX: Final = 2
"""Of one primary's."""


class WorkerRoom:
    """Lets work begin when there is room for it, in the order in which it came."""

    def __init__(self) -> None:
        """Begin with all room free."""
        self._checks = asyncio.Semaphore(CHECKS_MAX)
        self._transfers = asyncio.Semaphore(TRANSFERS_MAX)
        self._primaries: dict[str, asyncio.Semaphore] = {}
        self._waiting = Counter[str]()

    @contextlib.asynccontextmanager
    async def for_check(self) -> AsyncIterator[None]:
        """Have room to ask for an SOA."""
        async with self._checks:
            yield

    @contextlib.asynccontextmanager
    async def for_transfer(self, address: str) -> AsyncIterator[None]:
        """Have room for a transfer from a primary's address."""
        self._waiting[address] += 1
        of_primary = self._primaries.setdefault(address, asyncio.Semaphore(TRANSFERS_OF_PRIMARY_MAX))
        try:
            async with of_primary, self._transfers:
                yield
        finally:
            self._waiting[address] -= 1
            if not self._waiting[address]:
                del self._waiting[address], self._primaries[address]
