"""Zones: list, create from a name alone, show, change, delete with what is in them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request, Response

from lbdns.base.errors import ConfigError, Problem
from lbdns.base.kinds import Kind
from lbdns.base.lasting_ids import ID_DIGITS
from lbdns.base.words import STORED, ZONES_PER_PAGE_MAX
from lbdns.dns.name import compared_name, show_unicode
from lbdns.dns.serial import is_newer
from lbdns.manage.api.frame.admission import belongs_to
from lbdns.manage.api.frame.api_errors import point_by
from lbdns.manage.api.frame.auth import CurrentCaller
from lbdns.manage.api.frame.dry_run import DryRun, or_dry_run, planned
from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.limits import JsonObject
from lbdns.manage.api.frame.openapi import DELETED, describe
from lbdns.manage.api.frame.paging import Paging, paged
from lbdns.manage.api.frame.pointers import Steps
from lbdns.manage.api.frame.reply_messages import MESSAGES_MAX, ReplyMessage, warnings
from lbdns.manage.api.frame.site import ACCOUNT_NAME, ApiSite, CurrentSite, ObjectId, ViewQuery, tell_of_view
from lbdns.manage.api.v4.balancing import BasedOn, etag
from lbdns.manage.api.v4.zone_shapes import ACTIVE, ZONE, ZONE_CHANGED, ZONE_WRITTEN, shown_zone
from lbdns.manage.store.edit import Edit
from lbdns.manage.store.item import Item
from lbdns.manage.store.managing import Done
from lbdns.manage.store.refusals import NotFound
from lbdns.manage.store.state import State
from lbdns.manage.store.token_scopes import LOAD_BALANCERS, POOLS, READ, ZONES
from lbdns.manage.store.zones.zone_bodies import FULL, SECONDARY, canonical_zone, first_serial, new_zone_records
from lbdns.model.view_names import VIEW

PER_PAGE: Final = 20
TEXT_CHARS_MAX: Final = 300
TYPES_MAX: Final = 10
_OPERATORS: Final[dict[str, Callable[[str, str], bool]]] = {
    "starts_with": lambda name, wanted: name.startswith(wanted.lower()),
    "ends_with": lambda name, wanted: name.endswith(wanted.lower()),
    "contains": lambda name, wanted: wanted.lower() in name,
    "starts_with_case_sensitive": lambda name, wanted: name.startswith(wanted),
    "ends_with_case_sensitive": lambda name, wanted: name.endswith(wanted),
    "contains_case_sensitive": lambda name, wanted: wanted in name,
}
"""What may stand before a part of a name to look for: `contains:example`. Before a whole name: `equal`, `not_equal`."""

router = APIRouter(tags=["zones"], dependencies=[belongs_to(ZONES)])
Text = Annotated[str | None, Query(max_length=TEXT_CHARS_MAX)]


@router.get(
    "/zones",
    summary="List zones",
    dependencies=[belongs_to(ZONES, LOAD_BALANCERS, is_filtered=True)],  # who writes load balancers needs zones' ids
    **describe({"type": "array", "items": ZONE}, paged=True),
)
def list_zones(
    site: CurrentSite,
    caller: CurrentCaller,
    paging: Annotated[Paging, paged(PER_PAGE, ZONES_PER_PAGE_MAX)],
    name: Text = None,
    status: Text = None,
    type: Annotated[list[Annotated[str, Query(max_length=TEXT_CHARS_MAX)]] | None, Query(max_length=TYPES_MAX)] = None,
    account_id: Annotated[str | None, Query(alias="account.id", max_length=ID_DIGITS)] = None,
    account_name: Annotated[str | None, Query(alias="account.name", max_length=TEXT_CHARS_MAX)] = None,
    order: Literal["name", "status", "account.id", "account.name", "plan.id"] | None = None,
    direction: Literal["asc", "desc"] = "asc",
    match: Literal["any", "all"] = "all",
    view: ViewQuery = None,
) -> Response:
    """List zones by pages. A name to look for may have an operator before it, such as `contains:example`.

    `view` (ours) asks for the zones of a view, "" for those that all see; of one name these come first.
    """
    state = site.state
    tell_of_view(site, view)
    constant = [
        given == value
        for given, value in (
            (status, ACTIVE),
            (account_id, site.account_id),
            (account_name and account_name.rpartition(":")[2], ACCOUNT_NAME),
        )
        if given is not None
    ]
    types = None if type is None else {word for one in type for word in one.split(",")}
    join = any if match == "any" else all

    def fits(zone: Item) -> bool:
        tests = constant if name is None else [*constant, _named(zone.name, name)]
        if types is not None:
            tests = [*tests, zone.body.get("type", FULL) in types]
        return join(tests) if tests else True

    def is_seen(zone: Item) -> bool:
        return any(caller.scopes.allow(READ, area, zone.label) for area in (ZONES, LOAD_BALANCERS))

    found = [
        zone for zone in state.all(Kind.ZONE).values() if view in (None, zone.view) and fits(zone) and is_seen(zone)
    ]
    if name is not None:
        found.sort(key=lambda zone: bool(zone.view))
    if order == "name":
        found.sort(key=lambda zone: zone.name)
    if direction == "desc":
        found.reverse()
    shown, info = paging.of(found)
    return ok([shown_zone(zone, state, site) for zone in shown], info)


def _named(name: str, wanted: str) -> bool:
    """Tell whether a zone's name is wanted, which may be written in Unicode or in A-labels."""
    operator, colon, rest = wanted.partition(":")
    if colon and operator in _OPERATORS:
        part = rest.removesuffix(".")
        return any(_OPERATORS[operator](one, part) for one in dict.fromkeys((name, show_unicode(name))))
    if colon and operator in ("equal", "not_equal"):
        return (name == compared_name(rest)) is (operator == "equal")
    return name == compared_name(wanted)


