"""Who asks: a token's holder over TCP, the server's own user over the UNIX socket, or whom the dashboard asks for.

A client shows its token as `Authorization: Bearer TOKEN`, or as `X-Auth-Key` beside `X-Auth-Email`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request

from lbdns.base.words import UNKNOWN_TOKEN
from lbdns.manage.api.frame.api_errors import MALFORMED_AUTH, MISSING_AUTH, WRONG_AUTH, ApiError
from lbdns.manage.store.token_scopes import WRITE, TokenScope, TokenScopes
from lbdns.manage.store.tokens import Token, Tokens

LOCAL_ID: Final = "0" * 32
"""Stands for the id of a token where none is needed."""
_TOKEN: Final = re.compile(r"[0-9A-Za-z_-]{1,512}", re.ASCII)
_EVERYTHING: Final = TokenScopes((TokenScope(WRITE),))
_EMAIL: Final = re.compile(r"[^@\s]{1,128}@[^@\s]{1,128}")

Headers = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `author` is what the audit trail says; `token_id` is LOCAL_ID for a local user."""

    author: str
    scopes: TokenScopes
    local: bool
    token_id: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Whom a session of the dashboard stands for: the holder of a token by its id, or else a user of this machine."""

    token_id: str = ""
    user: str = ""


def local_caller(user: str) -> Caller:
    """Return who asks over the UNIX socket, or in the process of the command line."""
    return Caller(f"local user {user}", _EVERYTHING, True, LOCAL_ID)


def token_caller(token: Token) -> Caller:
    """Return who asks with a token."""
    return Caller(f"token {token.name}", token.scopes, False, token.id)


def shown_token(headers: Headers) -> str:
    """Return the token that a request shows; raises ApiError where there is none, or what cannot be one."""
    shown: dict[bytes, str] = {}
    for name, value in headers:
        if name in (b"authorization", b"x-auth-key", b"x-auth-email"):
            if name in shown:
                raise _malformed(f"{name.decode()} is given twice")
            shown[name] = value.decode("latin-1").strip()
    if b"authorization" in shown:
        scheme, _, token = shown[b"authorization"].partition(" ")
        if scheme.lower() != "bearer" or not _TOKEN.fullmatch(token.strip()):
            raise _malformed("expected `Authorization: Bearer TOKEN`")
        return token.strip()
    if b"x-auth-key" in shown and b"x-auth-email" in shown:
        if not _EMAIL.fullmatch(shown[b"x-auth-email"]):
            raise _malformed("X-Auth-Email is no mail address")
        if not _TOKEN.fullmatch(shown[b"x-auth-key"]):
            raise _malformed("X-Auth-Key is no token")
        return shown[b"x-auth-key"]
    raise ApiError(400, MISSING_AUTH, "Missing X-Auth-Key, X-Auth-Email or Authorization headers")


def known_caller(tokens: Tokens | None, text: str) -> Caller | None:
    """Return who holds a token, or None where nobody does."""
    found = tokens.find(text) if tokens is not None else None
    return token_caller(found) if found is not None else None


def signed_in_caller(tokens: Tokens | None, who: SignedIn) -> Caller | None:
    """Return who is signed in, or None where the token was revoked meanwhile."""
    if not who.token_id:
        return local_caller(who.user)
    found = tokens.held(who.token_id) if tokens is not None else None
    return token_caller(found) if found is not None else None


def wrong_token() -> ApiError:
    """Return the refusal of a token that nobody holds."""
    return ApiError(403, WRONG_AUTH, UNKNOWN_TOKEN)


def _malformed(why: str) -> ApiError:
    return ApiError(400, MALFORMED_AUTH, f"Invalid request headers: {why}")


async def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


CurrentCaller = Annotated[Caller, Depends(_caller)]
"""What a handler declares to know who asks."""
