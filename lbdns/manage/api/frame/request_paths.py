"""How a request's path and method are read, before anything looks at them.

//zones/            /zones: empty segments and a final slash mean nothing
/user/load_balancers/...    the account's: where its objects stood before there were accounts
HEAD                as GET; the server leaves the body out (RFC 9110 section 9.3.2)
"""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote

from starlette.types import ASGIApp, Receive, Scope, Send

from lbdns.base.words import V4_PATH

USER_OBJECTS: Final = f"{V4_PATH}/user/load_balancers"
ACCOUNT_OBJECTS: Final = f"{V4_PATH}/accounts/{{account_id}}/load_balancers"


class RequestPaths:
    """ASGI middleware around everything else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with its path and method as they are meant."""
        if scope["type"] == "http":
            path = tidy_path(scope)
            method = "GET" if scope["method"] == "HEAD" else scope["method"]
            scope = {**scope, "path": _of_account(path, scope), "method": method}
        await self._app(scope, receive, send)


def tidy_path(scope: Scope) -> str:
    """Return a request's path without empty segments; an escaped slash, as it was sent, is no border."""
    path: str = scope["path"]
    if "//" not in path and not path.endswith("/"):
        return path
    sent = (scope.get("raw_path") or b"").decode("latin-1") or path
    return "/" + "/".join(unquote(segment) for segment in sent.split("/") if segment)


def _of_account(path: str, scope: Scope) -> str:
    if path != USER_OBJECTS and not path.startswith(f"{USER_OBJECTS}/"):
        return path
    objects = ACCOUNT_OBJECTS.format(account_id=scope["app"].state.site.account_id)
    return objects + path.removeprefix(USER_OBJECTS)
