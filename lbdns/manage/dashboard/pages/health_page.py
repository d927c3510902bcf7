"""Health: what is down, since when, seen from where, why; who forced what until when."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from lbdns.base.words import OWN_PATH, V4_PATH
from lbdns.manage.api.frame.paging import PageInfo, page
from lbdns.manage.dashboard import health_matrix as matrix
from lbdns.manage.dashboard.page_calls import path_of
from lbdns.manage.dashboard.page_request import PageRequest, api_result, call_api
from lbdns.manage.dashboard.page_router import PageRouter, local_path, render, see_other

PLACE: Final = "/health"
FORCED: Final = f"{OWN_PATH}/forced"
EVENTS: Final = f"{V4_PATH}/user/load_balancing_analytics/events"
PER_PAGE: Final = 50
EVENTS_SHOWN: Final = 30
SPARK_POINTS: Final = 60

router = PageRouter()


@router.get(PLACE)
async def show_health(request: PageRequest) -> Response:
    """Show pools x places, with the form that forces a state."""
    return await _shown(request, {}, {}, 200)


@router.post(f"{PLACE}/force")
async def force(request: PageRequest) -> Response:
    """Force a state, or take that back; then back to the page that the form stood on."""
    fields = await request.fields()
    answer = await call_api(request, "POST", FORCED, body=matrix.force_body(fields))
    if answer.is_success:
        names = ", ".join(answer.result["names"]) or "nothing"
        how = "goes by what is measured again" if fields.get("state") == "auto" else f"is forced {fields.get('state')}"
        request.note(f"{names} {how}; answers follow it now.")
        return see_other(local_path(fields.get("back", PLACE)))
    errors = matrix.force_errors(answer.errors)
    if name := _pool_of(fields.get("back", "")):
        return await _pool_shown(request, name, fields, errors, answer.status)
    return await _shown(request, fields, errors, answer.status)


@router.get(f"{PLACE}/{{pool}}")
async def show_pool(request: PageRequest) -> Response:
    """Show one pool: its endpoints, how each place sees them, what happened last."""
    return await _pool_shown(request, request.path_params["pool"], {}, {}, 200)


def _pool_of(back: str) -> str:
    """Return the pool whose page a form stood on, "" where it was another one."""
    path = back.partition("?")[0]
    return path.removeprefix(f"{PLACE}/") if path.startswith(f"{PLACE}/") else ""


async def _lines(request: PageRequest, name: str | None = None) -> dict[str, dict[str, list[float | None]]]:
    """Return the lines of round-trip times of the last hour; none where no history is kept."""
    query = {"what": "rtt", "since": "-1h", "points": SPARK_POINTS, "name": name}
    answer = await call_api(request, "GET", f"{OWN_PATH}/history/series", query)
    return matrix.lines_by_pool(answer.result if answer.is_success else None)


async def _shown(request: PageRequest, fields: dict[str, str], errors: dict[str, list[str]], status: int) -> Response:
    params = request.query_params
    report = await api_result(request, f"{OWN_PATH}/health")
    orders = await api_result(request, FORCED)
    show, search = params.get("show", ""), params.get("search", "")
    wanted = matrix.listed(report["pools"], show, search)
    number = int(text) if (text := params.get("page", "")).isascii() and text.isdigit() and len(text) < 8 else 1
    pools, info = page(wanted, max(1, number), PER_PAGE)
    rows = await _rows(request, list(pools))
    return render(
        request,
        "health/health.html",
        status,
        report=report,
        rows=rows,
        places=matrix.places_of(rows),
        info=_info(info),
        counts=matrix.counts(report["pools"]),
        show=show,
        shows=matrix.SHOWN,
        search=search,
        orders=matrix.orders_in_force(orders),
        patterns=[pool["name"] for pool in report["pools"]][:500],
        fields={"pattern": params.get("force", ""), **fields},
        errors=errors,
        for_s=matrix.FOR_S,
        api_path=FORCED,
        withheld=request.refusal("POST", FORCED),
    )


def _info(info: PageInfo) -> dict[str, int]:
    return info.as_json()


async def _rows(request: PageRequest, pools: list[Any]) -> list[dict[str, Any]]:
    if not pools:
        return []
    names = [one["name"] for one in pools]
    seen = await api_result(request, f"{OWN_PATH}/health/places", {"pool": names})
    lines = await _lines(request, names[0] if len(names) == 1 else None)
    by_name = {one["name"]: one for one in seen}
    return [matrix.row_of(one, by_name.get(one["name"], {}), lines.get(one["name"], {})) for one in pools]


async def _pool_shown(
    request: PageRequest, name: str, fields: dict[str, str], errors: dict[str, list[str]], status: int
) -> Response:
    report = await api_result(request, f"{OWN_PATH}/health")
    pool = next((one for one in report["pools"] if one["name"] == name), None)
    if pool is None:
        return render(request, "refused.html", 404, errors=[{"message": f"no pool {name} is served"}], status_code=404)
    (row,) = await _rows(request, [pool])
    by_place: dict[str, Any] = {}
    pool_id = await _id_of(request, name)
    if pool_id is not None:
        account = (await api_result(request, f"{V4_PATH}/accounts"))[0]["id"]
        path = path_of(f"{V4_PATH}/accounts/{account}/load_balancers/pools", pool_id, "health")
        by_place = (await api_result(request, path))["pop_health"]
    endpoint = request.query_params.get("endpoint", "")
    query = {"pool_name": name, "origin_name": endpoint or None, "page": 1, "per_page": EVENTS_SHOWN}
    events = await call_api(request, "GET", EVENTS, query)
    return render(
        request,
        "health/pool.html",
        status,
        pool=row,
        lines=(await _lines(request, name)).get(name, {}),
        spark=matrix.sparkline,
        last_of=matrix.last_of,
        by_place=by_place,
        events=events.result if events.is_success else [],
        endpoint=endpoint,
        networks={one["name"]: one for one in report["virtual_networks"]},
        fields={"pattern": request.query_params.get("force", name), **fields},
        errors=errors,
        for_s=matrix.FOR_S,
        api_path=FORCED,
        withheld=request.refusal("POST", FORCED),
    )


async def _id_of(request: PageRequest, name: str) -> str | None:
    seen = await api_result(request, f"{OWN_PATH}/health/places", {"pool": [name]})
    return next((one["id"] for one in seen), None)
