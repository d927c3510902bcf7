"""Whole configurations and the store's history: plan, apply, export; revisions, their differences, restoring one.

A configuration is JSON in the shape of the files: `monitors`, `monitor_groups` and `pools` by name, `load_balancers` as
a list, `zones` as master texts by name; references by name. `based_on` is the revision that a plan was made on: where
the store has changed since, the change is refused.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Annotated, Any, Final, NotRequired

from fastapi import APIRouter, Query, Request, Response
from fastapi import Path as InPath
from typing_extensions import TypedDict

from lbdns.base.kinds import SECTIONS, Kind
from lbdns.base.words import OWN_PATH, REVISIONS_MAX, WARNING_CODE
from lbdns.config.keyed_zones import zones_with_keys
from lbdns.manage.api.frame.api_errors import NOT_FOUND, ApiError, point_by
from lbdns.manage.api.frame.auth import Caller, CurrentCaller
from lbdns.manage.api.frame.envelope import ok, ok_with_list
from lbdns.manage.api.frame.gate import rest
from lbdns.manage.api.frame.large_bodies import LargeBody
from lbdns.manage.api.frame.limits import JsonObject
from lbdns.manage.api.frame.openapi import describe
from lbdns.manage.api.frame.reply_messages import warnings
from lbdns.manage.api.frame.site import ApiSite, CurrentSite
from lbdns.manage.reading.body_fields import ApplyBody, RestoreBody, checked_fields
from lbdns.manage.reading.configuration_reading import ConfigurationReading
from lbdns.manage.store.edit import Edit
from lbdns.manage.store.item import Change
from lbdns.manage.store.managing import Done
from lbdns.manage.store.refusals import ReadOnly, Unavailable
from lbdns.manage.store.revisions import diff
from lbdns.manage.store.revisions import from_files as files
from lbdns.manage.store.revisions.restore import restore
from lbdns.manage.store.revisions.to_files import export
from lbdns.manage.store.sqlite import Revision, Store
from lbdns.manage.store.state import State
from lbdns.manage.store.token_scopes import WRITE
from lbdns.model.placements import private_views

NUMBER_MAX: Final = 1 << 53
LIMIT: Final = 50
WAIT_S_MAX: Final = 60.0
POLL_S: Final = 0.05
"""How often a waiting reader of changes looks whether there is one."""
WARNINGS_MAX: Final = 100
"""A whole configuration may have a warning for each of a hundred thousand load balancers."""
SOURCE: Final = "configuration"
_ZONE_FILE: Final = re.compile(rf"{SOURCE}:(?P<name>.*)\.zone", re.DOTALL)
TREE_SECTIONS: Final = (*SECTIONS, Kind.ZONE.section)

router = APIRouter(prefix=OWN_PATH, tags=["revisions"])

Number = Annotated[int, InPath(ge=0, le=NUMBER_MAX)]
TellMax = Annotated[
    int | None, Query(ge=0, le=NUMBER_MAX, description="differences that are told at most; `counts` counts all of them")
]


class FieldDifference(TypedDict):
    """A field that differs; without `before` it is new, without `after` it is gone."""

    field: str
    before: NotRequired[Any]
    after: NotRequired[Any]


class Difference(TypedDict):
    """One object that was created, updated or deleted, with its fields; references by name."""

    action: str
    kind: str
    id: str
    name: str
    view: NotRequired[str]
    zone: NotRequired[str]
    type: NotRequired[str]
    fields: list[FieldDifference]


class Planned(TypedDict):
    """What a change does: its differences, and how many objects of each kind each action concerns.

    `revision` is the newest one: of a plan, what it is based on; of a change, what it made.
    """

    revision: int
    differences: list[Difference]
    counts: dict[str, dict[str, int]]


class Applied(Planned):
    """The same of a configuration; `unnamed` counts the store's objects that it does not name."""

    unnamed: int


class RevisionEntry(TypedDict):
    """Who changed the store, when and why."""

    revision: int
    time: str
    author: str
    message: str


class RevisionDetail(RevisionEntry):
    """A revision with its differences to the one before."""

    differences: list[Difference]
    counts: dict[str, dict[str, int]]


class Compared(TypedDict):
    """What leads from one revision to another."""

    before: int
    after: int
    differences: list[Difference]
    counts: dict[str, dict[str, int]]


class Changes(TypedDict):
    """The revisions after a number, oldest first, and the newest that the store has."""

    revision: int
    revisions: list[RevisionDetail]


