"""Records of a zone: list and search, create, replace, change, delete, all at once, as a master file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import PlainTextResponse

from lbdns.base.kinds import Kind
from lbdns.base.repeats import gathered
from lbdns.manage.api.frame.admission import belongs_to
from lbdns.manage.api.frame.api_errors import invalid
from lbdns.manage.api.frame.auth import CurrentCaller
from lbdns.manage.api.frame.dry_run import DryRun, or_dry_run, planned
from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.large_bodies import LargeBody
from lbdns.manage.api.frame.limits import JsonObject
from lbdns.manage.api.frame.openapi import DELETED, describe
from lbdns.manage.api.frame.paging import page
from lbdns.manage.api.frame.pointers import Steps
from lbdns.manage.api.frame.reply_messages import MESSAGES_MAX, warnings
from lbdns.manage.api.frame.signer import has_keys
from lbdns.manage.api.frame.site import ApiSite, CurrentSite, ObjectId, ViewQuery, own_zone, tell_of_view
from lbdns.manage.api.own.zone_import import add_records, many_as_one, view_within
from lbdns.manage.api.v4.balancing import BasedOn, etag
from lbdns.manage.api.v4.record_filters import RecordFiltersQuery
from lbdns.manage.api.v4.record_shapes import (
    BATCH,
    BATCH_DONE,
    IMPORT,
    IMPORTED,
    RECORD,
    RECORD_CHANGED,
    RECORD_WRITTEN,
    shown_record,
)
from lbdns.manage.api.v4.record_writer import RecordWriter
from lbdns.manage.reading.form_body import FORM_TYPE
from lbdns.manage.reading.zone_reading import ZoneReading
from lbdns.manage.store.edit import Edit
from lbdns.manage.store.item import Item
from lbdns.manage.store.managing import Done
from lbdns.manage.store.refusals import NotFound
from lbdns.manage.store.state import State
from lbdns.manage.store.token_scopes import ZONES
from lbdns.manage.store.zones.zone_bodies import export_zone

PATH: Final = "/zones/{zone_id}/dns_records"
ONE: Final = f"{PATH}/{{id}}"
BATCH_STEPS: Final = ("deletes", "patches", "puts", "posts")
"""In the order in which they are done."""
BATCH_MAX: Final = 20_000

router = APIRouter(tags=["records"], dependencies=[belongs_to(ZONES)])
ZoneId = Annotated[str, Depends(own_zone)]


@router.get(PATH, summary="List records", **describe({"type": "array", "items": RECORD}, paged=True))
def list_records(site: CurrentSite, zone_id: ZoneId, filters: RecordFiltersQuery) -> Response:
    """List a zone's records by pages, those alone that fit the filters."""
    state = site.state
    zone = _zone(state, zone_id)
    tell_of_view(site, filters.view)
    found = filters.chosen(state.records(zone_id).values(), zone)
    shown, info = page(found, filters.page, filters.per_page)
    return ok([shown_record(record, zone) for record in shown], info)


def _zone(state: State, zone_id: str) -> Item:
    zone = state.get(Kind.ZONE, zone_id)
    if zone is None:
        raise NotFound(Kind.ZONE, zone_id)
    return zone


@router.post(PATH, summary="Create a record", **describe(or_dry_run(RECORD), RECORD_WRITTEN))
async def create_record(
    site: CurrentSite,
    caller: CurrentCaller,
    request: Request,
    zone_id: ZoneId,
    body: JsonObject,
    dry_run: DryRun = False,
) -> Response:
    writer = RecordWriter(site, caller, request, zone_id, dry_run)
    return writer.told(await writer.change(f"create {_words(body)}", lambda edit: writer.create(edit, body)))


