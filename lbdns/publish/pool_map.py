"""Which pool the clients of each country get of a load balancer: what the map of the world shows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from random import Random
from typing import Any, Final, NamedTuple

import dns.name
import dns.rdatatype

from lbdns.answer.answer import Road
from lbdns.answer.explain.explain import Asked, answer_asked, query_of
from lbdns.answer.explain.narrate import pool_health
from lbdns.answer.explain.pools_by_place import AllPlaces, PlacePools, PoolsByPlace
from lbdns.answer.serving_view import ServingView
from lbdns.answer.steered import DRAW_BITS
from lbdns.base.errors import LbdnsError
from lbdns.base.words import BALANCER_TYPES
from lbdns.model.configuration import Configuration
from lbdns.places import regions
from lbdns.places.geodata import Geodata
from lbdns.publish.replay.lots import NO_RECORDS
from lbdns.snapshot.compile.place_classes import place_index

BY_ECS: Final = "ecs"
BY_RESOLVER: Final = "resolver"
VERSIONS: Final = {"ipv4": 4, "ipv6": 6}
_SHARE_DIGITS: Final = 6


class Clients(NamedTuple):
    """Whose answers are told: clients by their ECS, or resolvers by their address; of which family of addresses."""

    by_ecs: bool = True
    version: int = 4


def read_clients(given: Any) -> Clients:
    """Return whose answers a request is about: `ecs` or `resolver`, with `/ipv4` or `/ipv6`; raises LbdnsError."""
    by, _, family = str(given).partition("/")
    if by not in (BY_ECS, BY_RESOLVER) or family not in ("", *VERSIONS):
        raise LbdnsError(f'clients: {given!r} is none of "ecs", "resolver", each with "/ipv4" or "/ipv6" behind it')
    return Clients(by == BY_ECS, VERSIONS.get(family, 4))


def pool_map(
    asked: Asked, clients: Clients, view: ServingView, geodata: Geodata, configuration: Configuration
) -> dict[str, Any]:
    """Return which pool the clients of each country get of the load balancer that a query comes to, as JSON values.

    `share` is of the addresses of a place that the databases know, 0 to 1; `hangs_on` what decides beside the place
    (pools_by_place.py); `network`: one whose clients get that pool, to ask about. Subdivisions stand where they differ.
    Raises LbdnsError where no load balancer answers.
    """
    name, qtype = dns.name.from_text(asked.name), dns.rdatatype.from_text(asked.qtype)
    road = Road()
    query = query_of(asked, 0, Random(0).getrandbits(DRAW_BITS))
    answer_asked(view, asked, name, qtype, query, road)
    if road.decision is None:
        raise LbdnsError(f"{asked.name} {asked.qtype}: no load balancer answers that; a map is drawn of one")
    label = view.text("lb_text", road.decision.base)
    finder = PoolsByPlace(view, query, qtype, by_ecs=clients.by_ecs, version=clients.version)
    found = finder.find(place_index(geodata.tree), NO_RECORDS)
    countries = [_country(code, places, clients.version) for code, places in _by_country(found)]
    kind = asked.qtype if asked.qtype in BALANCER_TYPES else BALANCER_TYPES[0]
    balancer = next(
        one for one in configuration.load_balancers if one.enabled and (one.label, one.type) == (label, kind)
    )
    names = dict.fromkeys([*(name for _, pools in balancer.pool_lists() for name in pools), balancer.fallback_pool])
    names |= dict.fromkeys(name for one in countries for name in one["pools"] if name in configuration.pools)
    return {
        "load_balancer": label,
        "type": kind,
        "clients": BY_ECS if clients.by_ecs else BY_RESOLVER,
        "family": f"ipv{clients.version}",
        "pop": _pop(view, configuration),
        "exact": found.is_exact,
        "hangs_on": sorted({word for one in countries for word in one["hangs_on"]}),
        "located_by": sorted({word for one in countries for word in one["located_by"]}),
        "pools": [_pool(name, configuration, view) for name in names],
        "countries": countries,
    }


def _by_country(found: AllPlaces) -> Iterator[tuple[str, list[PlacePools]]]:
    for code, places in groupby(found.places, key=lambda one: one.place.country):
        yield code, list(places)


def _country(code: str, places: list[PlacePools], version: int) -> dict[str, Any]:
    """Return what the clients of a country get, and of its subdivisions where these differ."""
    total = sum(one.addresses for one in places) or 1.0
    shares: dict[str, float] = {}
    for one in places:
        for pool, share in one.pools.items():
            shares[pool] = shares.get(pool, 0.0) + share * one.addresses / total
    known = regions.country_of(code)
    told = {
        "country": code or None,
        "name": known.name if known else code or "Unknown place",
        "region": regions.region_of(code) or None,
        **_shares(shares, places, version),
    }
    if len({tuple(one.pools.items()) for one in places}) > 1:
        names = {one.code: one.name for one in known.subdivisions} if known else {}
        told["hangs_on"] = sorted({*told["hangs_on"], "subdivision"})
        told["subdivisions"] = [
            {
                "subdivision": one.place.subdivision or None,
                "name": names.get(one.place.subdivision),
                "region": regions.region_of(code, one.place.subdivision) or None,
                **_shares(one.pools, [one], version),
            }
            for one in places
        ]
    return told


def _shares(shares: dict[str, float], places: list[PlacePools], version: int) -> dict[str, Any]:
    ordered = sorted(shares.items(), key=lambda one: (-one[1], one[0]))
    networks = {}
    for pool, _ in ordered:
        largest = max((one.largest[pool] for one in places if pool in one.largest), key=lambda cell: cell.span)
        networks[pool] = largest.network(version)
    return {
        "pools": {pool: round(share, _SHARE_DIGITS) for pool, share in ordered},
        "networks": networks,
        "addresses": sum(one.addresses for one in places),
        "hangs_on": sorted({word for one in places for word in one.hangs_on}),
        "located_by": sorted({word for one in places for word in one.sources}),
    }


def _pool(name: str, configuration: Configuration, view: ServingView) -> dict[str, Any]:
    """Return what the map shows of a pool: where it is, how it is, its round-trip times from regions (ms)."""
    pool = configuration.pools[name]
    row = next(row for row in range(len(view.columns["pool_slot"])) if view.text("pool_text", row) == name)
    first = view.columns["pool_slot"][row] * len(regions.REGION_CODES)
    figures = view.table.columns["pool_rtt"][first : first + len(regions.REGION_CODES)]
    return {
        "name": name,
        "latitude": pool.latitude,
        "longitude": pool.longitude,
        "health": pool_health(view, row),
        "rtt_ms": {code: round(ms, 3) for code, ms in zip(regions.REGION_CODES, figures, strict=True) if ms > 0},
    }


def _pop(view: ServingView, configuration: Configuration) -> dict[str, Any]:
    """Return where this server stands."""
    country, subdivision, latitude, longitude = view.snapshot.meta["place"]
    return {
        "code": view.pop or None,
        "region": view.region or None,
        "country": country or None,
        "subdivision": subdivision or None,
        "latitude": latitude,
        "longitude": longitude,
    }
