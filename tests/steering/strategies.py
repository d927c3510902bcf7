"""Random worlds and queries for the properties of steering, small and full of edges.

Each function takes a source of chance with the methods of `random.Random`, so that the same code serves seeded sweeps
and Hypothesis (`st.randoms(use_true_random=False)`, which shrinks what it finds).
"""

from __future__ import annotations

import ipaddress
from random import Random
from typing import Any

from lbdns.base.words import STEERING_POLICIES
from lbdns.dns.zone import RRset, Zone
from lbdns.model.balancer import LoadBalancer
from lbdns.model.configuration import Configuration
from lbdns.model.monitors import Monitor
from lbdns.model.pool import Endpoint, Pool
from lbdns.model.settings import PopSettings, Settings
from tests.steering.naive_candidates import differs_by_place
from tests.steering.naive_places import UNKNOWN_PLACE, Address, Network, Place
from tests.steering.naive_world import Asked, World

APEX = b"\x07example\x03com\x00"
SOA = b"\x02ns" + APEX + b"\x02hm" + APEX + b"".join(value.to_bytes(4, "big") for value in (1, 7200, 900, 86400, 60))
ZONE = Zone(APEX, (RRset(APEX, 6, 3600, (SOA,)), RRset(APEX, 2, 3600, (b"\x02ns" + APEX,))), "example.com.zone")

NOW_S = 1_000_000
EXPIRIES_S = (*(NOW_S + left for left in (-5, 0, 1, 7, 100, 1000)), 1, 2**32 - 1)
"""When host names' resolutions expire; the last is the greatest that the health table holds."""
REGIONS = ("EEU", "ENAM", "NEAS", "OC", "WEU", "WNAM")
COUNTRIES = ("NL", "DE", "FR", "PL", "US", "CA", "JP", "AU", "XK")
AS_NUMBERS = (0, 13335, 64496, 64500, 4_200_000_000)
POP_CODES = ("AMS", "SJC", "NRT")


def place(country: str = "", subdivision: str = "", at: tuple[float, float] | None = None) -> Place:
    latitude, longitude = at if at else (None, None)
    found = {"country": country, "subdivision": subdivision, "latitude": latitude, "longitude": longitude}
    return {**UNKNOWN_PLACE, **found}


PLACES = (
    place("NL", at=(52.5, 5.75)),
    place("NL", at=(51.25, 5.5)),
    place("DE", at=(51.0, 9.0)),
    place("DE"),
    place("FR", at=(46.0, 2.0)),
    place("PL", at=(52.0, 20.0)),
    place("US", at=(37.75, -97.75)),
    place("US", "NY", at=(40.75, -74.0)),
    place("US", "CA", at=(37.25, -121.75)),
    place("US", "WA"),
    place("CA", "BC", at=(49.25, -123.0)),
    place("CA", "QC", at=(46.75, -71.25)),
    place("JP", at=(35.75, 139.5)),
    place("AU", at=(-33.75, 151.0)),
    place("XK", at=(42.5, 21.0)),
    place(at=(10.0, -150.0)),
    place(),
)
POPS: tuple[tuple[PopSettings, Place], ...] = (
    (PopSettings(), dict(UNKNOWN_PLACE)),
    (
        PopSettings(code="AMS", latitude=52.25, longitude=4.75, country="NL", region="WEU"),
        {**place("NL", at=(52.25, 4.75)), "code": "AMS", "region": "WEU"},
    ),
    (
        PopSettings(code="SJC", latitude=37.25, longitude=-122.0, country="US", region="WNAM"),
        {**place("US", at=(37.25, -122.0)), "code": "SJC", "region": "WNAM"},
    ),
    (PopSettings(country="DE"), {**place("DE"), "region": "WEU"}),
    (PopSettings(region="OC"), {**place(), "region": "OC"}),
)
POOL_SITES = ((52.25, 4.75), (40.75, -74.0), (37.25, -122.0), (35.5, 140.0), (-33.75, 151.0), (52.25, 4.75))