@router.post("/zones", summary="Create a zone, with NS and address records", **describe(or_dry_run(ZONE), ZONE_WRITTEN))
async def create_zone(
    site: CurrentSite, caller: CurrentCaller, request: Request, body: JsonObject, dry_run: DryRun = False
) -> Response:
    """Create a zone from its name: an SOA, the name server ns1 in the zone, and this server's addresses for it."""
    settings = site.in_force

    def make(edit: Edit) -> Item:
        problems: list[Problem] = []
        made = canonical_zone(body, problems, ("zones", ""))
        if problems:
            raise ConfigError(problems)  # its records would go by a name that is none
        soa, records = new_zone_records(made["name"], settings)
        return create(edit, {"soa": soa, **body}, [] if made.get("type") == SECONDARY else records)

    point_by(request, _pointing)
    name = body.get("name")
    words = f'create zone "{name[:TEXT_CHARS_MAX]}"' if isinstance(name, str) else "create zone"
    before = site.state
    done = await site.manager.change(caller.author, words, make, dry_run=dry_run, is_local=caller.local)
    return planned(done, before, _messages(done)) if dry_run else _told(site, done)


def create(edit: Edit, zone: dict[str, Any], records: list[dict[str, Any]]) -> Item:
    """Add a zone with its records; without a serial it begins with today's."""
    if zone.get("serial") is None:
        zone = {**zone, "serial": first_serial(int(time.time()))}
    item = edit.create(Kind.ZONE, zone)
    for record in records:
        edit.create(Kind.RECORD, record, item.id)
    return item


@router.get("/zones/{zone_id}", summary="Show a zone", **describe(ZONE))
async def show_zone(site: CurrentSite, zone_id: ObjectId) -> Response:
    state = site.state
    zone = state.get(Kind.ZONE, zone_id)
    if zone is None:
        raise NotFound(Kind.ZONE, zone_id)
    return ok(shown_zone(zone, state, site), headers=etag(zone))