class Files(TypedDict):
    """The files of a configuration directory by name, and what they cannot say."""

    revision: int
    files: dict[str, str]
    notes: list[str]


@router.post("/plan", **describe(Applied, body=ApplyBody))
async def plan(
    site: CurrentSite, caller: CurrentCaller, request: Request, body: LargeBody, tell_max: TellMax = None
) -> Response:
    """Say what applying a configuration would change; nothing is changed."""
    return await _apply(site, caller, request, body, tell_max, dry_run=True)


@router.post("/apply", **describe(Applied, body=ApplyBody))
async def apply(
    site: CurrentSite, caller: CurrentCaller, request: Request, body: LargeBody, tell_max: TellMax = None
) -> Response:
    """Apply a configuration in one transaction."""
    return await _apply(site, caller, request, body, tell_max, dry_run=False)


@router.get("/configuration", **describe(Files))
def configuration(site: CurrentSite, caller: CurrentCaller) -> Response:
    """Return the objects in force as the files of a configuration directory, with secrets where the caller may write
    everything."""
    return _files(site.manager.state, site, caller)


@router.get("/revisions", **describe(list[RevisionEntry]))
def revisions(
    site: CurrentSite,
    limit: Annotated[int, Query(ge=1, le=REVISIONS_MAX)] = LIMIT,
    before: Annotated[int | None, Query(ge=0, le=NUMBER_MAX)] = None,
) -> Response:
    """List the newest revisions, or those before a number."""
    return ok([_entry(one) for one in _store(site).revisions(limit, before)])


@router.get("/revisions/{number}", **describe(RevisionDetail))
def revision(site: CurrentSite, number: Number) -> Response:
    """Return a revision with its differences to the one before."""
    store = _store(site)
    found = _known(store, number)
    after = store.state_at(number)
    return ok(_detail(found, _undone(after, found), after))


@router.get("/revisions/{number}/compare/{other}", **describe(Compared))
def compare(site: CurrentSite, number: Number, other: Number) -> Response:
    """Return what leads from the objects of one revision to those of another. Revision 0 is the empty store."""
    store = _store(site)
    before, after = _state_at(store, number), _state_at(store, other)
    changes = diff.between(before, after)
    return ok({"before": number, "after": other, **_differences(changes, before, after)})


@router.get("/revisions/{number}/configuration", **describe(Files))
def revision_configuration(site: CurrentSite, caller: CurrentCaller, number: Number) -> Response:
    """Return the objects of a revision as the files of a configuration directory, with secrets where the caller may
    write everything."""
    return _files(_state_at(_store(site), number), site, caller)


@router.post("/revisions/{number}/restore", **describe(Planned, body=RestoreBody))
async def restore_revision(
    site: CurrentSite, caller: CurrentCaller, number: Number, body: JsonObject, tell_max: TellMax = None
) -> Response:
    """Make the objects as they were at a revision, as a new revision; ids stay, SOA serials go on."""
    fields = checked_fields(body, RestoreBody)
    target = await asyncio.to_thread(_state_at, _store(site), number)
    before = site.manager.state

    def make(edit: Edit) -> None:
        nonlocal before
        before = site.manager.state  # nobody else changes it meanwhile
        restore(edit, target)

    done = await site.manager.change(
        caller.author,
        fields.get("message") or f"restore revision {number}",
        make,
        based_on=fields.get("based_on"),
        dry_run=bool(fields.get("dry_run")),
        is_local=caller.local,
    )
    return await asyncio.to_thread(_planned, done, before, tell_max)


@router.get("/changes", **describe(Changes))
async def changes(
    site: CurrentSite,
    request: Request,
    after: Annotated[int, Query(ge=0, le=NUMBER_MAX)] = 0,
    wait: Annotated[float, Query(ge=0, le=WAIT_S_MAX, description="seconds to wait for one, where there is none")] = 0,
    limit: Annotated[int, Query(ge=1, le=REVISIONS_MAX)] = LIMIT,
) -> Response:
    """Return the revisions after a number, oldest first; where there is none yet, wait for one."""
    store = _store(site)
    ends_at = time.monotonic() + wait
    rest(request)
    while site.manager.state.revision <= after and time.monotonic() < ends_at:
        if request.app.state.is_closing or await request.is_disconnected():
            break
        await asyncio.sleep(POLL_S)
    return await asyncio.to_thread(_feed, store, after, limit)


