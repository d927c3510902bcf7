"""What is lbdns's own, beside the v4 API: /lbdns/v1, with the same tokens and the same envelope.

explain, what_if          an answer step by step; which networks a change would give another pool
health, status    the running server's own words, as `lbdns explain`, `health` and `top` show them
forced                    what operators forced, and forcing
locate                    what the geolocation databases say of an address
load_balancers            all of them, those of every zone and those of the account
names                     the ids of objects by their names
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple

from fastapi import APIRouter, Query, Response

from lbdns.base.errors import LbdnsError
from lbdns.base.kinds import Kind
from lbdns.base.words import BALANCER_TYPES, OWN_PATH
from lbdns.health import forced
from lbdns.manage.api.frame.admission import belongs_to
from lbdns.manage.api.frame.api_errors import invalid
from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.limits import JsonObject
from lbdns.manage.api.frame.live import operate, operate_at, running
from lbdns.manage.api.frame.live_health import LiveHealth
from lbdns.manage.api.frame.object_schemas import id_of
from lbdns.manage.api.frame.object_search import SearchQuery, found_by
from lbdns.manage.api.frame.object_shapes import shown
from lbdns.manage.api.frame.openapi import ID, TIME, describe, nullable
from lbdns.manage.api.frame.paging import OptionalPaging
from lbdns.manage.api.frame.site import CurrentSite, ViewQuery, tell_of_view
from lbdns.manage.store.guarding import refuse_if_guarded
from lbdns.manage.store.item import time_text
from lbdns.manage.store.token_scopes import LOAD_BALANCERS, POOLS
from lbdns.model.views import view_facts
from lbdns.places.description import describe as describe_address
from lbdns.places.geodata import Geodata
from lbdns.places.place import address_in, unmapped

NAME_CHARS_MAX: Final = 255
TYPE_CHARS_MAX: Final = 20
PATTERNS_MAX: Final = 100
MACHINE_CHARS_MAX: Final = 63
FOR_S_MAX: Final = 10 * 366 * 86400.0
_OBJECT: Final[dict[str, Any]] = {"type": "object"}
_EXPLAINED: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "rcode": {"type": "string"},
        "answer": {"type": "array", "items": {"type": "string"}},
        "ttl": nullable({"type": "integer"}),
        "scope": nullable({"type": "integer"}),
        "steps": {"type": "array", "items": _OBJECT},
        "scopes": _OBJECT,
        "view": {"type": "string", "description": "the view that it is given in, where there are any"},
    },
    "required": ["rcode", "answer", "ttl", "scope", "steps"],
}


class _Wanted(NamedTuple):
    """What a property of a body is to be: its schema, the same in words, and whether a value is that."""

    schema: dict[str, Any]
    words: str
    fits: Callable[[Any], bool]


def _text_of(chars_max: int) -> _Wanted:
    schema = {"type": "string", "minLength": 1, "maxLength": chars_max}
    words = f"text of 1 to {chars_max} characters"
    return _Wanted(schema, words, lambda value: isinstance(value, str) and 0 < len(value) <= chars_max)


def _list_of(items: dict[str, Any], of: type, words: str, least: int = 0) -> _Wanted:
    schema = {"type": "array", "items": items, **({"minItems": least} if least else {})}

    def fits(value: Any) -> bool:
        return isinstance(value, list) and len(value) >= least and all(isinstance(one, of) for one in value)

    return _Wanted(schema, words, fits)


_WANTED: Final = {
    "name": _text_of(NAME_CHARS_MAX),
    "type": _text_of(TYPE_CHARS_MAX),
    "view": _text_of(NAME_CHARS_MAX),
    "load_balancer": _Wanted(_OBJECT, "object", lambda value: isinstance(value, dict)),
    "rules": _list_of(_OBJECT, dict, "list of objects"),
    "networks": _list_of({"type": "string"}, str, "list of one network or more, as texts", least=1),
}
_WHAT_IF: Final[dict[str, Any]] = {
    "type": "object",
    "description": "a load balancer as it might be, references by name, or rules behind those that it has",
    "properties": {name: one.schema for name, one in _WANTED.items()},
    "required": ["name", "networks"],
    "additionalProperties": False,
}
_MOVES: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "type": {"type": "string"},
        "networks": {"type": "integer"},
        "changed": {"type": "integer"},
        "moves": {"type": "array", "items": _OBJECT},
        "stay": _OBJECT,
        "changes": {"type": "array", "items": _OBJECT},
    },
    "required": ["name", "type", "networks", "changed", "moves", "stay", "changes"],
    "additionalProperties": False,
}
_REPORT: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "generation": {"type": "integer"},
        "monitor": _OBJECT,
        "pools": {"type": "array", "items": _OBJECT},
        "load_balancers": {"type": "array", "items": _OBJECT},
    },
    "required": ["generation", "monitor", "pools", "load_balancers"],
}
_STATE: Final[dict[str, Any]] = {"enum": ["up", "down", "auto"]}
_FORCED: Final[dict[str, Any]] = {
    "type": "array",
    "description": "the last entry that matches wins; auto takes an earlier one back",
    "items": {
        "type": "object",
        "properties": {
            "pattern": {"type": "string", "description": "POOL or POOL/ENDPOINT; * and ? match"},
            "state": _STATE,
            "set_on": TIME,
            "until": nullable(TIME),
            "why": {"type": "string"},
        },
        "required": ["pattern", "state", "set_on", "until", "why"],
        "additionalProperties": False,
    },
}
_FORCE: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "pattern": {"type": "string", "minLength": 1, "maxLength": forced.PATTERN_CHARS_MAX},
        "state": _STATE,
        "for_s": {
            **nullable({"type": "number", "exclusiveMinimum": 0, "maximum": FOR_S_MAX}),
            "description": "seconds",
        },
        "why": nullable({"type": "string", "maxLength": forced.WHY_CHARS_MAX}),
    },
    "required": ["pattern", "state"],
    "additionalProperties": False,
}
_NAMES: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"names": {"type": "array", "items": {"type": "string"}}},
    "required": ["names"],
    "additionalProperties": False,
}
_LOCATED: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "address": {"type": "string"},
        "network": {"type": "string"},
        "centroid_of": {"type": "string"},
        "view": {"type": "string"},
        "view_network": nullable({"type": "string"}),
    },
    "required": ["address", "network", "country", "subdivision", "region", "latitude", "longitude", "asn"],
}
_BALANCERS: Final[dict[str, Any]] = {
    "type": "array",
    "items": {
        "description": "a load balancer, with its type and the zone that it belongs to",
        "type": "object",
        "properties": {"zone_id": nullable(ID), "state": nullable({"type": "string"})},
        "required": ["id", "name", "zone_id"],
    },
}

NAMED: Final = tuple(kind for kind in Kind if kind is not Kind.RECORD)
"""Kinds whose objects a name tells apart."""
_NAMED: Final[dict[str, Any]] = {
    "type": "object",
    "description": "by kind: name, NAME@VIEW of what is of a view -> id, in the order in which the objects were made",
    "properties": {kind.value: {"type": "object", "additionalProperties": id_of(kind)} for kind in NAMED},
    "additionalProperties": False,
}

if TYPE_CHECKING:
    KindName = str
else:
    KindName = Literal[tuple(kind.value for kind in NAMED)]
Name = Annotated[str, Query(min_length=1, max_length=NAME_CHARS_MAX)]
Text = Annotated[str | None, Query(max_length=NAME_CHARS_MAX)]
Patterns = Annotated[list[Annotated[str, Query(max_length=forced.PATTERN_CHARS_MAX)]], Query(max_length=PATTERNS_MAX)]

Names = Annotated[list[Annotated[str, Query(max_length=NAME_CHARS_MAX)]], Query(max_length=PATTERNS_MAX)]

MachineQuery = Annotated[str | None, Query(max_length=MACHINE_CHARS_MAX, description="a machine of the fleet")]

router = APIRouter(prefix=OWN_PATH, tags=["lbdns"])


@router.get("/explain", summary="Explain an answer, step by step", **describe(_EXPLAINED))
async def explain(
    site: CurrentSite,
    name: Name,
    type: Annotated[str, Query(max_length=20)] = "A",
    ecs: Text = None,
    resolver: Text = None,
    view: Text = None,
    listener: Text = None,
    key: Text = None,
    pop: Text = None,
    down: Patterns = [],  # noqa: B006 - FastAPI copies it
    up: Patterns = [],  # noqa: B006
    rules_off: Names = [],  # noqa: B006
    rules_on: Names = [],  # noqa: B006
    draw: Annotated[float | None, Query(ge=0, le=1)] = None,
    scopes: bool = False,
    at: MachineQuery = None,
) -> Response:
    """Say what the running server answers and why, as `lbdns explain --json` does; suppose endpoints down or up, and
    rules or pool sets of the load balancer disabled or not, by name; `at`: what that machine of the fleet answers."""
    request: dict[str, Any] = {"name": name, "type": type, "ecs": ecs, "resolver": resolver, "pop": pop, "draw": draw}
    request |= {"view": view, "listener": listener, "key": key}
    request |= {"down": down, "up": up, "rules_off": rules_off, "rules_on": rules_on}
    return ok(await operate_at(site, at, "explain", {**request, "scopes": scopes}))


@router.post("/what_if", summary="Say which networks a change would give another pool", **describe(_MOVES, _WHAT_IF))
async def what_if(site: CurrentSite, body: JsonObject) -> Response:
    """Compare what the running server answers some networks with what it would, were a load balancer otherwise."""
    lacking = [(f"{key} is missing", (key,)) for key in _WHAT_IF["required"] if key not in body]
    unknown = [(f"{key} is unknown", (key,)) for key in body if key not in _WHAT_IF["properties"]]
    wrong = [
        (f"{key} is no {wanted.words}", (key,))
        for key, wanted in _WANTED.items()
        if key in body and not wanted.fits(body[key])
    ]
    if lacking or unknown or wrong:
        raise invalid(*lacking, *unknown, *wrong)
    return ok(await operate(site, "explain", body))


@router.get("/health", dependencies=[belongs_to(POOLS)], summary="Show the health of everything", **describe(_REPORT))
async def health(site: CurrentSite, pool: Names = [], at: MachineQuery = None) -> Response:  # noqa: B006 - FastAPI copies it
    """Show pools, endpoints and load balancers, with the evidence, as `lbdns health --json` does; with `pool`, the
    pools of these names alone; `at`: as that machine of the fleet has it."""
    return ok(await operate_at(site, at, "health", {"pools": pool} if pool else {}))


@router.get("/status", summary="Show the server's processes and addresses", **describe(_OBJECT))
async def status(site: CurrentSite, at: MachineQuery = None) -> Response:
    """Show release, addresses, generation and processes; `at`: those of that machine of the fleet."""
    return ok(await operate_at(site, at, "status", {}))


@router.get("/forced", dependencies=[belongs_to(POOLS)], summary="List forced states", **describe(_FORCED))
def list_forced(site: CurrentSite) -> Response:
    """List what operators forced, oldest first."""
    return ok([_shown(one) for one in forced.load(site.settings.state_dir())])


@router.post(
    "/forced",
    dependencies=[belongs_to(POOLS)],
    summary="Force pools or endpoints up or down",
    **describe(_NAMES, _FORCE),
)
async def force(site: CurrentSite, body: JsonObject) -> Response:
    """Force a state, or take that back with `auto`; it is in the answers within 100 ms. With a guard it is refused: how
    many clients it moves is not worked out."""
    running(site)
    refuse_if_guarded("forcing a state")
    return ok(await operate(site, "force", _order_in(body)))


@router.get("/locate", dependencies=[belongs_to()], summary="Locate an address", **describe(_LOCATED))
def locate(site: CurrentSite, ip: Annotated[str, Query(max_length=64)]) -> Response:
    """Say what the geolocation databases of this server know of an address; of an IPv4-mapped one, its IPv4 address.

    `address` is the one that was looked up; `view` the view that it is in, by the network `view_network`, where there
    are views.
    """
    try:
        address = unmapped(address_in(ip))
    except LbdnsError as error:
        raise invalid((f"ip {error}", None)) from None
    paths = site.in_force.geodata
    # The databases of a running server are in memory already; else only what this look-up needs is read.
    geodata = Geodata.open(paths.city, paths.asn, lookups_only=site.manager.running is None)
    told = describe_address(address, geodata.locate(address), geodata)
    return ok(told | view_facts(site.in_force.views, address))


@router.get(
    "/load_balancers",
    dependencies=[belongs_to(LOAD_BALANCERS)],
    summary="List load balancers of all zones",
    **describe(_BALANCERS, paged=True),
)
def list_load_balancers(
    site: CurrentSite,
    paging: OptionalPaging,
    name: Text = None,
    view: ViewQuery = None,
    search: SearchQuery = "",
    health: bool = False,
) -> Response:
    """List every load balancer, or those of a name or view, "" for what all see; zone_id is null for the account's.

    `health`: with the `state` of each, null where nobody knows.
    """
    state = site.state
    tell_of_view(site, view)
    balancers = found_by(search, state.all(Kind.LOAD_BALANCER).values())
    found = [item for item in balancers if name in (None, item.name) and view in (None, item.view)]
    page, info = paging.of(found)
    live = LiveHealth(site.manager.running) if health else None
    own = [
        {
            "zone_id": item.zone_id or None,
            "type": item.body.get("type", BALANCER_TYPES[0]),
            **({"state": live.balancer_state(item)} if live is not None else {}),
        }
        for item in page
    ]
    return ok([{**shown(item, state), **more} for item, more in zip(page, own, strict=True)], info)


@router.get("/names", summary="List names and ids", **describe(_NAMED))
def list_names(
    site: CurrentSite,
    kind: Annotated[list[KindName], Query(max_length=len(NAMED))] = [],  # noqa: B006 - FastAPI copies it
) -> Response:
    """List the ids of objects by name, of the kinds asked for or of all."""
    state = site.state
    wanted = [Kind(one) for one in kind] or NAMED
    return ok({one.value: {item.label: item.id for item in state.all(one).values()} for one in wanted})


def _shown(one: forced.Forced) -> dict[str, Any]:
    return {
        "pattern": one.pattern,
        "state": one.state,
        "set_on": time_text(one.set_at_s),
        "until": None if one.until_s is None else time_text(one.until_s),
        "why": one.why,
    }


def _order_in(body: dict[str, Any]) -> dict[str, Any]:
    """Return the order that a request gives; raises ApiError with every mistake in it."""
    known = _FORCE["properties"]
    wrong = [
        (f'unknown key "{key}"; the keys known here are {", ".join(known)}', (key,)) for key in body.keys() - known
    ]
    pattern, state, for_s, why = (body.get(key) for key in known)
    if not isinstance(pattern, str) or not 0 < len(pattern) <= forced.PATTERN_CHARS_MAX:
        wrong.append(("pattern: expected POOL or POOL/ENDPOINT, globs allowed", ("pattern",)))
    if state not in _STATE["enum"]:
        wrong.append(("state: expected up, down or auto", ("state",)))
    is_number = isinstance(for_s, (int, float)) and not isinstance(for_s, bool) and math.isfinite(for_s)
    if for_s is not None and not (is_number and 0 < for_s <= FOR_S_MAX):
        wrong.append((f"for_s: expected more than 0 seconds, at most {FOR_S_MAX:.0f}", ("for_s",)))
    if why is not None and not (isinstance(why, str) and len(why) <= forced.WHY_CHARS_MAX):
        wrong.append((f"why: expected a text of at most {forced.WHY_CHARS_MAX} characters", ("why",)))
    if wrong:
        raise invalid(*wrong)
    return {"pattern": pattern, "state": state, "for_s": for_s, "why": why or ""}
