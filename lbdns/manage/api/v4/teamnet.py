"""Virtual networks and routes, as the v4 API's zero_trust.networks has them: below /accounts/{account_id}/teamnet.

    /virtual_networks, /virtual_networks/{id}    GET POST / GET PUT PATCH DELETE
    /routes, /routes/{id}                        GET POST / GET PATCH DELETE
    /routes/ip/{ip}                              GET: the route that holds an address
    /routes/network/{network}                    POST PATCH DELETE: a route by its addresses

What is deleted is gone: `deleted_at` says when in the answer to the deletion, and lists of what is deleted are empty.
"""

# Annotations are evaluated at once here: those of the handlers name types that are made of what is imported.

import time
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Annotated, Any, Final
from urllib.parse import unquote

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi import Path as PathParameter

from lbdns.base.kinds import Kind
from lbdns.base.words import OBJECTS_PER_PAGE_MAX
from lbdns.manage.api.frame.admission import belongs_to
from lbdns.manage.api.frame.api_errors import BAD_BODY, NOT_FOUND, NOT_UNIQUE, ApiError, invalid
from lbdns.manage.api.frame.auth import CurrentCaller
from lbdns.manage.api.frame.dry_run import DryRun, or_dry_run, planned
from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.limits import JsonObject, read_json
from lbdns.manage.api.frame.object_schemas import SHAPES
from lbdns.manage.api.frame.object_shapes import shown
from lbdns.manage.api.frame.openapi import NETWORK_ID, TIME, describe, nullable, without
from lbdns.manage.api.frame.paging import PER_PAGE, OptionalPaging, Paging, paged
from lbdns.manage.api.frame.site import ApiSite, CurrentSite, own_account
from lbdns.manage.api.v4.balancing import BasedOn, ObjectWriter, etag
from lbdns.manage.store.default_network import check_not_default, default_network
from lbdns.manage.store.edit import Edit
from lbdns.manage.store.item import Item, time_text
from lbdns.manage.store.refusals import NotFound
from lbdns.manage.store.state import State
from lbdns.manage.store.token_scopes import POOLS
from lbdns.model.bounds import MAX_DESCRIPTION_CHARS, MAX_NETWORK_CHARS, MAX_NETWORK_NAME_CHARS
from lbdns.model.virtual_network import Network, is_network_id, parse_network

TEAMNET: Final = "/accounts/{account_id}/teamnet"
NETWORKS: Final = f"{TEAMNET}/{Kind.VIRTUAL_NETWORK.section}"
ROUTES: Final = f"{TEAMNET}/{Kind.ROUTE.section}"
_NETWORK, _ROUTE = SHAPES[Kind.VIRTUAL_NETWORK], SHAPES[Kind.ROUTE]

NetworkId = Annotated[str, PathParameter(pattern=NETWORK_ID["pattern"])]
"""The id of a network or a route in a path."""
Prefix = Annotated[str, PathParameter(max_length=MAX_NETWORK_CHARS)]
Id = Annotated[str | None, Query(max_length=MAX_NETWORK_CHARS)]
Flag = Annotated[bool | None, Query()]
Words = Annotated[str | None, Query(max_length=MAX_DESCRIPTION_CHARS)]

_TEXT: Final[dict[str, Any]] = {"type": "string"}
_LISTED_ROUTE: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "id": NETWORK_ID,
        "network": _TEXT,
        "comment": _TEXT,
        "virtual_network_id": nullable(NETWORK_ID),
        "virtual_network_name": nullable(_TEXT),
        "tunnel_id": _TEXT,
        "created_at": TIME,
        "deleted_at": nullable(TIME),
    },
    "required": ["id", "network", "comment", "virtual_network_id", "virtual_network_name", "created_at", "deleted_at"],
    "additionalProperties": False,
}
"""A route in a list: with the name of its network."""

router = APIRouter(tags=["virtual networks"], dependencies=[belongs_to(POOLS), Depends(own_account)])


