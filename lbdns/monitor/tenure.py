"""A worker's time in charge of the health table: it begins when the control file names this process as its writer.

in charge --(asked to stop | another worker's id | the supervisor gone | another server's control file)--> over
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from pathlib import Path

from lbdns.mapped.control import Control

log = logging.getLogger("lbdns.monitor")


class Tenure:
    """The time in charge of this process, and how it waits meanwhile; for the loop's thread."""

    def __init__(self, control_file: Path, orphan_ok: bool, wake_fd: int | None, parent_pid: int | None = None) -> None:
        """Belong to the server of `control_file`; LbdnsError where that cannot be mapped.

        `orphan_ok`: go on when the parent process dies. `wake_fd`: an eventfd that is written when the control file has
        news; without one only time tells. `parent_pid`: who began this process, which may have ended since; None: its
        parent now.
        """
        self.control = Control.attach(control_file, writable=True)
        self._control_file = control_file
        self._inode = os.stat(control_file).st_ino
        self._parent = os.getppid() if parent_pid is None else parent_pid
        self._orphan_ok = orphan_ok
        self._wake_fd = wake_fd
        self._is_stopping = False
        self._woken = asyncio.Event()

    def begin(self) -> None:
        """Take charge; a worker that was in charge before sees that and ends."""
        self.control.monitor_pid = os.getpid()
        if self._wake_fd is not None:
            asyncio.get_running_loop().add_reader(self._wake_fd, self._wake, self._wake_fd)

    def stop(self) -> None:
        """End it, soon."""
        self._is_stopping = True
        self._woken.set()

    async def pause(self, seconds: float) -> None:
        """Wait so long, or until there may be news."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        self._woken.clear()

    def is_over(self) -> bool:
        """Whether it was stopped, the health table is another's to write, or nobody is left to write it for."""
        if self._is_stopping:
            return True
        if self.control.monitor_pid != os.getpid():
            log.info("another monitor worker (pid %d) has taken over", self.control.monitor_pid)
            return True
        is_left = self._is_left()
        if is_left and not self._orphan_ok:
            log.info("the supervisor is gone")
            return True
        # A supervisor that lives rebuilds what is removed, and has another worker go on.
        if (is_left or not self._orphan_ok) and self._is_another_server():
            log.info("the server that this worker belonged to is gone")
            return True
        return False

    def is_in_vain(self) -> bool:
        """Whether the supervisor is gone before it published anything: nobody serves what would be probed."""
        return self.control.generation == 0 and self._is_left()

    def _is_left(self) -> bool:
        return os.getppid() != self._parent

    def _is_another_server(self) -> bool:
        """Whether the control file is another's. Where it was removed and nobody has made another, responders that are
        left, too, answer on by the table that is mapped."""
        try:
            return os.stat(self._control_file).st_ino != self._inode
        except OSError:
            return not self._orphan_ok

    def _wake(self, wake_fd: int) -> None:
        os.eventfd_read(wake_fd)
        self._woken.set()