# --- places ----------------------------------------------------------------------------------------------------------


def network_of(address: int, length: int, version: int) -> Network:
    width = 32 if version == 4 else 128
    number = address >> (width - length) << (width - length)
    return ipaddress.IPv4Network((number, length)) if version == 4 else ipaddress.IPv6Network((number, length))


def draw_tree(chance: Random, size: int = 40) -> dict[Network, Place]:
    """Return a toy geolocation tree: networks inside, beside and far from each other, IPv4 and IPv6.

    IPv4 networks stand a second time under ::/96, which is where a file for both families keeps them.
    """
    tree: dict[Network, Place] = {}
    palette = chance.sample(PLACES, chance.randrange(3, 8))
    for _ in range(size):
        version = chance.choice((4, 4, 6))
        known = [network for network in tree if network.version == version]
        width, low, high = (32, 4, 28) if version == 4 else (128, 8, 64)
        length = chance.randrange(low, high + 1)
        address = chance.getrandbits(width) if version == 4 else 1 << 125 | chance.getrandbits(125)
        if known and chance.randrange(3):
            near = chance.choice(known)
            length = min(high, max(low, near.prefixlen + chance.randrange(-1, 5)))
            spread = 1 << (width - max(near.prefixlen - 1, 0))
            address = int(near.network_address) // spread * spread + chance.randrange(spread)
        network = network_of(address, length, version)
        # By no draw of its own, so that a seed gives the places that it always gave.
        tree[network] = {**chance.choice(palette), "asn": AS_NUMBERS[address % len(AS_NUMBERS)]}
    if not any(found["country"] for found in tree.values()):
        tree[network_of(192 << 24, 8, 4)] = {**place("NL"), "asn": AS_NUMBERS[1]}  # a file without any place is refused
    for network, found in list(tree.items()):
        if network.version == 4:
            tree[network_of(int(network.network_address), 96 + network.prefixlen, 6)] = found
    return tree


def draw_address(chance: Random, tree: dict[Network, Place], version: int) -> Address:
    """Return an address: mostly inside a network of the tree or at its edge, sometimes anywhere, sometimes private."""
    width = 32 if version == 4 else 128
    kind: Any = ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address
    known = [network for network in tree if network.version == version and int(network.network_address) >> 96 != 0]
    if version == 4:
        known = [network for network in tree if network.version == 4]
    way = chance.randrange(10)
    if known and way < 7:
        network = chance.choice(known)
        first, last = int(network.network_address), int(network.broadcast_address)
        number = chance.choice((first - 1, first, last, last + 1, chance.randrange(first, last + 1)))
    elif way < 8:
        number = int(kind(chance.choice(SPECIAL[version])))
    else:
        number = chance.getrandbits(width) if version == 4 else 1 << 125 | chance.getrandbits(125)
    found: Address = kind(min(max(number, 0), 2**width - 1))
    return found


SPECIAL = {
    4: (
        "10.1.2.3",
        "172.16.0.0",
        "172.31.255.255",
        "172.32.0.0",
        "192.168.77.1",
        "127.0.0.1",
        "169.254.9.9",
        "9.255.255.255",
        "11.0.0.0",
        "192.0.2.1",
        "0.0.0.0",
        "255.255.255.255",
    ),
    6: (
        "fd00::1",
        "fc00::",
        "fe00::",
        "fe80::1",
        "febf:ffff::1",
        "fec0::1",
        "fbff::1",
        "::1",
        "2001:db8::1",
        "ff02::1",
    ),
}


# --- configurations --------------------------------------------------------------------------------------------------


