"""Health checks of a zone: an endpoint that is watched and stands in no answer (healthcheck_shapes has what it is)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response

from lbdns.base.errors import ConfigError, LbdnsError, Problem, problems_about
from lbdns.base.kinds import Kind
from lbdns.base.words import OBJECTS_PER_PAGE_MAX, Health
from lbdns.manage.api.frame.admission import belongs_to
from lbdns.manage.api.frame.api_errors import NOT_FOUND, ApiError, point_by
from lbdns.manage.api.frame.auth import Caller, CurrentCaller
from lbdns.manage.api.frame.dry_run import DryRun, or_dry_run, planned
from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.gate import rest
from lbdns.manage.api.frame.limits import JsonObject
from lbdns.manage.api.frame.live import running
from lbdns.manage.api.frame.live_health import endpoint_is_up
from lbdns.manage.api.frame.openapi import DELETED, describe
from lbdns.manage.api.frame.paging import Paging, paged
from lbdns.manage.api.frame.reply_messages import MESSAGES_MAX, ReplyMessage, tell, warnings
from lbdns.manage.api.frame.site import ApiSite, CurrentSite, ObjectId, own_zone
from lbdns.manage.api.v4.healthcheck_shapes import (
    HEALTHCHECK,
    HEALTHCHECK_CHANGED,
    HEALTHCHECK_WRITTEN,
    SECTION,
    merged,
    parts_of,
    pointing,
    shown,
)
from lbdns.manage.api.v4.pool_health import agreed_health
from lbdns.manage.api.v4.preview import KeptPreviews
from lbdns.manage.name_lookups import names_of
from lbdns.manage.store.bodies import check_body, placed_of
from lbdns.manage.store.edit import Edit
from lbdns.manage.store.item import Item, new_id
from lbdns.manage.store.making import out_of_reach
from lbdns.manage.store.managing import Done
from lbdns.manage.store.refusals import NotFound
from lbdns.manage.store.state import State
from lbdns.manage.store.token_scopes import POOLS
from lbdns.manage.ways_out import WaysOut
from lbdns.mapped.endpoint_rows import read_endpoint
from lbdns.model.monitors import Monitor
from lbdns.model.pool import Pool
from lbdns.publish.network_health import NetworkHealth

PATH: Final = f"/zones/{{zone_id}}/{SECTION}"
ONE: Final = f"{PATH}/{{id}}"
PREVIEW: Final = f"{PATH}/preview"
PER_PAGE: Final = 25
PREVIEWED: Final = ""
"""The pool's id in a preview: the health check has none yet."""
SUSPENDED: Final = "suspended"

router = APIRouter(tags=["health checks"], dependencies=[belongs_to(POOLS)])
ZoneId = Annotated[str, Depends(own_zone)]


@router.get(
    PATH, summary="List a zone's health checks", **describe({"type": "array", "items": HEALTHCHECK}, paged=True)
)
def list_healthchecks(
    site: CurrentSite, zone_id: ZoneId, paging: Annotated[Paging, paged(PER_PAGE, OBJECTS_PER_PAGE_MAX)]
) -> Response:
    state = site.state
    found = [item for item in state.all(Kind.POOL).values() if item.zone_id == zone_id]
    page, info = paging.of(found)
    return ok([_shown(item, state, site) for item in page], info)


@router.post(
    PATH,
    summary="Create a health check: it is probed at once",
    **describe(or_dry_run(HEALTHCHECK), HEALTHCHECK_WRITTEN),
)
async def create_healthcheck(
    site: CurrentSite,
    caller: CurrentCaller,
    request: Request,
    zone_id: ZoneId,
    body: JsonObject,
    dry_run: DryRun = False,
) -> Response:
    def make(edit: Edit) -> Item:
        monitor, pool = parts_of(body, edit.problems)
        id = new_id()
        name = f"healthcheck-{id[:8]}"
        monitor_id = edit.create(Kind.MONITOR, {**monitor, "name": name}, zone_id).id
        return edit.create(Kind.POOL, {**pool, "name": name, "monitor": monitor_id}, zone_id, id)

    return await _written(site, caller, request, f"create health check {_quoted(body)}", make, dry_run)


