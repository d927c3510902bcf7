"""Telling people of changes: the log, the record on disk, notifications."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from lbdns.base.lasting_trouble import LastingTrouble
from lbdns.base.words import Health
from lbdns.health.events import HealthChange, Record
from lbdns.monitor.notify.notifier import Notifier, Turn
from lbdns.monitor.targets import Targets

log = logging.getLogger("lbdns.monitor")


class Reporter:
    """Hands each change to everyone who wants to know."""

    def __init__(self, state_dir: Path | None) -> None:
        """Keep the record in `state_dir`; None keeps none."""
        self._notifier = Notifier(state_dir)
        self._machine = ""
        self._record = Record(state_dir) if state_dir else None
        self._unrecorded = LastingTrouble(log, "changes are recorded again")

    def adopt(self, targets: Targets) -> None:
        """Take a generation's receivers and filters of notifications."""
        self._notifier.adopt(
            targets.subscriptions, targets.pools, targets.balancers, targets.account_id, targets.probe_networks
        )

    def join(self, machine: str, turn: Turn) -> None:
        """Name a machine of a fleet in each change, and notify people where `turn` says that it is this one's part;
        "": there is no fleet."""
        self._machine = machine
        self._notifier.turn = turn

    def tell(self, change: HealthChange) -> None:
        """Log, record and notify a change; what turns bad is a warning.

        First good results are expected: no line in the log tells of them.
        """
        if self._machine:
            change = replace(change, machine=self._machine)
        self._notifier.tell(change)
        good = change.after in (
            Health.HEALTHY,
            Health.RESOLVED,
            "connected",
            "heard",
            Health.ENABLED,
            Health.DISABLED,
            Health.UP,
        )
        first = (
            change.before == Health.UNKNOWN
            and good
            and (change.kind in ("endpoint", "monitor", "virtual_network") or change.cause == "configuration")
        )
        log.log(logging.DEBUG if first else logging.INFO if good else logging.WARNING, "%s", change.text)
        if self._record is None:
            return
        try:
            self._record.append(change)
        except OSError as error:
            self._unrecorded.begin(f"the record of changes cannot be written: {error.strerror}")
        else:
            self._unrecorded.end()

    @property
    def waiting(self) -> tuple[int, int]:
        """How many notifications have not gone out, and since when the first waits (CLOCK_MONOTONIC in ns, 0: none)."""
        return self._notifier.waiting

    async def close(self) -> None:
        """Send what waits, for a moment, and close the record."""
        await self._notifier.close()
        if self._record is not None:
            self._record.close()
