"""The history by HTTP: lines over time, counts by dimensions, and how the history itself stands.

It is read from the file, whether the process that writes it lives or not.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Response

from lbdns.base.errors import LbdnsError
from lbdns.base.words import OWN_PATH
from lbdns.manage.api.frame.admission import belongs_to
from lbdns.manage.api.frame.api_errors import INTERNAL, ApiError, invalid
from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.moments import MOMENT_FORMS, moment_s
from lbdns.manage.api.frame.openapi import describe, nullable
from lbdns.manage.api.frame.site import ApiSite, CurrentSite
from lbdns.manage.store.token_scopes import LOAD_BALANCERS, POOLS
from lbdns.telemetry.history.history_reader import HistoryReader
from lbdns.telemetry.history.history_series import PLANS, POINTS_MAX
from lbdns.telemetry.history.history_status import HistoryUnreadable
from lbdns.telemetry.history.sample_dimensions import KNOWN

NAME_CHARS_MAX: Final = 255
SPAN_S: Final = 3600
"""How far back a span begins that names no beginning."""
POINTS: Final = 300
ROWS_MAX: Final = 10_000
_NUMBER: Final[dict[str, Any]] = {"type": "number"}
_WHOLE: Final[dict[str, Any]] = {"type": "integer"}
_FLAG: Final[dict[str, Any]] = {"type": "boolean"}
_SERIES: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "since": _WHOLE,
        "until": _WHOLE,
        "step_s": _WHOLE,
        "exact": _FLAG,
        "times": {"type": "array", "items": _WHOLE, "description": "unix seconds: where each span begins"},
        "series": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "values": {
                        "type": "array",
                        "items": nullable(_NUMBER),
                        "description": "a second's rate; ms for rtt; the share that failed, 0 to 1, for checks",
                    },
                },
                "required": ["name", "values"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["since", "until", "step_s", "exact", "times", "series"],
    "additionalProperties": False,
}
_CELLS: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "since": _NUMBER,
        "until": _NUMBER,
        "rows": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"count": _WHOLE, "exact": _FLAG, "samples": _WHOLE},
                "required": ["count", "exact", "samples"],
                "additionalProperties": {"type": ["string", "integer"]},
            },
        },
        "total_rows": {"type": "integer", "description": "how many there are; the largest are shown"},
    },
    "required": ["since", "until", "rows", "total_rows"],
    "additionalProperties": False,
}
_STATUS: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "exists": _FLAG,
        "bytes": _WHOLE,
        "rows": _WHOLE,
        "since": nullable(_NUMBER),
        "written": nullable(_NUMBER),
        "age_s": nullable(_NUMBER),
        "steps": {"type": "object", "description": "by the seconds of a step: since when it is kept"},
        "samples": {"type": "object"},
        "events": {"type": "object"},
        "lost": {"type": "object", "description": "what is not in it, by what was lost"},
    },
    "required": ["exists", "bytes", "rows", "since", "written", "age_s", "steps", "samples", "events", "lost"],
}
_FILTERS: Final = ("load_balancer", "type", "view", "pool", "endpoint", "pop", "country", "region", "rule", "rcode")

if TYPE_CHECKING:
    What = str
else:
    What = Literal[tuple(PLANS)]
Text = Annotated[str | None, Query(max_length=NAME_CHARS_MAX)]
Moment = Annotated[
    str | None,
    Query(max_length=40, description="RFC 3339, unix seconds, or how long ago: -90s, -15m, -1h, -7d, -4w"),
]

router = APIRouter(prefix=f"{OWN_PATH}/history", tags=["lbdns"], dependencies=[belongs_to(LOAD_BALANCERS, POOLS)])


@router.get("/series", summary="Show lines over time", **describe(_SERIES))
def series(
    site: CurrentSite,
    what: What = "queries",
    name: Text = None,
    by: Text = None,
    since: Moment = None,
    until: Moment = None,
    points: Annotated[int, Query(ge=1, le=POINTS_MAX)] = POINTS,
) -> Response:
    """Show rates by RCODE, type, load balancer, pool, endpoint or rule, round-trip times, or the share of checks that
    failed; `by` splits queries, load balancers and pools further."""
    since_s, until_s = span_of(since, until)
    try:
        found = _reader(site).series(what, since_s, until_s, points, name, by)
    except LbdnsError as error:
        raise _refusal(error) from None
    lines = [asdict(line) for line in found.lines]
    told = {"since": found.since_s, "until": found.until_s, "step_s": found.step_s, "exact": found.exact}
    return ok({**told, "times": found.times, "series": lines})


@router.get("/cells", summary="Count by dimensions", **describe(_CELLS))
def cells(
    site: CurrentSite,
    by: Annotated[str, Query(max_length=NAME_CHARS_MAX, description=f"some of {', '.join(KNOWN)}")] = "",
    load_balancer: Text = None,
    type: Text = None,
    view: Text = None,
    pool: Text = None,
    endpoint: Text = None,
    pop: Text = None,
    country: Text = None,
    region: Text = None,
    rule: Text = None,
    rcode: Text = None,
    since: Moment = None,
    until: Moment = None,
    step_s: Annotated[int, Query(ge=60, le=86_400)] = 60,
    limit: Annotated[int, Query(ge=1, le=ROWS_MAX)] = ROWS_MAX,
) -> Response:
    """Count replies and decisions by dimensions, largest first, of what the other parameters name.

    Where the counters tell them apart the counts are exact, else they are drawn from samples.
    """
    since_s, until_s = span_of(since, until)
    given = (load_balancer, type, view, pool, endpoint, pop, country, region, rule, rcode)
    where = {name: value for name, value in zip(_FILTERS, given, strict=True) if value is not None}
    dimensions = list(dict.fromkeys(filter(None, (one.strip() for one in by.split(",")))))
    unknown = [(f'by: "{one}" is no dimension; expected some of {", ".join(KNOWN)}', None) for one in dimensions]
    unknown = [told for told, one in zip(unknown, dimensions, strict=True) if one not in KNOWN]
    if unknown:
        raise invalid(*unknown)
    try:
        found = _reader(site).cells(since_s, until_s, dimensions, where, step_s)
    except LbdnsError as error:
        raise _refusal(error) from None
    rows = [{**row.dimensions, "count": row.count, "exact": row.exact, "samples": row.samples} for row in found[:limit]]
    return ok({"since": since_s, "until": until_s, "rows": rows, "total_rows": len(found)})


@router.get("/status", summary="Show how the history stands", **describe(_STATUS))
def history_status(site: CurrentSite) -> Response:
    """Show what is kept since when, how large it is, when it was written last, and what was lost."""
    try:
        return ok(_reader(site).status())
    except LbdnsError as error:
        raise _refusal(error) from None


def _reader(site: ApiSite) -> HistoryReader:
    return HistoryReader(site.settings.state_dir())


def _refusal(error: LbdnsError) -> ApiError:
    if isinstance(error, HistoryUnreadable):
        return ApiError(503, INTERNAL, str(error))
    return invalid((str(error), None))


def span_of(since: str | None, until: str | None) -> tuple[float, float]:
    """Return the span that two texts say, in unix seconds; raises ApiError with every mistake in them."""
    now_s = time.time()
    wrong = []
    found: list[float] = []
    for name, text, default_s in (("since", since, None), ("until", until, now_s)):
        found_s = default_s if text is None else moment_s(text, now_s)
        if text is not None and found_s is None:
            wrong.append((f'{name}: "{text}" is no time; expected {MOMENT_FORMS}', None))
        found.append(now_s if found_s is None else found_s)
    if wrong:
        raise invalid(*wrong)
    since_s, until_s = found
    if since is None:
        since_s = max(until_s - SPAN_S, 0.0)
    if since_s >= until_s:
        raise invalid(("since: expected a time before until", None))
    return since_s, until_s
