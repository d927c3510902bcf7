"""What-if: how much of the recorded traffic a change would move, from where to where."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from lbdns.base.words import OWN_PATH
from lbdns.manage.dashboard.page_calls import ApiAnswer, path_with
from lbdns.manage.dashboard.page_request import PageRequest, call_api
from lbdns.manage.dashboard.page_router import PageRouter, render
from lbdns.manage.reading.body_refused import BadBody
from lbdns.manage.reading.json_body import parse_json

PLACE: Final = "/what-if"
WHAT_IF: Final = f"{OWN_PATH}/whatif"
SINCE: Final = (
    ("-15m", "the last 15 minutes"),
    ("-1h", "the last hour"),
    ("-6h", "the last 6 hours"),
    ("-1d", "the last day"),
)
REVISIONS_SHOWN: Final = 50
_SINCE_USUAL: Final = "-1h"
_COUNTRIES_SHOWN: Final = 4

router = PageRouter()


@router.get(PLACE)
async def show_what_if(request: PageRequest) -> Response:
    """Show the form, and where a revision is named what going back to it would move."""
    params = request.query_params
    fields = {key: params.get(key, "") for key in ("revision", "since", "all_up")}
    if not fields["revision"]:
        return await _shown(request, fields, None)
    query = {"revision": fields["revision"], **_span(fields)}
    return await _shown(request, fields, await call_api(request, "POST", WHAT_IF, query))


@router.post(PLACE)
async def try_configuration(request: PageRequest) -> Response:
    """Show what a configuration would move, which is sent as JSON in a field or a file; nothing is changed."""
    fields = await request.fields()
    content = await request.uploaded("file") or fields.get("configuration", "").encode()
    try:
        configuration = parse_json(content)
    except BadBody as error:
        return await _shown(request, fields, None, 400, [f"this is no JSON: {error}"])
    whole = configuration if isinstance(configuration, dict) and "configuration" in configuration else None
    body = whole or {"configuration": configuration, "prune": bool(fields.get("prune"))}
    return await _shown(request, fields, await call_api(request, "POST", WHAT_IF, _span(fields), body))


def _span(fields: dict[str, str]) -> dict[str, Any]:
    return {"since": fields.get("since") or _SINCE_USUAL, "all_up": True if fields.get("all_up") else None}


async def _shown(
    request: PageRequest,
    fields: dict[str, str],
    answer: ApiAnswer | None,
    status: int = 200,
    refused: list[str] | None = None,
) -> Response:
    revisions = await call_api(request, "GET", f"{OWN_PATH}/revisions", {"limit": REVISIONS_SHOWN})
    found: dict[str, Any] | None = None
    if answer is not None:
        if answer.is_success:
            found = answer.result
        else:
            status, refused = answer.status, list(map(_told, answer.errors))
    return render(
        request,
        "what_if.html",
        status,
        fields={"since": _SINCE_USUAL, **{key: value for key, value in fields.items() if value}},
        revisions=revisions.result if revisions.is_success else [],
        spans=SINCE,
        refused=refused or [],
        found=found,
        moves=[_move(one) for one in found["moves"]] if found else [],
        endpoints=_endpoints(found) if found else [],
        api_path=WHAT_IF,
        withheld=request.refusal("POST", WHAT_IF),
    )


def _told(error: dict[str, Any]) -> str:
    pointer = (error.get("source") or {}).get("pointer", "")
    return f"{pointer}: {error['message']}" if pointer else str(error["message"])


def _move(move: dict[str, Any]) -> dict[str, Any]:
    """Return a move with the countries that it is from most, and the page that explains it for one client."""
    name = move["names"][0] if move["names"] else move["load_balancer"].partition("@")[0]
    asked = {"name": name, "type": move["type"], "ecs": move["networks"][0] if move["networks"] else None}
    return {**move, "ask": path_with("/ask", asked), "countries": move["countries"][:_COUNTRIES_SHOWN]}


def _endpoints(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the endpoints whose load changes, those first that it changes most for; `most`: the greatest rate of all,
    which bars are drawn to."""
    most = max((max(one["before_per_s"], one["after_per_s"]) for one in found["endpoints"]), default=0.0) or 1.0
    changed = [one for one in found["endpoints"] if one["before_per_s"] != one["after_per_s"]]
    changed.sort(key=lambda one: -abs(one["after_per_s"] - one["before_per_s"]))
    return [{**one, "before": one["before_per_s"] / most, "after": one["after_per_s"] / most} for one in changed]
