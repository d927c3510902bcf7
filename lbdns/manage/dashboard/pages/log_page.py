"""Log: what happened, in order, with evidence: health, who was told, what the server refused."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from lbdns.base.words import OWN_PATH, V4_PATH
from lbdns.manage.dashboard.page_request import PageRequest, call_api
from lbdns.manage.dashboard.page_router import PageRouter, render

PLACE: Final = "/log"
TABS: Final = {PLACE: "Health", f"{PLACE}/notifications": "Notifications", f"{PLACE}/server": "Server"}
PER_PAGE: Final = 40
STATES: Final = {"": "any state", "true": "up", "false": "down"}

router = PageRouter()


@router.get(PLACE)
async def show_health_changes(request: PageRequest) -> Response:
    """List changes of health with what each monitor saw; by pool, state and time."""
    wanted = {key: request.query_params.get(key) or None for key in ("pool_name", "pool_healthy", "since", "until")}
    page = request.query_params.get("page") or None
    asked = {**wanted, "page": page or "1", "per_page": PER_PAGE}
    answer = await call_api(request, "GET", f"{V4_PATH}/user/load_balancing_analytics/events", asked)
    return _shown(request, "log/health.html", answer=answer, wanted=wanted, states=STATES)


@router.get(f"{PLACE}/notifications")
async def show_notifications(request: PageRequest) -> Response:
    """List who was told of what, and whether that worked."""
    accounts = await call_api(request, "GET", f"{V4_PATH}/accounts")
    account = accounts.result[0]["id"] if accounts.is_success else ""
    query = {"page": request.query_params.get("page") or "1", "per_page": PER_PAGE}
    answer = await call_api(request, "GET", f"{V4_PATH}/accounts/{account}/alerting/v3/history", query)
    return _shown(request, "log/notifications.html", answer=answer)


@router.get(f"{PLACE}/server")
async def show_server(request: PageRequest) -> Response:
    """Show what is served, what was refused and why, and each of the server's parts."""
    answer = await call_api(request, "GET", f"{OWN_PATH}/status")
    return _shown(request, "log/server.html", answer=answer)


def _shown(request: PageRequest, template: str, **given: Any) -> Response:
    return render(request, template, tabs=TABS, **given)
