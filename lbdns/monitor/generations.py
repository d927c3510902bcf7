"""The generations that the supervisor publishes: what each has to probe, and the health table that it is about."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.mapped.control import Control
from lbdns.mapped.health_table import HealthTable
from lbdns.mapped.run_directory import targets_path
from lbdns.monitor.targets import Targets, load_targets

RETRY_S: Final = 1.0

log = logging.getLogger("lbdns.monitor")


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation's work, and the mapped health table that it is about."""

    targets: Targets
    table: HealthTable


class Generations:
    """Reads the generation that the control file says is in force."""

    def __init__(self, control: Control, run_dir: Path) -> None:
        """Read targets documents in `run_dir`."""
        self._control = control
        self.run_dir = run_dir
        self._refused = 0  # the generation that could not be read last
        self._retry_s = 0.0

    def next(self, adopted: int = 0, *tables: HealthTable) -> Generation | None:
        """Return the generation in force where it is another than `adopted` (0: none yet) and can be read, else None.

        One that cannot be read is tried again a second later. A table among `tables` is not mapped again.
        """
        number = self._control.generation
        if number in (0, adopted) or (number == self._refused and time.monotonic() < self._retry_s):
            return None
        self._control.set("monitor_adopting", number)  # all at once, however long it takes: it does not hang
        try:
            targets = load_targets(targets_path(self.run_dir, number))
            known = next((table for table in tables if table.path == targets.table), None)
            return Generation(targets, known or HealthTable.attach(targets.table, writable=True))
        except LbdnsError as error:
            if number != self._refused:
                log.error("generation %d is not adopted, what was probed before is probed on: %s", number, error)
            self._control.set("monitor_adopting", 0)
            self._refused, self._retry_s = number, time.monotonic() + RETRY_S
            return None