@router.get(
    f"{PATH}/export",
    summary="Export a zone as a master file",
    responses={
        200: {"description": "a master file (RFC 1035)", "content": {"text/plain": {"schema": {"type": "string"}}}}
    },
    response_model=None,
)
def export_records(site: CurrentSite, zone_id: ZoneId, view: ViewQuery = None) -> Response:
    """Return the records that all see, under the zone's SOA; with `view`, those of the view, without one."""
    state = site.state
    zone = _zone(state, zone_id)
    headers = {"Content-Disposition": 'attachment; filename="zone.txt"'}
    own = view_within(zone, view)
    return PlainTextResponse(export_zone(zone, state.records(zone_id).values(), own), headers=headers)


@router.post(
    f"{PATH}/import",
    summary="Add the records of a master file",
    **describe(or_dry_run(IMPORTED), IMPORT, content_type=FORM_TYPE),
)
async def import_records(
    site: CurrentSite,
    caller: CurrentCaller,
    request: Request,
    zone_id: ZoneId,
    body: LargeBody,
    view: ViewQuery = None,
    dry_run: DryRun = False,
) -> Response:
    """Add every record of a master file, or none. Records that are there already are left; the zone keeps its SOA.

    With `view`, they are records of the view.
    """
    zone = _zone(site.state, zone_id)
    own = view_within(zone, view)
    writer = RecordWriter(site, caller, request, zone_id, dry_run)
    read = await body.read(ZoneReading(request.headers.get("content-type", ""), zone.name, has_keys(site, zone.name)))
    with many_as_one():
        done = await writer.change("import records", lambda edit: add_records(edit, zone_id, read, own))
    added, parsed, noted = done.result
    written = {change.item.name for change in done.changes if change.item.kind is Kind.RECORD}
    messages = [*warnings(gathered(noted)[:MESSAGES_MAX]), *writer.messages(done, written)]
    if dry_run:
        return planned(done, writer.before, messages[:MESSAGES_MAX])
    return ok({"recs_added": added, "total_records_parsed": parsed}, messages=messages[:MESSAGES_MAX])


@router.post(f"{PATH}/batch", summary="Change many records at once", **describe(or_dry_run(BATCH_DONE), BATCH))
async def batch_records(
    site: CurrentSite,
    caller: CurrentCaller,
    request: Request,
    zone_id: ZoneId,
    body: JsonObject,
    dry_run: DryRun = False,
) -> Response:
    """Delete, change, replace and create records in this order, all of them or none."""
    steps = _batch_steps(body)
    writer = RecordWriter(site, caller, request, zone_id, dry_run)

    def make(edit: Edit) -> dict[str, list[Item]]:
        writer.find_all(edit, ((one["id"], (step, at, "id")) for step, at, one in _changed(steps)))
        made: dict[str, list[Item]] = {step: [] for step in BATCH_STEPS}
        for one in steps["deletes"]:
            made["deletes"].append(writer.delete(edit, one["id"]))
        for index, one in enumerate(steps["patches"]):
            made["patches"].append(writer.patch(edit, one["id"], one, "patches", index))
        for index, one in enumerate(steps["puts"]):
            made["puts"].append(writer.replace(edit, one["id"], one, "puts", index))
        for index, one in enumerate(steps["posts"]):
            made["posts"].append(writer.create(edit, one, "posts", index))
        return made

    done = await writer.change("change many records", make)
    result: dict[str, list[Item]] = done.result
    names = {item.name for items in result.values() for item in items}
    if dry_run:
        return planned(done, writer.before, writer.messages(done, names))
    shown = {step: [shown_record(item, writer.zone) for item in items] for step, items in result.items()}
    return ok(shown, messages=writer.messages(done, names))


def _changed(steps: Mapping[str, list[dict[str, Any]]]) -> Iterable[tuple[str, int, dict[str, Any]]]:
    """Yield the entries of a batch that are about records that there are, each with its step and place."""
    for step in BATCH_STEPS[:-1]:
        yield from ((step, at, one) for at, one in enumerate(steps[step]))


