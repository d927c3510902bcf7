"""Overview: is anything wrong, where does traffic go, what changed last."""

from __future__ import annotations

from starlette.responses import Response

from lbdns.base.words import OWN_PATH
from lbdns.manage.dashboard.page_request import PageRequest, call_api
from lbdns.manage.dashboard.page_router import PageRouter, render

router = PageRouter()


@router.get("/")
async def show_overview(request: PageRequest) -> Response:
    """Show it."""
    health = await call_api(request, "GET", f"{OWN_PATH}/health")
    revisions = await call_api(request, "GET", f"{OWN_PATH}/revisions", {"limit": 6})
    return render(request, "overview.html", health=health, revisions=revisions)
