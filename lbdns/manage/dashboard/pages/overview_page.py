"""Overview: is anything wrong, where does traffic go, what changed last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from starlette.responses import Response

from lbdns.base.words import OWN_PATH, V4_PATH
from lbdns.manage.dashboard.charts import Chart, chart_of
from lbdns.manage.dashboard.page_calls import ApiAnswer
from lbdns.manage.dashboard.page_request import PageRequest, call_all
from lbdns.manage.dashboard.page_router import PageRouter, render

SPANS: Final = {"1h": "1 hour", "6h": "6 hours", "1d": "1 day", "7d": "7 days", "30d": "30 days", "90d": "90 days"}
"""How far back charts go: what the API takes behind a minus, and its words."""
POINTS: Final = 180
"""Of each line: a chart of any span costs the same."""
LISTED: Final = 6
SERIES: Final = f"{OWN_PATH}/history/series"

router = PageRouter()


@dataclass(frozen=True, slots=True)
class Drawn:
    """A chart, or why there is none."""

    title: str
    chart: Chart | None
    why: str = ""


@router.get("/")
async def show_overview(request: PageRequest) -> Response:
    """Show it; `span` is one of SPANS."""
    span = request.query_params.get("span", "")
    span = span if span in SPANS else next(iter(SPANS))
    past = {"since": f"-{span}", "points": POINTS}
    health, changes, revisions, queries, rcodes, pools = await call_all(
        request,
        (f"{OWN_PATH}/health/summary", {"limit": 12}),
        (f"{V4_PATH}/user/load_balancing_analytics/events", {"limit": LISTED}),
        (f"{OWN_PATH}/revisions", {"limit": LISTED}),
        (SERIES, {"what": "queries", **past}),
        (SERIES, {"what": "rcodes", **past}),
        (SERIES, {"what": "pools", **past}),
    )
    charts = [
        _drawn("Queries a second", queries, "q/s", stacked=True),
        _drawn("Answers by response code", rcodes, "q/s"),
        _drawn("Pools' shares of steered answers", pools, "%", stacked=True, share=True),
    ]
    return render(
        request,
        "overview.html",
        health=health,
        changes=changes,
        revisions=revisions,
        charts=charts,
        span=span,
        spans=SPANS,
        rate=_now(queries),
        failing=_failing(rcodes),
        place_of=_place_of,
    )


def _place_of(one: Mapping[str, Any]) -> str:
    """Return the page about something that is wrong, as the summary of health names it."""
    if one["kind"] == "load_balancer":
        return f"/load_balancers?{urlencode({'search': one['name'].partition('@')[0]})}"
    if one["kind"] == "virtual_network":
        return "/networks"
    return f"/health/{quote(one['name'].partition('/')[0], safe='')}"


def _drawn(title: str, answer: ApiAnswer, unit: str, stacked: bool = False, share: bool = False) -> Drawn:
    if not answer.is_success:
        return Drawn(title, None, answer.errors[0]["message"])
    return Drawn(title, chart_of(title, answer.result, unit, stacked, share))


def _now(answer: ApiAnswer) -> float | None:
    """Return the newest rate of all lines together."""
    if not answer.is_success:
        return None
    columns = zip(*(line["values"] for line in answer.result["series"]), strict=True)
    known = [sum(value or 0.0 for value in column) for column in columns if any(value is not None for value in column)]
    return known[-1] if known else None


def _failing(answer: ApiAnswer) -> float | None:
    """Return the share of answers that were SERVFAIL over the whole span."""
    if not answer.is_success:
        return None
    sums: dict[str, float] = {
        line["name"]: sum(value or 0.0 for value in line["values"]) for line in answer.result["series"]
    }
    whole: Any = sum(sums.values())
    return sums.get("SERVFAIL", 0.0) / whole if whole else None
