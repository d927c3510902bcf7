"""Health at a glance: how many of each kind are in which state, and what is wrong, the latest first."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response
from typing_extensions import TypedDict

from lbdns.base.words import OWN_PATH, Health
from lbdns.manage.api.frame.admission import belongs_to
from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.live import operate
from lbdns.manage.api.frame.openapi import describe
from lbdns.manage.api.frame.site import CurrentSite
from lbdns.manage.store.token_scopes import POOLS
from lbdns.model.view_names import VIEW, labelled

LIMIT: Final = 20
LIMIT_MAX: Final = 1000
WRONG: Final = frozenset({Health.UNHEALTHY, Health.CRITICAL, Health.DEGRADED, Health.UNRESOLVED, Health.DOWN})

router = APIRouter(prefix=OWN_PATH, tags=["lbdns"], dependencies=[belongs_to(POOLS)])


class WrongState(TypedDict):
    """Something that is not as it should be: its kind, its name (of endpoints POOL/ENDPOINT), its state, since when
    (unix seconds), why, and whether an operator forced it."""

    kind: str
    name: str
    state: str
    since: float | None
    reason: str | None
    forced: bool


class HealthSummary(TypedDict):
    """Counts by kind and state; what is wrong, with how many there are; how long the monitor worker is silent."""

    counts: dict[str, dict[str, int]]
    wrong: list[WrongState]
    wrong_count: int
    forced_count: int
    monitor: dict[str, float | None]


@router.get("/health/summary", summary="Show health at a glance", **describe(HealthSummary))
async def health_summary(site: CurrentSite, limit: Annotated[int, Query(ge=0, le=LIMIT_MAX)] = LIMIT) -> Response:
    """Count states, and list what is wrong, `limit` of it: load balancers and pools first, then the latest."""
    report = await operate(site, "health", {})
    return ok(await asyncio.to_thread(_summed, report, limit))


def _summed(report: Mapping[str, Any], limit: int) -> HealthSummary:
    pools, balancers = report["pools"], report["load_balancers"]
    endpoints = [(pool, one) for pool in pools for one in pool["origins"]]
    networks = report["virtual_networks"]
    counts = {
        "load_balancers": Counter(one["state"] for one in balancers),
        "pools": Counter(one["state"] for one in pools),
        "endpoints": Counter(one["state"] for _, one in endpoints),
        "virtual_networks": Counter(one["state"] for one in networks),
    }
    wrong: list[WrongState] = [
        _wrong("load_balancer", labelled(one["name"], one.get(VIEW, "")), one) for one in balancers if _is_wrong(one)
    ]
    later = [_wrong("virtual_network", one["name"], one) for one in networks if _is_wrong(one)]
    later += [_wrong("pool", one["name"], one) for one in pools if _is_wrong(one)]
    later += [_wrong("endpoint", f"{pool['name']}/{one['name']}", one) for pool, one in endpoints if _is_wrong(one)]
    wrong += sorted(later, key=lambda one: (one["kind"] == "endpoint", -(one["since"] or 0.0)))
    return {
        "counts": {kind: dict(states) for kind, states in counts.items()},
        "wrong": wrong[:limit],
        "wrong_count": len(wrong),
        "forced_count": sum(one["forced"] for pool in pools for one in (pool, *pool["origins"])),
        "monitor": dict(report["monitor"]),
    }


def _is_wrong(one: Mapping[str, Any]) -> bool:
    return one["state"] in WRONG


def _wrong(kind: str, name: str, one: Mapping[str, Any]) -> WrongState:
    reason, since, forced = one.get("reason"), one.get("since"), bool(one.get("forced"))
    return {"kind": kind, "name": name, "state": one["state"], "since": since, "reason": reason, "forced": forced}
