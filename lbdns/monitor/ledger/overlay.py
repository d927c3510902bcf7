"""Forced states: the operators' orders, laid over what is measured of pools and endpoints."""

from __future__ import annotations

from collections.abc import Callable

from lbdns.health import forced, verdict
from lbdns.health.events import HealthChange, lasted_s
from lbdns.health.forced import Forced
from lbdns.health.verdict import COUNTS, SHOWN_MASK
from lbdns.monitor.ledger.states import EndpointHealth, PoolHealth
from lbdns.monitor.ledger.table_rows import TableRows


class Overlay:
    """The orders in force; `orders` is replaced when they change."""

    def __init__(
        self,
        rows: TableRows,
        wall: Callable[[], float],
        report: Callable[[HealthChange], None],
        clock: Callable[[], float],
        put: Callable[[EndpointHealth, int], None],
    ) -> None:
        """Begin without orders; `wall` gives unix seconds, `clock` those by which orders end, `report` is told every
        change, `put` writes an endpoint's effective byte."""
        self._rows = rows
        self._wall = wall
        self._clock = clock
        self._report = report
        self._put = put
        self.orders: tuple[Forced, ...] = ()

    def lay(self, pool: PoolHealth) -> bool:
        """Apply the orders to a pool and its endpoints; True where one of the bytes may have changed."""
        now_s, clock_s = self._wall(), self._clock()
        found = forced.find(self.orders, clock_s, pool.spec.name) if self.orders else None
        changed = found != pool.forced
        pool.forced = found
        for endpoint in pool.endpoints:
            order = forced.find(self.orders, clock_s, pool.spec.name, endpoint.spec.name) if self.orders else None
            former, before, endpoint.forced = endpoint.forced, endpoint.effective, order
            effective = endpoint.effective = endpoint.byte
            changed = changed or order != former or effective != before
            slot, since = endpoint.spec.slot, self._rows.endpoint_since
            since_s, flips = since[slot], bool((before ^ effective) & SHOWN_MASK)
            with self._rows.writing(slot):
                self._put(endpoint, effective)
                if flips:
                    since[slot] = now_s
            if flips:
                self._tell(endpoint, before, order, now_s, since_s)
        return changed

    def _tell(self, endpoint: EndpointHealth, before: int, order: Forced | None, now_s: float, since_s: float) -> None:
        spec = endpoint.spec
        self._report(
            HealthChange(
                at_s=now_s,
                kind="endpoint",
                name=f"{spec.pool}/{spec.name}",
                before=verdict.endpoint_word(before),
                after=verdict.endpoint_word(endpoint.effective),
                pool=spec.pool,
                endpoint=spec.name,
                address=spec.address,
                network=spec.network,
                detail=order.text if order else "no longer forced" if before & COUNTS else "not probed",
                was_for_s=lasted_s(since_s, now_s),
                cause="forced" if order or before & COUNTS else "configuration",
            )
        )
