"""Virtual networks, the routes into them, the views of clients, and names that private load balancers answer for."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from lbdns.base.kinds import Kind
from lbdns.base.words import OWN_PATH
from lbdns.manage.dashboard.objects.desks import OVERRIDES, ROUTES, VIRTUAL_NETWORKS
from lbdns.manage.dashboard.objects.object_desk import ObjectDesk, names_of, serve_desk
from lbdns.manage.dashboard.page_request import PageRequest, api_result, call_api, checked
from lbdns.manage.dashboard.page_router import PageRouter, render, see_other

PER_PAGE: Final = 100

router = PageRouter()


@router.get("/networks")
async def begin(request: PageRequest) -> Response:
    """Begin with the virtual networks."""
    return see_other(VIRTUAL_NETWORKS.place)


async def _listed(request: PageRequest, desk: ObjectDesk, template: str, **more: Any) -> Response:
    query = {"page": request.query_params.get("page", "1"), "per_page": PER_PAGE}
    answer = checked(await call_api(request, "GET", desk.api(request), query))
    return render(
        request,
        template,
        found=answer.result,
        info=answer.info,
        desk=desk,
        **request.writing("POST", desk.api(request)),
        **more,
    )


@router.get(VIRTUAL_NETWORKS.place)
async def list_networks(request: PageRequest) -> Response:
    """List virtual networks, with how each is reached and whether that works."""
    health = await call_api(request, "GET", f"{OWN_PATH}/health", {"pool": "-"})
    states = {one["name"]: one for one in health.result.get("virtual_networks", ())} if health.is_success else {}
    return await _listed(request, VIRTUAL_NETWORKS, "networks/networks.html", states=states)


@router.get(ROUTES.place)
async def list_routes(request: PageRequest) -> Response:
    """List routes."""
    return await _listed(request, ROUTES, "networks/routes.html")


@router.get(OVERRIDES.place)
async def list_overrides(request: PageRequest) -> Response:
    """List the names that private load balancers answer for."""
    names = await names_of(request, (Kind.LOAD_BALANCER,))
    return await _listed(request, OVERRIDES, "networks/overrides.html", names=names, kind=Kind.LOAD_BALANCER)


@router.get("/networks/views")
async def list_views(request: PageRequest) -> Response:
    """List views: who is in each."""
    return render(request, "networks/views.html", found=await api_result(request, f"{OWN_PATH}/views"))


for _desk in (VIRTUAL_NETWORKS, ROUTES, OVERRIDES):
    serve_desk(router, _desk)
