"""The API's tokens, for the local user alone: whoever has a token cannot make another one with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Response
from fastapi import Path as InPath
from typing_extensions import TypedDict

from lbdns.base.errors import LbdnsError
from lbdns.base.kinds import Kind
from lbdns.base.wording import join_path
from lbdns.base.words import OWN_PATH
from lbdns.manage.api.frame.api_errors import NOT_FOUND, WRONG_AUTH, ApiError, invalid
from lbdns.manage.api.frame.auth import CurrentCaller
from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.limits import JsonObject
from lbdns.manage.api.frame.openapi import describe
from lbdns.manage.api.frame.pointers import Steps
from lbdns.manage.api.frame.reply_messages import tell
from lbdns.manage.api.frame.site import ApiSite, CurrentSite
from lbdns.manage.store.token_scopes import FORMS, SCOPES_MAX, WRITE, parse_scope
from lbdns.manage.store.tokens import NAME_CHARS_MAX, Token, Tokens

router = APIRouter(prefix=f"{OWN_PATH}/tokens", tags=["tokens"])


class TokenShown(TypedDict):
    """What is known of a token; its text was shown once, when it was made. `scope` is its scopes in one text."""

    id: str
    name: str
    scope: str
    scopes: list[str]
    created_on: str


class TokenMade(TokenShown):
    """A new token with its text, which is not kept."""

    value: str


_THREAD: Final = ThreadPoolExecutor(1, "tokens")
_Made = TypeVar("_Made")
_SCOPE: Final[dict[str, Any]] = {"type": "string", "description": FORMS}
_NEW: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": NAME_CHARS_MAX},
        "scope": {
            "anyOf": [_SCOPE, {"type": "array", "items": _SCOPE, "minItems": 1, "maxItems": SCOPES_MAX}],
            "default": WRITE,
        },
    },
    "required": ["name"],
    "additionalProperties": False,
}


@router.get("", summary="List tokens, without their texts", **describe(list[TokenShown]))
def list_tokens(site: CurrentSite, caller: CurrentCaller) -> Response:
    return ok([_shown(token) for token in _tokens(site, caller).all()])


@router.post("", summary="Make a token; its text is shown this once", **describe(TokenMade, _NEW))
async def create_token(site: CurrentSite, caller: CurrentCaller, body: JsonObject) -> Response:
    tokens = _tokens(site, caller)
    name, scope = body.get("name"), body.get("scope", WRITE)
    scopes = scope if isinstance(scope, list) else [scope]
    refused: list[tuple[str, Steps | None]] = [
        (f"{key}: unknown key", (key,)) for key in body if key not in _NEW["properties"]
    ]
    if not isinstance(name, str) or not 0 < len(name) <= NAME_CHARS_MAX or not name.isprintable():
        refused.append((f"name: expected 1 to {NAME_CHARS_MAX} printable characters", ("name",)))
    if not 0 < len(scopes) <= SCOPES_MAX:
        refused.append((f"scope: expected 1 to {SCOPES_MAX} of them", ("scope",)))
    refused.extend(_refused_scopes(scopes, isinstance(scope, list)))
    if refused:
        raise invalid(*refused)
    text, token = await _in_turn(tokens.create, str(name), *scopes)
    for at, zone in _unknown_zones(site, scopes, isinstance(scope, list)):
        tell(f"there is no zone {zone} here: the scope acts once there is", at)
    return ok({**_shown(token), "value": text})


def _refused_scopes(scopes: list[Any], is_list: bool) -> Iterator[tuple[str, Steps]]:
    """Yield what is wrong with scopes that a body gives, and where each of them stands in it."""
    for index, scope in enumerate(scopes):
        at: Steps = ("scope", index) if is_list else ("scope",)
        key = join_path(*at)
        if not isinstance(scope, str):
            yield f"{key}: expected {FORMS}", at
            continue
        try:
            parse_scope(scope)
        except LbdnsError as error:
            yield f"{key}: {error}", at


def _unknown_zones(site: ApiSite, scopes: list[str], is_list: bool) -> Iterator[tuple[Steps, str]]:
    """Yield the zones of scopes that are not served here, with where each of them stands in the body."""
    for index, scope in enumerate(scopes):
        zone = parse_scope(scope).zone
        if zone and site.state.named(Kind.ZONE, zone) is None:
            yield ("scope", index) if is_list else ("scope",), zone


@router.delete("/{name:path}", summary="Revoke a token, by its name or id", **describe(TokenShown))
async def revoke_token(
    site: CurrentSite, caller: CurrentCaller, name: Annotated[str, InPath(max_length=NAME_CHARS_MAX)]
) -> Response:
    tokens = _tokens(site, caller)
    found: Token | None = next((one for one in tokens.all() if name in (one.name, one.id)), None)
    if found is None:
        raise ApiError(404, NOT_FOUND, f'there is no token "{name}"')
    return ok(_shown(await _in_turn(tokens.revoke, found.id)))


async def _in_turn(work: Callable[..., _Made], *arguments: str) -> _Made:
    """Change tokens, one change after another, in a thread of its own: in a fleet it waits for whoever changes the
    store, who needs those of the loop."""
    return await asyncio.get_running_loop().run_in_executor(_THREAD, work, *arguments)


def _shown(token: Token) -> TokenShown:
    scopes = [str(scope) for scope in token.scopes]
    return {
        "id": token.id,
        "name": token.name,
        "scope": token.scope,
        "scopes": scopes,
        "created_on": token.created_on,
    }


def _tokens(site: ApiSite, caller: CurrentCaller) -> Tokens:
    """Return the tokens; raises ApiError for callers from elsewhere, and where no address takes tokens."""
    if not caller.local:
        raise ApiError(403, WRONG_AUTH, "Authentication error: tokens are made and revoked on the server's own machine")
    if site.tokens is None:
        raise invalid(("no token is of use here: the API has no address; set api: in lbdns.yaml and start again", None))
    return site.tokens
