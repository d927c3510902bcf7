"""Small hand-made worlds, for tests that read like the table of policies."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any

from lbdns.model.balancer import LoadBalancer
from lbdns.model.configuration import Configuration
from lbdns.model.monitors import Monitor
from lbdns.model.pool import Endpoint, Pool
from lbdns.model.settings import Settings
from tests.steering import naive
from tests.steering.naive_places import Network, Place
from tests.steering.naive_world import Asked, World
from tests.steering.served import Lane, Served
from tests.steering.strategies import NOW_S, POPS, ZONE, place

AMS = POPS[1]  # in the Netherlands, region WEU
SJC = POPS[2]  # in the US, region WNAM
NOWHERE = POPS[0]
BY_COUNTRY_ALONE = POPS[3]  # Germany

# What the neighbours of these networks are, nobody knows.
TREE: dict[Network, Place] = {
    ipaddress.ip_network("20.0.0.0/8"): place("US", "NY", at=(40.75, -74.0)),
    ipaddress.ip_network("20.128.0.0/9"): place("US", "CA", at=(37.25, -121.75)),
    ipaddress.ip_network("30.0.0.0/8"): place("NL", at=(52.5, 5.75)),
    ipaddress.ip_network("31.0.0.0/8"): place("DE"),
    ipaddress.ip_network("40.0.0.0/8"): {**place("JP", at=(35.75, 139.5)), "asn": 13335},
    ipaddress.ip_network("50.0.0.0/8"): place("XK", at=(42.5, 21.0)),
    ipaddress.ip_network("50.1.2.0/28"): place("NL", at=(52.5, 5.75)),
    ipaddress.ip_network("2a00::/16"): place("NL", at=(52.5, 5.75)),
    ipaddress.ip_network("2600::/16"): place("US", "NY", at=(40.75, -74.0)),
}
IN_NEW_YORK, IN_CALIFORNIA, IN_NL, IN_DE, IN_JAPAN, IN_KOSOVO = (
    "20.1.1.1",
    "20.200.1.1",
    "30.1.2.3",
    "31.1.2.3",
    "40.1.2.3",
    "50.1.2.3",
)
NOBODY_KNOWS = "198.51.100.7"


def pool(name: str, *origins: str | dict[str, Any], **fields: Any) -> Pool:
    """Return a pool of addresses, or of endpoints by their fields; without any, one IPv4 address."""
    endpoints = []
    for index, origin in enumerate(origins or ("192.0.2.1",)):
        given = {"address": origin} if isinstance(origin, str) else origin
        endpoints.append(Endpoint(**{"name": f"{name}-{index}", **given}))
    return Pool(name=name, origins=tuple(endpoints), **fields)


def weighted(*weights: float) -> list[dict[str, Any]]:
    return [{"address": f"192.0.2.{index + 1}", "weight": weight} for index, weight in enumerate(weights)]


def monitored(name: str, *origins: str | dict[str, Any], **fields: Any) -> Pool:
    return pool(name, *origins, monitor="web", **fields)


def scene(*pools: Pool, up: Any = True, pop: Any = AMS, name: Any = "www.example.com", **fields: Any) -> World:
    """Return a world of one load balancer over these pools in order, the last one its fallback unless said.

    Every monitored endpoint is healthy, or with `up=False` unknown.
    """
    names = tuple(each.name for each in pools)
    balancer = LoadBalancer(**{"name": name, "default_pools": names, "fallback_pool": names[-1], **fields})
    configuration = Configuration(
        settings=Settings(pop=pop[0]),
        zones=(ZONE,),
        monitors={"web": Monitor(type="http")},
        pools={each.name: each for each in pools},
        load_balancers=(balancer,),
    )
    world = World(configuration, {**TREE, **_again_under_ipv6()}, pop[1])
    if up:
        world.health = {(each.name, index): "healthy" for each in pools for index in range(len(each.origins))}
    return world


def _again_under_ipv6() -> dict[Network, Place]:
    return {
        ipaddress.IPv6Network((int(network.network_address), 96 + network.prefixlen)): found
        for network, found in TREE.items()
        if network.version == 4
    }


def down(world: World, *pools: str) -> World:
    """Let every endpoint of these pools fail its checks."""
    for name in pools:
        for index in range(len(world.configuration.pools[name].origins)):
            world.health[name, index] = "unhealthy"
    return world


def asking(
    family: str = "A",
    resolver: str = NOBODY_KNOWS,
    ecs: str | None = None,
    draw: float = 0.0,
    base: int | None = None,
    wants_cname: bool = False,
) -> Asked:
    """Return a query all of whose draws are `draw`, or follow from the random word `base`."""
    subnet = None
    if ecs is not None:
        address, _, bits = ecs.partition("/")
        parsed = ipaddress.ip_address(address)
        subnet = parsed, int(bits or parsed.max_prefixlen)
    return Asked(
        family=family,
        resolver=ipaddress.ip_address(resolver),
        ecs=subnet,
        draw_base=int(draw * 2**64) if base is None else base,
        draw_fixed=base is None,
        now_s=NOW_S,
        wants_cname=wants_cname,
    )


@dataclass
class Asker:
    """Asks `decide` in one lane, and the oracle, which must say the same."""

    lane: Lane
    serve: Any

    def __call__(self, world: World, **query: Any) -> dict[str, Any]:
        return self.many(world, [asking(**query)])[0]

    def many(self, world: World, queries: list[Asked]) -> list[dict[str, Any]]:
        served: Served = self.serve(world)
        balancer = world.configuration.load_balancers[0]
        found = []
        for asked in queries:
            decision = served.decide(self.lane, balancer, asked)
            assert decision == naive.decide(world, balancer, asked), asked
            found.append(decision)
        return found
