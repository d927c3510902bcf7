"""The fleet that the running server is in: each machine, as this one hears it, and whom it forgets."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Response

from lbdns.base.words import OWN_PATH
from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.live import operate
from lbdns.manage.api.frame.openapi import component, describe, schema_of
from lbdns.manage.api.frame.site import CurrentSite
from lbdns.model.fleet_report import FleetReport
from lbdns.model.fleet_settings import MACHINE_NAME_CHARS_MAX

_FLEET: Final[dict[str, Any]] = component("Fleet", schema_of(FleetReport))
_FORGOTTEN: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"machine": {"type": "string"}},
    "required": ["machine"],
    "additionalProperties": False,
}
MachineName = Annotated[str, Path(min_length=1, max_length=MACHINE_NAME_CHARS_MAX)]

router = APIRouter(prefix=OWN_PATH, tags=["lbdns"])


@router.get("/fleet", summary="Show the machines of the fleet", **describe(_FLEET))
async def show_fleet(site: CurrentSite) -> Response:
    """Show each machine with what it said last and how long ago, and what somebody should look at; `machine` is the one
    that answers, "" where it is in no fleet."""
    return ok(await operate(site, "fleet", {}))


@router.delete("/fleet/{machine}", summary="Forget a machine that is gone for good", **describe(_FORGOTTEN))
async def forget_machine(site: CurrentSite, machine: MachineName) -> Response:
    """Take a machine that is not heard out of the fleet, here and at all that hear this one: it is missed no more, and
    counts no more. One that comes back is known again."""
    return ok(await operate(site, "fleet_forget", {"machine": machine}))
