"""Child processes that are kept running: started again, with rising delays, when they die."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

import lbdns
from lbdns.base.errors import LbdnsError

RESTART_FIRST_S = 0.1
RESTART_MAX_S = 2.0  # what waits in a dead responder's socket must not grow old
SETTLED_S = 10.0  # a process that lived this long starts anew without the delays of its past
READY_S = 15.0
START_ATTEMPTS = 3  # of a process that ends before it is ready: killed once it comes up, broken it never does

log = logging.getLogger("lbdns.processes")


class Child:
    """One process, `python -m MODULE ARGUMENTS`, in a session of its own: the terminal's Ctrl-C is not for it.

    It inherits an eventfd, `--wake-fd N`, by which it learns that the control file says something new.
    """

    def __init__(
        self,
        name: str,
        module: str,
        arguments: Sequence[str],
        descriptors: Sequence[int] = (),
        says_ready: bool = False,
    ) -> None:
        """Describe the process. `descriptors` are inherited; one that `says_ready` gets `--ready-fd N` to write to."""
        self.name = name
        self._command = [sys.executable, "-P", "-m", module, *arguments]
        self._descriptors = tuple(descriptors)
        self._wake_fd: int | None = None
        self._says_ready = says_ready
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._stopping = False
        self._ready = asyncio.Event()
        self.restarts = 0

    @property
    def pid(self) -> int:
        """The process id; 0 while it is dead."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process else 0

    async def start(self) -> None:
        """Start it and return when it is ready; raises LbdnsError where it took too long, or ended before it was ready
        in each of START_ATTEMPTS."""
        self._keeper = asyncio.create_task(self._keep())
        if not self._says_ready:
            return
        waiting = asyncio.create_task(self._ready.wait())
        done, _ = await asyncio.wait({waiting, self._keeper}, timeout=READY_S, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if waiting not in done:
            await self.stop(grace_s=0)
            raise LbdnsError(f"the {self.name} does not start")

    def wake(self) -> None:
        """Have it look at the control file now; what starts looks anyway."""
        if self._wake_fd is not None:
            os.eventfd_write(self._wake_fd, 1)

    async def stop(self, grace_s: float) -> None:
        """Ask it to end, wait `grace_s`, then end it; returns when it is gone."""
        self._stopping = True
        process = self._process
        if process is not None and process.returncode is None:
            _signal(process, signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), grace_s)
            except TimeoutError:
                log.warning("the %s (pid %d) does not stop and is killed", self.name, process.pid)
                _signal(process, signal.SIGKILL)
                await process.wait()
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        delay_s = RESTART_FIRST_S
        attempts_left = START_ATTEMPTS
        while not self._stopping:
            started = loop.time()
            how = await self._run_once()
            if self._stopping:
                return
            if loop.time() - started > SETTLED_S:
                delay_s = RESTART_FIRST_S
            if self._says_ready and not self._ready.is_set():
                attempts_left -= 1
                if attempts_left == 0:
                    log.error("the %s ended before it was ready (%s)", self.name, how)
                    return
                log.error("the %s ended before it was ready (%s); it is started again", self.name, how)
            else:
                log.error("the %s died (%s); it is started again", self.name, how)
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, RESTART_MAX_S)
            self.restarts += 1

    async def _run_once(self) -> str:
        """Run the process to its end and return how it ended."""
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        try:
            self._process = await self._spawn(self._wake_fd)
            return _how_it_ended(await self._process.wait())
        except OSError as error:
            return f"cannot be started: {error.strerror}"
        finally:
            os.close(self._wake_fd)
            self._wake_fd = None

    async def _spawn(self, wake_fd: int) -> asyncio.subprocess.Process:
        told, tell = os.pipe() if self._says_ready else (-1, -1)
        arguments = ["--wake-fd", str(wake_fd)]
        descriptors = [*self._descriptors, wake_fd]
        if self._says_ready:
            arguments += ["--ready-fd", str(tell)]
            descriptors.append(tell)
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=descriptors,
                start_new_session=True,
                env=package_environment(),
            )
        except OSError:
            if self._says_ready:
                os.close(told)
            raise
        finally:
            if self._says_ready:
                os.close(tell)
        if self._says_ready:
            self._listen_for_ready(told)
        return process

    def _listen_for_ready(self, told: int) -> None:
        loop = asyncio.get_running_loop()

        def heard() -> None:
            loop.remove_reader(told)
            if os.read(told, 1):
                self._ready.set()
            os.close(told)

        loop.add_reader(told, heard)


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(number)


def package_environment() -> dict[str, str]:
    """Return the environment in which `python -P -m` finds the package that is running, installed or not."""
    environment = dict(os.environ)
    root = Path(lbdns.__file__).resolve().parent.parent
    if str(root) not in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib")):
        paths = [str(root), *filter(None, [environment.get("PYTHONPATH")])]
        environment["PYTHONPATH"] = os.pathsep.join(paths)
    return environment


def _how_it_ended(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"signal {signal.Signals(-status).name}"
    except ValueError:
        return f"signal {-status}"
