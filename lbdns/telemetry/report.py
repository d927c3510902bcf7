"""What the server says of itself, as plain values: the health of pools and endpoints, and its own state."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from lbdns.base.memo import ByObject
from lbdns.base.words import Health
from lbdns.health import forced, verdict
from lbdns.health.events import duration_text
from lbdns.health.forced import Forced
from lbdns.health.reasons import REASONS, Reason
from lbdns.health.verdict import COUNTS, UNRESOLVED, load_balancer_word
from lbdns.mapped.endpoint_rows import EndpointRow, read_endpoint
from lbdns.mapped.vantage_rows import FILE, VantageRows
from lbdns.model.balancer import LoadBalancer
from lbdns.model.configuration import Configuration
from lbdns.model.pool import Endpoint, Pool
from lbdns.model.view_names import VIEW
from lbdns.publish.monitor_targets import vantages_of
from lbdns.publish.network_health import NetworkHealth
from lbdns.publish.of_generation import OfGeneration
from lbdns.publish.publisher import Published

Columns = Mapping[str, "memoryview[Any]"]
_pool_names: Final[ByObject[tuple[str, ...]]] = ByObject()
"""The pools of each load balancer, from one report to the next."""


def health_report(
    published: Published, orders: Sequence[Forced] = (), pools_wanted: Collection[str] | None = None
) -> dict[str, Any]:
    """Return the health of every pool, endpoint and load balancer of a generation, with the evidence; of the pools of
    some names alone, and of no load balancer, where `pools_wanted` says so.

    `orders` are the operators' forced states. Times are unix seconds, round-trip times milliseconds; None stands for
    what is not known, or not the case.
    """
    columns = published.table.columns
    configuration = published.configuration
    now_s = time.time()

    def order(pool: str, endpoint: str = "") -> dict[str, Any] | None:
        found = forced.find(orders, now_s, pool, endpoint)
        if found is None:
            return None
        return {"state": found.state, "set": found.set_at_s, "until": found.until_s, "why": found.why}

    resorts = _resorts.of(published)
    networks = NetworkHealth(published)
    wanted = (
        configuration.pools if pools_wanted is None else [one for one in pools_wanted if one in configuration.pools]
    )
    pools = [
        _pool(pool, published, networks, pool.name in resorts) for pool in map(configuration.pools.__getitem__, wanted)
    ]
    for pool in pools if orders else ():
        pool["order"] = order(pool["name"])
        for endpoint in pool["origins"]:
            endpoint["order"] = order(pool["name"], endpoint["name"])
    if configuration.settings.fleet is not None:
        add_agreed(published, pools)
    return {
        "generation": published.generation,
        "monitor": {"silent_s": silent_s(columns), "frozen_since": columns["frozen_since"][0] or None},
        "virtual_networks": _networks(networks),
        "pools": pools,
        "load_balancers": [] if pools_wanted is not None else _load_balancers(configuration, published, columns),
    }


def add_agreed(published: Published, pools: Sequence[dict[str, Any]]) -> None:
    """Say of each endpoint, in a report of a machine of a fleet, when its state was agreed last, and by how many of the
    fleet, where the machine is cut off and its own probes do not say that it is up; None elsewhere."""
    # Needed by who is in a fleet alone.
    from lbdns.fleet.told_hearing import read_hearing

    hearing = read_hearing(published.table.path.parent)
    text = None
    if hearing is not None and hearing.cut_off_since_s is not None:
        ago = duration_text(time.monotonic() - hearing.cut_off_since_s)
        text = f"agreed {ago} ago by {hearing.agreed_by} of {len(hearing.known) + 1}"
    table, configuration = published.table, published.configuration
    rows = VantageRows.attach(table.path.with_name(FILE), table.layout_id) if text else None
    own = [one.name for one in vantages_of(configuration.settings)]
    try:
        for told in pools:
            pool = configuration.pools[told["name"]]
            for endpoint, shown in zip(pool.origins, told["origins"], strict=True):
                slot = published.slots.endpoint[pool.endpoint_key(endpoint)]
                seen = [rows.view(slot, name) for name in own] if rows is not None else []
                is_up = any(view is not None and view.state == verdict.HEALTHY for view in seen)
                is_held = shown["state"] in (Health.HEALTHY, Health.UNHEALTHY) and not is_up
                shown["agreed"] = text if is_held else None
    finally:
        if rows is not None:
            rows.close()


def silent_s(columns: Columns) -> float | None:
    """Return for how long the monitor worker has given no sign of life; None where it never has."""
    beat_ns = columns["heartbeat_ns"][0]
    return (time.monotonic_ns() - beat_ns) / 1e9 if beat_ns else None


def _last_resorts(configuration: Configuration) -> frozenset[str]:
    """Return the pools that load balancers have as their fallback alone: their health decides no answer."""
    enabled = [one for one in configuration.load_balancers if one.enabled]
    candidates = frozenset().union(*(one.candidate_names() for one in enabled))
    return frozenset().union(*(one.fallback_names() for one in enabled)) - candidates


_resorts: Final = OfGeneration(lambda published: _last_resorts(published.configuration))


def _networks(networks: NetworkHealth) -> list[dict[str, Any]]:
    counts = networks.endpoint_counts()
    return [
        {
            "name": row.name,
            "state": row.state,
            "reason": row.why or None,
            "since": row.since or None,
            "endpoints": counts[row.name],
        }
        for row in networks.rows.values()
    ]


def _pool(pool: Pool, published: Published, networks: NetworkHealth, is_last_resort: bool) -> dict[str, Any]:
    slot, columns = published.slots.pool[pool.name], published.table.columns
    return {
        "name": pool.name,
        "state": _shown_word(pool, published, is_last_resort),
        "measured": verdict.pool_word(columns["pool_measured"][slot]),
        "forced": bool(columns["pool_state"][slot] & COUNTS),
        "order": None,
        "since": columns["pool_since"][slot] or None,
        "monitor": pool.monitor or pool.monitor_group,
        "minimum_origins": pool.minimum_origins,
        "origins": [_endpoint(pool, endpoint, published, networks) for endpoint in pool.origins],
    }


def _endpoint(pool: Pool, endpoint: Endpoint, published: Published, networks: NetworkHealth) -> dict[str, Any]:
    row = endpoint_row(pool, endpoint, published)
    return {
        "name": endpoint.name,
        "address": endpoint.address,
        "virtual_network": networks.network_of(endpoint) or None,
        "state": endpoint_word(pool, endpoint, row.state),
        "measured": verdict.endpoint_word(row.measured),
        "forced": bool(row.state & COUNTS),
        "order": None,
        "since": row.since or None,
        "checked": row.checked_at or None,
        "reason": _reason(endpoint, row, networks),
        "code": row.code or None,
        "rtt_ms": row.rtt_us / 1000 or None,
        "checks": row.checks,
        "passed": row.passed,
        "streak": row.streak,
    }


def _shown_word(pool: Pool, published: Published, is_last_resort: bool) -> str:
    """Return the word for a pool; a last resort has no health, but may have nothing to answer with."""
    word = pool_word(pool, published)
    has_no_health = is_last_resort and word not in (Health.DISABLED, Health.UNRESOLVED)
    return Health.NO_HEALTH if has_no_health else word


def pool_word(pool: Pool, published: Published) -> str:
    """Return a pool's state in a word: one of `Health`."""
    state = published.table.columns["pool_state"][published.slots.pool[pool.name]]
    return verdict.shown_pool_word(state, pool.is_monitored) if pool.enabled else Health.DISABLED


