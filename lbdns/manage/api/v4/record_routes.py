"""Records of a zone: list and search, create, replace, change, delete, all at once, as a master file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import PlainTextResponse

from lbdns.base.errors import OWNER_NAMES, Problem
from lbdns.base.kinds import Kind
from lbdns.base.repeats import gathered
from lbdns.manage.api.frame.admission import belongs_to
from lbdns.manage.api.frame.api_errors import invalid, point_by
from lbdns.manage.api.frame.auth import Caller, CurrentCaller
from lbdns.manage.api.frame.dry_run import DryRun, or_dry_run, planned
from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.limits import JsonObject
from lbdns.manage.api.frame.openapi import DELETED, describe
from lbdns.manage.api.frame.paging import page
from lbdns.manage.api.frame.pointers import Steps
from lbdns.manage.api.frame.reply_messages import MESSAGES_MAX, warnings
from lbdns.manage.api.frame.site import ApiSite, CurrentSite, ObjectId, own_zone
from lbdns.manage.api.own.zone_import import FORM_TYPE, add_records, many_as_one, read_file
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
from lbdns.manage.store.edit import Edit
from lbdns.manage.store.item import Item, new_id
from lbdns.manage.store.manager import Done
from lbdns.manage.store.records.record_bodies import merged_record
from lbdns.manage.store.refusals import NotFound, NotUnique
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
Places = dict[str, tuple[str | int, ...]]
"""Where in the request's body each record stands that it writes, by id."""


class _RecordWriter:
    """One change of a zone's records: who makes it, and where in the request each record stands."""

    def __init__(self, site: ApiSite, caller: Caller, request: Request, zone_id: str, dry_run: bool) -> None:
        self.site = site
        self.caller = caller
        self.zone_id = zone_id
        self.dry_run = dry_run
        self.places: Places = {}
        self.before = site.state
        self._after: State | None = None
        point_by(request, self.pointing)

    async def change(self, verb: str, make: Callable[[Edit], Any]) -> Done[Any]:
        """Do it; raises LbdnsError."""

        def made(edit: Edit) -> Any:
            self._after = edit.state
            return make(edit)

        zone = self.before.get(Kind.ZONE, self.zone_id)
        words = f'{verb} of zone "{zone.name if zone is not None else self.zone_id}"'
        try:
            return await self.site.manager.change(self.caller.author, words, made, dry_run=self.dry_run)
        except NotUnique as error:
            error.at = (*self._place_named(error.name), *error.at)
            raise

    def create(self, edit: Edit, body: Mapping[str, Any], *place: str | int) -> Item:
        """Add a record, whose body stands at a place in the request."""
        id = new_id()
        self.places[id] = place
        return edit.create(Kind.RECORD, body, self.zone_id, id)

    def replace(self, edit: Edit, id: str, body: Mapping[str, Any], *place: str | int) -> Item:
        """Give a record a new body."""
        self.find(edit, id)
        self.places[id] = place
        return edit.replace(Kind.RECORD, id, body)

    def patch(self, edit: Edit, id: str, fields: Mapping[str, Any], *place: str | int) -> Item:
        """Change some fields of a record."""
        return self.replace(edit, id, merged_record(self.find(edit, id).body, fields), *place)

    def delete(self, edit: Edit, id: str) -> Item:
        """Delete a record."""
        self.find(edit, id)
        return edit.delete(Kind.RECORD, id)

    def find(self, edit: Edit, id: str, based_on: int | None = None) -> Item:
        """Return a record of the zone; raises NotFound, or Outdated where it changed since a revision."""
        record = edit.get(Kind.RECORD, id)
        if record.zone_id != self.zone_id:
            raise NotFound(Kind.RECORD, id)
        return record if based_on is None else edit.expect(Kind.RECORD, id, based_on)

    def pointing(self, problem: Problem) -> Steps | None:
        """Tell where in the request a problem stands. One at another record of the same name is this one's name's."""
        if problem.at[:1] != ("records",):
            return None
        id = str(problem.at[1])
        if id in self.places:
            return (*self.places[id], *problem.at[2:])
        other = self._record(id)
        if other is None:
            return None
        named = [mine for mine in self.places if (record := self._record(mine)) and record.name == other.name]
        return (*self.places[named[0]], "name") if named else None

    def _place_named(self, name: str) -> tuple[str | int, ...]:
        """Return where the last record of a name stands in the request."""
        named = [mine for mine in self.places if (record := self._record(mine)) and record.name == name]
        return self.places[named[-1]] if named else ()

    def _record(self, id: str) -> Item | None:
        return self._after.get(Kind.RECORD, id) if self._after is not None else None

    def messages(self, done: Done[Any], names: Iterable[str]) -> list[dict[str, Any]]:
        """Return the warnings about some names, and those that records had before: of their records, of load balancers
        there, and of what else makes them exist or answers them."""
        had = {change.before.name for change in done.changes if change.before and change.before.kind is Kind.RECORD}
        return warnings(_about(done.warnings, {*names, *had}, self.site.state)[:MESSAGES_MAX])

    def told(self, done: Done[Item]) -> Response:
        """Answer with one record, or with what would change."""
        if self.dry_run:
            return planned(done, self.before)
        record = done.result
        return ok(shown_record(record), messages=self.messages(done, [record.name]), headers=etag(record))


