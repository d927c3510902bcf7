"""Routes of pages: each handler gets a PageRequest of somebody who is signed in and gives a Response.

    router = PageRouter()

    @router.get("/pools")
    async def list_pools(request: PageRequest) -> Response:
        pools = await api_result(request, ...)
        return render(request, "pools/list.html", pools=pools)

A form's field FORM_TOKEN is checked before a handler of `post` runs. What the API refuses is shown as a page.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from lbdns.manage.api.frame.api_errors import ApiError
from lbdns.manage.dashboard.page_calls import ApiRefused, path_with
from lbdns.manage.dashboard.page_request import FORM_TOKEN, PageRequest
from lbdns.manage.dashboard.page_row import PageRow

Handler = Callable[[PageRequest], Awaitable[Response]]
Decorator = Callable[[Handler], Handler]


class PageRouter:
    """The routes of one page's module."""

    def __init__(self) -> None:
        """Begin with none."""
        self._added: list[tuple[str, str, Handler, bool]] = []

    def get(self, path: str) -> Decorator:
        """Have a handler show what is at a path."""
        return self._adding("GET", path)

    def post(self, path: str) -> Decorator:
        """Have a handler do what a form at a path asks for."""
        return self._adding("POST", path)

    def open(self, method: str, path: str) -> Decorator:
        """Have a handler answer whoever asks, signed in or not; of forms, their origin alone is known."""
        return self._adding(method, path, is_open=True)

    def _adding(self, method: str, path: str, is_open: bool = False) -> Decorator:
        def add(handler: Handler) -> Handler:
            self._added.append((method, path, handler, is_open))
            return handler

        return add

    def routes(self, row: PageRow | None) -> list[Route]:
        """Return the routes, for the row of the table that the module stands in."""
        return [
            Route(path, _Endpoint(handler, row, is_open), methods=[method])
            for method, path, handler, is_open in self._added
        ]


class _Endpoint:
    """ASGI application of one handler."""

    def __init__(self, handler: Handler, row: PageRow | None, is_open: bool) -> None:
        self._handler = handler
        self._row = row
        self._is_open = is_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = PageRequest({**scope, "row_of_dashboard": self._row}, receive, send)
        response = await self._answer(request)
        await response(scope, receive, send)

    async def _answer(self, request: PageRequest) -> Response:
        try:
            if self._is_open:
                return await self._handler(request)
            if request.visit is None:
                return sign_in_first(request)
            if request.method == "POST" and not await _is_of_session(request):
                raise HTTPException(403, "this form is none of this session: go back, load the page again, and send it")
            return await self._handler(request)
        except ApiRefused as refused:
            return show_errors(request, refused.answer.status, refused.answer.errors)
        except ApiError as error:
            return show_errors(request, error.status, error.errors)
        except HTTPException as error:
            return show_errors(request, error.status_code, [{"message": error.detail}])


async def _is_of_session(request: PageRequest) -> bool:
    assert request.visit is not None
    shown = (await request.fields()).get(FORM_TOKEN, "")
    return hmac.compare_digest(shown.encode(), request.visit.form_token.encode())


def render(request: PageRequest, template: str, status: int = 200, **given: Any) -> Response:
    """Return the page that a template makes of what is given."""
    page: Response = request.scope["renderer_of_dashboard"].page(
        request, template, status, row=request.scope["row_of_dashboard"], **given
    )
    return page


def see_other(path: str) -> Response:
    """Return the way to another page, after a form has done what it asks for."""
    return RedirectResponse(path, 303)


def local_path(text: str) -> str:
    """Return a path that a form or a link gave as the way back, "/" where it leads anywhere else."""
    is_local = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable()
    return text if is_local else "/"


def sign_in_first(request: PageRequest) -> Response:
    """Return the way to the sign-in, and from there back."""
    back = request.place if request.method == "GET" else None
    return see_other(path_with("/sign-in", {"back": None if back == "/" else back}))


def show_errors(request: PageRequest, status: int, errors: list[dict[str, Any]]) -> Response:
    """Return the page of what was refused."""
    return render(request, "refused.html", status, errors=errors, status_code=status)