def draw_pool(chance: Random, name: str, named: bool, endpoint_count: int) -> Pool:
    """Return a pool of at most so many endpoints; `named` ones have host names only, as MX and SRV need."""
    weights = chance.choice(((1.0,), (1.0,), (0.0,), (0.0, 0.5, 1.0), (0.01, 0.25, 1.0), (0.0, 1.0)))
    origins = []
    for index in range(chance.randrange(1, endpoint_count + 1)):
        kind = "host" if named else chance.choice(("v4", "v4", "v4", "v6", "v6", "host"))
        address = {"v4": f"192.0.2.{index}", "v6": f"2001:db8::{index + 1}", "host": f"h{index}.example.net"}[kind]
        origins.append(
            Endpoint(
                name=f"{name}-{index}" if chance.randrange(8) else "same",
                address=address,
                enabled=chance.randrange(7) > 0,
                weight=chance.choice(weights),
                port=443,
                flatten_cname=chance.randrange(3) > 0,
                priority=chance.randrange(20),
            )
        )
    site = chance.choice(POOL_SITES) if chance.randrange(3) else (None, None)
    fields: dict[str, Any] = dict(
        name=name,
        origins=tuple(origins),
        enabled=chance.randrange(9) > 0,
        minimum_origins=chance.choice((1, 1, 1, 2, 3)),
        max_answers=chance.choice((0, 0, 0, 1, 2, 3, 100)),
        monitor=chance.choice((None, "web", "web")),
        latitude=site[0],
        longitude=site[1],
        load_shedding={
            "default_percent": chance.choice((0.0, 0.0, 0.0, 30.0, 62.5, 100.0)),
            "default_policy": chance.choice(("random", "hash")),
            "session_percent": chance.choice((0.0, 0.0, 50.0)),
        },
        origin_steering={"policy": chance.choice(("random", "random", "hash", "least_connections"))},
    )
    return Pool(**fields)


def draw_list(chance: Random, names: list[str]) -> tuple[str, ...]:
    return tuple(chance.sample(names, chance.randrange(1, len(names) + 1)))


def draw_lists(chance: Random, keys: tuple[str, ...], names: list[str], default: tuple[str, ...]) -> dict[str, Any]:
    """Return lists for some places, often equal ones: equal lists are one class of places."""
    if chance.randrange(4) == 0:
        return {}
    some = [default, draw_list(chance, names), draw_list(chance, names)]
    return {key: chance.choice(some) for key in chance.sample(keys, chance.randrange(1, len(keys) + 1))}


ANY_POLICY = (*STEERING_POLICIES, "")
OWNERS = {
    "example.com": ANY_POLICY,
    "www.example.com": ANY_POLICY,
    "geo.example.com": ("geo", "geo", ""),
    "*.wild.example.com": ("geo",),
    "near.example.com": ("proximity",),
    "mail.example.com": ANY_POLICY,
}


def draw_load_balancer(chance: Random, name: str, names: list[str], kind: str) -> LoadBalancer:
    default = draw_list(chance, names)
    fields: dict[str, Any] = dict(
        name=name,
        type=kind,
        default_pools=default,
        fallback_pool=chance.choice(names),
        ttl=chance.choice((0, 30, 300)),
        steering_policy=chance.choice(OWNERS[name]),
        region_pools=draw_lists(chance, REGIONS, names, default),
        country_pools=draw_lists(chance, COUNTRIES, names, default),
        pop_pools=draw_lists(chance, POP_CODES, names, default) if chance.randrange(4) == 0 else {},
        random_steering={
            "default_weight": chance.choice((0.0, 0.5, 1.0)),
            "pool_weights": {pool: chance.choice((0.0, 0.25, 1.0)) for pool in names if chance.randrange(2)},
        },
        location_strategy={
            "mode": chance.choice(("pop", "resolver_ip")),
            "prefer_ecs": chance.choice(("always", "always", "always", "proximity", "geo", "geo", "never")),
            "region_from": chance.choice(("pop", "location")),
        },
        session_affinity=chance.choice(("none", "none", "none", "cookie", "ip_cookie")),
    )
    return LoadBalancer(**fields)


