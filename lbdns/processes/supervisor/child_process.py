"""One process, from its start to its end, which is heard of without a thread or a signal."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterable, Sequence

from lbdns.base.own_package import package_environment as package_environment
from lbdns.processes.supervisor.capabilities import Capability, lent

ENDED_WELL = "exit status 0"


class ChildProcess:
    """A process in a session of its own: the terminal's Ctrl-C is not for it.

    It inherits an eventfd, `--wake-fd N`, by which it learns that the control file says something new. One that
    `reports` gets `--ready-fd N` too, a pipe to write a byte to; one that `listens` gets `--channel-fd N`, a UNIX
    stream socket.
    """

    def __init__(
        self,
        command: Sequence[str],
        descriptors: Sequence[int],
        reports: bool,
        listens: bool,
        capabilities: Iterable[Capability] = (),
    ) -> None:
        """Start it, on a running loop, with these capabilities as far as this process has them; raises OSError with
        nothing left behind."""
        self.is_ready = asyncio.Event()
        self.has_ended = asyncio.Event()
        self.at_end: Callable[[], None] = lambda: None  # called first of all, when it has ended
        self._loop = asyncio.get_running_loop()
        with contextlib.ExitStack() as undo:
            self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            undo.callback(os.close, self._wake_fd)
            told, tell = os.pipe() if reports else (-1, -1)
            self.channel: socket.socket | None = None
            theirs: socket.socket | None = None
            if listens:
                self.channel, theirs = socket.socketpair()
            with contextlib.ExitStack() as handed:
                arguments = ["--wake-fd", str(self._wake_fd)]
                passed = [*descriptors, self._wake_fd]
                if reports:
                    undo.callback(os.close, told)
                    handed.callback(os.close, tell)
                    arguments += ["--ready-fd", str(tell)]
                    passed.append(tell)
                if self.channel is not None and theirs is not None:
                    undo.enter_context(self.channel)
                    handed.enter_context(theirs)
                    arguments += ["--channel-fd", str(theirs.fileno())]
                    passed.append(theirs.fileno())
                with lent(capabilities):
                    self._process = subprocess.Popen(
                        [*command, *arguments],
                        stdin=subprocess.DEVNULL,
                        pass_fds=passed,
                        start_new_session=True,
                        env=package_environment(),
                    )
            undo.callback(self._end_at_once)
            self._pid_fd = os.pidfd_open(self._process.pid)
            undo.pop_all()
        self._loop.add_reader(self._pid_fd, self._ended)
        if reports:
            self._loop.add_reader(told, self._hear, told)
        self._told = told

    @property
    def pid(self) -> int:
        """The process id; 0 once it has ended."""
        return 0 if self.has_ended.is_set() else self._process.pid

    def wake(self) -> None:
        """Have it look at the control file now."""
        if not self.has_ended.is_set():
            os.eventfd_write(self._wake_fd, 1)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        if not self.has_ended.is_set():
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pid_fd, number)

    async def wait(self) -> str:
        """Wait until it ends, and return how."""
        await self.has_ended.wait()
        return _how_it_ended(self._process.wait())

    def _hear(self, told: int) -> None:
        if os.read(told, 1):
            self.is_ready.set()
        self._stop_hearing()

    def _stop_hearing(self) -> None:
        if self._told >= 0:
            self._loop.remove_reader(self._told)
            os.close(self._told)
            self._told = -1

    def _ended(self) -> None:
        self.at_end()
        self._loop.remove_reader(self._pid_fd)
        os.close(self._pid_fd)
        self._process.wait()
        self._stop_hearing()
        os.close(self._wake_fd)
        if self.channel is not None:
            self.channel.close()
        self.has_ended.set()

    def _end_at_once(self) -> None:
        self._process.kill()
        self._process.wait()


def _how_it_ended(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"signal {signal.Signals(-status).name}"
    except ValueError:
        return f"signal {-status}"
