"""Master files over the API: read from a form, added to a zone, or made into one.

Ours, beside the v4 API's import: POST /lbdns/v1/zones/{name}/import creates a zone as a file says, SOA and all, or
makes an existing one so. Records that stay the same keep their ids, comments and tags.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request, Response
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from lbdns.base.errors import OWNER_NAMES, ConfigError, Problem
from lbdns.base.kept_problems import KeptProblems
from lbdns.base.kinds import Kind
from lbdns.base.repeats import gathered
from lbdns.base.words import OWN_PATH
from lbdns.dns import record_bounds
from lbdns.manage.api.frame.admission import belongs_to
from lbdns.manage.api.frame.api_errors import BAD_BODY, ApiError, invalid, point_by
from lbdns.manage.api.frame.auth import CurrentCaller
from lbdns.manage.api.frame.dry_run import DryRun, or_dry_run, planned
from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.openapi import ID, describe
from lbdns.manage.api.frame.reply_messages import MESSAGES_MAX, warnings
from lbdns.manage.api.frame.site import CurrentSite
from lbdns.manage.api.v4.record_shapes import IMPORT
from lbdns.manage.api.v4.zone_routes import create
from lbdns.manage.store.edit import Edit
from lbdns.manage.store.item import Item
from lbdns.manage.store.records.matching import matched_records
from lbdns.manage.store.records.record_bodies import GIVEN, record_key
from lbdns.manage.store.token_scopes import ZONES
from lbdns.manage.store.zones.own_servers import marked_servers, shown_server, yielding
from lbdns.manage.store.zones.zone_bodies import canonical_zone, import_zone
from lbdns.manage.store.zones.zone_new import new_zone_records
from lbdns.model import bounds
from lbdns.model.settings import Settings

FORM_TYPE: Final = "multipart/form-data"
FIELDS_MAX: Final = 10
router = APIRouter(prefix=OWN_PATH, tags=["zones"], dependencies=[belongs_to(ZONES, zone_name="name")])


async def read_file(request: Request) -> str:
    """Return the text of the form's field `file`; raises ApiError."""
    if not request.headers.get("content-type", "").lower().startswith(FORM_TYPE):
        raise ApiError(400, BAD_BODY, f"expected a form, Content-Type: {FORM_TYPE}, with the master file as `file`")
    try:
        form = await request.form(
            max_files=FIELDS_MAX, max_fields=FIELDS_MAX, max_part_size=record_bounds.MAX_IMPORT_OCTETS
        )
    except HTTPException as error:
        raise ApiError(400, BAD_BODY, f"the form cannot be read: {error.detail}") from None
    try:
        return await _file_in(form)
    finally:
        await form.close()


async def _file_in(form: FormData) -> str:
    found = form.get("file")
    if found is None:
        raise invalid(("file: the form has no such field; it holds the master file", ("file",)))
    if form.get("proxied") not in (None, "", "false"):
        words = "lbdns answers queries and carries no traffic, so records cannot be proxied"
        raise invalid((f"proxied: {words}", ("proxied",)))
    if not isinstance(found, UploadFile):
        return found
    try:
        return (await found.read()).decode()
    except UnicodeDecodeError as error:
        raise invalid((f"file: octet {error.start} is not UTF-8", ("file",))) from None


def _read(
    text: str, zone_name: str, servers: Iterable[Mapping[str, Any]] = ()
) -> tuple[dict[str, Any] | None, list[dict[str, Any]], list[Problem]]:
    """Return SOA, records and warnings of a master file; raises ConfigError with every mistake, each with its line.

    `servers` stand in for the name servers of a service that the zone leaves.
    """
    problems = KeptProblems()
    fields, records = import_zone(text, zone_name, problems, servers=servers)
    told = [
        replace(one, path=f"line {one.line}: {one.path}".removesuffix(": ") if one.line else one.path)
        for one in problems
    ]
    errors = [one for one in told if one.severity == "error"]
    if errors:
        raise ConfigError(errors, problems.more)
    return fields, records, told


@contextmanager
def many_as_one() -> Iterator[None]:
    """Have many mistakes of one kind refused as one, with their count."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(gathered(error.problems), error.more) from None


def add_records(edit: Edit, zone_id: str, text: str) -> tuple[int, int, list[Problem]]:
    """Add a file's records to a zone: return how many there were not yet, how many there are, and what to tell."""
    zone = edit.get(Kind.ZONE, zone_id)
    fields, records, noted = _read(text, zone.name)
    if fields is not None:
        message = "the zone keeps its own SOA; the file's is left out"
        noted.append(Problem("import", 0, f"{zone.name} SOA", message, "warning"))
    stored = edit.state.records(zone_id)
    there = {record_key(record.body) for record in stored.values()}
    new = [record for record in marked_servers(records, zone.name, GIVEN) if record_key(record) not in there]
    for server in yielding(records, stored.values()):
        edit.delete(Kind.RECORD, server.id)
        message = "an address that came with the zone, and gives way to the file's"
        noted.append(Problem("import", 0, shown_server(server), message, "warning"))
    for record in new:
        edit.create(Kind.RECORD, record, zone_id)
    return len(new), len(records), noted


