"""What a zone of the v4 API has beside DNS, or once it was scanned for records: always empty here.

An empty list is the honest answer to whoever looks before going on (octoDNS asks for page rules, external-dns for
custom hostnames). There is nothing to write to them, and any filter leaves them empty.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Response

from lbdns.base.words import OBJECTS_PER_PAGE_MAX
from lbdns.manage.api.frame.admission import belongs_to
from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.limits import read_unused
from lbdns.manage.api.frame.openapi import describe, nullable
from lbdns.manage.api.frame.paging import PER_PAGE, Paging, paged
from lbdns.manage.api.frame.reply_messages import tell
from lbdns.manage.api.frame.site import CurrentSite, own_zone
from lbdns.manage.store.token_scopes import ZONES
from lbdns.manage.store.zones.own_servers import is_of_server

EMPTY: Final = (
    "addressing/regional_hostnames",
    "custom_certificates",
    "custom_hostnames",
    "custom_pages",
    "filters",
    "firewall/access_rules/rules",
    "firewall/lockdowns",
    "firewall/rules",
    "firewall/ua_rules",
    "keyless_certificates",
    "logpush/jobs",
    "pagerules",
    "rate_limits",
    "rulesets",
    "spectrum/apps",
    "ssl/certificate_packs",
    "waiting_rooms",
    "workers/routes",
)
"""Lists of what works on traffic."""
NOTHING_FOUND: Final = "records come from whoever writes or imports them: there is nothing to scan"
_SCANNED: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"recs_added": {"const": 0}, "total_records_parsed": {"const": 0}},
    "required": ["recs_added", "total_records_parsed"],
    "additionalProperties": False,
}
_REVIEWED: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"accepts": {"type": "array", "maxItems": 0}, "rejects": {"type": "array", "maxItems": 0}},
    "required": ["accepts", "rejects"],
    "additionalProperties": False,
}
_USAGE: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"record_quota": nullable({"type": "integer"}), "record_usage": {"type": "integer"}},
    "required": ["record_quota", "record_usage"],
    "additionalProperties": False,
}
_NONE: Final[dict[str, Any]] = {"type": "array", "maxItems": 0}

router = APIRouter(tags=["zones"], dependencies=[belongs_to(ZONES)])
ZoneId = Annotated[str, Depends(own_zone)]
Unused = Annotated[None, Depends(read_unused)]


def _serve_empty(what: str) -> None:
    @router.get(
        f"/zones/{{zone_id}}/{what}",
        summary=f"List {what.rpartition('/')[2].replace('_', ' ')}: there are none",
        dependencies=[belongs_to(ZONES, takes_any_query=True)],
        **describe(_NONE, paged=True),
    )
    async def list_none(zone_id: ZoneId, paging: Annotated[Paging, paged(PER_PAGE, OBJECTS_PER_PAGE_MAX)]) -> Response:
        return ok([], paging.of(())[1])


for _what in EMPTY:
    _serve_empty(_what)


@router.post("/zones/{zone_id}/dns_records/scan", summary="Scan for records: there are none", **describe(_SCANNED))
async def scan(zone_id: ZoneId, unused: Unused) -> Response:
    tell(NOTHING_FOUND)
    return ok({"recs_added": 0, "total_records_parsed": 0})


@router.post(
    "/zones/{zone_id}/dns_records/scan/trigger", summary="Start a scan: it finds none", **describe({"type": "null"})
)
async def trigger_scan(zone_id: ZoneId, unused: Unused) -> Response:
    tell(NOTHING_FOUND)
    return ok(None)


@router.get("/zones/{zone_id}/dns_records/scan/review", summary="List records that a scan found", **describe(_NONE))
async def list_scanned(zone_id: ZoneId) -> Response:
    return ok([])


@router.post("/zones/{zone_id}/dns_records/scan/review", summary="Take records of a scan", **describe(_REVIEWED))
async def review_scanned(zone_id: ZoneId, unused: Unused) -> Response:
    tell(NOTHING_FOUND)
    return ok({"accepts": [], "rejects": []})


@router.get("/zones/{zone_id}/dns_records/usage", summary="Count the zone's records", **describe(_USAGE))
def count_records(site: CurrentSite, zone_id: ZoneId) -> Response:
    listed = [record for record in site.state.records(zone_id).values() if not is_of_server(record)]
    return ok({"record_quota": None, "record_usage": len(listed)})
