"""Zones and their records: lists with search, forms by type, master files in and out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from starlette.responses import Response

from lbdns.base.words import V4_PATH
from lbdns.manage.api.v4.zone_shapes import ZONE_CHANGED, ZONE_WRITTEN
from lbdns.manage.dashboard.object_forms.form_field import FormField, schema_form
from lbdns.manage.dashboard.object_forms.record_form import RECORD_TYPES_OFFERED, record_form
from lbdns.manage.dashboard.objects.object_desk import ObjectDesk, serve_desk
from lbdns.manage.dashboard.page_calls import ApiAnswer, path_of
from lbdns.manage.dashboard.page_request import PageRequest, api_result, call_api, checked
from lbdns.manage.dashboard.page_router import PageRouter, render, see_other
from lbdns.manage.dashboard.pages.signing_page import signing_told

PER_PAGE: Final = 100
BALANCERS_SHOWN: Final = 8
"""Of a zone, above its records."""
ZONES_API: Final = f"{V4_PATH}/zones"


@cache
def _zone_form(is_new: bool) -> FormField:
    return schema_form(ZONE_WRITTEN if is_new else ZONE_CHANGED, "Zone", () if is_new else ("name", "view"))


def _form_of_zone(request: PageRequest, body: Mapping[str, Any]) -> FormField:
    return _zone_form("id" not in body)


def _form_of_record(request: PageRequest, body: Mapping[str, Any]) -> FormField:
    return record_form(str(body.get("type") or "A"))


def _new_record(request: PageRequest) -> dict[str, Any]:
    asked = request.query_params.get("type", "A").upper()[:20]
    return {"type": asked, "name": "", "ttl": 1}


ZONES: Final = ObjectDesk("zone", "/zones", "/zones", api=lambda request: ZONES_API, form=_form_of_zone)
RECORDS: Final = ObjectDesk(
    "record",
    "/zones/{zone}/records",
    "",
    api=lambda request: path_of(ZONES_API, request.path_params["zone"], "dns_records"),
    form=_form_of_record,
    begin=_new_record,
    extra="zones/record_type.html",
    extra_data={"types": RECORD_TYPES_OFFERED},
)

router = PageRouter()


@router.get("/zones")
async def list_zones(request: PageRequest) -> Response:
    """List zones."""
    asked = request.query_params
    wanted = asked.get("search", "").strip()
    query = {
        "page": asked.get("page", "1"),
        "per_page": PER_PAGE,
        "name": f"contains:{wanted}" if wanted else None,
        "order": "name",
        "view": asked.get("view"),
    }
    answer = checked(await call_api(request, "GET", ZONES_API, query))
    return render(
        request,
        "zones/list.html",
        zones=answer.result,
        info=answer.info,
        search=wanted,
        **request.writing("POST", ZONES_API),
    )


serve_desk(router, ZONES)
serve_desk(router, RECORDS)


@router.get("/zones/{zone}/records")
async def list_records(request: PageRequest) -> Response:
    """List a zone's records, those that a search leaves."""
    asked = request.query_params
    zone = await api_result(request, path_of(ZONES_API, request.path_params["zone"]))
    query = {
        "page": asked.get("page", "1"),
        "per_page": PER_PAGE,
        "search": asked.get("search") or None,
        "type": asked.get("type") or None,
        "name_servers": True,
        "order": "name",
        "view": asked.get("view"),
    }
    answer = checked(await call_api(request, "GET", RECORDS.api(request), query))
    few = {"page": 1, "per_page": BALANCERS_SHOWN}
    balancers = await call_api(request, "GET", path_of(ZONES_API, zone["id"], "load_balancers"), few)
    return render(
        request,
        "zones/records.html",
        zone=zone,
        records=answer.result,
        info=answer.info,
        search=asked.get("search", ""),
        type=asked.get("type", ""),
        types=RECORD_TYPES_OFFERED,
        balancers=balancers.result if balancers.is_success else [],
        signing=await signing_told(request, zone["id"]),
        balancer_count=balancers.info["total_count"] if balancers.is_success else 0,
        place=RECORDS.page(request),
        may_delete=not request.refusal("DELETE", path_of(ZONES_API, zone["id"])),
        **request.writing("PATCH", path_of(ZONES_API, zone["id"])),
    )


@router.get("/zones/{zone}/export")
async def export_zone(request: PageRequest) -> Response:
    """Give the zone as a master file."""
    zone = await api_result(request, path_of(ZONES_API, request.path_params["zone"]))
    query = {"view": request.query_params.get("view")}
    answer = checked(await call_api(request, "GET", path_of(RECORDS.api(request), "export"), query))
    headers = {"Content-Disposition": f'attachment; filename="{zone["name"]}.txt"'}
    return Response(answer.content, media_type="text/plain; charset=utf-8", headers=headers)


@router.get("/zones/{zone}/import")
async def ask_for_file(request: PageRequest) -> Response:
    """Ask for a master file whose records are added."""
    return await _shown_import(request, "", None)


@router.post("/zones/{zone}/import")
async def import_records(request: PageRequest) -> Response:
    """Add the records of a master file: tried first, then done."""
    fields = await request.fields()
    file = await request.uploaded("file")
    text = file.decode(errors="replace") if file is not None else fields.get("text", "")
    is_tried = fields.get("step") != "save"
    body, kind = _as_form(text)
    query = {"dry_run": True} if is_tried else None
    path = path_of(RECORDS.api(request), "import")
    answer = await call_api(request, "POST", path, query, body, {"content-type": kind})
    if is_tried or not answer.is_success:
        return await _shown_import(request, text, answer)
    added, parsed = answer.result["recs_added"], answer.result["total_records_parsed"]
    request.note(f"{added} of {parsed} records are new, and were added.")
    for message in answer.messages:
        request.note(message["message"], "warning")
    return see_other(RECORDS.page(request))


async def _shown_import(request: PageRequest, text: str, tried: ApiAnswer | None) -> Response:
    zone = await api_result(request, path_of(ZONES_API, request.path_params["zone"]))
    request.insist("POST", path_of(RECORDS.api(request), "import"))
    status = 200 if tried is None or tried.is_success else tried.status
    return render(
        request,
        "zones/import.html",
        status,
        zone=zone,
        text=text,
        tried=tried,
        place=RECORDS.page(request),
        api_path=path_of(RECORDS.api(request), "import"),
        is_writable=request.site.manager.is_writable,
    )


def _as_form(text: str) -> tuple[bytes, str]:
    """Return a master file as the form that the API takes (RFC 7578), and its type."""
    boundary = "lbdns-form"
    while boundary in text:
        boundary += "-"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="zone.txt"\r\n'
    body = f"{head}Content-Type: text/plain\r\n\r\n{text}\r\n--{boundary}--\r\n"
    return body.encode(), f"multipart/form-data; boundary={boundary}"


@router.get("/zones/{zone}")
async def show_zone(request: PageRequest) -> Response:
    """Lead to a zone's records."""
    return see_other(path_of("/zones", request.path_params["zone"], "records"))