def _list_of(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": schema}


# --- virtual networks ---


@router.get(NETWORKS, summary="List virtual networks", **describe(_list_of(_NETWORK.shown), paged=True))
def list_networks(
    site: CurrentSite,
    paging: OptionalPaging,
    id: Id = None,
    name: Annotated[str | None, Query(max_length=MAX_NETWORK_NAME_CHARS)] = None,
    is_default: Flag = None,
    is_default_network: Flag = None,
    is_deleted: Flag = None,
) -> Response:
    """List all, or those that filters leave."""
    state = site.state
    wanted = is_default_network if is_default_network is not None else is_default
    found = [
        item
        for item in state.all(Kind.VIRTUAL_NETWORK).values()
        if not is_deleted
        and id in (None, "", item.id)
        and name in (None, "", item.name)
        and wanted in (None, bool(item.body.get("is_default_network")))
    ]
    page, info = paging.of(found)
    return ok([shown(item, state) for item in page], info)


@router.post(NETWORKS, summary="Create a virtual network", **describe(or_dry_run(_NETWORK.shown), _NETWORK.written))
async def create_network(
    site: CurrentSite, caller: CurrentCaller, request: Request, body: JsonObject, dry_run: DryRun = False
) -> Response:
    """Create a network. `id`, which is ours, is the one that it shall have; one that is made the default takes that
    from the one that was."""
    id = body.get("id")
    if id not in (None, ""):
        if not isinstance(id, str) or not is_network_id(id):
            raise invalid(("id: expected a UUID, or none at all", ("id",)))
        id = id.lower()
        if any(site.state.get(kind, id) is not None for kind in Kind):
            raise ApiError(400, NOT_UNIQUE, f"id: {id} is another object's: value not unique", ("id",))
    writer = ObjectWriter(site, caller, request, Kind.VIRTUAL_NETWORK, "", dry_run)
    return await writer.create(body, id or None)


@router.get(f"{NETWORKS}/{{id}}", summary="Show a virtual network", **describe(_NETWORK.shown))
async def show_network(site: CurrentSite, id: NetworkId) -> Response:
    """Show a network."""
    item = _found(site.state, Kind.VIRTUAL_NETWORK, id)
    return ok(shown(item, site.state), headers=etag(item))


@router.put(
    f"{NETWORKS}/{{id}}",
    summary="Replace a virtual network: what is not named goes back to its default",
    **describe(or_dry_run(_NETWORK.shown), _NETWORK.written, guarded=True),
)
async def replace_network(
    site: CurrentSite,
    caller: CurrentCaller,
    request: Request,
    id: NetworkId,
    based_on: BasedOn,
    body: JsonObject,
    dry_run: DryRun = False,
) -> Response:
    """Replace a network; this is ours."""
    return await ObjectWriter(site, caller, request, Kind.VIRTUAL_NETWORK, "", dry_run).replace(id, body, based_on)


@router.patch(
    f"{NETWORKS}/{{id}}",
    summary="Change a virtual network: only what is named; null resets a field",
    **describe(or_dry_run(_NETWORK.shown), _NETWORK.changed, guarded=True),
)
async def change_network(
    site: CurrentSite,
    caller: CurrentCaller,
    request: Request,
    id: NetworkId,
    based_on: BasedOn,
    body: JsonObject,
    dry_run: DryRun = False,
) -> Response:
    """Change a network."""
    return await ObjectWriter(site, caller, request, Kind.VIRTUAL_NETWORK, "", dry_run).patch(id, body, based_on)


@router.delete(
    f"{NETWORKS}/{{id}}",
    summary="Delete a virtual network that nothing uses",
    **describe(or_dry_run(_NETWORK.shown), guarded=True),
)
async def delete_network(
    site: CurrentSite, caller: CurrentCaller, id: NetworkId, based_on: BasedOn, dry_run: DryRun = False
) -> Response:
    """Delete a network; refused while endpoints or routes name it, and while it is the default."""
    return await _delete(site, caller, Kind.VIRTUAL_NETWORK, id, based_on, dry_run)


# --- routes ---


@router.get(ROUTES, summary="List routes", **describe(_list_of(_LISTED_ROUTE), paged=True))
def list_routes(
    site: CurrentSite,
    paging: Annotated[Paging, paged(PER_PAGE, OBJECTS_PER_PAGE_MAX)],
    comment: Words = None,
    existed_at: Words = None,
    is_deleted: Flag = None,
    network_subset: Id = None,
    network_superset: Id = None,
    route_id: Id = None,
    tun_types: Words = None,
    tunnel_id: Id = None,
    virtual_network_id: Id = None,
) -> Response:
    """List all, or those that filters leave: `network_subset` those within a network, `network_superset` those that
    hold it, `existed_at` those that were there before a time."""
    state = site.state
    before = _time(existed_at) if existed_at else None
    within = _network_asked("network_subset", network_subset)
    around = _network_asked("network_superset", network_superset)
    found = [
        item
        for item in state.all(Kind.ROUTE).values()
        if not is_deleted
        and not tun_types
        and comment in (None, "", item.body.get("comment", ""))
        and route_id in (None, "", item.id)
        and tunnel_id in (None, "", item.body.get("tunnel_id"))
        and virtual_network_id in (None, "", _network_id(item, state))
        and (before is None or datetime.fromisoformat(item.created_on) <= before)
        and (within is None or _is_within(parse_network(item.name), within))
        and (around is None or _is_within(around, parse_network(item.name)))
    ]
    page, info = paging.of(found)
    return ok([_listed(item, state) for item in page], info)


@router.post(ROUTES, summary="Create a route", **describe(or_dry_run(_ROUTE.shown), _ROUTE.written))
async def create_route(
    site: CurrentSite, caller: CurrentCaller, request: Request, body: JsonObject, dry_run: DryRun = False
) -> Response:
    """Create a route; one that names no network leads to the default one."""
    return await ObjectWriter(site, caller, request, Kind.ROUTE, "", dry_run).create(body)


@router.get(f"{ROUTES}/ip/{{ip}}", summary="Show the route that holds an address", **describe(_LISTED_ROUTE))
def show_route_of(
    site: CurrentSite,
    ip: Annotated[str, PathParameter(max_length=MAX_NETWORK_CHARS)],
    virtual_network_id: Id = None,
    default_virtual_network_fallback: Flag = None,
) -> Response:
    """Show the route with the longest prefix, of a network or of all: the one that an endpoint of this address follows
    where it names no network. Of several alike it is the default network's, which `default_virtual_network_fallback`
    has searched alone."""
    try:
        address = ip_address(ip)
    except ValueError:
        raise invalid((f'ip: "{ip}" is no IP address', None)) from None
    state = site.state
    default = default_network(state)
    if default is not None and default_virtual_network_fallback and not virtual_network_id:
        virtual_network_id = default.id
    items = [
        item
        for item in state.all(Kind.ROUTE).values()
        if virtual_network_id in (None, "", _network_id(item, state)) and address in parse_network(item.name)
    ]
    if not items:
        raise ApiError(404, NOT_FOUND, f"no route holds {address}: object not found")

    def preference(item: Item) -> tuple[int, bool]:
        is_default = default is not None and _network_id(item, state) == default.id
        return parse_network(item.name).prefixlen, is_default

    return ok(_listed(max(items, key=preference), state))


@router.get(f"{ROUTES}/{{id}}", summary="Show a route", **describe(_ROUTE.shown))
async def show_route(site: CurrentSite, id: NetworkId) -> Response:
    """Show a route."""
    item = _found(site.state, Kind.ROUTE, id)
    return ok(shown(item, site.state), headers=etag(item))


@router.patch(
    f"{ROUTES}/{{id}}",
    summary="Change a route: only what is named; null resets a field",
    **describe(or_dry_run(_ROUTE.shown), _ROUTE.changed, guarded=True),
)
async def change_route(
    site: CurrentSite,
    caller: CurrentCaller,
    request: Request,
    id: NetworkId,
    based_on: BasedOn,
    body: JsonObject,
    dry_run: DryRun = False,
) -> Response:
    """Change a route."""
    return await ObjectWriter(site, caller, request, Kind.ROUTE, "", dry_run).patch(id, body, based_on)


@router.delete(f"{ROUTES}/{{id}}", summary="Delete a route", **describe(or_dry_run(_ROUTE.shown), guarded=True))
async def delete_route(
    site: CurrentSite, caller: CurrentCaller, id: NetworkId, based_on: BasedOn, dry_run: DryRun = False
) -> Response:
    """Delete a route."""
    return await _delete(site, caller, Kind.ROUTE, id, based_on, dry_run)


# --- routes by their addresses: older forms of the v4 API ---

BY_NETWORK: Final = f"{ROUTES}/network/{{network:path}}"


@router.post(
    BY_NETWORK,
    summary="Create a route of these addresses",
    **describe(or_dry_run(_ROUTE.shown), without(_ROUTE.changed, "network")),
)
async def create_route_of(
    site: CurrentSite,
    caller: CurrentCaller,
    request: Request,
    network: Prefix,
    body: JsonObject,
    dry_run: DryRun = False,
) -> Response:
    """Create a route; its addresses stand in the path."""
    if "network" in body:
        raise invalid(("network: stands in the path; leave it out of the body", ("network",)))
    fields = {**body, "network": unquote(network)}
    return await ObjectWriter(site, caller, request, Kind.ROUTE, "", dry_run).create(fields)


@router.patch(
    BY_NETWORK,
    summary="Change the route of these addresses",
    **describe(or_dry_run(_ROUTE.shown), _ROUTE.changed),
)
async def change_route_of(
    site: CurrentSite,
    caller: CurrentCaller,
    request: Request,
    network: Prefix,
    virtual_network_id: Id = None,
    dry_run: DryRun = False,
) -> Response:
    """Change a route; without a body, as the SDK sends it, it stays as it is."""
    body = await read_json(request) if await request.body() else {}
    if not isinstance(body, dict):
        raise ApiError(400, BAD_BODY, "the body is not a JSON object; expected {...}")
    item = _route_of(site.state, network, virtual_network_id)
    return await ObjectWriter(site, caller, request, Kind.ROUTE, "", dry_run).patch(item.id, body, None)


@router.delete(BY_NETWORK, summary="Delete the route of these addresses", **describe(or_dry_run(_ROUTE.shown)))
async def delete_route_of(
    site: CurrentSite,
    caller: CurrentCaller,
    network: Prefix,
    virtual_network_id: Id = None,
    dry_run: DryRun = False,
) -> Response:
    """Delete a route; the default network's where no network is named."""
    item = _route_of(site.state, network, virtual_network_id)
    return await _delete(site, caller, Kind.ROUTE, item.id, None, dry_run)


# --- what they share ---


def _found(state: State, kind: Kind, id: str) -> Item:
    item = state.get(kind, id)
    if item is None:
        raise NotFound(kind, id)
    return item


def _network_id(route: Item, state: State) -> str | None:
    """Return the id of a route's network: the one that it names, else the default one's."""
    id: str | None = route.body.get("virtual_network_id")
    if id is None and (default := default_network(state)) is not None:
        id = default.id
    return id


def _listed(route: Item, state: State) -> dict[str, Any]:
    """Return a route with the name of its network."""
    id = _network_id(route, state)
    network = state.get(Kind.VIRTUAL_NETWORK, id or "")
    made = shown(route, state)
    return {**made, "virtual_network_id": id, "virtual_network_name": network.name if network is not None else None}


def _route_of(state: State, text: str, network_id: str | None) -> Item:
    """Return the route of some addresses, in a network or in the default one; raises ApiError."""
    prefix = _network_asked("network", unquote(text))
    default = default_network(state)
    wanted = network_id or (default.id if default is not None else None)
    found = [item for item in state.all(Kind.ROUTE).values() if parse_network(item.name) == prefix]
    of_network = [item for item in found if wanted is None or _network_id(item, state) == wanted]
    if not of_network:
        raise ApiError(404, NOT_FOUND, f"there is no route of {prefix} there: object not found")
    if len(of_network) > 1:
        raise invalid((f"several networks have a route of {prefix}; say virtual_network_id", None))
    return of_network[0]


def _network_asked(parameter: str, text: str | None) -> Network | None:
    if not text:
        return None
    try:
        return parse_network(text)
    except ValueError as error:
        raise invalid((f"{parameter}: {error}", None)) from None


def _is_within(inner: Network, outer: Network) -> bool:
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(unquote(text))
    except ValueError:
        raise invalid((f'existed_at: "{text}" is no time; expected one such as 2026-01-31T12:00:00Z', None)) from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


async def _delete(
    site: ApiSite, caller: CurrentCaller, kind: Kind, id: str, based_on: int | None, dry_run: bool
) -> Response:
    """Delete an object, and show what it was."""
    before = site.state
    item = _found(before, kind, id)

    def make(edit: Edit) -> Item:
        if based_on is not None:
            edit.expect(kind, id, based_on)
        if kind is Kind.VIRTUAL_NETWORK:
            check_not_default(edit, id)
        return edit.delete(kind, id)

    words = f'delete {kind.words} "{item.name}"'
    done = await site.manager.change(caller.author, words, make, dry_run=dry_run, is_local=caller.local)
    if dry_run:
        return planned(done, before, [])
    return ok({**shown(done.result, before), "deleted_at": time_text(time.time())})
