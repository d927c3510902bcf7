"""Monitors and groups of them: which there are, one with who uses it, and what it would find now."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from lbdns.base.kinds import Kind
from lbdns.manage.dashboard.objects.desks import MONITOR_GROUPS, balancing_path, kind_desk
from lbdns.manage.dashboard.objects.drafts import DRAFT, draft_in
from lbdns.manage.dashboard.objects.object_desk import names_of, serve_desk
from lbdns.manage.dashboard.objects.probing import probe, shown_probe
from lbdns.manage.dashboard.page_calls import path_of
from lbdns.manage.dashboard.page_request import PageRequest, api_result, call_api, checked
from lbdns.manage.dashboard.page_router import PageRouter, render

PER_PAGE: Final = 50
MONITORS: Final = kind_desk(
    Kind.MONITOR, "/monitors", balancing_path(Kind.MONITOR.section), review_extra="monitors/probe_draft.html"
)

router = PageRouter()


@router.get("/monitors")
async def list_monitors(request: PageRequest) -> Response:
    """List monitors."""
    asked = request.query_params
    query = {"page": asked.get("page", "1"), "per_page": PER_PAGE, "search": asked.get("search") or None}
    answer = checked(await call_api(request, "GET", MONITORS.api(request), query))
    return render(
        request,
        "monitors/list.html",
        monitors=answer.result,
        info=answer.info,
        search=asked.get("search", ""),
        **request.writing("POST", MONITORS.api(request)),
    )


@router.get("/monitors/groups")
async def list_groups(request: PageRequest) -> Response:
    """List groups, with the monitors in each."""
    asked = request.query_params
    query = {"page": asked.get("page", "1"), "per_page": PER_PAGE, "search": asked.get("search") or None}
    answer = checked(await call_api(request, "GET", MONITOR_GROUPS.api(request), query))
    return render(
        request,
        "monitors/groups.html",
        groups=answer.result,
        info=answer.info,
        search=asked.get("search", ""),
        names=await names_of(request, (Kind.MONITOR,)),
        kind=Kind.MONITOR,
        **request.writing("POST", MONITOR_GROUPS.api(request)),
    )


serve_desk(router, MONITOR_GROUPS)
serve_desk(router, MONITORS)


@router.get("/monitors/{id}")
async def show_monitor(request: PageRequest) -> Response:
    """Show a monitor and who refers to it."""
    path = path_of(MONITORS.api(request), request.path_params["id"])
    monitor = await api_result(request, path)
    references = await call_api(request, "GET", path_of(path, "references"))
    return render(
        request,
        "monitors/show.html",
        monitor=monitor,
        references=references.result if references.is_success else [],
        **request.writing("PATCH", path),
    )


@router.post("/monitors/{id}/probe")
async def probe_monitor(request: PageRequest) -> Response:
    """Probe the pools of a monitor now: as it is, or as a draft would have it."""
    path = path_of(MONITORS.api(request), request.path_params["id"])
    monitor = await api_result(request, path)
    draft = draft_in((await request.fields()).get(DRAFT, "")) or {}
    merged = {key: value for key, value in {**monitor, **draft}.items() if value is not None}
    return await probe(request, path, merged, f"/monitors/{monitor['id']}")


@router.get("/monitors/{id}/probe/{preview}")
async def show_monitor_probe(request: PageRequest) -> Response:
    """Show what probes found."""
    monitor = await api_result(request, path_of(MONITORS.api(request), request.path_params["id"]))
    return await shown_probe(request, f"monitor {monitor['name']}", f"/monitors/{monitor['id']}")
