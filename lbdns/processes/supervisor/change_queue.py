"""Changes that are put in force one after another, and how long they have waited for it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from lbdns.mapped.control import Control
from lbdns.telemetry.server_facts import Waiting


class ChangeQueue:
    """The changes of one server. `lock`: who has it changes nothing meanwhile, and is no change."""

    def __init__(self) -> None:
        """Begin with none."""
        self.lock = asyncio.Lock()
        self._began_s: list[float] = []

    def __len__(self) -> int:
        """How many are not in force and not refused yet, the one under way among them."""
        return len(self._began_s)

    def waiting(self, control: Control) -> Waiting:
        """Return how many wait, and for how long, beside what the monitor worker says that waits to go out."""
        since_ns = control.get("notification_ns")
        return Waiting(
            notifications=control.get("notifications_waiting"),
            notification_s=max(time.monotonic_ns() - since_ns, 0) / 1e9 if since_ns else 0.0,
            changes=len(self),
            change_s=time.monotonic() - min(self._began_s) if self._began_s else 0.0,
        )

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a change's turn, which lasts as long as the context does."""
        began_s = time.monotonic()
        self._began_s.append(began_s)
        try:
            async with self.lock:
                yield
        finally:
            self._began_s.remove(began_s)