def _about(found: Iterable[Problem], names: set[str], state: State) -> list[Problem]:
    def is_about(problem: Problem) -> bool:
        record = state.get(Kind.RECORD, str(problem.at[1])) if problem.at[:1] == ("records",) else None
        return (record is not None and record.name in names) or any(
            problem.is_about(section, names) for section in (Kind.LOAD_BALANCER.section, OWNER_NAMES)
        )

    return [one for one in found if is_about(one)]


@router.get(PATH, summary="List records", **describe({"type": "array", "items": RECORD}, paged=True))
def list_records(site: CurrentSite, zone_id: ZoneId, filters: RecordFiltersQuery) -> Response:
    """List a zone's records by pages, those alone that fit the filters."""
    found = filters.chosen(site.state.records(zone_id).values())
    shown, info = page(found, filters.page, filters.per_page)
    return ok([shown_record(record) for record in shown], info)


@router.post(PATH, summary="Create a record", **describe(or_dry_run(RECORD), RECORD_WRITTEN))
async def create_record(
    site: CurrentSite,
    caller: CurrentCaller,
    request: Request,
    zone_id: ZoneId,
    body: JsonObject,
    dry_run: DryRun = False,
) -> Response:
    writer = _RecordWriter(site, caller, request, zone_id, dry_run)
    return writer.told(await writer.change(f"create {_words(body)}", lambda edit: writer.create(edit, body)))


@router.get(
    f"{PATH}/export",
    summary="Export a zone as a master file",
    responses={
        200: {"description": "a master file (RFC 1035)", "content": {"text/plain": {"schema": {"type": "string"}}}}
    },
    response_model=None,
)
def export_records(site: CurrentSite, zone_id: ZoneId) -> Response:
    state = site.state
    zone = state.get(Kind.ZONE, zone_id)
    if zone is None:
        raise NotFound(Kind.ZONE, zone_id)
    headers = {"Content-Disposition": 'attachment; filename="zone.txt"'}
    return PlainTextResponse(export_zone(zone, state.records(zone_id).values()), headers=headers)


@router.post(
    f"{PATH}/import",
    summary="Add the records of a master file",
    **describe(or_dry_run(IMPORTED), IMPORT, content_type=FORM_TYPE),
)
async def import_records(
    site: CurrentSite, caller: CurrentCaller, request: Request, zone_id: ZoneId, dry_run: DryRun = False
) -> Response:
    """Add every record of a master file, or none. Records that are there already are left; the zone keeps its SOA."""
    text = await read_file(request)
    writer = _RecordWriter(site, caller, request, zone_id, dry_run)
    with many_as_one():
        done = await writer.change("import records", lambda edit: add_records(edit, zone_id, text))
    if dry_run:
        return planned(done, writer.before)
    added, parsed, noted = done.result
    written = {change.item.name for change in done.changes if change.item.kind is Kind.RECORD}
    messages = [*warnings(gathered(noted)[:MESSAGES_MAX]), *writer.messages(done, written)]
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
    writer = _RecordWriter(site, caller, request, zone_id, dry_run)

    def make(edit: Edit) -> dict[str, list[Item]]:
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
    if dry_run:
        return planned(done, writer.before)
    result: dict[str, list[Item]] = done.result
    names = {item.name for items in result.values() for item in items}
    shown = {step: [shown_record(item) for item in items] for step, items in result.items()}
    return ok(shown, messages=writer.messages(done, names))


def _batch_steps(body: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the steps of a batch; raises ApiError for what has not their shape."""
    found: list[tuple[str, Steps | None]] = []
    steps: dict[str, list[dict[str, Any]]] = {step: [] for step in BATCH_STEPS}
    for key, value in body.items():
        if key not in steps:
            found.append((f"{key}: unknown field; a batch has {', '.join(BATCH_STEPS)}", (key,)))
        elif value is not None and not isinstance(value, list):
            found.append((f"{key}: expected a list", (key,)))
        elif value is not None:
            steps[key] = value
            found.extend(_bad_entries(key, value))
    if sum(map(len, steps.values())) > BATCH_MAX:
        found.append((f"a batch has at most {BATCH_MAX} records", None))
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
    record = site.state.get(Kind.RECORD, id)
    if record is None or record.zone_id != zone_id:
        raise NotFound(Kind.RECORD, id)
    return ok(shown_record(record), headers=etag(record))


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
    writer = _RecordWriter(site, caller, request, zone_id, dry_run)

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
    writer = _RecordWriter(site, caller, request, zone_id, dry_run)

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
    writer = _RecordWriter(site, caller, request, zone_id, dry_run)

    def make(edit: Edit) -> Item:
        writer.find(edit, id, based_on)
        return writer.delete(edit, id)

    done: Done[Item] = await writer.change(f"delete {_words_of(site, id)}", make)
    if dry_run:
        return planned(done, writer.before)
    return ok({"id": id}, messages=writer.messages(done, [done.result.name]))


def _words(body: Mapping[str, Any]) -> str:
    """Return what a body is about, for the audit trail."""
    name, rdtype = body.get("name"), body.get("type")
    if isinstance(name, str) and isinstance(rdtype, str):
        return f'record "{name[:100]}" {rdtype[:20]}'
    return "record"


def _words_of(site: ApiSite, id: str) -> str:
    record = site.state.get(Kind.RECORD, id)
    return _words(record.body) if record is not None else f"record {id}"
