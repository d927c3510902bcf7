"""The ledger: what is known of every endpoint and pool, and the only code that writes states into the health table.

    result -> series (thresholds) -> endpoint (vantage points, monitor group, addresses) -> pool -> load balancers

A *series* is one monitor's row of results on one address from one vantage point. The state byte is written before
anything else is done about a change. No clock and no I/O: time comes in through `wall`, changes go out through
`report`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from lbdns.health import forced, quorum, verdict
from lbdns.health.events import HealthChange, Seen
from lbdns.health.forced import Forced
from lbdns.health.identity import identity
from lbdns.health.pool_state import effective_byte, pool_state
from lbdns.health.reasons import REASONS, Reason
from lbdns.health.verdict import COUNTS, HEALTHY, STATE_MASK, UNKNOWN
from lbdns.mapped.health_table import REGION_COUNT, HealthTable
from lbdns.monitor import latency
from lbdns.monitor.probes.result import Result
from lbdns.monitor.states import BalancerHealth, EndpointHealth, PoolHealth, Series, deciding
from lbdns.monitor.targets import BalancerSpec, Member, PoolSpec, Vantage

_UNRESOLVED = Result(False, Reason.DNS_UNKNOWN_HOST)


class Ledger:
    """States of all endpoints and pools, written through to the health table."""

    def __init__(self, table: HealthTable, wall: Callable[[], float], report: Callable[[HealthChange], None]) -> None:
        """Keep `table`; `wall` gives unix seconds, `report` is told every change."""
        self._wall = wall
        self._report = report
        self._forced: tuple[Forced, ...] = ()
        self.pools: dict[str, PoolHealth] = {}
        self.endpoints: dict[int, EndpointHealth] = {}  # by identity
        self.balancers: list[BalancerHealth] = []
        self._left: dict[int, int] = {}  # identity -> slot of endpoints that the last generation took away
        self._sampled: dict[PoolHealth, None] = {}
        self.on_address: Callable[[EndpointHealth], None] = lambda endpoint: None  # one of a name's addresses flipped
        self._bind(table)

    def _bind(self, table: HealthTable) -> None:
        self.table = table
        self._columns: dict[str, memoryview[Any]] = table.columns
        columns = table.columns
        self._checks = columns["endpoint_checks"]
        self._passed = columns["endpoint_passed"]
        self._checked_at = columns["endpoint_checked_at"]
        self._rtt = columns["endpoint_rtt_us"]
        self._code = columns["endpoint_code"]
        self._reason = columns["endpoint_reason"]
        self._streak = columns["endpoint_streak"]
        self._pool_rtt = columns["pool_rtt"]

    # --- a new generation ---

    def adopt(self, pools: Iterable[PoolSpec], balancers: Iterable[BalancerSpec], table: HealthTable) -> None:
        """Take a generation's pools: known endpoints keep their state and series, others begin as the table says."""
        former, self.endpoints = self.endpoints, {}
        former_table = self.table
        if table is not former_table:
            self._bind(table)
            for name in ("heartbeat_ns", "frozen_since"):
                table.columns[name][0] = former_table.columns[name][0]
        former_pools, self.pools = self.pools, {}
        for spec in pools:
            pool = PoolHealth(spec)
            self.pools[spec.name] = pool
            for endpoint in spec.endpoints:
                self._adopt_endpoint(EndpointHealth(endpoint, pool), former.get(endpoint.identity), former_table)
            self._adopt_pool(pool, former_pools.get(spec.name))
        self._clear_left(former)
        self._adopt_balancers(balancers)
        self._sampled.clear()
        for pool in self.pools.values():
            self._overlay(pool)
            self._recount(pool, "configuration")

    def _clear_left(self, former: dict[int, EndpointHealth]) -> None:
        """Make slots nobody's that fell free a generation ago: then no reader of an older snapshot is left.

        So whoever gets the slot later begins as unknown, even in the moment before this worker hears of it.
        """
        owner = self._columns["endpoint_identity"]
        for gone, slot in self._left.items():
            if owner[slot] == gone and gone not in self.endpoints:
                self.table.clear_endpoint(slot)
        self._left = {gone: former[gone].spec.slot for gone in former.keys() - self.endpoints.keys()}

    def _adopt_endpoint(self, endpoint: EndpointHealth, known: EndpointHealth | None, known_in: HealthTable) -> None:
        slot, owner = endpoint.spec.slot, self._columns["endpoint_identity"]
        if known is not None and (known_in is not self.table or known.spec.slot != slot):
            self.table.copy_endpoint(known_in, known.spec.slot, slot)
        elif owner[slot] != endpoint.spec.identity:
            self.table.clear_endpoint(slot)
        owner[slot] = endpoint.spec.identity
        measured = self._columns["endpoint_measured"]
        if known is not None and endpoint.probed:
            endpoint.series = known.series
            for series in endpoint.series:
                series.endpoint = endpoint
        if endpoint.probed:
            endpoint.state = measured[slot] & STATE_MASK
        else:  # nobody probes it
            measured[slot] = UNKNOWN
            self._streak[slot] = 0
        endpoint.effective = self._columns["endpoint_state"][slot]
        endpoint.pool.endpoints.append(endpoint)
        self.endpoints[endpoint.spec.identity] = endpoint

    def _adopt_pool(self, pool: PoolHealth, known: PoolHealth | None) -> None:
        slot, owner, mine = pool.spec.slot, self._columns["pool_identity"], identity(pool.spec.name)
        if owner[slot] != mine:
            self.table.clear_pool(slot)
            owner[slot] = mine
        pool.effective = known.effective if known is not None else self._columns["pool_state"][slot]

    def _adopt_balancers(self, balancers: Iterable[BalancerSpec]) -> None:
        words = {balancer.spec.name: balancer.word for balancer in self.balancers}
        self.balancers = []
        for spec in balancers:
            balancer = BalancerHealth(spec)
            balancer.word = words.get(spec.name, "")
            for name in dict.fromkeys(spec.pools):
                pool = self.pools.get(name)
                if pool is not None and pool.spec.enabled:
                    balancer.pools.append(pool)
                    pool.balancers.append(balancer)
            self.balancers.append(balancer)

    def begin_series(self, endpoint: EndpointHealth, member: Member, address: str, vantage: Vantage) -> Series:
        """Add a series to an endpoint; it begins in the endpoint's state, and with its streak where it is alone."""
        series = Series(self, endpoint, member, address, vantage)
        endpoint.series.append(series)
        series.streak = self._streak[endpoint.spec.slot] if len(endpoint.series) == 1 else 0
        series.rtt_us = self._rtt[endpoint.spec.slot] if series.state == HEALTHY else 0
        return series

    def end_series(self, endpoint: EndpointHealth, series: Series) -> None:
        """Take a series away; its endpoint is judged by those that are left."""
        if series in endpoint.series:
            endpoint.series.remove(series)
        if endpoint.series:
            self._judge(endpoint, endpoint.series[0])

    # --- results ---

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
            self.on_address(endpoint)
        self._note(endpoint, series, result, now_s, single)

    def unresolved(self, endpoint: EndpointHealth) -> None:
        """Take it that an endpoint's name leads nowhere: it is down, and no series decides that."""
        if not endpoint.probed:
            return
        slot = endpoint.spec.slot
        self._reason[slot] = Reason.DNS_UNKNOWN_HOST
        self._checks[slot] += 1
        self._checked_at[slot] = self._wall()
        self._set_state(endpoint, verdict.UNHEALTHY, None, _UNRESOLVED)

    def _note(self, endpoint: EndpointHealth, series: Series, result: Result, now_s: float, single: bool) -> None:
        """Write what people want to know of the last result."""
        slot = endpoint.spec.slot
        self._checks[slot] += 1
        self._checked_at[slot] = now_s
        if result.healthy:
            self._passed[slot] += 1
        if single:
            self._streak[slot] = series.streak
            self._code[slot] = result.code
            self._reason[slot] = result.reason
            if result.healthy:
                self._rtt[slot] = min(result.rtt_us, 0xFFFFFFFF)
        else:
            shown = _telling(endpoint.series)
            self._streak[slot] = 0
            self._code[slot] = shown.last.code
            self._reason[slot] = shown.last.reason
            self._rtt[slot] = min(int(_mean_rtt_us(endpoint.series)), 0xFFFFFFFF)
        if result.healthy:
            pool = endpoint.pool
            self._sampled[pool] = None
            if not self._pool_rtt[pool.spec.slot * REGION_COUNT + latency.regions_of(series.vantage.region)[0]]:
                self._sample(pool, now_s)

    def _judge(self, endpoint: EndpointHealth, cause: Series) -> None:
        """Put an endpoint's series together: vantage points first, then members, then addresses."""
        series = endpoint.series
        if len(series) == 1 and cause.member.votes:
            state = cause.state
        else:
            state = quorum.any_address(self._address_states(series))
        self._set_state(endpoint, state, cause, cause.last)

    def _address_states(self, series: Sequence[Series]) -> list[int]:
        now_s = self._wall()
        reports: dict[str, dict[Member, list[quorum.Report]]] = {}
        for one in series:
            members = reports.setdefault(one.address, {})
            if one.member.votes:
                members.setdefault(one.member, []).append(
                    quorum.Report(one.vantage.name, one.vantage.region, one.state, one.at_s, one.good_for_s)
                )
        return [
            quorum.group_state(
                (quorum.agree(heard, now_s), member.must_be_healthy) for member, heard in members.items()
            )
            for members in reports.values()
        ]

    def _set_state(self, endpoint: EndpointHealth, state: int, cause: Series | None, result: Result) -> None:
        if state == endpoint.state:
            return
        before, endpoint.state = endpoint.state, state
        slot = endpoint.spec.slot
        effective = forced.endpoint_byte(state, endpoint.forced)
        self._columns["endpoint_state"][slot] = effective
        self._columns["endpoint_measured"][slot] = state
        since_s, now_s = self._columns["endpoint_since"][slot], self._wall()
        hidden = effective == endpoint.effective
        probes = deciding(endpoint.series, cause)
        if not hidden:
            endpoint.effective = effective
            self._columns["endpoint_since"][slot] = now_s
            self._recount(endpoint.pool, "measured", probes)
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

    # --- pools and load balancers ---

    def _recount(self, pool: PoolHealth, cause: str, probes: tuple[Seen, ...] = ()) -> None:
        """Derive a pool's bytes from its endpoints', and the load balancers' words from its own."""
        spec = pool.spec
        enabled = [endpoint for endpoint in pool.endpoints if endpoint.spec.enabled]
        minimum, monitored = spec.minimum_origins, spec.monitored
        effectives = [endpoint.effective for endpoint in enabled]
        measured = pool_state([endpoint.state for endpoint in enabled], minimum, monitored)
        effective = effective_byte(effectives, minimum, monitored, pool.forced)
        self._columns["pool_state"][spec.slot] = effective
        self._columns["pool_measured"][spec.slot] = measured
        before, pool.effective = pool.effective, effective
        if (before ^ effective) & STATE_MASK == 0:
            return
        now_s, since_s = self._wall(), self._columns["pool_since"][spec.slot]
        self._columns["pool_since"][spec.slot] = now_s
        up = sum(endpoint.effective & STATE_MASK == HEALTHY for endpoint in enabled)
        told = f"{up} of {len(enabled)} endpoints up, {max(spec.minimum_origins, 1)} needed" if monitored else ""
        if pool.forced:
            told = _forced_text(pool.forced)
        if spec.enabled:
            self._report(
                HealthChange(
                    at_s=now_s,
                    kind="pool",
                    name=spec.name,
                    before=verdict.POOL_WORDS[before & STATE_MASK],
                    after=verdict.POOL_WORDS[effective & STATE_MASK],
                    pool=spec.name,
                    detail=told,
                    was_for_s=now_s - since_s if since_s else 0.0,
                    cause=cause,
                    probes=probes,
                )
            )
        for balancer in pool.balancers:
            self._reword(balancer, cause, probes)

    def _reword(self, balancer: BalancerHealth, cause: str, probes: tuple[Seen, ...]) -> None:
        word = verdict.load_balancer_word(pool.effective for pool in balancer.pools)
        before, balancer.word = balancer.word, word
        if before in ("", word):
            return
        detail = f"fallback pool {balancer.spec.fallback} serves" if word == "critical" else ""
        self._report(
            HealthChange(
                at_s=self._wall(),
                kind="load_balancer",
                name=balancer.spec.name,
                before=before,
                after=word,
                detail=detail,
                cause=cause,
                probes=probes,
            )
        )

    # --- forced states ---

    def force(self, entries: tuple[Forced, ...]) -> None:
        """Put the operator's orders over what is measured; also to be called when one expires."""
        self._forced = entries
        for pool in self.pools.values():
            if self._overlay(pool):
                self._recount(pool, "forced")

    def _overlay(self, pool: PoolHealth) -> bool:
        """Apply the orders to a pool and its endpoints; True where one of the bytes may have changed."""
        now_s = self._wall()
        found = forced.find(self._forced, now_s, pool.spec.name) if self._forced else None
        changed = found != pool.forced
        pool.forced = found
        for endpoint in pool.endpoints:
            order = forced.find(self._forced, now_s, pool.spec.name, endpoint.spec.name) if self._forced else None
            effective = forced.endpoint_byte(endpoint.state, order)
            changed = changed or order != endpoint.forced or effective != endpoint.effective
            before, endpoint.forced, endpoint.effective = endpoint.effective, order, effective
            self._columns["endpoint_state"][endpoint.spec.slot] = effective
            if (before ^ effective) & STATE_MASK:
                self._tell_forced(endpoint, before, order, now_s)
        return changed

    def _tell_forced(self, endpoint: EndpointHealth, before: int, order: Forced | None, now_s: float) -> None:
        slot, spec = endpoint.spec.slot, endpoint.spec
        since_s = self._columns["endpoint_since"][slot]
        self._columns["endpoint_since"][slot] = now_s
        self._report(
            HealthChange(
                at_s=now_s,
                kind="endpoint",
                name=f"{spec.pool}/{spec.name}",
                before=verdict.ENDPOINT_WORDS[before & STATE_MASK],
                after=verdict.ENDPOINT_WORDS[endpoint.effective & STATE_MASK],
                pool=spec.pool,
                endpoint=spec.name,
                address=spec.address,
                detail=_forced_text(order) if order else "no longer forced" if before & COUNTS else "not probed",
                was_for_s=now_s - since_s if since_s else 0.0,
                cause="forced" if order or before & COUNTS else "configuration",
            )
        )

    # --- round-trip times ---

    def sample(self) -> None:
        """Put the pools' round-trip times into the table, of those that had a good result since the last call."""
        sampled, self._sampled = self._sampled, {}
        now_s = self._wall()
        for pool in sampled:
            self._sample(pool, now_s)

    def _sample(self, pool: PoolHealth, now_s: float) -> None:
        regions: dict[str, list[float]] = {}
        for endpoint in pool.endpoints:
            if endpoint.state != HEALTHY:
                continue
            by_region: dict[str, list[Series]] = {}
            for series in endpoint.series:
                by_region.setdefault(series.vantage.region, []).append(series)
            for region, heard in by_region.items():
                mean_us = _mean_rtt_us(heard)
                if mean_us:
                    regions.setdefault(region, []).append(mean_us)
        for region, means in regions.items():
            latency.sample(self._columns, pool.spec.slot, region, sum(means) / len(means) / 1000.0, now_s)


def _mean_rtt_us(series: Iterable[Series]) -> float:
    """The mean round-trip time over voting series that have one; 0 where none has."""
    times = [one.rtt_us for one in series if one.rtt_us and one.member.votes]
    return sum(times) / len(times) if times else 0.0


def _telling(series: Sequence[Series]) -> Series:
    """The series whose last result says most about an endpoint: one that is down, else that failed, else the latest."""
    return max(series, key=lambda one: (one.member.votes and one.state != HEALTHY, not one.last.healthy, one.at_s))


def _forced_text(order: Forced) -> str:
    return f"forced {order.state}" + (f": {order.why}" if order.why else "")