@router.patch(
    "/zones/{zone_id}",
    summary="Change a zone: its SOA, its serial; only what is named",
    **describe(or_dry_run(ZONE), ZONE_CHANGED, guarded=True),
)
async def change_zone(
    site: CurrentSite,
    caller: CurrentCaller,
    request: Request,
    zone_id: ObjectId,
    based_on: BasedOn,
    body: JsonObject,
    dry_run: DryRun = False,
) -> Response:
    def make(edit: Edit) -> Item:
        zone = edit.get(Kind.ZONE, zone_id)
        if based_on is not None:
            edit.expect(Kind.ZONE, zone_id, based_on)
        fields = {key: value for key, value in body.items() if key not in ("name", VIEW)}
        name = body.get("name")
        if VIEW in body and (body[VIEW] or "") != zone.view:
            whose = f'of the view "{zone.view}"' if zone.view else "for all"
            message = f"the zone is {whose}; to have it in another view, create another"
            edit.problems.append(Problem(STORED, 0, zone.label, message, at=("zones", zone.label, VIEW)))
        if name is not None and not (isinstance(name, str) and name.removesuffix(".").lower() == zone.name):
            message = f'the zone is "{zone.name}"; to rename one, create another'
            edit.problems.append(Problem(STORED, 0, zone.label, message, at=("zones", zone.label, "name")))
        there = zone.body.get("type", FULL)
        if fields.get("type") not in (None, there):
            message = f"the zone is {there}; to have one that is not, delete it and create another"
            edit.problems.append(Problem(STORED, 0, zone.label, message, at=("zones", zone.label, "type")))
        if isinstance(fields.get("soa"), dict):
            fields["soa"] = {**zone.body["soa"], **fields["soa"]}
        return edit.patch(Kind.ZONE, zone_id, fields)

    point_by(request, _pointing)
    words = f'change zone "{_label_of(site, zone_id)}"'
    before = site.state
    done = await site.manager.change(caller.author, words, make, dry_run=dry_run, is_local=caller.local)
    return planned(done, before, _messages(done)) if dry_run else _told(site, done)


def _going_with(state: State, zone_id: str) -> Iterator[str]:
    """Yield the areas of what is deleted with a zone."""
    for kind, area in ((Kind.LOAD_BALANCER, LOAD_BALANCERS), (Kind.POOL, POOLS)):
        if any(item.zone_id == zone_id for item in state.all(kind).values()):
            yield area


@router.delete(
    "/zones/{zone_id}",
    dependencies=[belongs_to(ZONES, goes_too=_going_with)],
    summary="Delete a zone with its records, load balancers and health checks",
    **describe(or_dry_run(DELETED), guarded=True),
)
async def delete_zone(
    site: CurrentSite,
    caller: CurrentCaller,
    zone_id: ObjectId,
    based_on: BasedOn,
    dry_run: DryRun = False,
) -> Response:
    """Delete a zone; the caller must be one that may write the load balancers and health checks that go with it."""
    before = site.state

    def make(edit: Edit) -> Item:
        if based_on is not None:
            edit.expect(Kind.ZONE, zone_id, based_on)
        return edit.delete(Kind.ZONE, zone_id)

    words = f'delete zone "{_label_of(site, zone_id)}"'
    done = await site.manager.change(caller.author, words, make, dry_run=dry_run, is_local=caller.local)
    return planned(done, before, ()) if dry_run else ok({"id": zone_id})


def _label_of(site: ApiSite, zone_id: str) -> str:
    zone = site.state.get(Kind.ZONE, zone_id)
    return zone.label if zone is not None else zone_id


def _pointing(problem: Problem) -> Steps | None:
    return problem.at[2:] if problem.at[:1] == ("zones",) else None


def _told(site: ApiSite, done: Done[Item]) -> Response:
    """Answer with a zone as a change leaves it, and with the warnings about what the change wrote."""
    state = site.state
    zone = state.get(Kind.ZONE, done.result.id) or done.result
    return ok(shown_zone(zone, state, site), messages=_messages(done), headers=etag(zone))


def _messages(done: Done[Item]) -> list[ReplyMessage]:
    """Return the warnings about a zone and what a change wrote into it."""
    written = {change.item.id for change in done.changes}
    about = [one for one in done.warnings if len(one.at) > 1 and one.at[1] in {done.result.label, *written}]
    return warnings([*_serials_back(done), *about][:MESSAGES_MAX])


def _serials_back(done: Done[Item]) -> Iterator[Problem]:
    """Yield what should be known of a serial that is older than the one before: others may have seen that."""
    for change in done.changes:
        if change.before is None or change.after is None or change.item.kind is not Kind.ZONE:
            continue
        before, after = change.before.body["serial"], change.after.body["serial"]
        if is_newer(before, after):
            message = (
                f"{after} is older than {before} (RFC 1982), which others may have seen: what is served goes on from "
                "that, until what is stored is newer"
            )
            at = "zones", change.item.label, "serial"
            yield Problem(STORED, 0, change.item.label, message, "warning", at=at)
