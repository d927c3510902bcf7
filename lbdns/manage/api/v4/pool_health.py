"""The health of a pool as the running server sees it, in the shape of the v4 API: by place, endpoint by endpoint.

A place is a vantage point that probes the pool, by its name; where none is configured, this server's PoP, else its
region, else "local". In a fleet each machine is one, by its name, with what it probes: by far not all of them probe
everything. What several vantage points agree on, which answers follow, is `healthy` of the pool and its
origins.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, Depends, Response

from lbdns.base.kinds import Kind
from lbdns.health.pool_state import pool_state
from lbdns.health.reasons import REASONS, Reason
from lbdns.health.verdict import COUNTS, ENDPOINT_WORDS, HEALTHY, STATE_MASK, TAKES_TRAFFIC, UNHEALTHY, UNRESOLVED
from lbdns.manage.api.frame.admission import belongs_to
from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.live import running
from lbdns.manage.api.frame.live_health import has_health
from lbdns.manage.api.frame.openapi import ID, describe
from lbdns.manage.api.frame.site import CurrentSite, ObjectId, own_account
from lbdns.manage.api.v4.balancing import ACCOUNT
from lbdns.manage.store.refusals import NotFound
from lbdns.manage.store.token_scopes import POOLS
from lbdns.mapped.endpoint_rows import EndpointRow, read_endpoint
from lbdns.mapped.vantage_rows import FILE, VantageRows
from lbdns.model.pool import Endpoint, Pool
from lbdns.model.settings import Settings
from lbdns.model.targets_document import Vantage
from lbdns.monitor.probe_plan import reaching, standing_in
from lbdns.publish.monitor_targets import vantages_of
from lbdns.publish.network_health import NetworkHealth
from lbdns.publish.publisher import Published

LOCAL: Final = "local"
NO_RESULT: Final = "No result yet"
DISABLED: Final = "Disabled"
NOBODYS_ADDRESS: Final = "The address of no host"
ENDPOINT_HEALTH: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "healthy": {"type": "boolean"},
        "rtt": {"type": "string", "description": "such as 12.1ms"},
        "failure_reason": {"type": "string"},
        "response_code": {"type": "integer"},
        "virtual_network": {"type": "string", "description": "the network that the endpoint stands in; ours"},
    },
    "required": ["healthy", "rtt", "failure_reason", "response_code"],
    "additionalProperties": False,
}
POOL_HEALTH: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "healthy": {"type": "boolean"},
        "origins": {
            "type": "array",
            "description": "one object each, whose only key is the endpoint's address: two where two networks have it",
            "items": {
                "type": "object",
                "additionalProperties": ENDPOINT_HEALTH,
                "minProperties": 1,
                "maxProperties": 1,
            },
        },
    },
    "required": ["healthy", "origins"],
    "additionalProperties": False,
}
_HEALTH: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"pool_id": ID, "pop_health": {"type": "object", "additionalProperties": POOL_HEALTH}},
    "required": ["pool_id", "pop_health"],
    "additionalProperties": False,
}

router = APIRouter(tags=["pools"], dependencies=[belongs_to(POOLS), Depends(own_account)])


@router.get(f"{ACCOUNT}/pools/{{id}}/health", summary="Show the health of a pool", **describe(_HEALTH))
def show_health(site: CurrentSite, id: ObjectId) -> Response:
    """Show what the running server knows; no place where nobody looks after the pool's health."""
    item = site.state.get(Kind.POOL, id)
    if item is None:
        raise NotFound(Kind.POOL, id)
    published = running(site).in_force()
    pool = published.configuration.pools.get(item.name)
    if pool is None or not has_health(pool, published):
        return ok({"pool_id": id, "pop_health": {}})
    return ok({"pool_id": id, "pop_health": health_by_place(pool, published)})


def health_by_place(pool: Pool, published: Published) -> dict[str, Any]:
    """Return a pool's health by place, as the v4 API says it."""
    settings, table = published.configuration.settings, published.table
    vantages = (*vantages_of(settings), *_vantages_elsewhere(settings, table.path.parent))
    rows = VantageRows.attach(table.path.with_name(FILE), table.layout_id) if len(vantages) > 1 else None
    probing = standing_in(pool.check_regions or (), vantages)
    try:
        networks = NetworkHealth(published)
        found: dict[str, Any] = {}
        for one in probing:
            endpoints = _endpoints_of(one, pool, probing, networks)
            if settings.fleet is not None and rows is not None:
                endpoints = [endpoint for endpoint in endpoints if _is_seen(pool, endpoint, published, one.name, rows)]
                if not endpoints:
                    continue
            place = one.name if settings.vantage_points or settings.fleet is not None else _place_of(settings)
            found[place] = _pool(pool, endpoints, networks, one.name, rows)
        return found
    finally:
        if rows is not None:
            rows.close()


