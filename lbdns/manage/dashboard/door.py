"""The dashboard before the API: which requests are its own, and what each of them passes first.

    path below /client/v4 or /lbdns/v1, a token shown in a header, the UNIX socket   -> the API, untouched
    anything else                                                                    -> a page, after these

    Host          an address, a name of this machine, or one that settings name       else 421 (DNS rebinding)
    who sends it  a form: this origin alone; all else: this origin, or a link that     else 403 (forgery, leaks)
                  leads here as a whole page
    session       the cookie; a page's routes ask for it, and a form's for the         else to the sign-in
                  session's form token too

The cookie opens pages alone: the API behind its own paths takes tokens, and knows of no cookie. Everything here is
made at the first request for a page; a server whose dashboard nobody opens has none of it in memory.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lbdns.base.words import OWN_PATH, V4_PATH
from lbdns.manage.api.frame.api_errors import ApiError
from lbdns.manage.api.frame.auth import signed_in_caller
from lbdns.manage.api.frame.gate import GUEST, LOCAL_USER
from lbdns.manage.api.frame.limits import Body, body_bytes_max
from lbdns.manage.api.frame.request_paths import tidy_path
from lbdns.manage.api.frame.site import ApiSite
from lbdns.manage.dashboard.served_names import is_served_as
from lbdns.manage.dashboard.sessions import Session, Sessions, cookie_name
from lbdns.model.settings import Settings

if TYPE_CHECKING:
    from lbdns.manage.dashboard.page_app import PageApp

READING: Final = ("GET", "HEAD")
HEADERS: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Not no-referrer: browsers then send `Origin: null` with forms (Fetch, "append a request Origin header").
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
"""Of every answer that is no API's."""
_HEADERS: Final = [(name.encode(), value.encode()) for name, value in HEADERS.items()]

log = logging.getLogger("lbdns.api")


class Door:
    """ASGI application around the API's."""

    def __init__(self, api: FastAPI) -> None:
        self._api = api
        self._sessions = Sessions()
        self._pages: PageApp | None = None
        self._making = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a page, or let the API answer."""
        if scope["type"] != "http" or not self._is_for_pages(scope):
            await self._api(scope, receive, send)
            return
        request = Request(scope)
        session = self._session(request)
        guest = scope.get("state", {}).get(GUEST)
        if guest is not None:
            guest.introduce(session is not None)
        outgoing = _Outgoing(send)
        refused = _refusal(request, self._site.in_force)
        if refused is not None:
            await refused(scope, receive, outgoing)
            return
        inner = {**scope, "app": self._api, "session_of_dashboard": session, "sessions_of_dashboard": self._sessions}
        body = Body(receive, body_bytes_max(scope["path"]), dict(scope["headers"]))
        try:
            await (await self._made())(inner, body, outgoing)
        except ApiError as error:  # the body did not come, or is too large
            if outgoing.has_begun:
                raise
            await PlainTextResponse(str(error), error.status)(scope, receive, outgoing)
        except Exception:
            log.exception("%s %s failed", scope["method"], scope["path"])
            if outgoing.has_begun:
                raise
            await PlainTextResponse("lbdns failed on this page; its log says how", 500)(scope, receive, outgoing)

    def _session(self, request: Request) -> Session | None:
        """Return the session of a request; one whose token was revoked is over."""
        secret = request.cookies.get(cookie_name(request.scope), "")
        session = self._sessions.find(secret)
        if session is None or self._is_known(session):
            return session
        self._sessions.end(secret)
        return None

    def _is_known(self, session: Session) -> bool:
        try:
            return signed_in_caller(self._site.tokens, session.who) is not None
        except ApiError:  # the store cannot be had now: the API says so to whatever is asked
            return True

    @property
    def _site(self) -> ApiSite:
        site: ApiSite = self._api.state.site
        return site

    def _is_for_pages(self, scope: Scope) -> bool:
        path = tidy_path(scope)
        is_api = any(path == prefix or path.startswith(f"{prefix}/") for prefix in (V4_PATH, OWN_PATH))
        if is_api or LOCAL_USER in scope.get("state", {}) or not self._site.in_force.dashboard:
            return False
        return not any(name in (b"authorization", b"x-auth-key") for name, _ in scope["headers"])

    async def _made(self) -> ASGIApp:
        """Return the pages; the first who asks has them made."""
        if self._pages is None:
            async with self._making:
                if self._pages is None:
                    self._pages = await asyncio.to_thread(_make)
        return self._pages


def _make() -> PageApp:
    from lbdns.manage.dashboard.page_app import PageApp

    return PageApp()


class _Outgoing:
    """The way out of every answer, on which it gets its headers."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.has_begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_begun = True
            headers = [*message.get("headers", ()), *_HEADERS]
            if all(name != b"cache-control" for name, _ in headers):
                headers.append((b"cache-control", b"no-store"))
            message = {**message, "headers": headers}
        await self._send(message)


def _refusal(request: Request, settings: Settings) -> Response | None:
    """Return what to answer who may not ask, None where one may."""
    hosts = request.headers.getlist("host")
    names = settings.api.names if settings.api is not None else ()
    is_plain = request.scope["scheme"] != "https"
    if len(hosts) != 1 or (is_plain and not is_served_as(hosts[0], names)):
        told = "this server is not known here by that name; api.names in lbdns.yaml may list it"
        return PlainTextResponse(f"{told}\n", 421)
    site, mode = request.headers.get("sec-fetch-site", ""), request.headers.get("sec-fetch-mode", "")
    if request.method not in READING:
        origin = urlsplit(request.headers.get("origin", ""))
        if origin.netloc != hosts[0] or origin.scheme not in ("http", "https") or site not in ("", "same-origin"):
            return PlainTextResponse("this form was not sent by a page of this server\n", 403)
    elif site in ("cross-site", "same-site") and not _leads_here(mode, request.headers.get("sec-fetch-dest", "")):
        return PlainTextResponse("pages elsewhere may link to this one, and nothing else\n", 403)
    return None


def _leads_here(mode: str, dest: str) -> bool:
    return mode == "navigate" and dest == "document"
