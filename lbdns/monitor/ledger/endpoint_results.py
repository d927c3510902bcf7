"""Results: what one more does to its series, and through it to the endpoint.

The endpoint's row is written, as a whole, before anything else is done about a change. Its reason and its code are
those of its state, not of whatever came last, and members that only watch leave no trace in it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from lbdns.base.words import Health
from lbdns.health import verdict
from lbdns.health.events import HealthChange, lasted_s
from lbdns.health.forced import endpoint_byte
from lbdns.health.reasons import REASONS, Reason
from lbdns.health.verdict import HEALTHY, UNHEALTHY, UNKNOWN
from lbdns.model.targets_document import Vantage
from lbdns.monitor.ledger.agreement import agreed_state, mean_rtt_us, telling, watched_state
from lbdns.monitor.ledger.fellows import Fellows
from lbdns.monitor.ledger.pool_changes import PoolChanges
from lbdns.monitor.ledger.pool_rtt import PoolRtt
from lbdns.monitor.ledger.states import CUT_OFF, EndpointHealth, Series, deciding, is_cut_off
from lbdns.monitor.ledger.table_rows import TableRows
from lbdns.monitor.ledger.vantage_views import VantageViews
from lbdns.monitor.probes.result import Result
from lbdns.monitor.targets import Member

RTT_MAX_US: Final = 0xFFFFFFFF  # what the table's column holds
_NOBODY_SAYS: Final = Result(True, Reason.NO_FAILURES)


class EndpointResults:
    """Takes the results of all series, and keeps the endpoints' rows."""

    def __init__(
        self,
        rows: TableRows,
        wall: Callable[[], float],
        clock: Callable[[], float],
        report: Callable[[HealthChange], None],
        pool_changes: PoolChanges,
        pool_rtt: PoolRtt,
        on_address: Callable[[EndpointHealth], None],
        views: VantageViews,
    ) -> None:
        """`wall` gives unix seconds, `clock` those for how long results count, `report` is told every change,
        `on_address` that a name's address flipped."""
        self._views = views
        self._rows = rows
        self._wall = wall
        self._clock = clock
        self._report = report
        self._pool_changes = pool_changes
        self._pool_rtt = pool_rtt
        self._on_address = on_address
        self.fellows: Fellows | None = None

    def begin_series(self, endpoint: EndpointHealth, member: Member, address: str, vantage: Vantage) -> Series:
        """Add a series to an endpoint; it begins in the endpoint's state, and with its streak where it is alone."""
        make = Series if self.fellows is None else self.fellows.begin_series
        series = make(self, endpoint, member, address, vantage)
        endpoint.series.append(series)
        slot, rows = endpoint.spec.slot, self._rows
        series.streak = rows.endpoint_streak[slot] if len(endpoint.series) == 1 else 0
        series.rtt_us = rows.endpoint_rtt_us[slot] if series.state == HEALTHY else 0
        if series.state == UNHEALTHY and rows.endpoint_reason[slot] == Reason.NETWORK_DOWN:
            series.shown = CUT_OFF
        return series

    def end_series(self, endpoint: EndpointHealth, series: Series) -> None:
        """Take a series away; its endpoint is judged by those that are left."""
        if series in endpoint.series:
            endpoint.series.remove(series)
            if self.fellows is not None:
                self.fellows.ended(series)
        if not any(one.member.name == series.member.name for one in endpoint.series):
            endpoint.watched.pop(series.member.name, None)
        self.judge_anew(endpoint)
        self._views.note(endpoint, series.vantage.name, self._clock())

    def judge_anew(self, endpoint: EndpointHealth) -> None:
        """Judge an endpoint by what its series say now, though none of them says anything new."""
        if not endpoint.series:
            return
        state = self._agreed(endpoint, self._clock())
        if state != endpoint.state:
            self._settle(endpoint, state, self._wall(), None, telling(endpoint.series, state))

    def _agreed(self, endpoint: EndpointHealth, clock_s: float) -> int:
        if self.fellows is not None:
            return self.fellows.state_of(endpoint)
        return agreed_state(endpoint.series, clock_s)

    def hear(self, series: Series, state: int, streak: int, result: Result, at_s: float) -> None:
        """Take what another machine of the fleet says: a series' state after its thresholds, the result that says why,
        and when that came (unix seconds)."""
        now_s, clock_s, endpoint = self._wall(), self._clock(), series.endpoint
        series.state, series.streak = state, streak
        series.last = series.shown = result
        series.at_s, series.heard_s = at_s, clock_s
        if result.healthy:
            series.rtt_us = result.rtt_us
        if not series.member.votes:
            self._watch(series, now_s, clock_s)
        self._settle(endpoint, self._agreed(endpoint, clock_s), now_s, series, series)
        self._views.note(endpoint, series.vantage.name, clock_s)
        if endpoint.spec.is_name:
            self._on_address(endpoint)
        if result.healthy and series.member.votes:
            self._pool_rtt.note(endpoint.pool, series.vantage.region, clock_s)

    def take(self, series: Series, result: Result) -> None:
        """Take a believed result: thresholds, then the endpoint, its pool and the load balancers where it changed."""
        now_s, clock_s, endpoint = self._wall(), self._clock(), series.endpoint
        series.note(result, now_s, clock_s)
        flips = series.advance(result)
        if result.healthy:
            series.rtt_us = result.rtt_us
        if not series.member.votes:
            self._watch(series, now_s, clock_s)
        state = endpoint.state
        if self.fellows is not None:
            self.fellows.noted(series, flips)
            state = self.fellows.state_of(endpoint)
        elif flips or len(endpoint.series) > 1 or state == UNKNOWN:
            state = agreed_state(endpoint.series, clock_s)
        self._settle(endpoint, state, now_s, series, series)
        self._views.note(endpoint, series.vantage.name, clock_s)
        if flips and endpoint.spec.is_name:
            self._on_address(endpoint)
        if result.healthy and series.member.votes:
            self._pool_rtt.note(endpoint.pool, series.vantage.region, clock_s)

    def set_aside(self, series: Series) -> None:
        """Take it that nothing follows of an own series' last failure, as its machine hears too little of its fleet."""
        if self.fellows is not None:
            self.fellows.set_aside(series)
            self.judge_anew(series.endpoint)

    def unresolved(self, endpoint: EndpointHealth, problem: str, is_probed_by_name: bool = False) -> None:
        """Take it that an endpoint's name leads nowhere: it is down, and no series decides that.

        `is_probed_by_name`: somebody else resolves it for its probes, and only answers lack its addresses.
        """
        if endpoint.probed and not is_probed_by_name:
            self._take_nowhere(endpoint, Result(False, Reason.DNS_UNKNOWN_HOST, detail=problem))
        if endpoint.spec.must_resolve:
            self._mark(endpoint, Health.UNRESOLVED, problem)

    def unreached(self, endpoint: EndpointHealth, result: Result) -> None:
        """Take it that the network in which an endpoint's name would resolve is down."""
        if endpoint.probed and not endpoint.series:
            self._take_nowhere(endpoint, result)

    def _take_nowhere(self, endpoint: EndpointHealth, result: Result) -> None:
        slot, rows, now_s = endpoint.spec.slot, self._rows, self._wall()
        before, since_s = endpoint.state, rows.endpoint_since[slot]
        with rows.writing(slot):
            rows.endpoint_checks[slot] += 1
            rows.endpoint_checked_at[slot] = now_s
            self._put(endpoint, UNHEALTHY, result, now_s)
        self._follow(endpoint, before, since_s, now_s, None, result)

    def resolved(self, endpoint: EndpointHealth) -> None:
        """Take it that an endpoint's name has addresses, which are in the table."""
        self._mark(endpoint, Health.RESOLVED, "")

    def _mark(self, endpoint: EndpointHealth, resolution: str, problem: str) -> None:
        """Note whether an endpoint's name leads anywhere, and tell of it where probes do not."""
        if endpoint.resolution == resolution:
            return
        former, endpoint.resolution = endpoint.resolution, resolution
        slot, rows, now_s, before = endpoint.spec.slot, self._rows, self._wall(), endpoint.effective
        endpoint.effective = endpoint.byte
        since_s = rows.endpoint_since[slot]
        if endpoint.effective != before:
            with rows.writing(slot):
                self._pool_changes.put_endpoint(endpoint, endpoint.effective)
                rows.endpoint_since[slot] = now_s
        self._pool_changes.recount(endpoint.pool, "measured")
        if endpoint.probed or endpoint.effective == before:
            return
        self._report(
            HealthChange(
                at_s=now_s,
                kind="endpoint",
                name=f"{endpoint.spec.pool}/{endpoint.spec.name}",
                before=former,
                after=resolution,
                pool=endpoint.spec.pool,
                endpoint=endpoint.spec.name,
                address=endpoint.spec.address,
                network=endpoint.spec.network,
                reason=REASONS[Reason.DNS_UNKNOWN_HOST] if endpoint.is_unresolved else "",
                detail=problem,
                was_for_s=lasted_s(since_s, now_s),
            )
        )

    def _settle(
        self, endpoint: EndpointHealth, state: int, now_s: float, news: Series | None, cause: Series | None
    ) -> None:
        """Put an endpoint into a state, with the result that says why, and with what people want to know of the last
        result of `news`. `cause` is the series by which a change came."""
        slot, rows = endpoint.spec.slot, self._rows
        before, since_s = endpoint.state, rows.endpoint_since[slot]
        why = telling(endpoint.series, state)
        with rows.writing(slot):
            if news is not None and news.member.votes:
                self._note(endpoint, news, now_s)
            self._put(endpoint, state, why.shown if why else None, now_s)
        if cause is not None and cause.member.votes and cause.last.healthy == (state == HEALTHY):
            self._follow(endpoint, before, since_s, now_s, cause, cause.last)
        else:  # what was seen last speaks against what follows from all, and did not bring the change about
            self._follow(endpoint, before, since_s, now_s, why, why.shown if why and why.shown else _NOBODY_SAYS)

    def _note(self, endpoint: EndpointHealth, series: Series, now_s: float) -> None:
        """Write of a voter's last result all but what the state follows from."""
        slot, rows, result = endpoint.spec.slot, self._rows, series.last
        rows.endpoint_checks[slot] += 1
        rows.endpoint_checked_at[slot] = now_s
        if result.healthy:
            rows.endpoint_passed[slot] += 1
        voters = [one for one in endpoint.series if one.member.votes]
        if len(voters) > 1:
            rows.endpoint_streak[slot] = 0
            rows.endpoint_rtt_us[slot] = min(int(mean_rtt_us(voters)), RTT_MAX_US)
            return
        rows.endpoint_streak[slot] = series.streak
        if result.healthy:
            rows.endpoint_rtt_us[slot] = min(result.rtt_us, RTT_MAX_US)

    def _put(self, endpoint: EndpointHealth, state: int, why: Result | None, now_s: float) -> None:
        """Write a state and its reason, in an order in which no moment has a healthy endpoint with a failure's.

        Readers meet such a moment where the writer is killed in it.
        """
        slot, rows = endpoint.spec.slot, self._rows
        if why is None and state == HEALTHY and rows.endpoint_reason[slot] != Reason.NO_FAILURES:
            why = _NOBODY_SAYS
        if state != HEALTHY:
            self._put_state(endpoint, state, now_s)
        if why is not None:
            rows.endpoint_reason[slot] = why.reason
            rows.endpoint_code[slot] = why.code
        if state == HEALTHY:
            self._put_state(endpoint, state, now_s)

    def _put_state(self, endpoint: EndpointHealth, state: int, now_s: float) -> None:
        if state == endpoint.state:
            return
        endpoint.state = state
        slot, rows, effective = endpoint.spec.slot, self._rows, endpoint.byte
        self._pool_changes.put_endpoint(endpoint, effective)
        rows.endpoint_measured[slot] = state
        if effective != endpoint.effective:
            rows.endpoint_since[slot] = now_s

    def _follow(
        self,
        endpoint: EndpointHealth,
        before: int,
        since_s: float,
        now_s: float,
        cause: Series | None,
        result: Result,
    ) -> None:
        """Do what follows from an endpoint's change, which the table has: its pool, load balancers, the report."""
        state = endpoint.state
        is_cut, told = is_cut_off(result) and state == UNHEALTHY, endpoint.told
        if state == before and told is None:
            return
        effective = endpoint.byte
        hidden = effective == endpoint.effective
        probes = deciding(endpoint.series, cause)
        if effective != endpoint.effective:
            endpoint.effective = effective
            self._pool_changes.recount(endpoint.pool, "measured", probes)
        if is_cut:  # the network is what is told of
            endpoint.told = before if told is None else told
            return
        if told is not None:
            before, endpoint.told = told, None
            if before == state:
                return
            hidden = effective == endpoint_byte(before, endpoint.forced, endpoint.is_unresolved)
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
                network=endpoint.spec.network,
                monitor=cause.member.name if cause else "",
                vantage=cause.vantage.name if cause else "",
                reason=REASONS[result.reason] if not result.healthy else "",
                detail=detail,
                code=result.code,
                rtt_us=result.rtt_us,
                streak=cause.streak if cause else 0,
                was_for_s=0.0 if hidden else lasted_s(since_s, now_s),
                hidden=hidden,
                probes=probes,
            )
        )

    def _watch(self, series: Series, now_s: float, clock_s: float) -> None:
        """Tell of what a member that only watches sees of an endpoint, where that changes; no answer follows."""
        endpoint, member, result = series.endpoint, series.member, series.last
        if is_cut_off(result):
            return
        before = endpoint.watched.get(member.name, UNKNOWN)
        state = watched_state(endpoint.series, member, clock_s)
        if state == before:
            return
        endpoint.watched[member.name] = state
        self._report(
            HealthChange(
                at_s=now_s,
                kind="monitor",
                name=f"{endpoint.spec.pool}/{endpoint.spec.name}/{member.name}",
                before=verdict.ENDPOINT_WORDS[before],
                after=verdict.ENDPOINT_WORDS[state],
                pool=endpoint.spec.pool,
                endpoint=endpoint.spec.name,
                address=series.address,
                network=endpoint.spec.network,
                monitor=member.name,
                vantage=series.vantage.name,
                reason=REASONS[result.reason] if not result.healthy else "",
                detail=result.detail,
                code=result.code,
                rtt_us=result.rtt_us,
                streak=series.streak,
                probes=series.seen(),
            )
        )
