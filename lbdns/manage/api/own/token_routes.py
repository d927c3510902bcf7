"""The API's tokens, for the local user alone: whoever has a token cannot make another one with it."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated, Any, Final, Literal, get_args

from fastapi import APIRouter, Response
from fastapi import Path as InPath
from typing_extensions import TypedDict

from lbdns.base.words import OWN_PATH
from lbdns.manage.api.frame.api_errors import NOT_FOUND, WRONG_AUTH, ApiError, invalid
from lbdns.manage.api.frame.auth import CurrentCaller
from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.limits import JsonObject
from lbdns.manage.api.frame.openapi import describe
from lbdns.manage.api.frame.pointers import Steps
from lbdns.manage.api.frame.site import ApiSite, CurrentSite
from lbdns.manage.store.tokens import NAME_CHARS_MAX, Scope, Token, Tokens

DEFAULT_SCOPE: Final = "write"

router = APIRouter(prefix=f"{OWN_PATH}/tokens", tags=["tokens"])


class TokenShown(TypedDict):
    """What is known of a token; its text was shown once, when it was made."""

    id: str
    name: str
    scope: Literal["read", "write"]
    created_on: str


class TokenMade(TokenShown):
    """A new token with its text, which is not kept."""

    value: str


_NEW: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": NAME_CHARS_MAX},
        "scope": {"enum": list(get_args(Scope)), "default": DEFAULT_SCOPE},
    },
    "required": ["name"],
    "additionalProperties": False,
}


@router.get("", summary="List tokens, without their texts", **describe(list[TokenShown]))
def list_tokens(site: CurrentSite, caller: CurrentCaller) -> Response:
    return ok([asdict(token) for token in _tokens(site, caller).all()])


@router.post("", summary="Make a token; its text is shown this once", **describe(TokenMade, _NEW))
async def create_token(site: CurrentSite, caller: CurrentCaller, body: JsonObject) -> Response:
    tokens = _tokens(site, caller)
    name, scope = body.get("name"), body.get("scope", DEFAULT_SCOPE)
    refused: list[tuple[str, Steps | None]] = [
        (f"{key}: unknown key", (key,)) for key in body if key not in _NEW["properties"]
    ]
    if not isinstance(name, str) or not 0 < len(name) <= NAME_CHARS_MAX or not name.isprintable():
        refused.append((f"name: expected 1 to {NAME_CHARS_MAX} printable characters", ("name",)))
    if scope not in get_args(Scope):
        refused.append(("scope: expected read or write", ("scope",)))
    if refused:
        raise invalid(*refused)
    text, token = await asyncio.to_thread(tokens.create, str(name), str(scope))
    return ok({**asdict(token), "value": text})


@router.delete("/{name:path}", summary="Revoke a token, by its name or id", **describe(TokenShown))
async def revoke_token(
    site: CurrentSite, caller: CurrentCaller, name: Annotated[str, InPath(max_length=NAME_CHARS_MAX)]
) -> Response:
    tokens = _tokens(site, caller)
    found: Token | None = next((one for one in tokens.all() if name in (one.name, one.id)), None)
    if found is None:
        raise ApiError(404, NOT_FOUND, f'there is no token "{name}"')
    return ok(asdict(await asyncio.to_thread(tokens.revoke, found.id)))


def _tokens(site: ApiSite, caller: CurrentCaller) -> Tokens:
    """Return the tokens; raises ApiError for callers from elsewhere, and where no address takes tokens."""
    if not caller.local:
        raise ApiError(403, WRONG_AUTH, "Authentication error: tokens are made and revoked on the server's own machine")
    if site.tokens is None:
        raise invalid(("no token is of use here: the API has no address; set api: in lbdns.yaml and start again", None))
    return site.tokens
