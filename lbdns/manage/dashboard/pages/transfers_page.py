"""Transfers: where zones come from and who has them, with serials, checks and errors; check, transfer, notify now."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from lbdns.base.words import OWN_PATH, V4_PATH
from lbdns.manage.dashboard.page_calls import path_of
from lbdns.manage.dashboard.page_request import PageRequest, api_result, call_api, checked
from lbdns.manage.dashboard.page_router import PageRouter, render, see_other
from lbdns.transfer.zone_transfer_status import TransferRole, ZoneTransferStatus

API: Final = f"{OWN_PATH}/transfers"
PLACE: Final = "/transfers"
REFRESHED: Final = "{zone} was checked: serial {serial}."
NOTIFIED: Final = "{zone}: whoever is notified was told of serial {serial}."

router = PageRouter()


@router.get(PLACE)
async def list_transfers(request: PageRequest) -> Response:
    """List zones that are transferred, those that somebody has to look at first."""
    answer = await call_api(request, "GET", API)
    found = [ZoneTransferStatus.from_json(one) for one in answer.result] if answer.is_success else []
    found.sort(key=lambda one: (not one.is_wrong, not one.warnings, one.zone))
    return render(
        request,
        "transfers/list.html",
        zones=found,
        refused=[one["message"] for one in answer.errors],
    )


@router.get(f"{PLACE}/{{zone}}")
async def show_transfers(request: PageRequest) -> Response:
    """Show one zone's."""
    path = path_of(API, request.path_params["zone"])
    status = ZoneTransferStatus.from_json(await api_result(request, path))
    named = await call_api(request, "GET", f"{V4_PATH}/zones", {"name": status.zone})
    return render(
        request,
        "transfers/zone.html",
        shown=status,
        hosted=named.result[0]["id"] if named.is_success and named.result else "",
        is_secondary=status.role == TransferRole.SECONDARY,
        api_path=path,
        withheld=request.refusal("POST", path_of(path, "refresh")),
    )


@router.post(f"{PLACE}/{{zone}}/refresh")
async def refresh(request: PageRequest) -> Response:
    """Check a zone now, or transfer all of it."""
    fields = await request.fields()
    return await _done(request, "refresh", {"force": bool(fields.get("force"))}, REFRESHED)


@router.post(f"{PLACE}/{{zone}}/notify")
async def notify(request: PageRequest) -> Response:
    """Tell those who are notified."""
    await request.fields()
    return await _done(request, "notify", None, NOTIFIED)


async def _done(request: PageRequest, verb: str, body: dict[str, bool] | None, told: str) -> Response:
    zone = request.path_params["zone"]
    answer = checked(await call_api(request, "POST", path_of(API, zone, verb), body=body))
    status = ZoneTransferStatus.from_json(answer.result)
    if status.problem:
        request.note(f"{status.zone}: {status.problem}", "failed")
    else:
        request.note(told.format(zone=status.zone, serial=status.serial))
    return see_other(path_of(PLACE, zone))
