"""The pages as one ASGI application: static files, and the routes of the table."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from lbdns.manage.dashboard.page_request import PageRequest
from lbdns.manage.dashboard.page_router import show_errors, sign_in_first
from lbdns.manage.dashboard.page_table import PAGES, UNLISTED
from lbdns.manage.dashboard.rendering import Renderer
from lbdns.manage.dashboard.static_files import STATIC_PATH, StaticFiles


class PageApp:
    """All pages; made once, which takes some tenths of a second."""

    def __init__(self) -> None:
        """Read the static files, compile the templates, gather the routes."""
        self._static = StaticFiles()
        self._renderer = Renderer(self._static, tuple(row for row, _ in PAGES))
        self._renderer.prepare()
        routes = [Route(f"{STATIC_PATH}/{{digest}}/{{name:path}}", self._file, methods=["GET"])]
        routes += [route for router in UNLISTED for route in router.routes(None)]
        routes += [route for row, router in PAGES for route in router.routes(row)]
        self._router = Router(routes, redirect_slashes=True, default=self._nowhere)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for a page."""
        known = {**scope, "renderer_of_dashboard": self._renderer, "row_of_dashboard": None}
        try:
            await self._router(known, receive, send)
        except HTTPException as error:
            request = PageRequest(known, receive, send)
            await show_errors(request, error.status_code, [{"message": error.detail}])(scope, receive, send)

    async def _file(self, request: Request) -> Response:
        found = self._static.find(request.path_params["digest"], request.path_params["name"])
        if found is None:
            raise HTTPException(404)
        return found.response(request.headers.get("accept-encoding", ""))

    async def _nowhere(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = PageRequest(scope, receive, send)
        if request.visit is None:
            response = sign_in_first(request)
        else:
            response = show_errors(request, 404, [{"message": f"there is no page {request.url.path}"}])
        await response(scope, receive, send)
