"""Load balancers: a list with search; one with its topology, what comes next where a pool fails, and its settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from starlette.responses import Response

from lbdns.base.kinds import Kind
from lbdns.base.words import OWN_PATH, SET_BY_SERVER, V4_PATH
from lbdns.manage.dashboard.objects.desks import ACCOUNT_OWNER, account_path, kind_desk, owner_path, zone_path
from lbdns.manage.dashboard.objects.object_desk import names_of, serve_desk
from lbdns.manage.dashboard.page_calls import path_of
from lbdns.manage.dashboard.page_request import PageRequest, api_result, call_api, checked
from lbdns.manage.dashboard.page_router import PageRouter, render, see_other
from lbdns.manage.dashboard.topology.balancer_facts import facts_of
from lbdns.manage.dashboard.topology.topology_layout import draw
from lbdns.manage.dashboard.topology.topology_ways import policy_of, pool_ids, ways_of

PER_PAGE: Final = 50
NETWORKS_MAX: Final = 200
"""That a change is compared for at once."""


async def _compared(request: PageRequest, merged: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a draft would give some networks, where the page is asked for any."""
    text = request.query_params.get("networks", "")
    networks = text.split()[:NETWORKS_MAX]
    if not networks:
        return {"networks_asked": "", "compared": None}
    names = await names_of(request, (Kind.POOL,))
    body = {key: value for key, value in merged.items() if key not in SET_BY_SERVER and value is not None}
    asked = {
        "name": str(merged.get("name", "")),
        "type": str(merged.get("type") or "A"),
        "load_balancer": names.named(body),
        "networks": networks,
        **({"view": merged["view"]} if merged.get("view") else {}),
    }
    return {
        "networks_asked": text,
        "compared": await call_api(request, "POST", f"{OWN_PATH}/what_if", body=asked),
    }


BALANCERS: Final = kind_desk(
    Kind.LOAD_BALANCER,
    "/load_balancers/{owner}",
    owner_path,
    list_place="/load_balancers",
    review_extra="load_balancers/what_if.html",
    review_data=_compared,
)

router = PageRouter()


def _making(request: PageRequest) -> dict[str, Any]:
    """Return whether a load balancer may be made, in any zone."""
    return request.writing("POST", zone_path("ZONE"), is_anywhere=True)


@router.get("/load_balancers")
async def list_balancers(request: PageRequest) -> Response:
    """List load balancers of all zones, with their states."""
    asked = request.query_params
    query = {
        "page": asked.get("page", "1"),
        "per_page": PER_PAGE,
        "search": asked.get("search") or None,
        "view": asked.get("view"),
        "health": True,
    }
    answer = checked(await call_api(request, "GET", f"{OWN_PATH}/load_balancers", query))
    return render(
        request,
        "load_balancers/list.html",
        balancers=answer.result,
        info=answer.info,
        search=asked.get("search", ""),
        policy_of=policy_of,
        pools_of=lambda one: len(pool_ids(one, ways_of(one))),
        account=ACCOUNT_OWNER,
        **_making(request),
    )


@router.get("/load_balancers/new")
async def choose_owner(request: PageRequest) -> Response:
    """Ask which zone a new one is in; where there is one alone, go on with that."""
    request.insist("POST", zone_path("ZONE"), is_anywhere=True)
    found = checked(await call_api(request, "GET", f"{V4_PATH}/zones", {"per_page": 1000, "order": "name"}))
    zones = [one for one in found.result if not request.refusal("POST", zone_path(one["id"]))]
    views = await call_api(request, "GET", f"{OWN_PATH}/views")
    may_account = not request.refusal("POST", account_path(request, "load_balancers"))
    has_views = views.is_success and bool(views.result) and may_account
    new_zone = "" if request.refusal("POST", f"{V4_PATH}/zones") else "/zones/new"
    if len(zones) == 1 and not has_views:
        return see_other(path_of("/load_balancers", zones[0]["id"], "new"))
    return render(
        request, "load_balancers/zone.html", zones=zones, new_zone=new_zone, has_views=has_views, account=ACCOUNT_OWNER
    )


@router.get("/load_balancers/in")
async def go_to_owner(request: PageRequest) -> Response:
    """Go on with the zone that was chosen."""
    return see_other(path_of("/load_balancers", request.query_params.get("zone") or ACCOUNT_OWNER, "new"))


serve_desk(router, BALANCERS)


@router.get("/load_balancers/{owner}/{id}")
async def show_balancer(request: PageRequest) -> Response:
    """Show one: where its queries go, what is next, and its settings."""
    path = path_of(BALANCERS.api(request), request.path_params["id"])
    balancer: Mapping[str, Any] = await api_result(request, path)
    ways = ways_of(balancer)
    facts = await facts_of(request, balancer, ways)
    return render(
        request,
        "load_balancers/show.html",
        balancer=balancer,
        ways=ways,
        facts=facts,
        drawing=draw(facts.pop, balancer, ways, facts.pools, facts.states, facts.shares),
        policy=policy_of(balancer),
        place=BALANCERS.page_of(request, balancer["id"]),
        path=path,
        query=_query_of(balancer),
        **request.writing("PATCH", path),
    )


def _query_of(balancer: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    """Return what leads to the page that explains this load balancer's answers."""
    pairs = [("name", str(balancer["name"])), ("type", str(balancer.get("type", "A")))]
    return pairs + ([("view", str(balancer["view"]))] if balancer.get("view") else [])
