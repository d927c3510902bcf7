"""Links that sign a browser in to the dashboard, once: for the local user alone, who needs no token."""

from __future__ import annotations

import time
from typing import Final

from fastapi import APIRouter, Depends, Request, Response
from typing_extensions import TypedDict

from lbdns.base.words import OWN_PATH
from lbdns.manage.api.frame.api_errors import WRONG_AUTH, ApiError, invalid
from lbdns.manage.api.frame.auth import CurrentCaller, SignedIn
from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.gate import LOCAL_USER
from lbdns.manage.api.frame.limits import read_unused
from lbdns.manage.api.frame.live import running
from lbdns.manage.api.frame.openapi import describe
from lbdns.manage.api.frame.site import CurrentSite
from lbdns.manage.dashboard.sessions import LINK_S, SignInLinks
from lbdns.manage.store.item import time_text

SIGN_IN_PATH: Final = "/sign-in"

router = APIRouter(prefix=f"{OWN_PATH}/dashboard_links", tags=["dashboard"])


class DashboardLink(TypedDict):
    """Where a browser is signed in as the local user, once, until when."""

    url: str
    until: str


@router.post(
    "",
    summary="Make a link that signs a browser in, once",
    dependencies=[Depends(read_unused)],
    **describe(DashboardLink),
)
async def create_dashboard_link(site: CurrentSite, caller: CurrentCaller, request: Request) -> Response:
    """Make it; it is good for a minute, on any machine that reaches the address."""
    user = request.scope.get("state", {}).get(LOCAL_USER)
    if user is None:
        raise ApiError(
            403, WRONG_AUTH, "Authentication error: links are made on the server's own machine; sign in by token"
        )
    running(site)  # a store alone has no pages
    address = request.app.state.address
    if address is None:
        raise invalid(("the dashboard has no address: set api: in lbdns.yaml and start the server again", None))
    if not site.in_force.dashboard:
        raise invalid(("the dashboard is off: set dashboard: true in lbdns.yaml", None))
    links: SignInLinks = request.app.state.sign_in_links
    code = links.make(SignedIn(user=user))
    return ok({"url": f"{address}{SIGN_IN_PATH}?code={code}", "until": time_text(time.time() + LINK_S)})
