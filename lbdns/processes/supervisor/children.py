"""Child processes that are kept running: started again when they die, and ended and started again when they hang."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence

from lbdns.base.errors import LbdnsError
from lbdns.processes.supervisor.capabilities import Capability
from lbdns.processes.supervisor.child_process import ENDED_WELL, ChildProcess
from lbdns.processes.supervisor.pulse import LOOK_S, Pulse, scheduling_of

RESTART_FIRST_S = 0.1
RESTART_MAX_S = 2.0  # what waits in a dead responder's socket must not grow old
SETTLED_S = 10.0  # a process that lived this long starts anew without the delays of its past
READY_S = 30.0
START_ATTEMPTS = 3  # of a process that ends before it is ready: killed once it comes up, broken it never does
GIVEN_AWAY_S = 0.5  # the process that went is to have the processor first

log = logging.getLogger("lbdns.processes")


def child_command(module: str, arguments: Sequence[str]) -> list[str]:
    """Return the command that runs one of the package's modules as a process."""
    return [sys.executable, "-P", "-m", module, *arguments]


class Child:
    """One process, `python -m MODULE ARGUMENTS`, and the next one whenever it ends, for as long as it is wanted."""

    def __init__(
        self,
        name: str,
        module: str,
        arguments: Sequence[str],
        descriptors: Sequence[int] = (),
        says_ready: bool = False,
        listens: bool = False,
        pulse: Pulse | None = None,
        substitute: Callable[[], ChildProcess | None] = lambda: None,
        capabilities: Iterable[Capability] = (),
        began: Callable[[ChildProcess], None] = lambda process: None,
    ) -> None:
        """Describe the process; see ChildProcess for `descriptors`, `says_ready` (reports), `listens` and
        `capabilities`.

        One whose `pulse` falls silent is killed. `substitute` returns a process that takes the place of one that ended,
        ready to go on, where there is one. `began` hears of each process that was started.
        """
        self.name = name
        self._command = child_command(module, arguments)
        self._descriptors = tuple(descriptors)
        self._says_ready = says_ready
        self._listens = listens
        self._pulse = pulse
        self._substitute = substitute
        self._capabilities = tuple(capabilities)
        self._began = began
        self._running: ChildProcess | None = None
        self._stand_in: ChildProcess | None = None  # goes on already for the one that ended just now
        self._keeper: asyncio.Task[None] | None = None
        self._stopping = False
        self._was_ready = asyncio.Event()
        self._given_away = asyncio.Event()
        self._attempts_left: int | None = None  # None: without end
        self.restarts = 0
        self.hangs = 0

    @property
    def pid(self) -> int:
        """The process id; 0 while it is dead."""
        return self._running.pid if self._running is not None else 0

    @property
    def beat_age_s(self) -> float | None:
        """How long ago its last sign of life was; None where there was none yet, or nobody looks for any."""
        return self._pulse.age_s(time.monotonic()) if self._pulse is not None else None

    @property
    def is_waiting(self) -> bool:
        """Whether its process is there and ready."""
        return bool(self.pid) and self._running is not None and self._running.is_ready.is_set()

    @property
    def has_been_ready(self) -> bool:
        """Whether a process of it ever was."""
        return self._was_ready.is_set()

    async def start(self, ahead: ChildProcess | None = None) -> None:
        """Start it and return when it is ready; raises LbdnsError where it took too long, or ended before it was ready
        in each of START_ATTEMPTS. `ahead`: its process, where that is there already."""
        self._attempts_left = START_ATTEMPTS if self._says_ready else None
        keeper = self.begin(ahead)
        if not self._says_ready:
            return
        waiting = asyncio.create_task(self._was_ready.wait())
        looking = asyncio.create_task(self._look_on())
        done, _ = await asyncio.wait({waiting, keeper}, timeout=READY_S, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        looking.cancel()
        if waiting not in done:
            await self.stop(grace_s=0)
            raise LbdnsError(f"the {self.name} does not start")

    def begin(self, ahead: ChildProcess | None = None) -> asyncio.Task[None]:
        """Start it, and wait for nothing; however often it fails, it is tried again. Returns what keeps it."""
        self._keeper = asyncio.create_task(self._keep(ahead))
        return self._keeper

    def wake(self) -> None:
        """Have it look at the control file now; what starts looks anyway."""
        if self._running is not None:
            self._running.wake()

    def look(self) -> bool:
        """Kill it where its pulse says that it is silent: it is started again like one that died. Returns whether that
        was done."""
        running = self._running
        if self._pulse is None or running is None or not running.pid:
            return False
        is_starting = self._says_ready and not running.is_ready.is_set()
        if self._pulse.is_silent(time.monotonic(), lambda: scheduling_of(running.pid), is_starting):
            self.hangs += 1
            still_s = self._pulse.still_s
            log.error("the %s (pid %d) hangs, silent for %.1f s, and is killed", self.name, running.pid, still_s)
            running.signal(signal.SIGKILL)
            self._pulse.begin(time.monotonic())
            return True
        return False

    async def _look_on(self) -> None:
        """Look while it starts: nobody else does before it is ready."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.look()

    def give_away(self) -> ChildProcess | None:
        """Let the process that waits here be another's, and keep a new one from now on; None where none is ready."""
        running = self._running
        if self._stopping or running is None or not running.pid or not running.is_ready.is_set():
            return None
        self._running = None
        self._given_away.set()
        return running

    async def stop(self, grace_s: float) -> bool:
        """Ask it to end, wait `grace_s`, then end it; returns when it is gone, and whether it ended of itself."""
        self._stopping = True
        running = self._stand_in or self._running
        if running is not None and running.pid:
            running.signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(running.wait(), grace_s)
            except TimeoutError:
                log.warning("the %s (pid %d) does not stop and is killed", self.name, running.pid)
                running.signal(signal.SIGKILL)
                await running.wait()
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        return running is not None and await running.wait() == ENDED_WELL

    async def _keep(self, running: ChildProcess | None) -> None:
        """Run one process after another. Nothing that goes wrong ends this but a start that is given up."""
        loop = asyncio.get_running_loop()
        delay_s = RESTART_FIRST_S
        while not self._stopping:
            started = loop.time()
            how = await self._run_once(running)
            if self._stopping:
                return
            if loop.time() - started > SETTLED_S:
                delay_s = RESTART_FIRST_S
            if not how:
                running = None
                await asyncio.sleep(GIVEN_AWAY_S)
                continue
            if self._is_given_up(how):
                return
            running, self._stand_in = self._stand_in or self._replacement(), None
            if running is None:
                await asyncio.sleep(delay_s)
                delay_s = min(2 * delay_s, RESTART_MAX_S)
            self.restarts += 1

    def _is_given_up(self, how: str) -> bool:
        """Say how a process ended; return whether it was the last attempt at a start."""
        if self._was_ready.is_set() or not self._says_ready:
            log.error("the %s died (%s); it is started again", self.name, how)
            return False
        if self._attempts_left is not None:
            self._attempts_left -= 1
            if self._attempts_left == 0:
                log.error("the %s ended before it was ready (%s)", self.name, how)
                return True
        log.error("the %s ended before it was ready (%s); it is started again", self.name, how)
        return False

    def _replace_at_once(self) -> None:
        """Have another go on before anything else is done about a process that ended, were it a line in the log."""
        if not self._stopping and self._was_ready.is_set():
            self._stand_in = self._replacement()

    def _replacement(self) -> ChildProcess | None:
        try:
            return self._substitute()
        except Exception:
            log.exception("nothing stands in for the %s", self.name)
            return None

    async def _run_once(self, running: ChildProcess | None) -> str:
        """See a process to its end, a new one where there is none; return how it ended, "" where it was given away."""
        try:
            self._running = running or ChildProcess(
                self._command, self._descriptors, self._says_ready, self._listens, self._capabilities
            )
        except OSError as error:
            return f"cannot be started: {error.strerror}"
        except Exception as error:
            log.exception("lbdns failed to start the %s", self.name)
            return f"cannot be started: {error!r}"
        self._running.at_end = self._replace_at_once
        if running is None:
            self._began(self._running)
        if self._pulse is not None:
            self._pulse.begin(time.monotonic(), is_up=running is not None)
        self._given_away.clear()
        ended = asyncio.create_task(self._running.wait())
        given = asyncio.create_task(self._given_away.wait())
        ready = asyncio.create_task(self._note_ready(self._running))
        try:
            await asyncio.wait((ended, given), return_when=asyncio.FIRST_COMPLETED)
            return ended.result() if ended.done() else ""
        finally:
            ended.cancel()
            given.cancel()
            ready.cancel()

    async def _note_ready(self, running: ChildProcess) -> None:
        await running.is_ready.wait()
        self._was_ready.set()
