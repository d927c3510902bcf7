"""Master files over the API: read from a form, added to a zone, or made into one.

Ours, beside the v4 API's import: POST /lbdns/v1/zones/{name}/import creates a zone as a file says, SOA and all, or
makes an existing one so. Records that stay the same keep their ids, comments and tags.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request, Response

from lbdns.base.errors import OWNER_NAMES, ConfigError, Problem, problems_about
from lbdns.base.kinds import Kind
from lbdns.base.repeats import gathered
from lbdns.base.words import OWN_PATH
from lbdns.manage.api.frame.admission import belongs_to
from lbdns.manage.api.frame.api_errors import invalid, point_by
from lbdns.manage.api.frame.auth import CurrentCaller
from lbdns.manage.api.frame.dry_run import DryRun, or_dry_run, planned
from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.large_bodies import LargeBody
from lbdns.manage.api.frame.openapi import ID, VIEW_SHOWN, describe
from lbdns.manage.api.frame.reply_messages import MESSAGES_MAX, warnings
from lbdns.manage.api.frame.signer import has_keys
from lbdns.manage.api.frame.site import VIEW_CHARS_MAX, CurrentSite, ViewQuery
from lbdns.manage.api.v4.record_shapes import IMPORT
from lbdns.manage.api.v4.zone_routes import create
from lbdns.manage.reading.form_body import FORM_TYPE
from lbdns.manage.reading.zone_reading import ReadZone, ZoneReading
from lbdns.manage.store.edit import Edit
from lbdns.manage.store.item import Item, new_id
from lbdns.manage.store.records.matching import matched_records
from lbdns.manage.store.records.record_bodies import GIVEN, record_key, stored_key
from lbdns.manage.store.records.record_reading import view_in
from lbdns.manage.store.token_scopes import ZONES
from lbdns.manage.store.zones.own_servers import marked_servers, shown_server, yielding
from lbdns.manage.store.zones.zone_bodies import canonical_zone
from lbdns.manage.store.zones.zone_new import new_zone_records
from lbdns.model import bounds
from lbdns.model.settings import Settings
from lbdns.model.view_names import VIEW, labelled, parted

router = APIRouter(prefix=OWN_PATH, tags=["zones"], dependencies=[belongs_to(ZONES, zone_name="name")])


@contextmanager
def many_as_one() -> Iterator[None]:
    """Have many mistakes of one kind refused as one, with their count."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(gathered(error.problems), error.more) from None


def view_within(zone: Item, view: str | None) -> str:
    """Return the view whose records of a zone somebody asks for, "" for those that all of the zone's clients see;
    raises ApiError where it is none that may have some."""
    if not view or view == zone.view:
        return ""
    found: list[str] = []
    if not zone.view and view_in(view, found.append):
        return view
    why = found[0] if found else f'the zone "{zone.label}" has records of its view alone'
    raise invalid((f"query parameter {VIEW}: {why}", None))


def add_records(edit: Edit, zone_id: str, read: ReadZone, view: str = "") -> tuple[int, int, list[Problem]]:
    """Add a file's records to a zone, with a view as records of that: return how many there were not yet, how many
    there are, and what to tell."""
    zone = edit.get(Kind.ZONE, zone_id)
    records, noted = _of_view(read.zone.records, view), list(read.noted)
    if read.zone.fields is not None:
        message = "the zone keeps its own SOA; the file's is left out"
        noted.append(Problem("import", 0, f"{zone.name} SOA", message, "warning"))
    stored = _seen(edit, zone, view)
    there = {stored_key(record) for record in stored.values()}
    new = marked_servers(records, zone.name, GIVEN)
    if there:
        new = [record for record in new if record_key(record) not in there]
    for server in yielding(records, stored.values()):
        edit.delete(Kind.RECORD, server.id)
        message = "an address that came with the zone, and gives way to the file's"
        noted.append(Problem("import", 0, shown_server(server), message, "warning"))
    for record in new:
        edit.take(Item(Kind.RECORD, new_id(), record, zone_id), None)
    return len(new), len(records), noted


def _of_view(records: Iterable[dict[str, Any]], view: str) -> list[dict[str, Any]]:
    return [{**record, VIEW: view} for record in records] if view else list(records)


def _seen(edit: Edit, zone: Item, view: str) -> dict[str, Item]:
    """Return the records of a zone that are of a view, "" for those of none."""
    return {id: record for id, record in edit.state.records(zone.id).items() if record.view == view}


def named_zone(label: str) -> dict[str, Any]:
    """Return the body of a zone that is called so; raises ConfigError where that is no name of one."""
    problems: list[Problem] = []
    name, view = parted(label)
    made = canonical_zone({"name": name, VIEW: view}, problems, ())
    if problems:
        raise ConfigError(problems)
    return made


