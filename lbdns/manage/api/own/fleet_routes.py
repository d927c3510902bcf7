"""The fleet that the running server is in: each machine, as this one hears it."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Response

from lbdns.base.words import OWN_PATH
from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.live import operate
from lbdns.manage.api.frame.openapi import component, describe, schema_of
from lbdns.manage.api.frame.site import CurrentSite
from lbdns.model.fleet_report import FleetReport

_FLEET: Final[dict[str, Any]] = component("Fleet", schema_of(FleetReport))

router = APIRouter(prefix=OWN_PATH, tags=["lbdns"])


@router.get("/fleet", summary="Show the machines of the fleet", **describe(_FLEET))
async def show_fleet(site: CurrentSite) -> Response:
    """Show each machine with what it said last and how long ago, and what somebody should look at; `machine` is the one
    that answers, "" where it is in no fleet."""
    return ok(await operate(site, "fleet", {}))
