"""The map: which pool the clients of each country get of a load balancer, by the running server and its health now."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Response

from lbdns.base.words import OWN_PATH
from lbdns.manage.api.frame.admission import belongs_to
from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.live import operate
from lbdns.manage.api.frame.openapi import describe, nullable
from lbdns.manage.api.frame.site import CurrentSite
from lbdns.manage.api.own.running_server import TYPE_CHARS_MAX, Name, Names, Patterns, Text

_TEXT: Final = {"type": "string"}
_SHARES: Final[dict[str, Any]] = {
    "pools": {
        "type": "object",
        "description": 'share of the place\'s addresses, 0 to 1, by pool; "no records" is one',
        "additionalProperties": {"type": "number"},
    },
    "networks": {
        "type": "object",
        "description": "by pool: a network, one of the largest, whose clients get it",
        "additionalProperties": _TEXT,
    },
    "addresses": {"type": "number", "description": "of IPv4; of IPv6, networks of 64 bits"},
    "hangs_on": {
        "type": "array",
        "description": "what decides beside the place",
        "items": {"enum": ["draw", "hash", "address", "network", "rtt", "subdivision"]},
    },
    "located_by": {"type": "array", "items": {"enum": ["ecs", "resolver", "pop", "nothing"]}},
}
_SUBDIVISION: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"subdivision": nullable(_TEXT), "name": nullable(_TEXT), "region": nullable(_TEXT), **_SHARES},
}
_COUNTRY: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "country": nullable({"type": "string", "description": "ISO 3166-1 alpha-2; null is an unknown place"}),
        "name": _TEXT,
        "region": nullable(_TEXT),
        **_SHARES,
        "subdivisions": {"type": "array", "description": "where they differ", "items": _SUBDIVISION},
    },
    "required": ["country", "name", "region", *_SHARES],
}
_MAP: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "load_balancer": _TEXT,
        "type": _TEXT,
        "clients": {"enum": ["ecs", "resolver"]},
        "family": {"enum": ["ipv4", "ipv6"]},
        "pop": {"type": "object"},
        "exact": {"type": "boolean", "description": "false where a share is an estimate"},
        "hangs_on": _SHARES["hangs_on"],
        "located_by": _SHARES["located_by"],
        "pools": {"type": "array", "items": {"type": "object"}},
        "countries": {"type": "array", "items": _COUNTRY},
    },
    "required": ["load_balancer", "type", "clients", "family", "pop", "exact", "hangs_on", "pools", "countries"],
}

_COUNTRIES: Final[dict[str, Any]] = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "country": {"type": "string", "description": "ISO 3166-1 alpha-2"},
            "name": _TEXT,
            "region": nullable(_TEXT),
            "ipv4": nullable(_TEXT),
            "ipv6": nullable(_TEXT),
        },
        "required": ["country", "name", "region", "ipv4", "ipv6"],
        "additionalProperties": False,
    },
}

router = APIRouter(prefix=OWN_PATH, tags=["lbdns"])


@router.get("/map", summary="Say which pool each country gets", **describe(_MAP))
async def map_pools(
    site: CurrentSite,
    load_balancer: Name,
    type: Annotated[str, Query(max_length=TYPE_CHARS_MAX)] = "A",
    clients: Literal["ecs", "resolver"] = "ecs",
    family: Literal["ipv4", "ipv6"] = "ipv4",
    view: Text = None,
    pop: Text = None,
    down: Patterns = [],  # noqa: B006 - FastAPI copies it
    up: Patterns = [],  # noqa: B006
    rules_off: Names = [],  # noqa: B006
    rules_on: Names = [],  # noqa: B006
) -> Response:
    """Say which pool clients of each country get, told by their ECS or standing for resolvers there; suppose endpoints
    down or up, rules disabled or not, or another PoP."""
    request: dict[str, Any] = {"name": load_balancer, "type": type, "view": view, "pop": pop, "down": down, "up": up}
    request |= {"rules_off": rules_off, "rules_on": rules_on}
    return ok(await operate(site, "explain", {**request, "clients": f"{clients}/{family}"}))


@router.get(
    "/countries", dependencies=[belongs_to()], summary="List countries, with a network of each", **describe(_COUNTRIES)
)
async def list_countries(site: CurrentSite) -> Response:
    """List the countries that the geolocation databases know, each with a network in it, to ask about."""
    return ok(await operate(site, "countries", {}))