def put_zone(edit: Edit, name: str, text: str, settings: Settings) -> tuple[Item, int, list[Problem]]:
    """Make a zone what a file says, or create it so: return it, how many records it has, and what to tell."""
    problems: list[Problem] = []
    made = canonical_zone({"name": name}, problems, ())
    if problems:
        raise ConfigError(problems)
    zone = edit.state.named(Kind.ZONE, made["name"])
    servers = new_zone_records(made["name"], settings)[1] if zone is None else _servers_of(edit, zone)
    fields, records, noted = _read(text, made["name"], servers)
    records = marked_servers(records, made["name"], GIVEN)
    if fields is None and zone is None:
        raise invalid(("file: it has no SOA record, which a new zone takes from it", ("file",)))
    if zone is None:
        return create(edit, {"name": made["name"], **(fields or {})}, records), len(records), noted
    stored = edit.state.records(zone.id)
    kept = set()
    matches = list(matched_records(records, stored))
    kept = {item.id for item, _ in matches if item is not None}
    for id in [id for id in stored if id not in kept]:
        edit.delete(Kind.RECORD, id)
    for item, body in matches:
        if item is None:
            edit.create(Kind.RECORD, body, zone.id)
        elif item.body != body:
            edit.replace(Kind.RECORD, item.id, body)
    if fields is not None and fields != {"soa": zone.body["soa"], "serial": zone.body["serial"]}:
        edit.patch(Kind.ZONE, zone.id, _onward(fields, zone.body))
    return zone, len(records), noted


def _servers_of(edit: Edit, zone: Item) -> list[Mapping[str, Any]]:
    """Return the NS records at a zone's apex, and the addresses that it has for their hosts."""
    bodies = [record.body for record in edit.state.records(zone.id).values()]
    servers = [body for body in bodies if body["type"] == "NS" and body["name"] == zone.name]
    hosts = {body["content"] for body in servers}
    return servers + [body for body in bodies if body["type"] in ("A", "AAAA") and body["name"] in hosts]


def _onward(fields: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return a file's SOA for a zone that has one: a serial that is behind the zone's is not taken (RFC 1982)."""
    ahead = (fields["serial"] - before["serial"]) % 2**32
    return dict(fields) if 0 < ahead < 2**31 else {"soa": fields["soa"]}


_DONE: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "id": ID,
        "name": {"type": "string"},
        "serial": {"type": "integer"},
        "records": {"type": "integer", "minimum": 0},
        "created": {"type": "boolean"},
        "changes": {"type": "integer", "minimum": 0, "description": "records created, changed or deleted"},
    },
    "required": ["id", "name", "serial", "records", "created", "changes"],
    "additionalProperties": False,
}


@router.post(
    "/zones/{name:path}/import",
    summary="Make a zone what a master file says, or create it so",
    **describe(or_dry_run(_DONE), IMPORT, content_type=FORM_TYPE),
)
async def import_whole_zone(
    site: CurrentSite,
    caller: CurrentCaller,
    request: Request,
    name: Annotated[str, Path(max_length=bounds.MAX_NAME_CHARS + 1)],
    dry_run: DryRun = False,
) -> Response:
    """Take a zone from a master file with its SOA: all or nothing. A serial behind the zone's own is raised instead."""
    text = await read_file(request)
    point_by(request, lambda problem: None)
    before = site.state
    with many_as_one():
        done = await site.manager.change(
            caller.author,
            f'import zone "{name}"',
            lambda edit: put_zone(edit, name, text, site.settings),
            dry_run=dry_run,
            is_local=caller.local,
        )
    zone, count, noted = done.result
    after = site.state.get(Kind.ZONE, zone.id) or zone
    written = {change.item.id for change in done.changes}
    names = {change.item.name for change in done.changes if change.item.kind is Kind.RECORD}
    about = [*noted]
    for one in done.warnings:
        if (len(one.at) > 1 and one.at[1] in {*written, after.name}) or one.is_about(OWNER_NAMES, names):
            about.append(one)
    messages = warnings(gathered(about)[:MESSAGES_MAX])
    if dry_run:
        return planned(done, before, messages)
    result = {
        "id": after.id,
        "name": after.name,
        "serial": after.body["serial"],
        "records": count,
        "created": before.get(Kind.ZONE, after.id) is None,
        "changes": sum(change.item.kind is Kind.RECORD for change in done.changes),
    }
    return ok(result, messages=messages)
