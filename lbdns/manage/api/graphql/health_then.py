"""Health as it was: changes of endpoints as rows, and how pools and endpoints stood at a time.

the record of changes, and behind it what the history keeps longer --> rows of words
                                                                  '--> states by time
states now, as the running server has them  -> for what has not changed
round-trip times of the history, by the minute
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any, Final

from lbdns.base.errors import LbdnsError
from lbdns.base.kinds import Kind
from lbdns.base.words import Health
from lbdns.health.events import RECORD_MAX, HealthChange, read_events
from lbdns.health.reasons import REASONS
from lbdns.manage.api.frame.live_health import endpoint_is_up, pool_is_up
from lbdns.manage.api.frame.site import ApiSite
from lbdns.manage.api.v4.health_events import UP
from lbdns.manage.store.item import Item
from lbdns.manage.store.state import State
from lbdns.places.pops import region_at
from lbdns.publish.publisher import Published
from lbdns.telemetry.history.history_reader import EVENTS_MAX, HistoryReader

HEALTHY: Final = "Healthy"
UNHEALTHY: Final = "Unhealthy"
ROUND_TRIPS_S: Final = 3600
"""Round-trip times are read for so many seconds at once."""
_Key = tuple[str, str]
"""A pool's name, and an endpoint's; "" for the pool itself."""


class HealthHistory:
    """The health of one server, from now back."""

    def __init__(self, site: ApiSite, state: State, reader: HistoryReader) -> None:
        self._site = site
        self._state = state
        self._reader = reader
        pop = site.in_force.pop
        self._region = region_at(pop.code, pop.country, pop.region)
        self._round_trips: dict[int, Mapping[str, list[tuple[float, str, float]]]] = {}

    # --- as rows ---

    def rows(self, zone_id: str, since_s: float, until_s: float) -> Iterator[dict[str, Any]]:
        """Yield the changes of endpoints, oldest first: those of a zone's health checks and of the pools of its load
        balancers, or of all ("")."""
        for change in self._changes(since_s, until_s):
            if change.kind == "endpoint" and (not zone_id or zone_id in self._zones_of_pools.get(change.pool, ())):
                yield self._row(change)

    def _changes(self, since_s: float, until_s: float) -> Iterator[HealthChange]:
        recorded = read_events(self._site.settings.state_dir(), since_s, RECORD_MAX)
        first_s = min(recorded[0].at_s if recorded else until_s, until_s)
        if since_s < first_s:
            yield from self._reader.events(since_s, first_s, EVENTS_MAX)
        yield from (change for change in recorded if change.at_s < until_s)

    def _row(self, change: HealthChange) -> dict[str, Any]:
        pool = self._state.named(Kind.POOL, change.pool)
        is_up = change.after in UP
        return {
            "time": change.at_s,
            "check_id": pool.id if pool is not None else "",
            "check": change.endpoint if pool is not None and pool.zone_id else f"{change.pool}/{change.endpoint}",
            "check_monitor": change.monitor,
            "status": HEALTHY if is_up else UNHEALTHY,
            "changed": 1,
            "reason": change.reason or (REASONS[0] if is_up else change.detail),
            "fqdn": _address_of(pool, change.endpoint) or change.address,
            "address": change.address,
            "code": change.code,
            "vantage": change.vantage,
            "rtt_ms": round(change.rtt_us / 1000),
            "no_ms": 0,
            "interval": 1,
        }

    @cached_property
    def _zones_of_pools(self) -> Mapping[str, frozenset[str]]:
        """The zones whose health check a pool is, or whose load balancers name it, by its name."""
        found: dict[str, set[str]] = {}
        for balancer in self._state.all(Kind.LOAD_BALANCER).values():
            for id in balancer.references() if balancer.zone_id else ():
                pool = self._state.get(Kind.POOL, id)
                if pool is not None:
                    found.setdefault(pool.name, set()).add(balancer.zone_id)
        for pool in self._state.all(Kind.POOL).values():
            if pool.zone_id:
                found.setdefault(pool.name, set()).add(pool.zone_id)
        return {name: frozenset(zones) for name, zones in found.items()}

    # --- as states ---

    def pool_is_up(self, pool: str, at_s: float) -> bool | None:
        """Tell whether a pool took traffic by its health."""
        return self._was_up((pool, ""), at_s, self._pool_now)

    def endpoint_is_up(self, pool: str, endpoint: str, at_s: float) -> bool | None:
        """Tell whether an endpoint did."""
        return self._was_up((pool, endpoint), at_s, self._endpoint_now)

    def _was_up(self, key: _Key, at_s: float, now: Callable[[_Key], bool | None]) -> bool | None:
        changes = self._states.get(key, ())
        place = bisect_right(changes, at_s, key=lambda change: change.at_s)
        if place:
            return changes[place - 1].after in UP
        if changes:
            return None if changes[0].before in ("", Health.UNKNOWN) else changes[0].before in UP
        return now(key)

    @cached_property
    def _states(self) -> Mapping[_Key, list[HealthChange]]:
        found: dict[_Key, list[HealthChange]] = {}
        for change in read_events(self._site.settings.state_dir(), 0.0, EVENTS_MAX):
            if change.kind in ("pool", "endpoint") and not change.hidden:
                found.setdefault((change.pool, change.endpoint), []).append(change)
        return found

    @cached_property
    def _published(self) -> Published | None:
        server = self._site.manager.running
        try:
            return server.in_force() if server is not None else None
        except LbdnsError:  # nothing is served yet
            return None

    def _pool_now(self, key: _Key) -> bool | None:
        pool = self._published.configuration.pools.get(key[0]) if self._published is not None else None
        return pool_is_up(pool, self._published) if pool is not None and self._published is not None else None

    def _endpoint_now(self, key: _Key) -> bool | None:
        pool = self._published.configuration.pools.get(key[0]) if self._published is not None else None
        for one in pool.origins if pool is not None else ():
            if one.name == key[1] and pool is not None and self._published is not None:
                return endpoint_is_up(pool, one, self._published)
        return None

    # --- as round-trip times ---

    def rtt_ms(self, pool: str, at_s: float) -> float | None:
        """Return a pool's round-trip time from here as steering had it, None where there was none."""
        hour = int(at_s // ROUND_TRIPS_S)
        if hour not in self._round_trips:
            found: dict[str, list[tuple[float, str, float]]] = {}
            for one in self._reader.round_trips(hour * ROUND_TRIPS_S, (hour + 1) * ROUND_TRIPS_S):
                found.setdefault(one.pool, []).append((one.since_s, one.region, one.rtt_ms))
            self._round_trips[hour] = found
        before = [one for one in self._round_trips[hour].get(pool, ()) if one[0] <= at_s]
        own = [rtt_ms for _, region, rtt_ms in before if region == self._region]
        return own[-1] if own else before[-1][2] if before else None


def _address_of(pool: Item | None, endpoint: str) -> str:
    origins = pool.body.get("origins", ()) if pool is not None else ()
    return next((str(origin["address"]) for origin in origins if origin["name"] == endpoint), "")