def _feed(store: Store, after: int, limit: int) -> Response:
    found = []
    if after < store.head:
        _known(store, after + 1)
        state = store.state_at(after)
        for one in islice(store.feed(after), limit):
            later = state.changed(one.changes, one.number)
            found.append(_detail(one, state, later))
            state = later
    return ok({"revision": store.head, "revisions": found})


async def _apply(
    site: ApiSite, caller: Caller, request: Request, body: LargeBody, tell_max: int | None, dry_run: bool
) -> Response:
    if not site.manager.is_writable:
        await site.manager.change(caller.author, "", _nothing)  # raises what there is to say
    point_by(request, lambda problem: problem.at or None)
    read = await body.read(ConfigurationReading(zones_with_keys(site.settings.state_dir())))
    point_by(request, read.place)
    before = site.manager.state

    def make(edit: Edit) -> int:
        nonlocal before
        before = site.manager.state  # nobody else changes it meanwhile
        if read.is_let_go:
            raise Unavailable("this machine came into a fleet meanwhile; nothing is changed: send it once more")
        unnamed = len(files.apply(edit, read.wanted, bool(read.fields.get("prune"))))
        if site.settings.fleet is None and not edit.problems:  # else it may be made again, on what another machine made
            read.let_go()
        return unnamed

    message, based_on = read.fields.get("message") or "apply", read.fields.get("based_on")
    done = await site.manager.change(
        caller.author, message, make, based_on=based_on, dry_run=dry_run, is_local=caller.local
    )
    return await asyncio.to_thread(_planned, done, before, tell_max, {"unnamed": done.result})


def _nothing(edit: Edit) -> None:
    """Change nothing."""


def _store(site: ApiSite) -> Store:
    """Return the store that has the revisions; raises ReadOnly where the objects come from files."""
    store = site.manager.store
    if store is None or not site.manager.is_writable:
        raise ReadOnly(f"this server serves {site.manager.place}; revisions are kept of a store")
    return store


def _known(store: Store, number: int) -> Revision:
    """Return a revision; raises ApiError where there is none, or none any more."""
    found = store.revisions(1, number + 1)
    if not found or found[0].number != number:
        newest = store.head
        raise ApiError(404, NOT_FOUND, f"there is no revision {number}, or no longer; the newest is {newest}")
    return store.revision(number)


def _state_at(store: Store, number: int) -> State:
    """Return the objects of a revision, 0 being the empty store; raises ApiError."""
    if number > 0:
        _known(store, number)
    elif store.head > 0:
        _known(store, 1)
    return store.state_at(number)


def state_of_revision(site: ApiSite, number: int) -> State:
    """Return the objects of a revision of a site's store; raises ReadOnly and ApiError."""
    return _state_at(_store(site), number)


def _undone(after: State, revision: Revision) -> State:
    changes = [Change(change.after, change.before) for change in reversed(revision.changes)]
    return after.changed(changes, revision.number - 1)


def _entry(revision: Revision) -> dict[str, Any]:
    return {
        "revision": revision.number,
        "time": revision.time,
        "author": revision.author,
        "message": revision.message,
    }


def _detail(revision: Revision, before: State, after: State) -> dict[str, Any]:
    return {**_entry(revision), **_differences(revision.changes, before, after)}


def _differences(found: Iterable[Change], before: State, after: State) -> dict[str, Any]:
    found = list(found)
    return {"differences": diff.describe(found, before, after), "counts": diff.count(found)}


def _planned(done: Done[Any], before: State, tell_max: int | None, more: Mapping[str, Any] | None = None) -> Response:
    after = before.changed(done.changes, done.revision)
    body = {"revision": done.revision, "counts": diff.count(done.changes), **(more or {})}
    told = warnings(done.warnings[:WARNINGS_MAX])
    if len(done.warnings) > WARNINGS_MAX:
        told.append({"code": WARNING_CODE, "message": f"and {len(done.warnings) - WARNINGS_MAX} more"})
    differences = islice(diff.described(done.changes, before, after), tell_max)
    return ok_with_list(body, "differences", differences, told)


def _files(state: State, site: ApiSite, caller: Caller) -> Response:
    may_all = caller.scopes.allow(WRITE)
    made = export(state, bool(private_views(site.in_force.views)), may_all, has_keys=False)
    return ok({"revision": state.revision, "files": made.files, "notes": list(made.notes)})
