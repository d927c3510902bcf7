"""Samples: what the running server answered last, one reply in so many, with the decision behind each."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response

from lbdns.base.words import OWN_PATH
from lbdns.manage.api.frame.admission import belongs_to
from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.live import operate
from lbdns.manage.api.frame.openapi import describe, nullable
from lbdns.manage.api.frame.site import CurrentSite
from lbdns.manage.store.token_scopes import LOAD_BALANCERS, ZONES

LIMIT_MAX: Final = 1000
_TEXT: Final[dict[str, Any]] = {"type": "string"}
_WHOLE: Final[dict[str, Any]] = {"type": "integer", "minimum": 0}
_SAMPLE: Final[dict[str, Any]] = {
    "type": "object",
    "description": "a reply: when, for how many it stands (interval), what was asked by whom, what was decided",
    "properties": {
        "time": {"type": "number", "description": "unix seconds"},
        "interval": _WHOLE,
        "transport": {"type": "string", "enum": ["udp", "tcp"]},
        "name": _TEXT,
        "type": _TEXT,
        "rcode": _TEXT,
        "kind": _TEXT,
        "view": _TEXT,
        "resolver": nullable(_TEXT),
        "ecs": nullable(_TEXT),
        "scope": _WHOLE,
        "country": _TEXT,
        "decision": nullable({"type": "object"}),
    },
    "required": ["time", "interval", "transport", "name", "type", "rcode", "kind", "resolver", "ecs", "decision"],
}
_SAMPLES: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "per_second": _WHOLE,
        "privacy": {"type": "string", "enum": ["cut", "none"]},
        "time": {"type": "number", "description": "unix seconds"},
        "samples": {"type": "array", "items": _SAMPLE},
    },
    "required": ["per_second", "privacy", "time", "samples"],
    "additionalProperties": False,
}

router = APIRouter(prefix=OWN_PATH, tags=["lbdns"])


@router.get(
    "/samples",
    summary="List the newest samples of what was answered",
    dependencies=[belongs_to(ZONES, LOAD_BALANCERS)],
    **describe(_SAMPLES),
)
async def list_samples(
    site: CurrentSite,
    since: Annotated[float | None, Query(ge=0, le=1e11, allow_inf_nan=False)] = None,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = 100,
) -> Response:
    """List what the rings still hold, newest first; `since` is in unix seconds."""
    return ok(await operate(site, "samples", {"since": since, "limit": limit}))