@router.post(
    PREVIEW,
    summary="Probe an address now, with a health check that is not stored",
    **describe(HEALTHCHECK, HEALTHCHECK_WRITTEN),
)
async def start_preview(
    site: CurrentSite, caller: CurrentCaller, kept: KeptPreviews, request: Request, zone_id: ZoneId, body: JsonObject
) -> Response:
    point_by(request, pointing)
    monitor, pool = _models(body, site.state)
    published = running(site).in_force()
    settings = published.configuration.settings
    id = kept.start(monitor, {PREVIEWED: pool}, settings, names_of(published), caller.local, WaysOut(published))
    return ok(shown(monitor, pool, id, {}, {"status": Health.UNKNOWN, "failure_reason": ""}))


@router.get(f"{PREVIEW}/{{id}}", summary="Show what a preview found", **describe(HEALTHCHECK))
async def show_preview(kept: KeptPreviews, request: Request, zone_id: ZoneId, id: ObjectId) -> Response:
    """Show what a preview found; waits up to 20 s for a probe under way. It is kept for ten minutes."""
    rest(request)
    preview = await kept.finished(id)
    if preview is None or PREVIEWED not in preview.pools:
        raise _no_preview(id)
    pool = preview.pools[PREVIEWED]
    (result,) = preview.shown()[PREVIEWED]["origins"][0].values()
    live = _live(result["healthy"], result["failure_reason"])
    return ok(shown(preview.monitor, pool, id, {}, live))


@router.delete(f"{PREVIEW}/{{id}}", summary="Forget a preview", **describe(DELETED))
async def delete_preview(kept: KeptPreviews, zone_id: ZoneId, id: ObjectId) -> Response:
    if not kept.forget(id):
        raise _no_preview(id)
    return ok({"id": id})


@router.get(ONE, summary="Show a health check", **describe(HEALTHCHECK))
def show_healthcheck(site: CurrentSite, zone_id: ZoneId, id: ObjectId) -> Response:
    state = site.state
    return ok(_shown(_found(state, zone_id, id), state, site))


@router.put(
    ONE,
    summary="Replace a health check: what is not named goes back to its default",
    **describe(or_dry_run(HEALTHCHECK), HEALTHCHECK_WRITTEN),
)
async def replace_healthcheck(
    site: CurrentSite,
    caller: CurrentCaller,
    request: Request,
    zone_id: ZoneId,
    id: ObjectId,
    body: JsonObject,
    dry_run: DryRun = False,
) -> Response:
    return await _replaced(site, caller, request, zone_id, id, lambda before: body, dry_run, True)


@router.patch(
    ONE,
    summary="Change a health check: only what is named",
    **describe(or_dry_run(HEALTHCHECK), HEALTHCHECK_CHANGED),
)
async def change_healthcheck(
    site: CurrentSite,
    caller: CurrentCaller,
    request: Request,
    zone_id: ZoneId,
    id: ObjectId,
    body: JsonObject,
    dry_run: DryRun = False,
) -> Response:
    says_where = "address" in body
    return await _replaced(site, caller, request, zone_id, id, lambda before: merged(before, body), dry_run, says_where)


@router.delete(ONE, summary="Delete a health check", **describe(or_dry_run(DELETED)))
async def delete_healthcheck(
    site: CurrentSite, caller: CurrentCaller, zone_id: ZoneId, id: ObjectId, dry_run: DryRun = False
) -> Response:
    def make(edit: Edit) -> None:
        pool = _found(edit.state, zone_id, id)
        edit.delete(Kind.POOL, id)
        edit.delete(Kind.MONITOR, pool.body["monitor"])

    before = site.state
    done = await site.manager.change(
        caller.author, f"delete health check {id}", make, dry_run=dry_run, is_local=caller.local
    )
    return planned(done, before, ()) if dry_run else ok({"id": id})


