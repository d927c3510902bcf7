"""The health of pools seen from each place: the rows of a matrix of pools and vantage points."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from fastapi import APIRouter, Response

from lbdns.base.kinds import Kind
from lbdns.base.words import OWN_PATH
from lbdns.manage.api.frame.admission import belongs_to
from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.live import running
from lbdns.manage.api.frame.live_health import has_health
from lbdns.manage.api.frame.openapi import ID, describe, nullable
from lbdns.manage.api.frame.paging import OptionalPaging
from lbdns.manage.api.frame.site import CurrentSite
from lbdns.manage.api.own.running_server import Names
from lbdns.manage.api.v4.pool_health import health_by_place
from lbdns.manage.store.token_scopes import POOLS
from lbdns.model.pool import Pool
from lbdns.places.regions import REGION_CODES
from lbdns.publish.publisher import Published

_REASONS: Final = {"type": "object", "additionalProperties": {"type": "integer"}}
_PLACE: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "healthy": {"type": "boolean"},
        "up": {"type": "integer", "description": "endpoints that are healthy as seen from there"},
        "origins": {"type": "integer", "description": "endpoints that are probed from there"},
        "rtt_ms": {**nullable({"type": "number"}), "description": "mean of those that are healthy"},
        "reasons": {**_REASONS, "description": "why the others are not -> how many"},
    },
    "required": ["healthy", "up", "origins", "rtt_ms", "reasons"],
    "additionalProperties": False,
}
_SEEN: Final[dict[str, Any]] = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "id": nullable(ID),
            "name": {"type": "string"},
            "places": {"type": "object", "additionalProperties": _PLACE},
            "regions_rtt_ms": {
                "type": "object",
                "description": "by region: the moving average that steering by latency goes by",
                "additionalProperties": {"type": "number"},
            },
        },
        "required": ["id", "name", "places", "regions_rtt_ms"],
        "additionalProperties": False,
    },
}

router = APIRouter(prefix=OWN_PATH, tags=["lbdns"], dependencies=[belongs_to(POOLS)])


@router.get("/health/places", summary="Show pools as each place sees them", **describe(_SEEN, paged=True))
def list_places(site: CurrentSite, paging: OptionalPaging, pool: Names = []) -> Response:  # noqa: B006
    """Show how each pool is, seen from each place that probes it: all pools, or those of the names `pool`."""
    published = running(site).in_force()
    ids = {item.name: item.id for item in site.state.all(Kind.POOL).values()}
    served = published.configuration.pools
    page, info = paging.of([served[name] for name in pool if name in served] if pool else list(served.values()))
    return ok([{"id": ids.get(one.name), **_seen(one, published)} for one in page], info)


def _seen(pool: Pool, published: Published) -> dict[str, Any]:
    by_place = health_by_place(pool, published) if has_health(pool, published) else {}
    first = published.slots.pool[pool.name] * len(REGION_CODES)
    figures = published.table.columns["pool_rtt"][first : first + len(REGION_CODES)]
    return {
        "name": pool.name,
        "places": {place: _from_place(seen) for place, seen in by_place.items()},
        "regions_rtt_ms": {code: round(ms, 3) for code, ms in zip(REGION_CODES, figures, strict=True) if ms > 0},
    }


def _from_place(seen: dict[str, Any]) -> dict[str, Any]:
    """Return in short what a place sees: pool_health.py has it endpoint by endpoint."""
    found = [one for origin in seen["origins"] for one in origin.values()]
    times = [float(one["rtt"].removesuffix("ms")) for one in found if one["healthy"]]
    measured = [ms for ms in times if ms > 0]
    return {
        "healthy": seen["healthy"],
        "up": len(times),
        "origins": len(found),
        "rtt_ms": round(sum(measured) / len(measured), 3) if measured else None,
        "reasons": dict(Counter(one["failure_reason"] for one in found if not one["healthy"])),
    }