def _vantages_elsewhere(settings: Settings, run_dir: Path) -> tuple[Vantage, ...]:
    """Return the vantage points of the other machines of the fleet, none where there is none."""
    if settings.fleet is None:
        return ()
    # Needed by who is in a fleet alone.
    from lbdns.fleet.told_hearing import read_hearing

    told = read_hearing(run_dir)
    return () if told is None else tuple(Vantage(one.name, one.region) for one in told.vantages)


def _is_seen(pool: Pool, endpoint: Endpoint, published: Published, vantage: str, rows: VantageRows) -> bool:
    """Tell whether a vantage point of the fleet has a result of an endpoint, one among those that share the probes."""
    return rows.view(published.slots.endpoint[pool.endpoint_key(endpoint)], vantage) is not None


def _endpoints_of(vantage: Vantage, pool: Pool, probing: Sequence[Vantage], networks: NetworkHealth) -> list[Endpoint]:
    """Return the endpoints that a vantage point can probe; names may have addresses of either family, and the way into
    a virtual network has a source of its own."""

    def is_reached(endpoint: Endpoint) -> bool:
        return (
            endpoint.ip is None
            or networks.is_way_given(endpoint)
            or any(one.name == vantage.name for one in reaching(probing, endpoint.address))
        )

    return [endpoint for endpoint in pool.origins if is_reached(endpoint)]


def _place_of(settings: Settings) -> str:
    """Return what this server's place is called."""
    return settings.pop.code or settings.pop.region or LOCAL


def endpoint_health(healthy: bool, rtt_us: int, reason: str, code: int) -> dict[str, Any]:
    """Return the health of one endpoint as the v4 API says it."""
    return {"healthy": healthy, "rtt": f"{rtt_us / 1000:.1f}ms", "failure_reason": reason, "response_code": code}


def _pool(
    pool: Pool, endpoints: Sequence[Endpoint], networks: NetworkHealth, vantage: str, rows: VantageRows | None
) -> dict[str, Any]:
    """Return a pool's health as a vantage point sees it; without `rows` it speaks alone, and the table says it."""
    published = networks.published
    state: int = published.table.columns["pool_state"][published.slots.pool[pool.name]]
    origins = [(one, _endpoint(pool, one, networks, vantage, rows)) for one in endpoints]
    for one, found in origins if networks.rows else ():
        if network := networks.network_of(one):
            found["virtual_network"] = network
    if rows is not None and not state & (COUNTS | UNRESOLVED):
        seen = [HEALTHY if found["healthy"] else UNHEALTHY for one, found in origins if one.is_used]
        state = pool_state(seen, pool.minimum_origins)
    return {
        "healthy": pool.enabled and bool(state & TAKES_TRAFFIC),
        "origins": [{one.address: found} for one, found in origins],
    }


def _endpoint(
    pool: Pool, endpoint: Endpoint, networks: NetworkHealth, vantage: str, rows: VantageRows | None
) -> dict[str, Any]:
    published = networks.published
    slot = published.slots.endpoint[pool.endpoint_key(endpoint)]
    row = read_endpoint(published.table.columns, slot)
    is_measured = endpoint.is_used and not row.state & (COUNTS | UNRESOLVED) and row.reason != Reason.DNS_UNKNOWN_HOST
    if rows is not None and is_measured:
        seen = rows.view(slot, vantage)
        if seen is None:
            return endpoint_health(False, 0, NO_RESULT, 0)
        return endpoint_health(seen.state == HEALTHY, seen.rtt_us, networks.told(endpoint, seen.reason), seen.code)
    return agreed_health(endpoint, row, networks)


def agreed_health(endpoint: Endpoint, row: EndpointRow, networks: NetworkHealth) -> dict[str, Any]:
    """Return an endpoint's health as answers follow it, from its row of the health table."""
    is_up = row.state & STATE_MASK == HEALTHY and not row.state & UNRESOLVED
    reason = networks.told(endpoint, row.reason) if row.checks else NO_RESULT
    if not endpoint.is_used:
        reason = DISABLED if not endpoint.enabled else NOBODYS_ADDRESS
    elif row.state & UNRESOLVED:
        reason = REASONS[Reason.DNS_UNKNOWN_HOST]
    elif row.state & COUNTS:
        measured = ENDPOINT_WORDS[row.measured & STATE_MASK]
        reason = f"Forced {'up' if is_up else 'down'} by an operator; measured {measured}"
    return endpoint_health(is_up, row.rtt_us, reason, row.code)
