"""Signing in, by a token or a link of `lbdns dashboard`; signing out; the theme."""

from __future__ import annotations

from typing import Final

from starlette.responses import HTMLResponse, Response

from lbdns.base.words import UNKNOWN_TOKEN, V4_PATH
from lbdns.manage.api.frame.auth import SignedIn
from lbdns.manage.dashboard.page_calls import ask_api
from lbdns.manage.dashboard.page_request import THEME_COOKIE, THEMES, PageRequest
from lbdns.manage.dashboard.page_router import PageRouter, local_path, render, see_other
from lbdns.manage.dashboard.sessions import SESSION_S, Sessions, SignInLinks, cookie_name

THEME_S = 365 * 86400
SIGN_IN_PATH = "/sign-in"
USED_LINK = "this link was used already, or is older than a minute: `lbdns dashboard` makes another one"
NO_STORE = (
    "This server serves files and keeps no tokens: `lbdns dashboard`, on its own machine, signs in by a link. "
    "Set `api:` in lbdns.yaml for tokens."
)
UNKNOWN: Final = "this token is not known here: it was mistyped, revoked, or made for another server"

router = PageRouter()


@router.open("GET", SIGN_IN_PATH)
async def show_sign_in(request: PageRequest) -> Response:
    """Take a link's code, or show the form."""
    code = request.query_params.get("code")
    if code is not None:
        if request.method == "HEAD" or "prefetch" in request.headers.get("sec-purpose", ""):
            return Response(status_code=503)  # who only looks ahead must not use it up
        links: SignInLinks = request.scope["app"].state.sign_in_links
        who = links.take(code)
        return _begun(request, who, "/") if who is not None else _form(request, 403, [USED_LINK], "/")
    back = local_path(request.query_params.get("back", "/"))
    if request.visit is not None:
        return see_other(back)
    return _form(request, 200, [], back)


@router.open("POST", SIGN_IN_PATH)
async def sign_in(request: PageRequest) -> Response:
    """Sign in by a token: the API says whether it is one, as often as it says so to anybody."""
    fields = await request.fields()
    token, back = fields.get("token", "").strip(), local_path(fields.get("back", "/"))
    headers = {"authorization": f"Bearer {token}"} if token.isascii() and token.isprintable() else {}
    answer = await ask_api(
        request.scope["app"], request.scope, None, "GET", f"{V4_PATH}/user/tokens/verify", headers=headers
    )
    if not answer.is_success:
        told = [UNKNOWN if error["message"] == UNKNOWN_TOKEN else error["message"] for error in answer.errors]
        return _form(request, answer.status, told if token else ["a token is needed"], back)
    return _begun(request, SignedIn(token_id=answer.result["id"]), back)


@router.post("/sign-out")
async def sign_out(request: PageRequest) -> Response:
    """End the session."""
    _sessions(request).end(request.cookies.get(cookie_name(request.scope), ""))
    response = see_other(SIGN_IN_PATH)
    _set_cookie(request, response, cookie_name(request.scope), "", 0)
    return response


@router.open("POST", "/theme")
async def choose_theme(request: PageRequest) -> Response:
    """Note which theme a browser wants, and go back to where it was chosen."""
    fields = await request.fields()
    response = see_other(local_path(fields.get("back", "/")))
    if fields.get("theme") in THEMES:
        _set_cookie(request, response, THEME_COOKIE, fields["theme"], THEME_S)
    return response


def _form(request: PageRequest, status: int, wrong: list[str], back: str) -> Response:
    is_lent = request.headers.get("sec-fetch-site") == "cross-site" and request.method == "GET" and not wrong
    if is_lent and back != "/":
        # A page elsewhere linked here: the browser keeps the strict cookie back until one of our own pages leads on.
        return HTMLResponse('<!doctype html><meta http-equiv="refresh" content="0"><title>lbdns</title>')
    store = "" if request.site.store is not None else request.site.problem or NO_STORE
    return render(request, "sign_in.html", status, wrong=wrong, back=back, no_tokens=store)


def _begun(request: PageRequest, who: SignedIn, back: str) -> Response:
    """Begin a session and go where it was wanted; one that the browser had ends."""
    name = cookie_name(request.scope)
    sessions = _sessions(request)
    sessions.end(request.cookies.get(name, ""))
    response = see_other(back)
    _set_cookie(request, response, name, sessions.begin(who), int(SESSION_S))
    return response


def _sessions(request: PageRequest) -> Sessions:
    sessions: Sessions = request.scope["sessions_of_dashboard"]
    return sessions


def _set_cookie(request: PageRequest, response: Response, name: str, value: str, age_s: int) -> None:
    is_secure = request.url.scheme == "https"
    response.set_cookie(name, value, max_age=age_s, path="/", httponly=True, samesite="strict", secure=is_secure)
