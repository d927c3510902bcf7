"""Pools and load balancers: derived anew when an endpoint or an order changed, and told where that changed them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from lbdns.base.words import Health
from lbdns.health import verdict
from lbdns.health.events import HealthChange, Seen, lasted_s
from lbdns.health.pool_state import effective_byte, pool_state
from lbdns.health.verdict import HEALTHY, SHOWN_MASK, STATE_MASK, TAKES_TRAFFIC, UNRESOLVED
from lbdns.monitor.ledger.states import BalancerHealth, EndpointHealth, PoolHealth
from lbdns.monitor.ledger.table_rows import TableRows


class PoolChanges:
    """Writes the pools' bytes, and reports the changes of pools and load balancers.

    `lacks_answers` tells, by a pool's name, whether `decide` passes it over as unresolved.
    """

    def __init__(self, rows: TableRows, wall: Callable[[], float], report: Callable[[HealthChange], None]) -> None:
        """Write to `rows`; `wall` gives unix seconds, `report` is told every change."""
        self._rows = rows
        self._wall = wall
        self._report = report
        self.lacks_answers: Callable[[str], bool] = lambda pool: False
        self._held: dict[str, tuple[PoolHealth, str, tuple[Seen, ...]]] | None = None

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Count each pool once, at the end, whose endpoints change in between: what happens at once is one change."""
        self._held = {}
        try:
            yield
        finally:
            held, self._held = self._held, None
            for pool, cause, probes in held.values():
                self.recount(pool, cause, probes)

    def put_endpoint(self, endpoint: EndpointHealth, byte: int) -> None:
        """Write an endpoint's effective byte into the health table.

        Where its pool has nobody left by that, the pool's byte is written first: `decide` must never meet a pool that
        takes traffic and has no endpoint to answer with, however long the writer is held up in between, or killed.
        What is told of the pool follows by `recount`.
        """
        pool = endpoint.pool
        spec, rows = pool.spec, self._rows
        if rows.pool_state[spec.slot] & TAKES_TRAFFIC:
            effective = effective_byte(
                [byte if one is endpoint else one.effective for one in pool.endpoints if one.spec.enabled],
                spec.minimum_origins,
                spec.monitored,
                pool.forced,
            )
            if not effective & TAKES_TRAFFIC:
                rows.pool_state[spec.slot] = effective
        rows.endpoint_state[endpoint.spec.slot] = byte

    def recount(self, pool: PoolHealth, cause: str, probes: tuple[Seen, ...] = ()) -> None:
        """Derive a pool's bytes from its endpoints', and the load balancers' words from its own.

        `cause` and `probes` are a change's evidence, as in HealthChange.
        """
        if self._held is not None:
            self._held[pool.spec.name] = pool, cause, probes
            return
        spec, rows = pool.spec, self._rows
        enabled = [endpoint for endpoint in pool.endpoints if endpoint.spec.enabled]
        effective = effective_byte(
            [endpoint.effective for endpoint in enabled],
            spec.minimum_origins,
            spec.monitored,
            pool.forced,
            self._is_unresolved(pool, enabled),
        )
        rows.pool_state[spec.slot] = effective
        rows.pool_measured[spec.slot] = pool_state(
            [endpoint.state for endpoint in enabled], spec.minimum_origins, spec.monitored
        )
        before, pool.effective = pool.effective, effective
        word_before, pool.word = pool.word, verdict.shown_pool_word(effective, spec.monitored)
        if (before ^ effective) & SHOWN_MASK == 0:
            return
        now_s, since_s = self._wall(), rows.pool_since[spec.slot]
        rows.pool_since[spec.slot] = now_s
        if spec.enabled and pool.word != word_before:
            self._report(
                HealthChange(
                    at_s=now_s,
                    kind="pool",
                    name=spec.name,
                    before=word_before,
                    after=pool.word,
                    pool=spec.name,
                    detail=_why(pool, enabled),
                    was_for_s=lasted_s(since_s, now_s),
                    cause=cause,
                    probes=probes,
                )
            )
        for balancer in pool.balancers:
            self._reword(balancer, cause, probes)

    def _is_unresolved(self, pool: PoolHealth, enabled: list[EndpointHealth]) -> bool:
        """Tell whether answers pass a pool over for want of hostnames that resolve; not while some of them are still
        looked up for the first time."""
        if not pool.spec.enabled or not any(endpoint.is_unresolved for endpoint in enabled):
            return False
        counts = self._rows.resolved_count
        awaited = (one for one in enabled if one.spec.is_name and one.spec.must_resolve and not one.is_unresolved)
        if not all(counts[2 * one.spec.slot] or counts[2 * one.spec.slot + 1] for one in awaited):
            return False
        return self.lacks_answers(pool.spec.name)

    def _reword(self, balancer: BalancerHealth, cause: str, probes: tuple[Seen, ...]) -> None:
        word = verdict.load_balancer_word(pool.effective for pool in balancer.pools)
        before, balancer.word = balancer.word, word
        if before in ("", word):
            return
        detail = f"fallback pool {balancer.spec.fallback} serves" if word == Health.CRITICAL else ""
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


def _why(pool: PoolHealth, enabled: list[EndpointHealth]) -> str:
    """Say what a pool's state follows from; nothing where nobody looks after it."""
    if pool.effective & UNRESOLVED:
        return "none of its hostnames has an address"
    if pool.forced:
        return pool.forced.text
    if not pool.spec.monitored:
        return ""
    up = sum(endpoint.effective & STATE_MASK == HEALTHY for endpoint in enabled)
    return f"{up} of {len(enabled)} endpoints up, {max(pool.spec.minimum_origins, 1)} needed"
