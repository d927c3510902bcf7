"""What every request passes first, in this order: who asks, whether too often; then body and failures.

Without a token a client learns nothing but that: no path is looked up and no body is read for its sake.
"""

from __future__ import annotations

import ipaddress
import logging
import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Protocol

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lbdns.base.errors import LbdnsError
from lbdns.base.words import GUARD_HEADER
from lbdns.manage.api.frame.api_errors import INTERNAL, TOO_MANY, ApiError, invalid
from lbdns.manage.api.frame.auth import (
    Caller,
    SignedIn,
    known_caller,
    local_caller,
    shown_token,
    signed_in_caller,
    wrong_token,
)
from lbdns.manage.api.frame.limits import (
    BUCKETS_MAX,
    TOKEN_BURST,
    TOKEN_PER_S,
    WRONG_BURST,
    WRONG_PER_S,
    Body,
    Buckets,
    body_bytes_max,
    too_large,
)
from lbdns.manage.api.frame.reply_messages import begin_request
from lbdns.manage.store.guarding import begin_guard
from lbdns.manage.store.tokens import Tokens

LOCAL_USER: Final = "local_user"
"""The key of a connection's state that names the user at the other end of a UNIX socket."""
SIGNED_IN: Final = "signed_in"
"""The key of a request's state that says for whom the dashboard asks; no connection's state has it."""
GUEST: Final = "guest"
"""The key of a connection's state that holds its place among the others, to be told whether somebody is known."""
IPV6_CLIENT_BITS: Final = 64
_GUARD: Final = GUARD_HEADER.lower().encode()

log = logging.getLogger("lbdns.api")


class Guest(Protocol):
    """A connection's place among the others."""

    def introduce(self, is_known: bool) -> None:
        """Note whether the request that is being answered is somebody's."""

    def rest(self) -> None:
        """Note that the answer waits for something to happen."""


def rest(request: Request) -> None:
    """Let the connection of a request give way as an idle one does: its answer waits for something to happen."""
    guest: Guest | None = request.scope.get("state", {}).get(GUEST)
    if guest is not None:
        guest.rest()


class Gate:
    """ASGI middleware around everything else."""

    def __init__(self, app: ASGIApp, tokens: Callable[[], Tokens | None]) -> None:
        self._app = app
        self._tokens = tokens
        self._requests = Buckets(TOKEN_BURST, TOKEN_PER_S)
        self._wrong = Buckets(WRONG_BURST, WRONG_PER_S)
        self._seen: OrderedDict[str, None] = OrderedDict()  # tokens that were right: a guesser cannot shut them out

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] != "http":
            return
        begin_request()
        headers = dict(scope["headers"])
        passage = _Passage(scope, receive, send, headers)
        try:
            caller = self._introduced(scope)
            scope.setdefault("state", {})["caller"] = caller
            _begin_guard(headers.get(_GUARD))
            passage.check_length(headers.get(b"content-length"))
            await self._app(scope, passage.body, passage.send)
        except ApiError as error:
            await passage.answer(error)
        except ClientDisconnect:
            return
        except Exception:
            log.exception("%s %s failed", scope["method"], scope["path"])
            await passage.answer(ApiError(500, INTERNAL, "lbdns failed on this request; its log says how"))

    def _introduced(self, scope: Scope) -> Caller:
        """Return who asks, and let the connection's place follow from it; raises ApiError as `_caller` does."""
        guest: Guest | None = scope.get("state", {}).get(GUEST)
        try:
            caller = self._caller(scope)
        except ApiError:
            if guest is not None:
                guest.introduce(False)
            raise
        if guest is not None:
            guest.introduce(True)
        return caller

    def _caller(self, scope: Scope) -> Caller:
        """Return who asks; raises ApiError where nobody does, or too often."""
        state = scope.get("state", {})
        user = state.get(LOCAL_USER)
        if user is not None:
            return local_caller(user)
        if SIGNED_IN in state:
            return self._signed_in(state[SIGNED_IN])
        text = shown_token(scope["headers"])
        client = _client_network(scope)
        if text not in self._seen:
            _check_rate(self._wrong.wait_s(client))
        caller = known_caller(self._tokens(), text)
        if caller is None:
            self._seen.pop(text, None)
            _check_rate(self._wrong.take(client))
            raise wrong_token()
        self._remember(text)
        _check_rate(self._requests.take(caller.token_id))
        return caller

    def _signed_in(self, who: SignedIn) -> Caller:
        caller = signed_in_caller(self._tokens(), who)
        if caller is None:
            raise wrong_token()
        if not caller.local:
            _check_rate(self._requests.take(caller.token_id))
        return caller

    def _remember(self, text: str) -> None:
        self._seen[text] = None
        self._seen.move_to_end(text)
        if len(self._seen) > BUCKETS_MAX:
            self._seen.popitem(last=False)


class _Passage:
    """One request on its way through: its body, and whether its answer has begun."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, headers: dict[bytes, bytes]) -> None:
        self._scope = scope
        self._send = send
        self._has_begun = False
        self._bytes_max = body_bytes_max(scope["path"])
        self.body = Body(receive, self._bytes_max, headers)

    def check_length(self, length: bytes | None) -> None:
        """Raise ApiError where a body says that it is too long, before any of it is read."""
        if length is not None and length.isdigit() and int(length) > self._bytes_max:
            raise too_large(self._bytes_max)

    async def send(self, message: Message) -> None:
        """Pass an answer on. A client that is still sending is heard a little longer, else it might not read it."""
        if message["type"] == "http.response.start":
            self._has_begun = True
            headers = [*message.get("headers", ()), (b"cache-control", b"no-store")]
            if not self.body.is_complete and not await self.body.drain():
                headers.append((b"connection", b"close"))
            message = {**message, "headers": headers}
        await self._send(message)

    async def answer(self, error: ApiError) -> None:
        """Answer with a refusal, unless an answer has begun: then the connection can only break off."""
        if self._has_begun:
            raise error
        await error.response()(self._scope, self.body, self.send)


def _begin_guard(value: bytes | None) -> None:
    """Begin a request with the guard that its header says; raises ApiError where that is none."""
    try:
        begin_guard(None if value is None else value.decode("latin-1"))
    except LbdnsError as error:
        raise invalid((f"header {GUARD_HEADER}: {error}", None)) from None


def _check_rate(wait_s: float) -> None:
    if wait_s > 0.0:
        seconds = math.ceil(wait_s)
        raise ApiError(
            429,
            TOO_MANY,
            f"more requests than allowed; try again in {seconds} s",
            headers={"Retry-After": str(seconds)},
        )


def _client_network(scope: Scope) -> str:
    """Return the address that a client is known by: an IPv6 client has a whole network of them."""
    host = (scope.get("client") or ("", 0))[0]
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return ""
    if address.version == 6:
        return str(ipaddress.ip_network((address, IPV6_CLIENT_BITS), strict=False))
    return str(address)
