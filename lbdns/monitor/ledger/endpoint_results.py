"""Results: what one more does to its series, and through it to the endpoint.

The state byte is written before anything else is done about a change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from lbdns.health import forced, verdict
from lbdns.health.events import HealthChange
from lbdns.health.reasons import REASONS, Reason
from lbdns.health.verdict import HEALTHY, UNKNOWN
from lbdns.model.targets_document import Vantage
from lbdns.monitor.ledger.agreement import agreed_state, mean_rtt_us, telling
from lbdns.monitor.ledger.pool_changes import PoolChanges
from lbdns.monitor.ledger.pool_rtt import PoolRtt
from lbdns.monitor.ledger.states import EndpointHealth, Series, deciding
from lbdns.monitor.ledger.table_rows import TableRows
from lbdns.monitor.probes.result import Result
from lbdns.monitor.targets import Member

RTT_MAX_US: Final = 0xFFFFFFFF  # what the table's column holds
_UNRESOLVED: Final = Result(False, Reason.DNS_UNKNOWN_HOST)


class EndpointResults:
    """Takes the results of all series, and keeps the endpoints' rows."""

    def __init__(
        self,
        rows: TableRows,
        wall: Callable[[], float],
        report: Callable[[HealthChange], None],
        pool_changes: PoolChanges,
        pool_rtt: PoolRtt,
        on_address: Callable[[EndpointHealth], None],
    ) -> None:
        """`wall` gives unix seconds, `report` is told every change, `on_address` that a name's address flipped."""
        self._rows = rows
        self._wall = wall
        self._report = report
        self._pool_changes = pool_changes
        self._pool_rtt = pool_rtt
        self._on_address = on_address

    def begin_series(self, endpoint: EndpointHealth, member: Member, address: str, vantage: Vantage) -> Series:
        """Add a series to an endpoint; it begins in the endpoint's state, and with its streak where it is alone."""
        series = Series(self, endpoint, member, address, vantage)
        endpoint.series.append(series)
        slot, rows = endpoint.spec.slot, self._rows
        series.streak = rows.endpoint_streak[slot] if len(endpoint.series) == 1 else 0
        series.rtt_us = rows.endpoint_rtt_us[slot] if series.state == HEALTHY else 0
        return series

    def end_series(self, endpoint: EndpointHealth, series: Series) -> None:
        """Take a series away; its endpoint is judged by those that are left."""
        if series in endpoint.series:
            endpoint.series.remove(series)
        if endpoint.series:
            self._judge(endpoint, endpoint.series[0])

    def take(self, series: Series, result: Result) -> None:
        """Take a believed result: thresholds, then the endpoint, its pool and the load balancers where it changed."""
        now_s = self._wall()
        monitor = series.member.monitor
        before = series.state
        series.note(result, now_s)
        series.state, series.streak = verdict.advance(
            before, series.streak, result.healthy, monitor.consecutive_up, monitor.consecutive_down
        )
        endpoint = series.endpoint
        if result.healthy:
            series.rtt_us = result.rtt_us
        single = len(endpoint.series) == 1
        if before != series.state or not single or endpoint.state == UNKNOWN:
            self._judge(endpoint, series)
        if before != series.state and endpoint.spec.is_name:
            self._on_address(endpoint)
        self._note(endpoint, series, result, now_s, single)

    def unresolved(self, endpoint: EndpointHealth) -> None:
        """Take it that an endpoint's name leads nowhere: it is down, and no series decides that."""
        if not endpoint.probed:
            return
        slot, rows = endpoint.spec.slot, self._rows
        rows.endpoint_reason[slot] = Reason.DNS_UNKNOWN_HOST
        rows.endpoint_checks[slot] += 1
        rows.endpoint_checked_at[slot] = self._wall()
        self._set_state(endpoint, verdict.UNHEALTHY, None, _UNRESOLVED)

    def _note(self, endpoint: EndpointHealth, series: Series, result: Result, now_s: float, single: bool) -> None:
        """Write what people want to know of the last result."""
        slot, rows = endpoint.spec.slot, self._rows
        rows.endpoint_checks[slot] += 1
        rows.endpoint_checked_at[slot] = now_s
        if result.healthy:
            rows.endpoint_passed[slot] += 1
        if single:
            rows.endpoint_streak[slot] = series.streak
            rows.endpoint_code[slot] = result.code
            rows.endpoint_reason[slot] = result.reason
            if result.healthy:
                rows.endpoint_rtt_us[slot] = min(result.rtt_us, RTT_MAX_US)
        else:
            shown = telling(endpoint.series)
            rows.endpoint_streak[slot] = 0
            rows.endpoint_code[slot] = shown.last.code
            rows.endpoint_reason[slot] = shown.last.reason
            rows.endpoint_rtt_us[slot] = min(int(mean_rtt_us(endpoint.series)), RTT_MAX_US)
        if result.healthy:
            self._pool_rtt.note(endpoint.pool, series.vantage.region, now_s)

    def _judge(self, endpoint: EndpointHealth, cause: Series) -> None:
        self._set_state(endpoint, agreed_state(endpoint.series, self._wall()), cause, cause.last)

    def _set_state(self, endpoint: EndpointHealth, state: int, cause: Series | None, result: Result) -> None:
        if state == endpoint.state:
            return
        before, endpoint.state = endpoint.state, state
        slot, rows = endpoint.spec.slot, self._rows
        effective = forced.endpoint_byte(state, endpoint.forced)
        rows.endpoint_state[slot] = effective
        rows.endpoint_measured[slot] = state
        since_s, now_s = rows.endpoint_since[slot], self._wall()
        hidden = effective == endpoint.effective
        probes = deciding(endpoint.series, cause)
        if not hidden:
            endpoint.effective = effective
            rows.endpoint_since[slot] = now_s
            self._pool_changes.recount(endpoint.pool, "measured", probes)
        detail = result.detail
        if hidden:
            detail = "; ".join(filter(None, (detail, "hidden by the forced state")))
        self._report(
            HealthChange(
                at_s=now_s,
                kind="endpoint",
                name=f"{endpoint.spec.pool}/{endpoint.spec.name}",
                before=verdict.ENDPOINT_WORDS[before],
                after=verdict.ENDPOINT_WORDS[state],
                pool=endpoint.spec.pool,
                endpoint=endpoint.spec.name,
                address=cause.address if cause else endpoint.spec.address,
                monitor=cause.member.name if cause else "",
                vantage=cause.vantage.name if cause else "",
                reason=REASONS[result.reason] if not result.healthy else "",
                detail=detail,
                code=result.code,
                rtt_us=result.rtt_us,
                streak=cause.streak if cause else 0,
                was_for_s=now_s - since_s if since_s and not hidden else 0.0,
                hidden=hidden,
                probes=probes,
            )
        )
