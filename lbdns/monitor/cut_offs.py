"""The vantage points that believe themselves cut off: told to people, and shown in the health table."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Set

from lbdns.base.clocks import elapsed_s
from lbdns.health.events import HealthChange, duration_text
from lbdns.model.targets_document import Vantage
from lbdns.monitor.ledger.ledger import Ledger

log = logging.getLogger("lbdns.monitor")


class CutOffs:
    """Since when each vantage point that is cut off has been so, in unix seconds and in those of `elapsed_s`."""

    def __init__(self, ledger: Ledger, report: Callable[[HealthChange], None]) -> None:
        """Show them in the ledger's table; `report` is told every change."""
        self._ledger = ledger
        self._report = report
        self._since_s: dict[Vantage, tuple[float, float]] = {}

    def keep(self, vantages: Set[Vantage]) -> None:
        """Forget those that are not in use any more."""
        self._since_s = {vantage: since_s for vantage, since_s in self._since_s.items() if vantage in vantages}
        self._show()

    def tell(self, vantage: Vantage, cut_off: bool) -> None:
        """Take it that a vantage point is cut off, or is no more."""
        now_s, now = time.time(), elapsed_s()
        _, since = self._since_s.pop(vantage, (now_s, now))
        if cut_off:
            self._since_s[vantage] = now_s, now
        self._show()
        if cut_off:
            log.error("vantage point %s seems cut off: no target answers; health stays as it was", vantage.name)
        else:
            log.info("vantage point %s is connected again after %s", vantage.name, duration_text(now - since))
        states = ("connected", "cut off") if cut_off else ("cut off", "connected")
        self._report(HealthChange(now_s, "vantage_point", vantage.name, *states, vantage=vantage.name))

    def _show(self) -> None:
        self._ledger.table.columns["frozen_since"][0] = min(
            (since_s for since_s, _ in self._since_s.values()), default=0.0
        )