def endpoint_row(pool: Pool, endpoint: Endpoint, published: Published) -> EndpointRow:
    """Return what the health table says of an endpoint, all of one moment."""
    slot = published.slots.endpoint[pool.endpoint_key(endpoint)]
    return read_endpoint(published.table.columns, slot)


def endpoint_word(pool: Pool, endpoint: Endpoint, state: int) -> str:
    """Return an endpoint's effective byte in a word: one of `Health`."""
    return _word(endpoint.is_used, pool.is_monitored, state, verdict.endpoint_word)


def _reason(endpoint: Endpoint, row: EndpointRow, networks: NetworkHealth) -> str | None:
    if row.state & UNRESOLVED:
        return REASONS[Reason.DNS_UNKNOWN_HOST]
    return networks.told(endpoint, row.reason) if row.checks else None


def _word(enabled: bool, monitored: bool, state: int, word: Callable[[int], str]) -> str:
    if not enabled:
        return Health.DISABLED
    if not monitored and not state & (COUNTS | UNRESOLVED):
        return Health.NO_MONITOR
    return word(state)


def _load_balancers(configuration: Configuration, published: Published, columns: Columns) -> list[dict[str, Any]]:
    with _pool_names.round():
        return [_load_balancer(one, configuration, published, columns) for one in configuration.load_balancers]


def _load_balancer(
    load_balancer: LoadBalancer, configuration: Configuration, published: Published, columns: Columns
) -> dict[str, Any]:
    names = _pool_names.find(load_balancer)
    if names is None:
        names = tuple(dict.fromkeys(name for _, pools in load_balancer.pool_lists() for name in pools))
        _pool_names.keep(load_balancer, names)
    pools, slots, state = configuration.pools, published.slots.pool, columns["pool_state"]
    states = [state[slots[name]] for name in names if pools[name].enabled]
    return {
        "name": load_balancer.name,
        **({VIEW: load_balancer.view} if load_balancer.view else {}),
        "type": load_balancer.type,
        "state": load_balancer_word(states) if load_balancer.enabled else Health.DISABLED,
        "pools": list(names),
        "fallback": load_balancer.fallback_pool,
    }
