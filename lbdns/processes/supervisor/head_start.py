"""A head start: two processes that take long to load their modules do so while the supervisor loads its own, reads and
compiles. Each waits for the first generation: the monitor worker goes on with it, and the first responder is made of
the spare one, once there are first results.

    state directory ours, nobody left behind --> begun --(published)--> at work
                                                   `--(the start fails)--> ended
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from lbdns.mapped.control import Control
from lbdns.mapped.run_directory import RunDirectory
from lbdns.processes.supervisor.monitor_child import MonitorChild
from lbdns.processes.supervisor.spare_responder import SpareResponder

TURNS: Final = 3  # of the loop, in which a task's task starts a process


class HeadStart:
    """The monitor worker and the spare responder of a server, begun or not; who starts it takes them over."""

    def __init__(self, run: RunDirectory, control: Control, state_dir: Path, log_format: str) -> None:
        """Describe both."""
        self.heartbeat: Callable[[], int] = lambda: 0
        """When the monitor worker beat last, once there is a table in which it does."""
        self.monitor = MonitorChild(run, control, state_dir, log_format, lambda: self.heartbeat())
        self.spare = SpareResponder(state_dir)
        self.run = run
        self._log_format = log_format
        self._is_taken = False

    async def begin(self, threads: int) -> None:
        """Begin both, and wait for neither; `threads`: of the responder's fast path. They are there on return: it may
        be long until the loop has its next turn."""
        await self.monitor.begin()
        self.spare.begin_ahead(self._log_format, threads)
        for _ in range(TURNS):
            await asyncio.sleep(0)

    def take(self) -> None:
        """From now on who takes them ends them."""
        self._is_taken = True

    async def stop(self) -> None:
        """End them, unless somebody has taken them over."""
        if not self._is_taken:
            await self.monitor.stop()
            await self.spare.stop()
