"""Keeping the run directory: it is rebuilt from what is held open where it, or a file in it, was removed or replaced.

    whole --(a look finds something lost)--> snapshot, targets, slots and counters written anew, canaries answer
      ^                                        --> the monitor worker ends, its table is copied, it goes in force
      |                                        --> another monitor worker goes on, responders read what is new
      +--- other responders on the same sockets, those before end, and all map the files that can be found again

Who removes it is logind mostly (RemoveIPC), when the last session of the server's user ends. Until the swap nothing
changes for those that serve; where a step fails, they serve on from their mappings, and it is tried again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from lbdns.base.errors import LbdnsError
from lbdns.base.wording import counted
from lbdns.mapped.control import Control
from lbdns.mapped.held_files import HeldFiles
from lbdns.mapped.run_directory import RunDirectory, is_private
from lbdns.processes.beats import next_beat
from lbdns.processes.sockets import ListenerSet
from lbdns.processes.supervisor.monitor_child import MonitorChild
from lbdns.processes.supervisor.responders import Responders
from lbdns.publish.publisher import Published, Publisher
from lbdns.telemetry.tally import Tally

LOOK_S: Final = 0.25
RETRY_S: Final = 1.0
RETRY_MAX_S: Final = 30.0

Made = TypeVar("Made")

log = logging.getLogger("lbdns.processes")


class _Sought(NamedTuple):
    """The files that are looked for, and what names them: a generation, the responders' sockets, and the directory."""

    in_force: Published
    sets: Sequence[ListenerSet]
    directory: Path
    paths: tuple[Path, ...]

    def is_of(self, in_force: Published, sets: Sequence[ListenerSet], directory: Path) -> bool:
        """Whether it is what these name."""
        return self.in_force is in_force and self.sets is sets and self.directory == directory


class RunKeeper:
    """Looks after the run directory of one server. `rebuilds`: how often it was rebuilt; `problem`: why it cannot be,
    "" where it is whole."""

    def __init__(
        self,
        run: RunDirectory,
        control: Control,
        publisher: Publisher,
        tally: Tally,
        responders: Responders,
        monitor: MonitorChild,
    ) -> None:
        """Look after what these share."""
        self._run = run
        self._control = control
        self._publisher = publisher
        self._tally = tally
        self._responders = responders
        self._monitor = monitor
        self._held = HeldFiles()
        self._sought: _Sought | None = None
        self._retry_s, self._retry_at_s = RETRY_S, 0.0
        self.rebuilds = 0
        self.problem = ""

    async def watch(self, changing: asyncio.Lock) -> None:
        """Look every LOOK_S, between changes, until cancelled."""
        while True:
            async with changing:
                if time.monotonic() >= self._retry_at_s:
                    await self.mend()
            await next_beat(LOOK_S)

    async def on_whole(self, make: Callable[[], Made]) -> Made:
        """Return what `make` returns, in a thread, over a directory that is whole; tried twice where it is lost
        meanwhile. For who changes something, and lets nobody else do so."""
        await self.mend()
        try:
            return await asyncio.to_thread(make)
        except LbdnsError:
            if not await self.mend():
                raise
        return await asyncio.to_thread(make)

    async def mend(self) -> bool:
        """Rebuild what is lost; return whether that was done. What prevents it goes to the log."""
        in_force = self._publisher.current
        if in_force is None:
            return False
        lost = self._lost(in_force)
        if not lost:
            self.problem = ""
            return False
        began_s = time.monotonic()
        told = self._tell(lost)
        try:
            await self._rebuild(in_force, lost)
        except Exception as error:
            self._fail(told, error)
            return False
        self.rebuilds += 1
        self.problem, self._retry_s = "", RETRY_S
        took_ms = (time.monotonic() - began_s) * 1000
        log.error(
            "%s: rebuilt from what is held open (generation %d, %.0f ms); docs/operations.md says how to keep it",
            told,
            self._control.generation,
            took_ms,
        )
        return True

    def _paths(self, in_force: Published) -> Iterator[Path]:
        """Yield all that processes of this server must find when they begin, the directory first."""
        yield self._run.path
        yield self._run.control
        yield in_force.table.path
        if in_force.signatures is not None:
            yield in_force.signatures.path
        yield from (part.path for part in in_force.snapshot.parts)
        yield from self._run.all_targets(in_force.generation)
        yield self._run.slots(in_force.generation)
        yield from self._responders.held_files()

    def _lost(self, in_force: Published) -> list[Path]:
        if self._sought is None or not self._sought.is_of(in_force, self._responders.sets, self._run.path):
            self._sought = _Sought(in_force, self._responders.sets, self._run.path, tuple(self._paths(in_force)))
        lost = self._held.lost(self._sought.paths)
        return lost if is_private(self._run.path) else [self._run.path]

    def _tell(self, lost: Sequence[Path]) -> str:
        if self._run.path in lost:
            return f"the run directory {self._run.path} was removed or replaced"
        names = ", ".join(path.name for path in lost[:3]) + (" and others" if len(lost) > 3 else "")
        return f"{counted(len(lost), 'file')} of the run directory {self._run.path} were removed or replaced ({names})"

    def _fail(self, told: str, error: Exception) -> None:
        problem = f"{told}, and cannot be rebuilt: {error}"
        if problem != self.problem:
            is_ours = isinstance(error, LbdnsError | OSError)
            log.error("%s; what was served is served on, and it is tried again", problem, exc_info=not is_ours)
        self.problem = problem
        self._retry_at_s = time.monotonic() + self._retry_s
        self._retry_s = min(2 * self._retry_s, RETRY_MAX_S)

    async def _rebuild(self, in_force: Published, lost: Sequence[Path]) -> None:
        await asyncio.to_thread(self._clear, lost)
        prepared = await asyncio.to_thread(self._publisher.rebuild, in_force)
        try:
            sets, threads = self._responders.sets, self._responders.threads_each
            await asyncio.to_thread(self._responders.make_room, len(sets), threads, prepared)
            self._control.renew(self._run.control)
        except BaseException:
            self._publisher.abandon(prepared)
            raise

        def swap() -> None:
            prepared.table.copy_from(in_force.table)
            self._publisher.publish(prepared)

        await self._monitor.relieve(swap)
        self._responders.wake()
        await self._responders.relieve()
        self._control.forget_former()
        self._held.forget()
        with contextlib.suppress(OSError):
            await asyncio.to_thread(self._tally.keep_former)

    def _clear(self, lost: Sequence[Path]) -> None:
        """Find a place, and free it from what stands where files are to be."""
        before = self._run.path
        self._run.find()
        if self._run.path == before:
            for path in lost:
                if path != before:
                    with contextlib.suppress(OSError):  # what cannot be removed is in the way of what is made there
                        path.unlink()
        self._tally.part_with_lost()
