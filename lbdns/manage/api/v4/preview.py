"""Previews: probe a pool's endpoints now, with a monitor that need not be stored, and change nothing.

POST -> an id at once; probes run meanwhile -> GET waits for what is still missing, for a while
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response

from lbdns.base.errors import ConfigError
from lbdns.base.kept_problems import KeptProblems
from lbdns.base.kinds import Kind
from lbdns.base.lasting_ids import ID_DIGITS
from lbdns.health.pool_state import pool_state
from lbdns.health.reasons import REASONS, Reason
from lbdns.health.verdict import HEALTHY, TAKES_TRAFFIC, UNHEALTHY
from lbdns.manage.api.frame.admission import belongs_to
from lbdns.manage.api.frame.api_errors import NOT_FOUND, TOO_MANY, ApiError
from lbdns.manage.api.frame.auth import Caller, CurrentCaller
from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.gate import rest
from lbdns.manage.api.frame.limits import JsonObject
from lbdns.manage.api.frame.live import running
from lbdns.manage.api.frame.object_schemas import SHAPES
from lbdns.manage.api.frame.object_shapes import taken
from lbdns.manage.api.frame.openapi import ID, describe
from lbdns.manage.api.frame.site import CurrentSite, ObjectId, own_account
from lbdns.manage.api.v4.balancing import ACCOUNT
from lbdns.manage.api.v4.pool_health import NO_RESULT, NOBODYS_ADDRESS, POOL_HEALTH, endpoint_health
from lbdns.manage.name_lookups import names_of
from lbdns.manage.store.bodies import check_body, placed_of
from lbdns.manage.store.item import Item
from lbdns.manage.store.refusals import NotFound
from lbdns.manage.store.state import State
from lbdns.manage.store.token_scopes import POOLS
from lbdns.manage.ways_out import WaysOut
from lbdns.model.monitors import Monitor
from lbdns.model.pool import Endpoint, EndpointKey, Pool
from lbdns.model.settings import Settings
from lbdns.model.targets_document import Vantage, is_name, lone_endpoint
from lbdns.monitor.probe_check import Check, CheckKey, check_key
from lbdns.monitor.probes.result import Result
from lbdns.monitor.resolving import NameSources

PREVIEWS_MAX: Final = 50
LIFETIME_S: Final = 600.0
PROBES_MAX: Final = 64  # at once, over all previews
ENDPOINTS_MAX: Final = 2000  # of one preview
WAIT_S: Final = 20.0
_STARTED: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "preview_id": ID,
        "pools": {"type": "object", "description": "id -> name", "additionalProperties": {"type": "string"}},
    },
    "required": ["preview_id", "pools"],
    "additionalProperties": False,
}
_RESULT: Final[dict[str, Any]] = {
    "type": "object",
    "description": "by the pool's id",
    "additionalProperties": POOL_HEALTH,
}

router = APIRouter(tags=["previews"], dependencies=[belongs_to(POOLS), Depends(own_account)])


@dataclass(slots=True)
class _Preview:
    """One preview: the monitor, the pools by id, and what was found so far by (pool id, endpoint)."""

    monitor: Monitor
    pools: dict[str, Pool]
    ends_at_s: float  # the loop's clock
    is_local: bool  # an operator on this machine looks
    found: dict[tuple[str, EndpointKey], dict[str, Any]] = field(default_factory=dict)
    ways: WaysOut | None = None
    task: asyncio.Task[None] | None = None

    def shown(self) -> dict[str, Any]:
        """Return what was found, as the API says it."""
        return {id: self._pool(id, pool) for id, pool in self.pools.items()}

    def _pool(self, id: str, pool: Pool) -> dict[str, Any]:
        missing = endpoint_health(False, 0, NO_RESULT, 0)
        results = [(one, self.found.get((id, pool.endpoint_key(one)), missing)) for one in pool.origins]
        enabled = [HEALTHY if result["healthy"] else UNHEALTHY for one, result in results if one.is_used]
        state = pool_state(enabled, pool.minimum_origins)
        return {
            "healthy": bool(state & TAKES_TRAFFIC),
            "origins": [{endpoint.address: result} for endpoint, result in results],  # each its own
        }


class Previews:
    """The previews of one server, in memory: bounded in number, in probes at once, and in time."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Preview] = OrderedDict()
        self._room = asyncio.Semaphore(PROBES_MAX)

    def start(
        self,
        monitor: Monitor,
        pools: dict[str, Pool],
        settings: Settings,
        names: NameSources | None = None,
        is_local: bool = False,
        ways: WaysOut | None = None,
    ) -> str:
        """Begin to probe, and return the preview's id; raises ApiError where there is too much to probe.

        `names`: who is asked for hostnames; None: the settings' resolvers. `is_local`: for an operator on this machine,
        who may look at its loopback. `ways`: those into virtual networks.
        """
        count = sum(len(pool.origins) for pool in pools.values())
        if count > ENDPOINTS_MAX:
            raise ApiError(400, TOO_MANY, f"{count} endpoints are too many for one preview; at most {ENDPOINTS_MAX}")
        self._forget()
        id = secrets.token_hex(ID_DIGITS // 2)
        preview = _Preview(monitor, pools, asyncio.get_running_loop().time() + LIFETIME_S, is_local, ways=ways)
        names = names or NameSources(settings.resolvers)
        preview.task = asyncio.create_task(self._probe_all(preview, monitor, settings, names))
        self._kept[id] = preview
        return id

    async def finished(self, id: str) -> _Preview | None:
        """Return a preview, waiting for its probes for a while; None where there is none (any more)."""
        self._forget(room_for=0)
        preview = self._kept.get(id)
        if preview is None:
            return None
        if preview.task is not None:
            await asyncio.wait((preview.task,), timeout=WAIT_S)
        return preview

    async def result(self, id: str) -> dict[str, Any] | None:
        """Return what a preview found, waiting for it for a while; None where there is none (any more)."""
        preview = await self.finished(id)
        return None if preview is None else preview.shown()

    def forget(self, id: str) -> bool:
        """Drop a preview and its probes; tell whether there was one."""
        preview = self._kept.pop(id, None)
        if preview is not None and preview.task is not None:
            preview.task.cancel()
        return preview is not None

    def _forget(self, room_for: int = 1) -> None:
        """Drop previews whose time is over, and the oldest ones where there is no room for more."""
        now_s = asyncio.get_running_loop().time()
        while self._kept:
            oldest = next(iter(self._kept.values()))
            if oldest.ends_at_s > now_s and len(self._kept) + room_for <= PREVIEWS_MAX:
                return
            if oldest.task is not None:
                oldest.task.cancel()
            self._kept.popitem(last=False)

    async def _probe_all(self, preview: _Preview, monitor: Monitor, settings: Settings, names: NameSources) -> None:
        async def one(id: str, pool: Pool, endpoint: Endpoint) -> None:
            async with self._room:
                result = await _probe(monitor, endpoint, settings, names, id, preview)
                preview.found[id, pool.endpoint_key(endpoint)] = result

        try:
            async with asyncio.TaskGroup() as group:
                for id, pool in preview.pools.items():
                    for endpoint in pool.origins:
                        group.create_task(one(id, pool, endpoint))
        finally:
            if preview.ways is not None:
                preview.ways.close()


class _Ignoring:
    """Takes results for nobody: a preview reads them from the check."""

    def take(self, check: Check, result: Result, started_s: float) -> None:
        """Take a result."""


async def _probe(
    monitor: Monitor, endpoint: Endpoint, settings: Settings, names: NameSources, pool_id: str, preview: _Preview
) -> dict[str, Any]:
    """Probe an endpoint, each address of a hostname, as the monitor worker does; one failure decides."""
    if endpoint.is_placeholder:
        return endpoint_health(False, 0, NOBODYS_ADDRESS, 0)
    spec = lone_endpoint(endpoint.address, endpoint.port, endpoint.host)
    addresses: Sequence[str] = (endpoint.address,)
    ways, is_local = preview.ways, preview.is_local
    way = ways.of(endpoint) if ways is not None else None
    if spec.is_name and not (way is not None and way.resolves):
        asked = names if ways is None or way is None or not way.is_given else ways.names_by(way)
        outcome = await asked.look_up(endpoint.address, time.monotonic())
        if outcome.resolved is None:
            return endpoint_health(False, 0, REASONS[Reason.DNS_UNKNOWN_HOST], 0)
        addresses = outcome.resolved.addresses

    def may_reach(address: str) -> bool:
        return is_name(address) or not settings.probe_networks.refuses(address, is_local)

    keys = [check_key(monitor, spec, address, _vantage(settings), is_local, way) for address in addresses]
    results = [await _run(monitor, key, pool_id, may_reach) for key in keys]
    told = next((result for result in results if not result.healthy), results[0])
    # A code that does not match is no preview's to tell: it would read services that only this machine reaches.
    reason = told.text if told.reason is Reason.NETWORK_DOWN else REASONS[told.reason]
    return endpoint_health(told.healthy, told.rtt_us, reason, told.code if told.healthy else 0)


async def _run(monitor: Monitor, key: CheckKey, pool_id: str, may_reach: Callable[[str], bool]) -> Result:
    check = Check(replace(key, target=replace(key.target, pool_id=pool_id)), monitor, _Ignoring(), may_reach)
    await check.run()
    assert check.last is not None, "a check that ran has a result"
    return check.last


def _vantage(settings: Settings) -> Vantage:
    """Return where a preview probes from: the first vantage point of this machine."""
    first = next(iter(settings.vantage_points), None)
    return Vantage(source=first.source or "") if first is not None else Vantage()


async def _previews(request: Request) -> Previews:
    kept = getattr(request.app.state, "previews", None)
    if kept is None:
        kept = request.app.state.previews = Previews()
    return kept


KeptPreviews = Annotated[Previews, Depends(_previews)]


def _monitor_in(body: dict[str, Any], state: State) -> Monitor:
    """Return the monitor that a request describes, checked as one to be stored; raises ConfigError, ApiError."""
    problems = KeptProblems()
    fields = taken(Kind.MONITOR, body, problems)
    if fields.get("name") is None:
        fields["name"] = "preview"
    checked = check_body(Kind.MONITOR, fields, "", state, None, problems)
    if problems or checked.placed is None:
        raise ConfigError(problems, problems.more)
    monitor: Monitor = checked.placed.item
    return monitor


def _pools_using(item: Item, state: State) -> dict[str, Item]:
    """Return the pools that a monitor looks after, by itself or in a group."""
    found: dict[str, Item] = {}
    for user in state.users(item.kind, item.id):
        found |= {user.id: user} if user.kind is Kind.POOL else _pools_using(user, state)
    return found


async def _start(site: CurrentSite, kept: Previews, caller: Caller, item: Item, body: dict[str, Any]) -> Response:
    state = site.state
    published = running(site).in_force()
    pools = {item.id: item} if item.kind is Kind.POOL else _pools_using(item, state)
    models = {id: placed_of(pool, state).item for id, pool in pools.items()}
    settings = published.configuration.settings
    id = kept.start(_monitor_in(body, state), models, settings, names_of(published), caller.local, WaysOut(published))
    return ok({"preview_id": id, "pools": {id: pool.name for id, pool in pools.items()}})


def _serve(kind: Kind, summary: str) -> None:
    @router.post(
        f"{ACCOUNT}/{kind.section}/{{id}}/preview",
        summary=summary,
        **describe(_STARTED, SHAPES[Kind.MONITOR].written),
    )
    async def start_preview(
        site: CurrentSite, kept: KeptPreviews, caller: CurrentCaller, id: ObjectId, body: JsonObject
    ) -> Response:
        item = site.state.get(kind, id)
        if item is None:
            raise NotFound(kind, id)
        return await _start(site, kept, caller, item, body)


_serve(Kind.POOL, "Probe a pool's endpoints now with a monitor, which is not stored")
_serve(Kind.MONITOR, "Probe the pools that use a monitor now, with a monitor that is not stored")


@router.get(f"{ACCOUNT}/preview/{{id}}", summary="Show what a preview found", **describe(_RESULT))
async def show_preview(kept: KeptPreviews, request: Request, id: ObjectId) -> Response:
    """Show what a preview found; waits up to 20 s for probes under way. It is kept for ten minutes."""
    rest(request)
    found = await kept.result(id)
    if found is None:
        raise ApiError(404, NOT_FOUND, f"there is no preview {id}, or no longer: object not found")
    return ok(found)
