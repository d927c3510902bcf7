"""The spare responder as the supervisor keeps it: a process that has all but sockets, and is given them when one dies.

At a start it is begun before there is anything to serve, and the first responder is made of it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from pathlib import Path
from typing import Final

from lbdns.base.words import RESPONDER_MODULE
from lbdns.mapped.query_room import BEAT_BYTES, allocate_query_room, map_query_room
from lbdns.processes.sockets import ResponderDuty, send_duty
from lbdns.processes.supervisor.child_process import ChildProcess
from lbdns.processes.supervisor.children import Child
from lbdns.processes.supervisor.pulse import Pulse

STOP_S: Final = 5.0
FIRST_BEAT_S: Final = 2.0
SILENT_S: Final = 0.9  # one that was stopped with a responder is to be there yet when that is replaced

log = logging.getLogger("lbdns.processes")


class SpareResponder:
    """One process that waits, and the next one whenever it was given away, from `begin` to `stop`."""

    def __init__(self, state_dir: Path) -> None:
        """Describe it; none waits before `begin`."""
        self._state_dir = state_dir
        self._child: Child | None = None
        self._ahead: asyncio.Task[None] | None = None  # what starts the first one, before there is anything to serve
        self._beat_fd = allocate_query_room(BEAT_BYTES)
        self._beat = map_query_room(self._beat_fd, BEAT_BYTES).cast("Q")
        self.log_format = ""

    @property
    def pid(self) -> int:
        """The process id; 0 where none is there."""
        return self._child.pid if self._child is not None else 0

    @property
    def is_waiting(self) -> bool:
        """Whether it is there and ready."""
        return self._child is not None and self._child.is_waiting

    async def begin(self, log_format: str, threads: int) -> None:
        """Have one, in the place of another, with so many threads that wait for the fast path's work; returns before it
        is ready."""
        await self._end()
        self._child = self._make(log_format, threads)
        self._child.begin()

    def begin_ahead(self, log_format: str, threads: int) -> None:
        """Have one before there is anything to serve; who `wait`s for it finds it ready, or none."""
        self._child = self._make(log_format, threads)
        self._ahead = asyncio.create_task(self._child.start())

    async def wait(self) -> None:
        """Wait until the one that was begun ahead is ready, or has failed to be: others are started then, and who
        starts them hears why where they fail too."""
        if self._ahead is not None:
            await asyncio.shield(asyncio.gather(self._ahead, return_exceptions=True))  # others wait for it too
            self._ahead = None

    def _make(self, log_format: str, threads: int) -> Child:
        self.log_format = log_format
        arguments = ["--state", str(self._state_dir), "--log", log_format, "--beat-fd", str(self._beat_fd)]
        arguments += ["--threads", str(threads)]
        pulse = Pulse(lambda: [self._beat[0]], SILENT_S, FIRST_BEAT_S)
        return Child(
            "spare responder", RESPONDER_MODULE, arguments, [self._beat_fd], says_ready=True, listens=True, pulse=pulse
        )

    def call(self, duty: ResponderDuty) -> ChildProcess | None:
        """Have it do a duty; returns it, None where none is ready, or where it just ends itself."""
        running = self._child.give_away() if self._child is not None else None
        if running is None or running.channel is None:
            return None
        running.signal(signal.SIGCONT)  # one that was stopped, with the other, goes on at once
        try:
            send_duty(running.channel, duty)
        except OSError as error:
            told = "the spare responder (pid %d) cannot stand in for responder %d: %s"
            log.error(told, running.pid, duty.index, error.strerror or error)
            running.signal(signal.SIGKILL)
            return None
        return running

    def wake(self) -> None:
        """Have it look for a new generation."""
        if self._child is not None:
            self._child.wake()

    def look(self) -> None:
        """Kill it where it is silent."""
        if self._child is not None:
            self._child.look()

    async def stop(self) -> None:
        """End it, for good."""
        await self._end()
        os.close(self._beat_fd)

    async def _end(self) -> None:
        if self._child is not None:
            await self._child.stop(STOP_S)
        await self.wait()
