"""A head start: two processes that take long to load their modules do so while the supervisor loads its own, reads and
compiles. Each waits for the first generation: the monitor worker goes on with it, and the first responder is made of
the spare one, once there are first results. Where there are not as many cores as processes, one begins behind the
other: the supervisor has a core of its own, and its way to the first answer is the longest.

    state directory ours, nobody left behind --> begun --(published)--> at work
                                                   `--(the start fails)--> ended
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from lbdns.mapped.control import Control
from lbdns.mapped.run_directory import RunDirectory
from lbdns.processes.supervisor.monitor_child import MonitorChild
from lbdns.processes.supervisor.spare_responder import SpareResponder

PROCESSES: Final = 3  # that load modules at the same time: these two and the supervisor
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
        self._later: asyncio.Task[None] | None = None  # what begins the monitor worker behind the responder

    async def begin(self, threads: int) -> None:
        """Begin both, and wait for neither; `threads`: of the responder's fast path. The first is there on return, and
        the other where there are cores for both: it may be long until the loop has its next turn."""
        self.spare.begin_ahead(self._log_format, threads)
        if len(os.sched_getaffinity(0)) < PROCESSES:
            self._later = asyncio.create_task(self._begin_monitor())
        else:
            await self.monitor.begin()
        for _ in range(TURNS):
            await asyncio.sleep(0)

    def take(self) -> None:
        """From now on who takes them ends them, and begins what has not begun."""
        self._is_taken = True
        self._leave_out()

    async def stop(self) -> None:
        """End them, unless somebody has taken them over."""
        if not self._is_taken:
            self._leave_out()
            await self.monitor.stop()
            await self.spare.stop()

    async def _begin_monitor(self) -> None:
        await self.spare.wait()
        await self.monitor.begin()

    def _leave_out(self) -> None:
        """Do not begin the monitor worker, unless it is there."""
        if self._later is not None:
            self._later.cancel()
