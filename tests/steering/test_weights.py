"""Weights come out right: over 100,000 draws each share is within 3 standard deviations.

Seeded, so a run repeats itself. Asked in the faster lane alone: that both agree, query by query, is test_oracle.py's.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from ipaddress import IPv4Address
from random import Random
from typing import Any

import pytest

from lbdns.places.geodata import Geodata
from tests.steering.conftest import Serve
from tests.steering.naive_world import World
from tests.steering.scenes import asking, pool, scene, weighted
from tests.steering.served import compiled_lane, interpreted_lane

DRAWS = 100_000
DEVIATIONS = 3

Tally = Callable[..., Counter[tuple[str, int]]]


def check_shares(counted: Counter[Any], shares: dict[Any, float]) -> None:
    """Check counts against shares of 1: the standard deviation of a count is sqrt(n p (1 - p))."""
    total = counted.total()
    assert set(counted) <= {key for key, share in shares.items() if share > 0}
    for key, share in shares.items():
        allowed = DEVIATIONS * math.sqrt(total * share * (1 - share))
        assert abs(counted[key] - total * share) <= allowed, (key, counted[key], total * share, allowed)


def by_pool(counted: Counter[tuple[str, int]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for (name, _), count in counted.items():
        found[name] += count
    return found


def by_endpoint(counted: Counter[tuple[str, int]]) -> Counter[int]:
    return Counter({index: count for (_, index), count in counted.items()})


@pytest.fixture
def over_draws(serve: Serve, scene_geodata: Geodata) -> Tally:
    """Count answers to one client over many random words."""

    def tally(world: World, seed: int) -> Counter[tuple[str, int]]:
        chance = Random(seed)
        words = (chance.getrandbits(64) for _ in range(DRAWS))
        lane = compiled_lane() or interpreted_lane()
        return serve(world, scene_geodata).tally(
            lane, world.configuration.load_balancers[0], asking(base=0), words=words
        )

    return tally


@pytest.fixture
def over_clients(serve: Serve, scene_geodata: Geodata) -> Tally:
    """Count answers under one random word over many clients: neighbours, as clients are, not random bits."""

    def tally(world: World, first: str) -> Counter[tuple[str, int]]:
        start = int(IPv4Address(first))
        clients = (IPv4Address(start + 3 * number) for number in range(DRAWS))
        lane = compiled_lane() or interpreted_lane()
        return serve(world, scene_geodata).tally(
            lane, world.configuration.load_balancers[0], asking(base=0), clients=clients
        )

    return tally


def test_random_pools(over_draws: Tally) -> None:
    steering = {"default_weight": 0.5, "pool_weights": {"b": 0.25, "c": 0.05, "d": 0.0}}
    world = scene(*(pool(name) for name in "abcd"), steering_policy="random", random_steering=steering)
    check_shares(by_pool(over_draws(world, seed=1)), {"a": 0.5 / 0.8, "b": 0.25 / 0.8, "c": 0.05 / 0.8, "d": 0.0})


def test_random_pools_of_weight_zero(over_draws: Tally) -> None:
    world = scene(pool("a"), pool("b"), pool("c"), steering_policy="random", random_steering={"default_weight": 0.0})
    check_shares(by_pool(over_draws(world, seed=2)), dict.fromkeys("abc", 1 / 3))


def test_weighted_endpoints(over_draws: Tally) -> None:
    world = scene(pool("a", *weighted(1.0, 0.5, 0.0, 0.25, 0.01)))
    shares = {index: weight / 1.76 for index, weight in enumerate((1.0, 0.5, 0.0, 0.25, 0.01))}
    check_shares(by_endpoint(over_draws(world, seed=3)), shares)


def test_rotation(over_draws: Tally) -> None:
    world = scene(pool("a", *weighted(*[1.0] * 7)))
    check_shares(by_endpoint(over_draws(world, seed=4)), dict.fromkeys(range(7), 1 / 7))


def test_weighted_hash(over_clients: Tally) -> None:
    world = scene(pool("a", *weighted(1.0, 0.5, 0.0, 0.25, 0.01), origin_steering={"policy": "hash"}))
    shares = {index: weight / 1.76 for index, weight in enumerate((1.0, 0.5, 0.0, 0.25, 0.01))}
    check_shares(by_endpoint(over_clients(world, "20.0.0.0")), shares)


def test_ip_cookie_with_equal_weights(over_clients: Tally) -> None:
    world = scene(pool("a", *weighted(*[0.0] * 5)), session_affinity="ip_cookie")
    check_shares(by_endpoint(over_clients(world, "30.0.0.0")), dict.fromkeys(range(5), 1 / 5))


@pytest.mark.parametrize("percent", [0.1, 62.5])
def test_shedding_by_draw(over_draws: Tally, percent: float) -> None:
    world = scene(pool("a", load_shedding={"default_percent": percent}), pool("b"))
    check_shares(by_pool(over_draws(world, seed=5)), {"a": 1 - percent / 100, "b": percent / 100})


@pytest.mark.slow
@pytest.mark.parametrize("percent", [0.1, 62.5])
def test_shedding_by_hash(over_clients: Tally, percent: float) -> None:
    shedding = {"default_percent": percent, "default_policy": "hash"}
    world = scene(pool("a", load_shedding=shedding), pool("b"))
    check_shares(by_pool(over_clients(world, "40.0.0.0")), {"a": 1 - percent / 100, "b": percent / 100})


def test_shedding_under_ip_cookie(over_clients: Tally) -> None:
    world = scene(pool("a", load_shedding={"session_percent": 30.0}), pool("b"), session_affinity="ip_cookie")
    check_shares(by_pool(over_clients(world, "50.0.0.0")), {"a": 0.7, "b": 0.3})


@pytest.mark.parametrize("policy", ["random", "hash"])
def test_two_pools_shed_independently(over_draws: Tally, over_clients: Tally, policy: str) -> None:
    shedding = {"default_percent": 40.0, "default_policy": policy}
    world = scene(pool("a", load_shedding=shedding), pool("b", load_shedding=shedding), pool("c"))
    counted = over_draws(world, seed=6) if policy == "random" else over_clients(world, "60.0.0.0")
    check_shares(by_pool(counted), {"a": 0.6, "b": 0.4 * 0.6, "c": 0.4 * 0.4})


def test_shed_queries_are_spread_by_weight(over_draws: Tally) -> None:
    """Shed queries go where the policy would send them if that pool were down."""
    pools = (pool("a", load_shedding={"default_percent": 50.0}), pool("b"), pool("c"))
    steering = {"default_weight": 0.5, "pool_weights": {"c": 1.0}}
    world = scene(*pools, steering_policy="random", random_steering=steering)
    shares = {"a": 0.5 / 4, "b": 0.5 / 4 + 0.5 / 3, "c": 0.5 * 2 / 4 + 0.5 * 2 / 3}
    check_shares(by_pool(over_draws(world, seed=7)), shares)


def test_pool_and_endpoint_are_drawn_independently(over_draws: Tally) -> None:
    world = scene(pool("a", *weighted(1.0, 0.5)), pool("b", *weighted(0.5, 1.0)), steering_policy="random")
    shares = {("a", 0): 1 / 3, ("a", 1): 1 / 6, ("b", 0): 1 / 6, ("b", 1): 1 / 3}
    check_shares(over_draws(world, seed=8), shares)


def test_shedding_and_hash_are_drawn_independently(over_clients: Tally) -> None:
    """Who is kept from a pool says nothing of which endpoint serves the rest."""
    shedding = {"default_percent": 50.0, "default_policy": "hash"}
    world = scene(pool("a", *weighted(1.0, 0.5), load_shedding=shedding, origin_steering={"policy": "hash"}), pool("b"))
    shares = {("a", 0): 1 / 3, ("a", 1): 1 / 6, ("b", 0): 1 / 2}
    check_shares(over_clients(world, "70.0.0.0"), shares)
