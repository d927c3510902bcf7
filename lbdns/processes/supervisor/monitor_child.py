"""The monitor worker as the supervisor keeps it: one process, which lives through reloads."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lbdns.mapped.control import Control
from lbdns.mapped.run_directory import RunDirectory
from lbdns.processes.supervisor.children import Child
from lbdns.processes.supervisor.kept import Duty, Kept
from lbdns.processes.supervisor.privileges import PINGS
from lbdns.processes.supervisor.pulse import Pulse
from lbdns.processes.supervisor.takeover import end_old_monitors

if TYPE_CHECKING:
    from lbdns.publish.publisher import Published

STOP_S = 3.0
SILENT_S = 2.4  # it beats five times a second; one that is silent is replaced within 3 s


class MonitorChild(Kept):
    """The one writer of the health table."""

    kind = "monitor"
    words = "monitor worker"

    def __init__(
        self, run: RunDirectory, control: Control, state_dir: Path, log_format: str, heartbeat: Callable[[], int]
    ) -> None:
        """Describe the process; it stays as it is, whatever is reloaded. `heartbeat` returns its last beat."""
        self._run = run
        self._control = control
        self._state_dir = state_dir
        self._log_format = log_format
        self._heartbeat = heartbeat
        self._restarts_before = self._hangs_before = 0  # of those that were relieved
        self._child = self._make()
        self._is_begun = False

    def _make(self) -> Child:
        run, control = self._run, self._control
        arguments = ["--run-dir", str(run.path), "--control-file", str(run.control), "--orphan-ok"]
        arguments += ["--state-dir", str(self._state_dir), "--log", self._log_format, "--parent", str(os.getpid())]
        # It takes a generation up at once, for seconds where that has 100,000 endpoints.
        pulse = Pulse(lambda: (self._heartbeat(),), SILENT_S, is_excused=lambda: control.get("monitor_adopting") != 0)
        return Child("monitor worker", "lbdns.monitor", arguments, pulse=pulse, capabilities=PINGS)

    @property
    def process_count(self) -> int:
        """One, always."""
        return 1

    @property
    def alive(self) -> int:
        """1 while it is running."""
        return int(bool(self._child.pid))

    @property
    def restarts(self) -> int:
        """How many times it died and was started again."""
        return self._restarts_before + self._child.restarts

    @property
    def hangs(self) -> int:
        """How many times it fell silent and was killed."""
        return self._hangs_before + self._child.hangs

    @property
    def beat_ages_s(self) -> tuple[float | None, ...]:
        """Of the one."""
        return (self._child.beat_age_s,)

    async def begin(self) -> None:
        """Begin before there is anything to probe: it waits for the first generation."""
        await end_old_monitors(self._run)
        self._is_begun = True
        self._child.begin()

    async def start(self, duty: Duty) -> None:
        """End the one of an earlier start, begin, and wait for the first results where no health is known yet."""
        if not self._is_begun:
            await end_old_monitors(self._run)
            await self._child.start()
        self.wake()
        if not duty.takes_over:
            # Not before it has begun: what this needs is loaded meanwhile.
            from lbdns.publish.first_results import first_results

            await first_results(duty.published)

    async def replace(self, duty: Duty) -> None:
        """Leave it: it has no sockets, and its log keeps the format of the start."""

    async def relieve(self, between: Callable[[], None]) -> None:
        """End it, do `between`, in which nobody writes to the health table, and have another go on from what that says
        then."""
        await self._child.stop(STOP_S)
        try:
            between()
        finally:
            self._restarts_before, self._hangs_before = self.restarts, self.hangs
            self._child = self._make()
            self._child.begin()

    async def stop(self) -> None:
        """End it."""
        await self._child.stop(STOP_S)

    def wake(self) -> None:
        """Have it look at the control file now."""
        self._child.wake()

    def look(self) -> None:
        """Kill it where it is silent."""
        self._child.look()

    def health(self) -> dict[str, Any]:
        """Return its process id, 0 while it is dead, how often it was started again, and how often it had hung."""
        return {"monitor": {"pid": self._child.pid, "restarts": self.restarts, "hangs": self.hangs}}


def heard_ns(published: Published) -> int:
    """Return when the monitor worker beat last, CLOCK_MONOTONIC in ns; 0 for never."""
    return int(published.table.columns["heartbeat_ns"][0])
