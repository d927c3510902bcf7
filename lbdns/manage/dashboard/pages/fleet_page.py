"""Fleet: each machine as this one hears it, and what somebody should look at."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from lbdns.base.words import OWN_PATH, Health
from lbdns.health.events import duration_text
from lbdns.manage.dashboard.page_request import PageRequest, call_api
from lbdns.manage.dashboard.page_router import PageRouter, render
from lbdns.model.fleet_report import NO_FLEET, FleetReport, RosterRow, revision_text

API: Final = f"{OWN_PATH}/fleet"
PLACE: Final = "/fleet"

router = PageRouter()


@router.get(PLACE)
async def show_fleet(request: PageRequest) -> Response:
    """List the machines by name."""
    answer = await call_api(request, "GET", API)
    report = FleetReport.from_json(answer.result) if answer.is_success else NO_FLEET
    return render(
        request,
        "fleet.html",
        report=report,
        machines=[_shown(row, report.machine) for row in report.machines],
        refused=[one["message"] for one in answer.errors],
    )


def _shown(row: RosterRow, own: str) -> dict[str, Any]:
    """Return what a row of the table has."""
    # Needed by who is in a fleet alone.
    from lbdns.fleet.fleet_problems import heard_text

    status = row.status
    is_well = not (status.mistakes or status.bus) and status.cut_off_s is None
    state = Health.DOWN if not row.is_heard else Health.HEALTHY if is_well else Health.DEGRADED
    return {
        "status": status,
        "is_own": status.name == own,
        "is_heard": row.is_heard,
        "state": state,
        "word": "not heard" if not row.is_heard else "cut off" if status.cut_off_s is not None else "heard",
        "since": duration_text(row.for_s),
        "revision": revision_text(status),
        "hears": heard_text(status),
    }
