"""Pools: which there are and how they are; one with its endpoints, who uses it, and probes at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from starlette.responses import Response

from lbdns.base.words import OWN_PATH
from lbdns.manage.dashboard.objects.desks import POOLS, account_path
from lbdns.manage.dashboard.objects.object_desk import serve_desk
from lbdns.manage.dashboard.objects.probing import probe, shown_probe
from lbdns.manage.dashboard.page_calls import path_of
from lbdns.manage.dashboard.page_request import PageRequest, api_result, call_api, checked
from lbdns.manage.dashboard.page_router import PageRouter, render

PER_PAGE: Final = 50

router = PageRouter()


@router.get("/pools")
async def list_pools(request: PageRequest) -> Response:
    """List pools with their health."""
    asked = request.query_params
    query = {"page": asked.get("page", "1"), "per_page": PER_PAGE, "search": asked.get("search") or None}
    answer = checked(await call_api(request, "GET", POOLS.api(request), query))
    return render(
        request,
        "pools/list.html",
        pools=answer.result,
        info=answer.info,
        search=asked.get("search", ""),
        **request.writing("POST", POOLS.api(request)),
    )


serve_desk(router, POOLS)


@router.get("/pools/{id}")
async def show_pool(request: PageRequest) -> Response:
    """Show a pool: its endpoints with their health, its settings, and who refers to it."""
    path = path_of(POOLS.api(request), request.path_params["id"])
    pool = await api_result(request, path)
    health = await call_api(request, "GET", f"{OWN_PATH}/health", {"pool": pool["name"]})
    report = next(iter(health.result["pools"]), None) if health.is_success else None
    references = await call_api(request, "GET", path_of(path, "references"))
    monitor = None
    if pool["monitor"]:
        found = await call_api(request, "GET", account_path(request, "load_balancers", "monitors", pool["monitor"]))
        monitor = found.result if found.is_success else None
    return render(
        request,
        "pools/show.html",
        pool=pool,
        report=report,
        rows=_rows(pool["origins"], (report or {}).get("origins", ())),
        references=references.result if references.is_success else [],
        monitor=monitor,
        path=path,
        **request.writing("PATCH", path),
    )


def _rows(
    origins: Iterable[Mapping[str, Any]], known: Iterable[Mapping[str, Any]]
) -> list[tuple[Mapping[str, Any], Mapping[str, Any] | None]]:
    """Return each endpoint with what is known of its health."""
    by_key = {(one["name"], one["address"]): one for one in known}
    return [(one, by_key.get((one["name"], one["address"]))) for one in origins]


@router.post("/pools/{id}/probe")
async def probe_pool(request: PageRequest) -> Response:
    """Probe the endpoints now, with the pool's own monitor."""
    pool = await api_result(request, path_of(POOLS.api(request), request.path_params["id"]))
    monitor = await api_result(request, account_path(request, "load_balancers", "monitors", pool["monitor"] or ""))
    return await probe(request, path_of(POOLS.api(request), pool["id"]), monitor, f"/pools/{pool['id']}")


@router.get("/pools/{id}/probe/{preview}")
async def show_pool_probe(request: PageRequest) -> Response:
    """Show what probes found."""
    pool = await api_result(request, path_of(POOLS.api(request), request.path_params["id"]))
    return await shown_probe(request, f"pool {pool['name']}", f"/pools/{pool['id']}")
