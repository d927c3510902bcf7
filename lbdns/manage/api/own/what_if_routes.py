"""What a change would move of the traffic that was recorded: nothing is changed."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response

from lbdns.base.words import OWN_PATH
from lbdns.config.keyed_zones import zones_with_keys
from lbdns.manage.api.frame.api_errors import invalid, point_by
from lbdns.manage.api.frame.auth import CurrentCaller
from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.large_bodies import LargeBody
from lbdns.manage.api.frame.moments import MOMENT_FORMS, moment_s
from lbdns.manage.api.frame.openapi import describe, nullable
from lbdns.manage.api.frame.site import CurrentSite
from lbdns.manage.api.own.revision_routes import NUMBER_MAX, state_of_revision
from lbdns.manage.reading.body_fields import ApplyBody
from lbdns.manage.reading.configuration_reading import ConfigurationReading
from lbdns.manage.store.edit import Edit
from lbdns.manage.store.revisions import from_files as files
from lbdns.manage.store.revisions.restore import restore
from lbdns.manage.what_if_apart import ask_apart
from lbdns.publish.replay.what_if_question import SINCE_S, WhatIfQuestion

TIME_CHARS_MAX: Final = 40
_SHARE: Final[dict[str, Any]] = {"type": "number", "minimum": 0, "maximum": 1}
_RATE: Final[dict[str, Any]] = {"type": "number", "minimum": 0}
_COUNT: Final[dict[str, Any]] = {"type": "integer", "minimum": 0}
_TEXT: Final[dict[str, Any]] = {"type": "string"}
_TEXTS: Final[dict[str, Any]] = {"type": "array", "items": _TEXT}


def _closed(**properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _list_of(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": _closed(**properties)}


_WEIGHED: Final[dict[str, dict[str, Any]]] = {
    "share": _SHARE,
    "queries": _RATE,
    "samples": _COUNT,
    "countries": _list_of(country=_TEXT, share=_SHARE),
    "networks": _TEXTS,
    "names": _TEXTS,
}
_CACHE: Final = _closed(
    entries=_COUNT, hit_rate=nullable(_SHARE), mean_scope_ipv4=nullable(_RATE), mean_scope_ipv6=nullable(_RATE)
)
_NAMED: Final = _list_of(name=_TEXT, share=_SHARE)
_CHANGED: Final = _closed(new=_TEXTS, gone=_TEXTS)
_WHAT_IF: Final = {
    **_closed(
        since=_RATE,
        until=_RATE,
        span_s=_RATE,
        left_out={"type": "object", "additionalProperties": _COUNT},
        samples=_COUNT,
        queries=_RATE,
        clients=_closed(count=_COUNT, moved=_COUNT),
        moved=_closed(share=nullable(_SHARE), error=nullable(_RATE), endpoints_share=nullable(_SHARE)),
        moves=_list_of(load_balancer=_TEXT, type=_TEXT, before=_TEXT, after=_TEXT, **_WEIGHED),
        more_moves=_COUNT,
        endpoints=_list_of(
            pool=_TEXT,
            endpoint=_TEXT,
            before_per_s=_RATE,
            after_per_s=_RATE,
            before_share=_SHARE,
            after_share=_SHARE,
        ),
        more_endpoints=_COUNT,
        rcodes=_list_of(before=_TEXT, after=_TEXT, **_WEIGHED),
        balanced_no_longer=_NAMED,
        balanced_newly=_NAMED,
        caches=_closed(
            before=_CACHE,
            after=_CACHE,
            scopes=_list_of(family={"enum": [4, 6]}, before=_COUNT, after=_COUNT, share=_SHARE),
        ),
        load_balancers=_CHANGED,
        pools=_CHANGED,
        caveats=_TEXTS,
    ),
    "description": "shares are of all queries that samples stand for; a pool may also be records, no records, referral "
    "or an RCODE; moved.share is null where nothing can be said, and caveats say why",
}

router = APIRouter(prefix=OWN_PATH, tags=["lbdns"])


@router.post(
    "/whatif",
    summary="Say what a configuration would move of the recorded traffic",
    **describe(_WHAT_IF, body=ApplyBody),
)
async def whatif(
    site: CurrentSite,
    caller: CurrentCaller,
    request: Request,
    body: LargeBody,
    revision: Annotated[
        int | None, Query(ge=0, le=NUMBER_MAX, description="the objects of this revision, and no body")
    ] = None,
    since: Annotated[
        str | None, Query(max_length=TIME_CHARS_MAX, description="-1h, unix seconds, or RFC 3339; default -1h")
    ] = None,
    until: Annotated[str | None, Query(max_length=TIME_CHARS_MAX)] = None,
    all_up: Annotated[bool, Query(description="suppose every endpoint to be up")] = False,
) -> Response:
    """Ask the samples of a span again, of what is served and of a configuration or revision; nothing is changed."""
    question = question_of(since, until, all_up)
    if revision is not None:
        target = await asyncio.to_thread(state_of_revision, site, revision)
        proposed = await site.manager.propose(lambda edit: restore(edit, target), caller.local)
    else:
        point_by(request, lambda problem: problem.at or None)
        read = await body.read(ConfigurationReading(zones_with_keys(site.settings.state_dir())))
        point_by(request, read.place)

        def make(edit: Edit) -> None:
            files.apply(edit, read.wanted, bool(read.fields.get("prune")))

        proposed = await site.manager.propose(make, caller.local)
    return ok(await ask_apart(site.in_force.state_dir(), proposed, question))


def question_of(since: str | None, until: str | None, all_up: bool) -> WhatIfQuestion:
    """Return the question of a request; raises ApiError naming each time that is none."""
    now_s = time.time()
    until_s = now_s if until is None else moment_s(until, now_s)
    since_s = None if until_s is None else until_s - SINCE_S
    if since is not None:
        since_s = moment_s(since, now_s)
    wrong = [
        (f"query parameter {name}: expected {MOMENT_FORMS}", None)
        for name, found in (("since", since_s), ("until", until_s))
        if found is None and (name == "until" or until_s is not None or since is not None)
    ]
    if wrong or since_s is None or until_s is None:
        raise invalid(*wrong)
    if not 0 <= since_s < until_s:
        raise invalid(("query parameter since: expected a time before until", None))
    return WhatIfQuestion(since_s, until_s, all_up)