def _batch_steps(body: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the steps of a batch; raises ApiError for what has not their shape."""
    found: list[tuple[str, Steps | None]] = []
    steps: dict[str, list[dict[str, Any]]] = {step: [] for step in BATCH_STEPS}
    if sum(len(value) for value in body.values() if isinstance(value, list)) > BATCH_MAX:
        raise invalid((f"a batch has at most {BATCH_MAX} records", None))
    for key, value in body.items():
        if key not in steps:
            found.append((f"{key}: unknown field; a batch has {', '.join(BATCH_STEPS)}", (key,)))
        elif value is not None and not isinstance(value, list):
            found.append((f"{key}: expected a list", (key,)))
        elif value is not None:
            steps[key] = value
            found.extend(_bad_entries(key, value))
    if found:
        raise invalid(*found)
    return steps


def _bad_entries(step: str, entries: list[Any]) -> Iterable[tuple[str, Steps]]:
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict):
            yield f"{step}.{index}: expected an object", (step, index)
        elif step != "posts" and not isinstance(entry.get("id"), str):
            yield f"{step}.{index}.id: expected the id of a record", (step, index, "id")


@router.get(ONE, summary="Show a record", **describe(RECORD))
async def show_record(site: CurrentSite, zone_id: ZoneId, id: ObjectId) -> Response:
    state = site.state
    record = state.get(Kind.RECORD, id)
    if record is None or record.zone_id != zone_id:
        raise NotFound(Kind.RECORD, id)
    return ok(shown_record(record, _zone(state, zone_id)), headers=etag(record))


@router.put(
    ONE,
    summary="Replace a record: what is not named goes back to its default",
    **describe(or_dry_run(RECORD), RECORD_WRITTEN, guarded=True),
)
async def replace_record(
    site: CurrentSite,
    caller: CurrentCaller,
    request: Request,
    zone_id: ZoneId,
    id: ObjectId,
    based_on: BasedOn,
    body: JsonObject,
    dry_run: DryRun = False,
) -> Response:
    writer = RecordWriter(site, caller, request, zone_id, dry_run)

    def make(edit: Edit) -> Item:
        writer.find(edit, id, based_on)
        return writer.replace(edit, id, body)

    return writer.told(await writer.change(f"replace {_words(body)}", make))


@router.patch(
    ONE,
    summary="Change a record: only what is named; null resets a field",
    **describe(or_dry_run(RECORD), RECORD_CHANGED, guarded=True),
)
async def change_record(
    site: CurrentSite,
    caller: CurrentCaller,
    request: Request,
    zone_id: ZoneId,
    id: ObjectId,
    based_on: BasedOn,
    body: JsonObject,
    dry_run: DryRun = False,
) -> Response:
    writer = RecordWriter(site, caller, request, zone_id, dry_run)

    def make(edit: Edit) -> Item:
        writer.find(edit, id, based_on)
        return writer.patch(edit, id, body)

    return writer.told(await writer.change(f"change {_words_of(site, id)}", make))


@router.delete(ONE, summary="Delete a record", **describe(or_dry_run(DELETED), guarded=True))
async def delete_record(
    site: CurrentSite,
    caller: CurrentCaller,
    request: Request,
    zone_id: ZoneId,
    id: ObjectId,
    based_on: BasedOn,
    dry_run: DryRun = False,
) -> Response:
    writer = RecordWriter(site, caller, request, zone_id, dry_run)

    def make(edit: Edit) -> Item:
        writer.find(edit, id, based_on)
        return writer.delete(edit, id)

    done: Done[Item] = await writer.change(f"delete {_words_of(site, id)}", make)
    messages = writer.messages(done, [done.result.name])
    return planned(done, writer.before, messages) if dry_run else ok({"id": id}, messages=messages)


def _words(body: Mapping[str, Any]) -> str:
    """Return what a body is about, for the audit trail."""
    name, rdtype = body.get("name"), body.get("type")
    if isinstance(name, str) and isinstance(rdtype, str):
        return f'record "{name[:100]}" {rdtype[:20]}'
    return "record"


def _words_of(site: ApiSite, id: str) -> str:
    record = site.state.get(Kind.RECORD, id)
    return _words(record.body) if record is not None else f"record {id}"
