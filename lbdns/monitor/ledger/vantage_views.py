"""What each vantage point sees of an endpoint, written for people where there are several; answers do not follow it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.health.verdict import HEALTHY
from lbdns.mapped.health_table import HealthTable
from lbdns.mapped.vantage_rows import FILE, VantageRows, VantageView
from lbdns.monitor.ledger.agreement import agreed_state, mean_rtt_us, telling
from lbdns.monitor.ledger.states import EndpointHealth

SEVERAL: Final = 2

log = logging.getLogger("lbdns.monitor")


class VantageViews:
    """The file of the generation in force, where its vantage points are several."""

    def __init__(self) -> None:
        """Begin without a file."""
        self._rows: VantageRows | None = None
        self._slots: dict[int, int] = {}  # whose numbers stand where: slot by the endpoint's identity

    def adopt(
        self, table: HealthTable, names: Sequence[str], endpoints: Iterable[EndpointHealth], now_s: float
    ) -> None:
        """Take a generation's vantage points and endpoints; what the former ones saw goes on where they stay."""
        rows = self._rows
        if rows is None or rows.layout_id != table.layout_id or rows.names != tuple(names):
            self._begin(table, names)
        if self._rows is None:
            return
        former, self._slots = self._slots, {}
        for endpoint in endpoints:
            spec = endpoint.spec
            self._slots[spec.identity] = spec.slot
            if former.get(spec.identity) != spec.slot:
                self._rows.clear(spec.slot)
                for name in dict.fromkeys(one.vantage.name for one in endpoint.series):
                    self.note(endpoint, name, now_s)

    def note(self, endpoint: EndpointHealth, name: str, now_s: float) -> None:
        """Write what a vantage point sees of an endpoint, after a result of its own, or after it looks no longer."""
        if self._rows is None or name not in self._rows.names:
            return
        heard = [one for one in endpoint.series if one.vantage.name == name and one.at_s and one.member.votes]
        view = None
        if heard:
            state = agreed_state(heard, now_s)
            why = telling(heard, state)
            shown = why.shown if why is not None and why.shown is not None else heard[-1].last
            view = VantageView(
                state, shown.reason, shown.code, int(mean_rtt_us(one for one in heard if one.state == HEALTHY))
            )
        self._rows.write(endpoint.spec.slot, name, view)

    def _begin(self, table: HealthTable, names: Sequence[str]) -> None:
        """Make the file for a table and vantage points; where one speaks alone, the table says all that it sees."""
        path = table.path.with_name(FILE)
        if self._rows is not None:
            self._rows.close()
        self._rows, self._slots = None, {}
        try:
            if len(names) < SEVERAL:
                path.unlink(missing_ok=True)
            else:
                self._rows = VantageRows.create(path, names, table.endpoint_capacity, table.layout_id)
        except (LbdnsError, OSError) as error:
            log.error("what each vantage point sees cannot be shown: %s", error)
