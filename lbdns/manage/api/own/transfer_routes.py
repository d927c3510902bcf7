"""Zones that come from elsewhere, or that others may transfer: how they stand; checked, transferred, notified now.

They are called by name: a zone of the settings alone has no id.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Response

from lbdns.base.kinds import Kind
from lbdns.base.wording import unknown_field
from lbdns.base.words import OWN_PATH
from lbdns.dns.name import BadName, encode_canonical, show_name
from lbdns.manage.api.frame.admission import belongs_to
from lbdns.manage.api.frame.api_errors import NOT_FOUND, ApiError, invalid
from lbdns.manage.api.frame.auth import Caller, CurrentCaller
from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.limits import JsonObject, read_unused
from lbdns.manage.api.frame.openapi import component, describe, nullable, schema_of
from lbdns.manage.api.frame.site import ApiSite, CurrentSite
from lbdns.manage.api.frame.transfers import NOTIFY, REFRESH, have_transferred, transfers_of
from lbdns.manage.store.token_scopes import READ, ZONES
from lbdns.model import bounds
from lbdns.transfer.zone_transfer_status import ZoneTransferStatus

_STATUS: Final = component("ZoneTransfers", schema_of(ZoneTransferStatus))
_FORCE: Final = "force"
_REFRESHED: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        _FORCE: nullable({"type": "boolean", "description": "transfer all of it, even where the serial is the same"})
    },
    "additionalProperties": False,
}

router = APIRouter(prefix=OWN_PATH, tags=["lbdns"], dependencies=[belongs_to(ZONES, zone_name="name")])
ZoneName = Annotated[str, Path(min_length=1, max_length=bounds.MAX_NAME_CHARS + 1)]


@router.get(
    "/transfers",
    dependencies=[belongs_to(ZONES, is_filtered=True)],
    summary="List zones that are transferred",
    **describe({"type": "array", "items": _STATUS}),
)
async def list_transfers(site: CurrentSite, caller: CurrentCaller) -> Response:
    """List how each zone stands that comes from a primary, or that others may transfer."""
    return ok([one.as_json() for one in await transfers_of(site) if _may_see(caller, site, one.zone)])


@router.get("/transfers/{name}", summary="Show a zone's transfers", **describe(_STATUS))
async def show_transfers(site: CurrentSite, name: ZoneName) -> Response:
    """Show a zone's role, the serial that is served, its primaries and who is notified, checks, and what went wrong."""
    zone = _zone_of(name)
    found = await transfers_of(site, zone)
    if not found:
        raise ApiError(404, NOT_FOUND, f'the zone "{zone}" is not transferred, in or out, or is not there')
    return ok(found[0].as_json())


@router.post("/transfers/{name}/refresh", summary="Check a secondary zone now", **describe(_STATUS, _REFRESHED))
async def refresh(site: CurrentSite, caller: CurrentCaller, name: ZoneName, body: JsonObject) -> Response:
    """Ask a secondary zone's primaries now for what is new; the answer comes when that is done, or has failed."""
    unknown = [(unknown_field(key, [_FORCE]), (key,)) for key in body if key != _FORCE]
    force = body.get(_FORCE)
    wrong = [] if isinstance(force, bool | None) else [(f"{_FORCE}: expected true or false", (_FORCE,))]
    if unknown or wrong:
        raise invalid(*unknown, *wrong)
    return ok((await have_transferred(site, caller, REFRESH, _zone_of(name), force=bool(force))).as_json())


@router.post("/transfers/{name}/notify", summary="Tell who is notified of a zone", **describe(_STATUS))
async def notify(
    site: CurrentSite, caller: CurrentCaller, name: ZoneName, unused: Annotated[None, Depends(read_unused)]
) -> Response:
    """Send NOTIFY now to all who are told of the zone's changes."""
    return ok((await have_transferred(site, caller, NOTIFY, _zone_of(name))).as_json())


def _zone_of(name: str) -> str:
    """Return a zone's name as statuses have it; raises ApiError where it is none."""
    try:
        return show_name(encode_canonical(name))
    except BadName as error:
        raise invalid((f'"{name}" is no name of a zone: {error}', None)) from None


def _may_see(caller: Caller, site: ApiSite, zone: str) -> bool:
    """Tell whether a caller may read a zone, or one of that name that a view sees."""
    labels = {zone, *(one.label for one in site.state.all(Kind.ZONE).values() if one.name == zone)}
    return any(caller.scopes.allow(READ, ZONES, label) for label in labels)