def draw_configuration(chance: Random, pop: PopSettings, small: bool = False) -> Configuration:
    """Return six load balancers over up to six pools of up to five endpoints, or if `small` one over three of three."""
    names = [f"pool-{chance.randrange(1000)}-{index}" for index in range(chance.choice((1, 2, 3, 3, 4, 5, 6)))]
    named = [f"mail-{chance.randrange(1000)}-{index}" for index in range(chance.randrange(1, 3))]
    owners = [chance.choice(list(OWNERS))] if small else list(OWNERS)
    if small:
        names, named = names[:3], named[:1]
    balancers = [
        draw_load_balancer(chance, owner, named, chance.choice(("MX", "SRV")))
        if owner == "mail.example.com"
        else draw_load_balancer(chance, owner, names, "A")
        for owner in owners
    ]
    pools = {name: draw_pool(chance, name, name in named, 3 if small else 5) for name in (*names, *named)}
    return Configuration(
        settings=Settings(pop=pop),
        zones=(ZONE,),
        monitors={"web": Monitor(type="http")},
        pools=pools,
        load_balancers=tuple(balancers),
    )


# --- the state of things, and queries --------------------------------------------------------------------------------


def draw_world(chance: Random, tree: dict[Network, Place], small: bool = False) -> World:
    """Return a random configuration, the health of its endpoints, round-trip times and resolved host names."""
    settings, pop = chance.choice(POPS)
    world = World(draw_configuration(chance, settings, small), tree, pop)
    up = chance.choice((1, 4, 20))  # of up + 1 endpoints
    for pool in world.configuration.pools.values():
        for region in REGIONS:
            if chance.randrange(3):
                world.rtt_ms[pool.name, region] = chance.choice((0.25, 12.5, 12.5, 80.0))
        for index, endpoint in enumerate(pool.origins):
            if chance.randrange(12):
                world.health[pool.name, index] = "healthy" if chance.randrange(up + 1) else "unhealthy"
                if chance.randrange(10) == 0:
                    world.forced.add((pool.name, index))
            if endpoint.ip is None and chance.randrange(4):
                world.resolved[pool.name, index] = {
                    "A": chance.choice((0, 1, 2)),
                    "AAAA": chance.choice((0, 1, 2)),
                    "expiry": chance.choice(EXPIRIES_S),
                }
    return world


def draw_balancer(chance: Random, world: World) -> LoadBalancer:
    """Return a load balancer, half of the time one that tells places apart."""
    balancers = list(world.configuration.load_balancers)
    telling = [balancer for balancer in balancers if differs_by_place(world, balancer)]
    return chance.choice(telling if telling and chance.randrange(2) else balancers)


def draw_ecs(chance: Random, tree: dict[Network, Place]) -> tuple[Address, int] | None:
    way = chance.randrange(12)
    if way < 2:
        return None
    version = chance.choice((4, 4, 6))
    address = draw_address(chance, tree, version)
    width = address.max_prefixlen
    bits = 0 if way == 2 else chance.choice((24, width, width, chance.randrange(1, width + 1)))
    kind: Any = type(address)
    return kind(int(address) >> (width - bits) << (width - bits)), bits


def draw_now_s(chance: Random, world: World) -> int:
    """Return a time: any, or just before, at or after the expiry of one of the world's host names; clocks jump too."""
    expiries = sorted({found["expiry"] for found in world.resolved.values()})
    if not expiries or chance.randrange(8) == 0:
        return chance.choice((0, 1, NOW_S, 2**31, 2**32, 2**33 + chance.randrange(1000)))
    return max(0, chance.choice(expiries) - chance.choice((100_000, 301, 300, 299, 30, 2, 1, 0, 0, -1, -30, -100_000)))


def draw_asked(chance: Random, world: World, balancer: LoadBalancer) -> Asked:
    """Return a query at any time: those of one world come in no order, as `decide` remembers nothing."""
    family = chance.choice(("A", "AAAA")) if balancer.type == "A" else "named"
    return Asked(
        family=family,
        resolver=draw_address(chance, world.tree, chance.choice((4, 4, 6))),
        ecs=draw_ecs(chance, world.tree),
        draw_base=chance.getrandbits(64),
        draw_fixed=chance.randrange(8) == 0,
        now_s=draw_now_s(chance, world),
        wants_cname=family == "A" and chance.randrange(3) == 0,
    )
