"""Map: which pool each country gets of a load balancer, and which pools are slow from where."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from lbdns.base.words import BALANCER_TYPES, OWN_PATH, PLACE_POLICIES
from lbdns.manage.dashboard.page_request import PageRequest, call_api
from lbdns.manage.dashboard.page_router import PageRouter, render
from lbdns.manage.dashboard.world_map.country_shapes import HEIGHT, WIDTH
from lbdns.manage.dashboard.world_map.drawing import (
    ask_path,
    by_latency,
    by_pool,
    fills_of,
    hangs_on_words,
    legend_by_latency,
    legend_by_pool,
    marks_of,
    rows_of,
    to_pick,
)

PLACE: Final = "/map"
SUGGESTED_MAX: Final = 200
_LISTS: Final = ("down", "up", "rules_off", "rules_on")
_TEXTS: Final = ("type", "clients", "family", "view", "pop")

router = PageRouter()


@router.get(PLACE)
async def show_map(request: PageRequest) -> Response:
    """Show the map of one load balancer; of the first, where none is named."""
    params = request.query_params
    listed = await call_api(request, "GET", f"{OWN_PATH}/load_balancers", {"page": 1, "per_page": SUGGESTED_MAX})
    balancers = [one for one in listed.result if one["enabled"]] if listed.is_success else []
    name = params.get("load_balancer", "").strip() or _first(balancers)
    asked: dict[str, Any] = {key: params.get(key) or None for key in _TEXTS}
    asked |= {key: params.getlist(key) for key in _LISTS}
    given: dict[str, Any] = {
        "name": name,
        "asked": asked,
        "suggested": [one["name"] for one in balancers],
        "types": ("A", "AAAA", *BALANCER_TYPES[1:]),
        "size": (WIDTH, HEIGHT),
        "by": "latency" if params.get("by") == "latency" else "pool",
        "pool": params.get("pool", ""),
        "found": None,
        "refused": [],
        "drawn": to_pick([], lambda row: ""),
    }
    if not name:
        return render(request, "map.html", **given)
    answer = await call_api(request, "GET", f"{OWN_PATH}/map", {"load_balancer": name, **asked})
    if not answer.is_success:
        refused = [error["message"].removesuffix(": validation failed") for error in answer.errors]
        return render(request, "map.html", answer.status, **{**given, "refused": refused})
    return render(request, "map.html", **given | _drawn(answer.result, asked, given["by"], given["pool"]))


def _first(balancers: list[dict[str, Any]]) -> str:
    """Return the load balancer that is shown unasked: one whose answers differ by place, where there is any."""
    by_place = [one for one in balancers if one["steering_policy"] in PLACE_POLICIES]
    return next((one["name"] for one in (*by_place, *balancers)), "")


def _drawn(found: dict[str, Any], asked: dict[str, Any], by: str, pool: str) -> dict[str, Any]:
    def link(row: Any) -> str:
        return ask_path(found, asked, next(iter(row["networks"].values())))

    draw, legend = (by_latency, legend_by_latency) if by == "latency" else (by_pool, legend_by_pool)
    return {
        "found": found,
        "drawn": draw(found, link),
        "legend": legend(found),
        "marks": marks_of(found),
        "fills": fills_of(found),
        "rows": rows_of(found, asked, pool),
        "is_mixed": any(len(row["pools"]) > 1 for row in found["countries"]),
        "hangs_on": hangs_on_words(found["hangs_on"]),
        "words_of": hangs_on_words,
    }
