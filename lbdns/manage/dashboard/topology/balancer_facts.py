"""What the API knows of the pools that a load balancer's queries may go to: how they are, how much each gets, and which
is next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lbdns.base.words import OWN_PATH
from lbdns.manage.dashboard.objects.desks import POOLS
from lbdns.manage.dashboard.page_calls import path_of
from lbdns.manage.dashboard.page_request import PageRequest, call_api
from lbdns.manage.dashboard.topology.topology_layout import POOLS_DRAWN_MAX
from lbdns.manage.dashboard.topology.topology_ways import QueryShares, QueryWay, pool_ids
from lbdns.model.private_names import as_address

NEXT_MAX: Final = 6
"""How many pools are supposed to fail, one after the other."""
SPAN: Final = "-1h"
SPAN_WORDS: Final = "the last hour"


@dataclass(frozen=True, slots=True)
class NextPool:
    """What is answered once the pools before are down: the pool, "" where nobody answers; in words why."""

    pool: str
    text: str


@dataclass(frozen=True, slots=True)
class BalancerFacts:
    """Pools by id; the report of health by the pool's name; shares of queries; what comes next."""

    pop: str
    pools: Mapping[str, Mapping[str, Any]]
    states: Mapping[str, Mapping[str, Any]]
    shares: QueryShares
    following: Sequence[NextPool]


async def facts_of(request: PageRequest, balancer: Mapping[str, Any], ways: Sequence[QueryWay]) -> BalancerFacts:
    """Ask the API for all of it; what it refuses, or does not know, is left empty."""
    pools = await _pools(request, pool_ids(balancer, ways)[:POOLS_DRAWN_MAX])
    names = [str(pool["name"]) for pool in pools.values()]
    health = await call_api(request, "GET", f"{OWN_PATH}/health", {"pool": names}) if names else None
    states = {one["name"]: one for one in health.result["pools"]} if health is not None and health.is_success else {}
    pop = request.site.in_force.pop
    return BalancerFacts(
        pop.code or pop.region or "here",
        pools,
        states,
        await _shares(request, balancer),
        await _following(request, balancer),
    )


async def _pools(request: PageRequest, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    found = {}
    for id in ids:
        answer = await call_api(request, "GET", path_of(POOLS.api(request), id))
        if answer.is_success:
            found[id] = answer.result
    return found


async def _shares(request: PageRequest, balancer: Mapping[str, Any]) -> QueryShares:
    """Return which part of the last hour's queries went where."""

    async def counts(*by: str) -> Sequence[Mapping[str, Any]]:
        query = {
            "by": ",".join(by),
            "load_balancer": balancer["name"],
            "type": balancer.get("type", "A"),
            "view": balancer.get("view"),
            "since": SPAN,
        }
        answer = await call_api(request, "GET", f"{OWN_PATH}/history/cells", query)
        return answer.result["rows"] if answer.is_success else ()

    pools = {str(row["pool"]): float(row["count"]) for row in await counts("pool") if row["pool"]}
    total = sum(pools.values())
    if not total:
        return QueryShares()
    endpoints = await counts("pool", "endpoint")  # each of those that one answer names
    rules = await counts("rule") if balancer["rules"] or balancer["pool_sets"] else ()
    return QueryShares(
        {pool: count / total for pool, count in pools.items()},
        {
            (str(row["pool"]), str(row["endpoint"])): min(1.0, row["count"] / pools[row["pool"]])
            for row in endpoints
            if row["endpoint"] and pools.get(row["pool"])
        },
        {str(row["rule"]): row["count"] / total for row in rules if row["rule"]},
        SPAN_WORDS,
    )


async def _following(request: PageRequest, balancer: Mapping[str, Any]) -> list[NextPool]:
    """Return the pool that answers now, and the ones that do as one after the other fails: as the server decides it."""
    name = str(balancer["name"])
    if as_address(name) is not None or not balancer["enabled"]:
        return []
    asked: dict[str, Any] = {
        "name": name.replace("*", "any", 1),
        "type": balancer.get("type", "A"),
        "view": balancer.get("view") or next(iter(balancer.get("on_ramps") or ()), None),
        "draw": 0,
    }
    found: list[NextPool] = []
    down: list[str] = []
    while len(found) < NEXT_MAX:
        answer = await call_api(request, "GET", f"{OWN_PATH}/explain", {**asked, "down": down})
        if not answer.is_success:
            break
        chosen = next((one for one in answer.result["steps"] if one["stage"] == "pool" and one["chosen"]), None)
        if chosen is None:
            break
        found.append(NextPool(chosen["pool"], chosen["text"]))
        if chosen["pool"] in down:  # the last resort, which is answered whatever its health
            break
        down.append(chosen["pool"])
    return found
