"""POST /client/v4/graphql: what was answered, and how healthy everything was, as the v4 API's GraphQL has it.

    {"query": "...", "variables": {...}, "operationName": "..."}  ->  {"data": {...} | null, "errors": null | [...]}

Whatever GraphQL refuses is told in `errors`, with HTTP 200. What is no JSON, or shows no token, is refused as
everywhere in the API. Queries are carried out in threads, a few at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from pydantic_core import to_json

from lbdns.manage.api.frame.admission import belongs_to
from lbdns.manage.api.frame.auth import Caller, CurrentCaller
from lbdns.manage.api.frame.envelope import JSON_TYPE
from lbdns.manage.api.frame.limits import read_json
from lbdns.manage.api.frame.openapi import TIME
from lbdns.manage.api.frame.site import ApiSite, CurrentSite
from lbdns.manage.store.token_scopes import LOAD_BALANCERS, POOLS, ZONES

RUNNING_MAX: Final = 2
"""Queries that are carried out at one time."""
WAITING_S: Final = 10.0
"""How long others wait for their turn."""
_ERROR: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "message": {"type": "string"},
        "path": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]},
        "locations": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"line": {"type": "integer"}, "column": {"type": "integer"}},
                "required": ["line", "column"],
                "additionalProperties": False,
            },
        },
        "extensions": {
            "type": "object",
            "properties": {"timestamp": TIME, "code": {"type": "string"}},
            "required": ["timestamp", "code"],
            "additionalProperties": False,
        },
    },
    "required": ["message", "path", "extensions"],
    "additionalProperties": False,
}
_ANSWER: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "data": {"anyOf": [{"type": "object"}, {"type": "null"}]},
        "errors": {"anyOf": [{"type": "array", "minItems": 1, "items": _ERROR}, {"type": "null"}]},
    },
    "required": ["data", "errors"],
    "additionalProperties": False,
}
_BODY: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "query": {"type": "string", "description": "the query, GraphQL"},
        "variables": {"anyOf": [{"type": "object"}, {"type": "null"}]},
        "operationName": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    },
    "required": ["query"],
}

router = APIRouter(
    tags=["graphql"], dependencies=[belongs_to(LOAD_BALANCERS, POOLS, ZONES, is_filtered=True, only_reads=True)]
)


@router.post(
    "/graphql",
    summary="Ask for traffic and health, by GraphQL",
    responses={
        200: {"content": {JSON_TYPE: {"schema": _ANSWER}}, "description": "What was asked for, or what is wrong"}
    },
    openapi_extra={"requestBody": {"required": True, "content": {JSON_TYPE: {"schema": _BODY}}}},
    response_model=None,
)
async def ask(site: CurrentSite, caller: CurrentCaller, request: Request) -> Response:
    """Answer one query; docs/graphql.md has the nodes and their fields."""
    body = await read_json(request)
    async with _turn(request) as is_granted:
        return Response(await asyncio.to_thread(_answered, site, caller, body, is_granted), media_type=JSON_TYPE)


@contextlib.asynccontextmanager
async def _turn(request: Request) -> AsyncIterator[bool]:
    """Wait for a turn; yield whether there is one."""
    state = request.app.state
    if not hasattr(state, "graphql_turns"):
        state.graphql_turns = asyncio.Semaphore(RUNNING_MAX)
    turns: asyncio.Semaphore = state.graphql_turns
    try:
        await asyncio.wait_for(turns.acquire(), WAITING_S)
    except TimeoutError:
        yield False
        return
    try:
        yield True
    finally:
        turns.release()


def _answered(site: ApiSite, caller: Caller, body: Any, is_granted: bool) -> bytes:
    """Return the answer's bytes. The library is loaded by the first query: most servers are never asked."""
    from graphql import GraphQLError

    from lbdns.manage.api.graphql.graphql_errors import BUSY, refused
    from lbdns.manage.api.graphql.query_execution import GraphqlRequest, answer
    from lbdns.manage.api.graphql.traffic_rows import context_of

    if not is_granted:
        told = "too many queries in progress, please try again later"
        return to_json(refused([GraphQLError(told, extensions={"code": BUSY})]))
    wrong = _wrong_with(body)
    if wrong:
        return to_json(refused([GraphQLError(wrong)]))
    asked = GraphqlRequest(body["query"], body.get("variables") or {}, body.get("operationName") or None)
    return to_json(answer(asked, lambda: context_of(site, caller)))


def _wrong_with(body: Any) -> str:
    """Return what is wrong with a body that is JSON; "" where nothing is."""
    if isinstance(body, list):
        return 'the body is a list; expected one query in one request, {"query": "...", "variables": {...}}'
    if not isinstance(body, Mapping) or not isinstance(body.get("query"), str):
        return 'the body has no query; expected {"query": "...", "variables": {...}}'
    if not body["query"].strip():
        return "the query is empty; expected one such as { viewer { zones { zoneTag } } }"
    if not isinstance(body.get("variables"), (Mapping, type(None))):
        return 'variables are no object; expected {"NAME": VALUE}, or none'
    if not isinstance(body.get("operationName"), (str, type(None))):
        return "operationName is no text"
    return ""