def put_zone(
    edit: Edit, made: Mapping[str, Any], read: ReadZone, settings: Settings
) -> tuple[Item, int, list[Problem]]:
    """Make a zone what a file says, or create it so: return it, how many records it has, and what to tell."""
    label = labelled(made["name"], made.get(VIEW, ""))
    zone = edit.state.named(Kind.ZONE, label)
    servers = new_zone_records(made["name"], settings)[1] if zone is None else _servers_of(edit, zone)
    fields, noted = read.zone.fields, list(read.noted)
    records = marked_servers(read.zone.with_servers(servers), made["name"], GIVEN)
    if fields is None and zone is None:
        raise invalid((f"file: it has no SOA record, which a new zone takes from it{_meant(edit, made)}", ("file",)))
    if zone is None:
        zone = create(edit, {**_named(made), **(fields or {})}, [])
        for body in records:
            edit.take(Item(Kind.RECORD, new_id(), body, zone.id), None)
        return zone, len(records), noted
    _put_records(edit, zone, records)
    if fields is not None and fields != {"soa": zone.body["soa"], "serial": zone.body["serial"]}:
        edit.patch(Kind.ZONE, zone.id, _onward(fields, zone.body))
    return zone, len(records), noted


def put_records(edit: Edit, zone: Item, view: str, read: ReadZone) -> tuple[Item, int, list[Problem]]:
    """Make the records of a view in a zone what a file says; returns the same as `put_zone`."""
    noted = list(read.noted)
    if read.zone.fields is not None:
        message = "the zone's SOA is for all; the file's is left out"
        noted.append(Problem("import", 0, f"{zone.name} SOA", message, "warning"))
    records = _of_view(read.zone.records, view)
    _put_records(edit, zone, records, view)
    return zone, len(records), noted


def _put_records(edit: Edit, zone: Item, records: list[dict[str, Any]], view: str = "") -> None:
    """Have a zone have these records and no others of a view; those that stay the same keep their ids."""
    stored = _seen(edit, zone, view)
    matches = list(matched_records(records, stored))
    kept = {item.id for item, _ in matches if item is not None}
    for id in [id for id in stored if id not in kept]:
        edit.delete(Kind.RECORD, id)
    for item, body in matches:
        edit.take(Item(Kind.RECORD, item.id if item is not None else new_id(), body, zone.id), item)


def _named(made: Mapping[str, Any]) -> dict[str, Any]:
    return {key: made[key] for key in ("name", VIEW) if key in made}


def _meant(edit: Edit, made: Mapping[str, Any]) -> str:
    """Return what else somebody may have meant who sends a file without an SOA for a zone of a view."""
    if not made.get(VIEW) or edit.state.named(Kind.ZONE, made["name"]) is None:
        return ""
    return f"; what the view sees in the zone {made['name']} is imported there, with ?{VIEW}={made[VIEW]}"


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
        VIEW: VIEW_SHOWN,
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
    body: LargeBody,
    name: Annotated[str, Path(max_length=bounds.MAX_NAME_CHARS + 1 + VIEW_CHARS_MAX)],
    view: ViewQuery = None,
    dry_run: DryRun = False,
) -> Response:
    """Take a zone from a master file with its SOA: all or nothing. A serial behind the zone's own is raised instead.

    A zone of a view is called NAME@VIEW. With `view`, the file says what that view sees in the zone NAME.
    """
    point_by(request, lambda problem: None)
    made = named_zone(name)
    there = site.state.named(Kind.ZONE, labelled(made["name"], made.get(VIEW, "")))
    if view and there is None:
        raise invalid((f'query parameter {VIEW}: there is no zone "{name}" that a view could see otherwise', None))
    own = view_within(there, view) if there is not None else ""
    read = await body.read(
        ZoneReading(request.headers.get("content-type", ""), made["name"], has_keys(site, made["name"]))
    )
    before = site.state
    with many_as_one():
        done = await site.manager.change(
            caller.author,
            f'import zone "{labelled(name, own)}"',
            lambda edit: (
                put_records(edit, there, own, read)
                if there is not None and own
                else put_zone(edit, made, read, site.in_force)
            ),
            dry_run=dry_run,
            is_local=caller.local,
        )
    zone, count, noted = done.result
    after = site.state.get(Kind.ZONE, zone.id) or zone
    written = {change.item.id for change in done.changes}
    names = {change.item.name for change in done.changes if change.item.kind is Kind.RECORD}
    written |= {after.label}
    at_written = {id(one) for one in done.warnings if len(one.at) > 1 and one.at[1] in written}
    at_written |= {*map(id, problems_about(done.warnings, (OWNER_NAMES,), names))}
    about = [*noted, *(one for one in done.warnings if id(one) in at_written)]
    messages = warnings(gathered(about)[:MESSAGES_MAX])
    if dry_run:
        return planned(done, before, messages)
    result = {
        "id": after.id,
        "name": after.name,
        **({VIEW: after.view or own} if after.view or own else {}),
        "serial": after.body["serial"],
        "records": count,
        "created": before.get(Kind.ZONE, after.id) is None,
        "changes": sum(change.item.kind is Kind.RECORD for change in done.changes),
    }
    return ok(result, messages=messages)
