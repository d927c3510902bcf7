"""Keeping what others find a server by in its state directory: its lock, the control socket, the API's socket.

    there --(a look finds it removed or replaced)--> lost --(made again)--> there
                                                       ^  `- cannot be: said once, tried again, each time later

Whoever cleans up, or puts a backup in its place, takes them from a server that goes on: no command would reach it, and
a second one could start. The run directory has a keeper of its own (run_keeper.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from typing import Final, Protocol

from lbdns.base.errors import LbdnsError
from lbdns.base.lasting_trouble import LastingTrouble

LOOK_S: Final = 0.5
RETRY_MAX_S: Final = 30.0

log = logging.getLogger("lbdns.processes")


class KeptFile(Protocol):
    """A file that this process holds open."""

    def told(self) -> str:
        """Return what it is and where, in words."""

    def is_lost(self) -> bool:
        """Whether nobody finds it any more; called in a thread."""

    def renew(self) -> None:
        """Make it again, on the event loop; raises LbdnsError."""


class StateKeeper:
    """Looks after such files of one server, each from when `keep` is given it."""

    def __init__(self) -> None:
        """Begin with none."""
        self._files: list[tuple[KeptFile, LastingTrouble]] = []
        self._retry_s, self._retry_at_s = LOOK_S, 0.0

    @property
    def problem(self) -> str:
        """What cannot be made again and why, "" where all is there."""
        return "; ".join(trouble.text for _, trouble in self._files if trouble.text)

    def keep(self, *files: KeptFile) -> None:
        """Look after files from now on."""
        self._files += [(file, LastingTrouble(log, f"{file.told()} is there again")) for file in files]

    async def watch(self) -> None:
        """Look every LOOK_S until cancelled: in a thread, as a disk may keep who looks, and in one that wakes nobody
        where all is there."""
        amiss, is_over = asyncio.Event(), threading.Event()
        threading.Thread(target=self._look_on, args=(asyncio.get_running_loop(), amiss, is_over), daemon=True).start()
        try:
            while True:
                await amiss.wait()
                await self.look()
                amiss.clear()
        finally:
            is_over.set()

    def _look_on(self, loop: asyncio.AbstractEventLoop, amiss: asyncio.Event, is_over: threading.Event) -> None:
        while not is_over.wait(LOOK_S):
            if time.monotonic() >= self._retry_at_s and self._is_amiss():
                with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                    loop.call_soon_threadsafe(amiss.set)

    def _is_amiss(self) -> bool:
        return bool(self.problem) or any(file.is_lost() for file, _ in tuple(self._files))

    async def look(self) -> None:
        """Make again what is lost."""
        files = tuple(self._files)
        # In one step: a thread that is woken takes longer than what it finds out.
        lost = await asyncio.to_thread(lambda: [file.is_lost() for file, _ in files])
        for (file, trouble), is_lost in zip(files, lost, strict=True):
            if is_lost:
                self._renew(file, trouble)
            else:
                trouble.end()
        if self.problem:
            self._retry_s = min(2 * self._retry_s, RETRY_MAX_S)
            self._retry_at_s = time.monotonic() + self._retry_s
        else:
            self._retry_s = LOOK_S

    def _renew(self, file: KeptFile, trouble: LastingTrouble) -> None:
        told = f"{file.told()} was removed or replaced"
        try:
            file.renew()
        except LbdnsError as error:
            trouble.begin(f"{told}, and cannot be made again: {error}")
            return
        if trouble.text:
            trouble.end()
        else:
            log.error("%s: made again; docs/operations.md says what is kept where", told)
