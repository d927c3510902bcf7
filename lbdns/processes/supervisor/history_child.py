"""The history process as the supervisor keeps it: begun when the server has answered for a while, and missed by nobody.

Short-lived servers never pay for it, and no stop or take-over waits for it longer than it takes to write a minute.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Final

from lbdns.model.settings import Settings
from lbdns.processes.supervisor.children import Child
from lbdns.processes.supervisor.kept import Duty, KeptOne

BEGIN_S: Final = 3.0
"""So long after the server began to answer."""
MODULE: Final = "lbdns.telemetry.history.history_worker"


class HistoryChild(KeptOne):
    """At most one process, the one writer of the history."""

    kind = "history"
    words = "history process"
    ends_last = True

    def __init__(self, state_dir: Path) -> None:
        """Describe it; none begins before `start`."""
        super().__init__()
        self._state_dir = state_dir
        self._arguments: list[str] | None = None
        self._beginning: asyncio.Task[None] | None = None
        self._settling = asyncio.Lock()

    async def start(self, duty: Duty) -> None:
        """Have it begin after BEGIN_S; nothing waits for it."""
        self._arguments = self._wanted(duty)
        self._beginning = asyncio.create_task(self._begin_later())

    async def _begin_later(self) -> None:
        await asyncio.sleep(BEGIN_S)
        await self._settle()

    async def replace(self, duty: Duty) -> None:
        """Put another in its place where the settings that it goes by are others now, without waiting for that."""
        wanted = self._wanted(duty)
        if wanted == self._arguments:
            return
        self._arguments = wanted
        if self._beginning is None or self._beginning.done():
            self._beginning = asyncio.create_task(self._settle())

    async def _settle(self) -> None:
        """Have what runs be what is wanted."""
        async with self._settling:
            await super().stop()
            if self._arguments is not None:
                self._begin(Child(self.words, MODULE, self._arguments))

    def _wanted(self, duty: Duty) -> list[str] | None:
        """Return the arguments of the process, None where none is to be."""
        settings: Settings = duty.published.configuration.settings
        if not settings.history.enabled:
            return None
        arguments = ["--state-dir", str(self._state_dir), "--log", duty.log_format]
        arguments += ["--size", str(settings.history.size), "--days", str(settings.history.days)]
        for name, path in settings.geodata.databases():
            arguments += [f"--{name}", str(path)]
        return arguments

    async def stop(self) -> None:
        """End it."""
        if self._beginning is not None:
            self._beginning.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._beginning
        await super().stop()

    def wake(self) -> None:
        """Have it look at the control file now: it has to hear of each generation."""
        if self._child is not None:
            self._child.wake()
