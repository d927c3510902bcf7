"""The monitor worker before its first generation: it knows of nothing to probe, and waits.

waiting --(a generation that can be read)--> at work (MonitorWorker), for the rest of its tenure
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lbdns.monitor.generations import Generations
from lbdns.monitor.tenure import Tenure
from lbdns.monitor.worker import TICK_S, MonitorWorker


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says. `state_dir`: where the record and figures are kept; None keeps nothing. `wake_fd`: an
    eventfd that is written when the control file has news. `parent_pid`: who began the process, where that is said."""

    run_dir: Path
    control_file: Path
    state_dir: Path | None = None
    orphan_ok: bool = False
    wake_fd: int | None = None
    parent_pid: int | None = None


class WaitingWorker:
    """One monitor worker, until there is something to probe."""

    def __init__(self, options: Options) -> None:
        """Describe the worker; `run` does the rest."""
        self._state_dir = options.state_dir
        self._tenure = Tenure(options.control_file, options.orphan_ok, options.wake_fd, options.parent_pid)
        self._generations = Generations(self._tenure.control, options.run_dir)

    def stop(self) -> None:
        """Ask the worker to end, whether it waits or is at work; `run` returns soon after."""
        self._tenure.stop()

    async def run(self) -> None:
        """Wait, then probe, until told to stop, or until another worker or supervisor has taken over."""
        worker = await self.wait()
        if worker is not None:
            await worker.run()

    async def wait(self) -> MonitorWorker | None:
        """Return a worker that has adopted the first generation; None where the tenure is over before there is one."""
        self._tenure.begin()
        while not (self._tenure.is_over() or self._tenure.is_in_vain()):
            first = self._generations.next()
            if first is not None:
                return MonitorWorker(self._tenure, self._generations, first, self._state_dir)
            _load_ahead()
            await self._tenure.pause(TICK_S)
        return None


def _load_ahead() -> None:
    """Load what a first generation with hostnames needs: the first answer waits for its results, and nothing does yet
    for this."""
    import lbdns.monitor.own_names  # noqa: F401