async def _replaced(
    site: ApiSite,
    caller: Caller,
    request: Request,
    zone_id: str,
    id: str,
    body_after: Callable[[dict[str, Any]], dict[str, Any]],
    dry_run: bool,
    says_where: bool,
) -> Response:
    """`says_where`: the request itself has the address."""

    def make(edit: Edit) -> Item:
        before = _found(edit.state, zone_id, id)
        monitor, pool = parts_of(body_after(_shown(before, edit.state, site)), edit.problems)
        edit.replace(Kind.MONITOR, before.body["monitor"], monitor)
        body = {**pool, "name": before.body["name"], "monitor": before.body["monitor"]}
        return edit.replace(Kind.POOL, id, body, says_where or before.is_local)

    return await _written(site, caller, request, f"change health check {id}", make, dry_run)


async def _written(
    site: ApiSite, caller: Caller, request: Request, words: str, make: Callable[[Edit], Item], dry_run: bool
) -> Response:
    point_by(request, pointing)
    before = site.state
    done = await site.manager.change(caller.author, words, make, dry_run=dry_run, is_local=caller.local)
    for sentence, _ in out_of_reach(done.result, site.in_force.probe_networks):
        tell(sentence, ("address",))
    messages = _messages(done)
    return planned(done, before, messages) if dry_run else ok(_shown(done.result, site.state, site), messages=messages)


def _messages(done: Done[Item]) -> list[ReplyMessage]:
    """Return the warnings about a health check that was written: its pool and its monitor have one name."""
    sections = (Kind.POOL.section, Kind.MONITOR.section)
    about = problems_about(done.warnings, sections, {done.result.name})
    return warnings(about[:MESSAGES_MAX], pointing)


def _found(state: State, zone_id: str, id: str) -> Item:
    item = state.get(Kind.POOL, id)
    if item is None or item.zone_id != zone_id:
        raise ApiError(404, NOT_FOUND, f"there is no health check {id}: object not found")
    return item


def _shown(item: Item, state: State, site: ApiSite) -> dict[str, Any]:
    monitor = state.get(Kind.MONITOR, item.body["monitor"])
    if monitor is None:
        raise NotFound(Kind.MONITOR, item.body["monitor"])
    times = {"created_on": item.created_on, "modified_on": max(item.modified_on, monitor.modified_on)}
    return shown(
        placed_of(monitor, state).item, placed_of(item, state).item, item.id, times, _status_of(item.name, site)
    )


def _status_of(name: str, site: ApiSite) -> dict[str, str]:
    """Return what the running server knows of the health check whose pool has a name."""
    try:
        published = running(site).in_force()
    except (LbdnsError, ApiError):
        return _live(None, "")
    pool = published.configuration.pools.get(name)
    if pool is None:
        return _live(None, "")
    if not pool.enabled:
        return {"status": SUSPENDED, "failure_reason": ""}
    endpoint = pool.origins[0]
    slot = published.slots.endpoint[pool.endpoint_key(endpoint)]
    row = read_endpoint(published.table.columns, slot)
    reason = agreed_health(endpoint, row, NetworkHealth(published))["failure_reason"]
    return _live(endpoint_is_up(pool, endpoint, published), reason)


def _live(is_up: bool | None, reason: str) -> dict[str, str]:
    if is_up is None:
        return {"status": Health.UNKNOWN, "failure_reason": ""}
    return {"status": Health.HEALTHY if is_up else Health.UNHEALTHY, "failure_reason": "" if is_up else reason}


def _models(body: dict[str, Any], state: State) -> tuple[Monitor, Pool]:
    """Return the monitor and the pool of a health check that is not to be stored; raises ConfigError."""
    problems: list[Problem] = []
    fields, pool_fields = parts_of(body, problems)
    monitor = check_body(Kind.MONITOR, {**fields, "name": SECTION}, "", state, None, problems).placed
    pool = check_body(Kind.POOL, {**pool_fields, "name": SECTION}, "", state, None, problems).placed
    if problems or monitor is None or pool is None:
        raise ConfigError(problems)
    return monitor.item, pool.item


def _no_preview(id: str) -> ApiError:
    return ApiError(404, NOT_FOUND, f"there is no preview {id}, or no longer: object not found")


def _quoted(body: dict[str, Any]) -> str:
    name = body.get("name")
    return f'"{name[:100]}"' if isinstance(name, str) else "without a name"
