"""Where a client is, and which pools are candidates there: the first steps of the naive oracle."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from lbdns.model.balancer import LoadBalancer
from tests.steering.naive_places import Address, Place, distance_m, is_private, region_of, with_coordinates
from tests.steering.naive_world import Asked, World

ECS, RESOLVER, POP = "ecs", "resolver", "pop"


# --- where the client is ---------------------------------------------------------------------------------------------


@dataclass
class SetSeeker:
    """Stands in for a load balancer that finds its pool set: by place, as `geo` finds lists."""

    load_balancer: LoadBalancer
    steering_policy = "geo"

    @property
    def location_strategy(self) -> Any:
        return self.load_balancer.location_strategy


def policy_of(lb: LoadBalancer) -> str:
    if lb.steering_policy:
        return lb.steering_policy
    return "geo" if lb.region_pools or lb.country_pools or lb.pop_pools else "off"


def prefers_ecs(lb: LoadBalancer) -> bool:
    wanted = lb.location_strategy.prefer_ecs
    return wanted == "always" or (wanted in ("proximity", "geo") and policy_of(lb) == wanted)


def ecs_address(lb: LoadBalancer, asked: Asked) -> Address | None:
    """Return the ECS address that this load balancer looks at, or None; whether its place is known comes later."""
    if asked.ecs is None or not prefers_ecs(lb):
        return None
    address, source_bits = asked.ecs
    return None if source_bits == 0 or is_private(address) else address


def suffices(lb: LoadBalancer, place: Place) -> bool:
    """Tell whether a look-up succeeded: the place says what the policy needs to know."""
    if policy_of(lb) == "proximity":
        return with_coordinates(place)["latitude"] is not None
    return bool(place["country"])


def ecs_place(world: World, lb: LoadBalancer, address: Address) -> Place:
    place = world.look_up(address)
    if lb.location_strategy.prefer_ecs == "geo":
        place = {**place, "subdivision": ""}
    return place


def place_told(world: World, lb: LoadBalancer, address: Address) -> Place | None:
    """Return the place that counts for an ECS address, None where the resolver's is asked for instead.

    Where nobody asks for the resolver's, a network that nobody knows counts as at the PoP.
    """
    place = ecs_place(world, lb, address)
    if suffices(lb, place):
        return place
    return world.pop if lb.location_strategy.mode == "pop" else None


def locate(world: World, lb: LoadBalancer, asked: Asked) -> tuple[str | None, Place]:
    """Return (location source, place); no source where every place leads to the same list."""
    if not differs_by_place(world, lb):
        return None, world.pop
    address = ecs_address(lb, asked)
    if address is not None and (place := place_told(world, lb, address)) is not None:
        return ECS, place
    if lb.location_strategy.mode == "resolver_ip" and suffices(lb, world.look_up(asked.resolver)):
        return RESOLVER, world.look_up(asked.resolver)
    return POP, world.pop


# --- which pools are candidates --------------------------------------------------------------------------------------


def geo_list(world: World, lb: LoadBalancer, place: Place) -> tuple[str, ...]:
    region = world.pop["region"]
    if lb.location_strategy.region_from == "location":
        region = place.get("region") or region_of(place["country"], place["subdivision"]) or region
    if world.pop["code"] in lb.pop_pools:
        return lb.pop_pools[world.pop["code"]]
    if place["country"] in lb.country_pools:
        return lb.country_pools[place["country"]]
    if region in lb.region_pools:
        return lb.region_pools[region]
    return lb.default_pools


def nearest_list(world: World, lb: LoadBalancer, place: Place) -> tuple[str, ...]:
    here = with_coordinates(place)

    def far(name: str) -> float:
        pool = world.configuration.pools[name]
        if pool.latitude is None or here["latitude"] is None:
            return math.inf
        return distance_m(here, {"latitude": pool.latitude, "longitude": pool.longitude})

    return tuple(sorted(lb.default_pools, key=far))  # a stable sort: ties keep their order


def fastest_first(world: World, names: list[str]) -> list[str]:
    return sorted(names, key=lambda name: world.rtt_ms.get((name, world.pop["region"]), math.inf))


def set_at(world: World, lb: LoadBalancer, place: Place) -> tuple[int, ...]:
    """Return the position of the first pool set that matches a place, as a list of one; without any, an empty one."""
    region = world.pop["region"]
    if lb.location_strategy.region_from == "location":
        region = place.get("region") or region_of(place["country"], place["subdivision"]) or region
    for position, one in enumerate(lb.pool_sets):
        if one.disabled:
            continue
        topology = one.match.topology if one.match is not None else None
        if topology is None:
            return (position,)
        here = [(topology.pops, world.pop["code"]), (topology.countries, place["country"]), (topology.regions, region)]
        if any(wanted is not None and value in wanted for wanted, value in here):
            return (position,)
    return ()


def candidates(world: World, lb: Any, place: Place) -> tuple[Any, ...]:
    if isinstance(lb, SetSeeker):
        return set_at(world, lb.load_balancer, place)
    policy = policy_of(lb)
    if policy == "geo":
        return geo_list(world, lb, place)
    if policy == "proximity":
        return nearest_list(world, lb, place)
    pools: tuple[str, ...] = lb.default_pools
    return pools


def differs_by_place(world: World, lb: LoadBalancer) -> bool:
    """Tell whether two clients in different places may be given different lists of pools."""
    if policy_of(lb) not in ("geo", "proximity"):
        return False
    places = [place for place in world.places if suffices(lb, place)]
    if lb.location_strategy.prefer_ecs == "geo":
        places += [{**place, "subdivision": ""} for place in places]
    own = candidates(world, lb, world.pop)
    return any(candidates(world, lb, place) != own for place in places)
