"""The generations that the supervisor publishes: what each has to probe, and the health table that it is about."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lbdns.base.errors import LbdnsError
from lbdns.mapped.control import Control
from lbdns.mapped.health_table import HealthTable
from lbdns.mapped.run_directory import is_private, snapshot_path, targets_path
from lbdns.mapped.snapshot_file import Snapshot
from lbdns.monitor.targets import LoadedTargets, Targets, load_targets

if TYPE_CHECKING:
    from lbdns.monitor.own_names import OwnNames

RETRY_S: Final = 1.0

log = logging.getLogger("lbdns.monitor")


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation's work, the mapped health table that it is about, and the zones that it serves, where any
    endpoint is a hostname that may stand in one. `goes_on`: nothing of it is another than in the one before."""

    targets: Targets
    table: HealthTable
    own: OwnNames | None = None
    goes_on: bool = False


class Generations:
    """Reads the generation that the control file says is in force."""

    def __init__(self, control: Control, run_dir: Path) -> None:
        """Read targets documents in `run_dir`."""
        self._control = control
        self.run_dir = run_dir
        self._refused = 0  # the generation that could not be read last
        self._retry_s = 0.0
        self._snapshot: Snapshot | None = None
        self._loaded: LoadedTargets | None = None

    def next(self, adopted: int = 0, *tables: HealthTable) -> Generation | None:
        """Return the generation in force where it is another than `adopted` (0: none yet) and can be read, else None.

        One that cannot be read is tried again a second later. A table among `tables` is not mapped again.
        """
        number = self._control.generation
        if number in (0, adopted) or (number == self._refused and time.monotonic() < self._retry_s):
            return None
        self._control.set("monitor_adopting", number)  # all at once, however long it takes: it does not hang
        try:
            if not is_private(self.run_dir):
                raise LbdnsError(f"{self.run_dir} is not a directory that is ours alone")
            before = self._loaded
            self._loaded = load_targets(targets_path(self.run_dir, number), number, before)
            targets = self._loaded.targets
            known = next((table for table in tables if table.path == targets.table), None)
            table = known or HealthTable.attach(targets.table, writable=True)
            own = self._own_names(targets, table)
            # What fell free with the one before is let go with the next, though nothing else is another in that.
            is_same = self._loaded.repeats > 1 and before is not None and before.targets.generation == adopted
            return Generation(targets, table, own, is_same and known is not None and own is None)
        except LbdnsError as error:
            if number != self._refused:
                log.error("generation %d is not adopted, what was probed before is probed on: %s", number, error)
            self._control.set("monitor_adopting", 0)
            self._refused, self._retry_s = number, time.monotonic() + RETRY_S
            return None

    def _own_names(self, targets: Targets, table: HealthTable) -> OwnNames | None:
        """Open what is served; None where no endpoint is a hostname, or where the next generation has come already."""
        if not any(endpoint.is_name for pool in targets.pools for endpoint in pool.endpoints):
            self._snapshot = None
            return None
        # Needed by who has hostnames alone.
        from lbdns.answer.serving_view import ServingView
        from lbdns.monitor.own_names import OwnNames

        try:
            path = snapshot_path(self.run_dir, targets.generation)
            self._snapshot = Snapshot.open(path, self._snapshot)
            return OwnNames.of_targets(ServingView(self._snapshot, table), targets)
        except (LbdnsError, OSError, ValueError, KeyError) as error:
            level = logging.DEBUG if isinstance(error, FileNotFoundError) else logging.WARNING
            log.log(level, "names of zones served here are asked of others: %s", error)
            return None
