"""The application: the gate, and a router for each area.

/client/v4      the v4 API
/lbdns/v1       what is ours
"""

from __future__ import annotations

import re
from typing import Any, Final

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.routing import APIRoute
from pydantic_core import to_json
from starlette.routing import compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from lbdns.base.words import V4_PATH
from lbdns.manage.api.frame.admission import admit, belongs_to
from lbdns.manage.api.frame.api_errors import install
from lbdns.manage.api.frame.envelope import JSON_TYPE
from lbdns.manage.api.frame.gate import LOCAL_USER, Gate
from lbdns.manage.api.frame.large_bodies import LargeBodies
from lbdns.manage.api.frame.openapi import OPENAPI_PATH, document
from lbdns.manage.api.frame.request_paths import RequestPaths
from lbdns.manage.api.frame.site import ApiSite
from lbdns.manage.api.own import dashboard_links as dashboard
from lbdns.manage.api.own import fleet_routes as fleet
from lbdns.manage.api.own import health_places as seen
from lbdns.manage.api.own import health_summary as summary
from lbdns.manage.api.own import history_routes as history
from lbdns.manage.api.own import map_routes as maps
from lbdns.manage.api.own import override_routes as overrides
from lbdns.manage.api.own import revision_routes as revisions
from lbdns.manage.api.own import running_server as lbdns
from lbdns.manage.api.own import sample_routes as samples
from lbdns.manage.api.own import signing_routes as signing
from lbdns.manage.api.own import store_routes as stores
from lbdns.manage.api.own import token_routes as tokens
from lbdns.manage.api.own import transfer_routes as transfers
from lbdns.manage.api.own import view_routes as views
from lbdns.manage.api.own import what_if_routes as what_ifs
from lbdns.manage.api.own import zone_import as zonefiles
from lbdns.manage.api.v4 import accounts, balancing, preview, search, teamnet, zone_extras, zone_settings
from lbdns.manage.api.v4 import alerting_routes as alerting
from lbdns.manage.api.v4 import destination_routes as destinations
from lbdns.manage.api.v4 import dnssec_routes as dnssec
from lbdns.manage.api.v4 import graphql_routes as graphql
from lbdns.manage.api.v4 import health_events as events
from lbdns.manage.api.v4 import healthcheck_routes as healthchecks
from lbdns.manage.api.v4 import pool_health as health
from lbdns.manage.api.v4 import record_routes as records
from lbdns.manage.api.v4 import reference_routes as references
from lbdns.manage.api.v4 import region_routes as regions
from lbdns.manage.api.v4 import secondary_dns_routes as secondary_dns
from lbdns.manage.api.v4 import silence_routes as silences
from lbdns.manage.api.v4 import user_routes as users
from lbdns.manage.api.v4 import zone_routes as zones
from lbdns.manage.dashboard.sessions import SignInLinks

# Load balancers come last: theirs is the path of an account's objects with an id behind it. What stands beside a zone's
# records comes before those for the same reason.
AREAS: Final = (
    accounts,
    users,
    zones,
    zone_settings,
    dnssec,
    secondary_dns,
    zone_extras,
    healthchecks,
    records,
    health,
    preview,
    references,
    regions,
    search,
    events,
    teamnet,
    graphql,
    alerting,
    destinations,
    silences,
    balancing,
)
OWN_AREAS: Final = (
    lbdns,
    what_ifs,
    revisions,
    zonefiles,
    signing,
    transfers,
    tokens,
    stores,
    overrides,
    maps,
    seen,
    summary,
    views,
    samples,
    fleet,
    dashboard,
    history,
)


class _App(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """Return the document of the site that is served; it differs by the account's id alone."""
        account_id = self.state.site.account_id
        if self.openapi_schema is None or self.state.described != account_id:
            self.openapi_schema = document(self, account_id)
            self.state.described = account_id
        return self.openapi_schema


def make_app(site: ApiSite) -> FastAPI:
    """Return the application that serves a site."""
    app = _App(
        title="lbdns",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        dependencies=[Depends(admit)],
    )
    app.state.site = site
    app.state.large_bodies = LargeBodies()
    app.state.sign_in_links = SignInLinks()
    app.state.address = None  # where it is served over TCP, while it is
    app.state.is_closing = False  # those who wait for something look at it
    install(app)
    app.add_middleware(Gate, tokens=lambda: app.state.site.tokens)
    app.add_middleware(RequestPaths)  # what is added last is outermost
    path_methods: dict[str, tuple[re.Pattern[str], set[str]]] = {}
    app.state.path_methods = path_methods
    known_routes: list[tuple[re.Pattern[str], APIRoute]] = []
    app.state.known_routes = known_routes
    for prefix, areas in ((V4_PATH, AREAS), ("", OWN_AREAS)):
        for area in areas:
            app.include_router(area.router, prefix=prefix)
            _add_methods(path_methods, known_routes, prefix, area.router)

    def openapi(request: Request) -> Response:
        return Response(to_json(app.openapi()), media_type=JSON_TYPE)

    app.add_api_route(OPENAPI_PATH, openapi, include_in_schema=False, dependencies=[belongs_to()])
    return app


def build_routes(app: FastAPI) -> None:
    """Have the routes of every area built, by asking them for a path that none has.

    FastAPI builds them when it looks through them first: half a second, in the event loop, for whoever asks first.
    """
    nowhere: Scope = {"type": "http", "method": "GET", "path": "/", "root_path": "", "headers": []}
    for route in app.routes:
        route.matches(nowhere)


def _add_methods(
    found: dict[str, tuple[re.Pattern[str], set[str]]],
    routes: list[tuple[re.Pattern[str], APIRoute]],
    prefix: str,
    router: APIRouter,
) -> None:
    for route in router.routes:
        if isinstance(route, APIRoute):
            path = prefix + route.path
            pattern, methods = found.setdefault(path, (compile_path(path)[0], set()))
            methods.update(route.methods or ())
            routes.append((pattern, route))


def local_app(site: ApiSite, user: str) -> ASGIApp:
    """Return the application for callers in this process, who need no token: `user` is who they are."""
    app = make_app(site)

    async def local(scope: Scope, receive: Receive, send: Send) -> None:
        state = {**scope.get("state", {}), LOCAL_USER: user}
        await app({**scope, "state": state}, receive, send)

    return local
