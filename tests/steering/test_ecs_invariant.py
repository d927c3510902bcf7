"""The ECS invariant: scopes partition the address space (RFC 7871 section 7.2.1).

If client x gets an answer with scope s, every y that shares x's first s bits gets that answer with scope s. Held over
random policies and places, without the oracle's help: a wrong scope is seen by the neighbour whom it would wrong.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.steering.conftest import Toy
from tests.steering.naive_places import PRIVATE_BLOCKS, Address, Network, is_private, turning_points
from tests.steering.naive_world import Asked, World
from tests.steering.scenes import (
    IN_CALIFORNIA,
    IN_DE,
    IN_NEW_YORK,
    IN_NL,
    SJC,
    Asker,
    down,
    monitored,
    pool,
    scene,
    weighted,
)
from tests.steering.served import Lane, Served
from tests.steering.strategies import draw_address, draw_asked, draw_balancer, draw_world, network_of

WORLDS_A_SEED = 12
PAIRS_A_WORLD = 12


def covered(address: Address, scope: int) -> Network:
    return network_of(int(address), scope, address.version)


def neighbours(chance: Random, world: World, network: Network) -> Iterator[Address]:
    """Yield addresses of a network: its ends, where places change inside it, and any."""
    kind: Any = ipaddress.IPv4Address if network.version == 4 else ipaddress.IPv6Address
    first, last = int(network.network_address), int(network.broadcast_address)
    turns = [
        point for point in turning_points([*world.tree, *PRIVATE_BLOCKS], network.version) if first < point <= last
    ]
    yield kind(first)
    yield kind(last)
    for point in chance.sample(turns, min(2, len(turns))):
        yield kind(point - 1)
        yield kind(point)
    yield kind(chance.randrange(first, last + 1))


def for_address(asked: Asked, address: Address, bits: int | None = None) -> Asked:
    return replace(asked, ecs=(address, address.max_prefixlen if bits is None else bits))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_everyone_under_a_scope_gets_its_answer(seed: int, lane: Lane, toys: list[Toy], tmp_path: Path) -> None:
    for number in range(WORLDS_A_SEED):
        chance = Random(f"ecs/{seed}/{number}")
        tree, geodata = chance.choice(toys)
        world = draw_world(chance, tree)
        served = Served(world, geodata, tmp_path)
        for _ in range(PAIRS_A_WORLD):
            lb = draw_balancer(chance, world)
            asked = draw_asked(chance, world, lb)
            address = draw_address(chance, world.tree, chance.choice((4, 4, 6)))
            answer = served.decide(lane, lb, for_address(asked, address))
            for other in neighbours(chance, world, covered(address, answer["scope"])):
                assert served.decide(lane, lb, for_address(asked, other)) == answer, (lb, asked, address, other)
        served.close()


@pytest.mark.slow
@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(chance=st.randoms(use_true_random=False, note_method_calls=False), version=st.sampled_from((4, 6)))
def test_scopes_of_two_addresses_are_equal_or_apart(
    lane: Lane, toys: list[Toy], tmp_path_factory: pytest.TempPathFactory, chance: Random, version: int
) -> None:
    tree, geodata = chance.choice(toys)
    world = draw_world(chance, tree, small=True)
    lb = draw_balancer(chance, world)
    served = Served(world, geodata, tmp_path_factory.mktemp("pairs"))
    try:
        asked = draw_asked(chance, world, lb)
        addresses = [draw_address(chance, tree, version) for _ in range(8)]
        answers = [served.decide(lane, lb, for_address(asked, address)) for address in addresses]
        for one, its in zip(addresses, answers, strict=True):
            for other, others in zip(addresses, answers, strict=True):
                if covered(one, its["scope"]).overlaps(covered(other, others["scope"])):
                    assert its == others
    finally:
        served.close()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_scopes_do_not_depend_on_health_draws_or_source_lengths(
    seed: int, lane: Lane, toys: list[Toy], tmp_path: Path
) -> None:
    for number in range(WORLDS_A_SEED):
        chance = Random(f"health/{seed}/{number}")
        tree, geodata = chance.choice(toys)
        world = draw_world(chance, tree)
        well, ill = tmp_path / f"well-{number}", tmp_path / f"ill-{number}"
        well.mkdir()
        ill.mkdir()
        before = Served(world, geodata, well)
        world.health = {key: chance.choice(("healthy", "unhealthy")) for key in world.health}
        after = Served(world, geodata, ill)
        for _ in range(PAIRS_A_WORLD):
            lb = draw_balancer(chance, world)
            address = draw_address(chance, tree, chance.choice((4, 6)))
            asked = for_address(draw_asked(chance, world, lb), address)
            answer = before.decide(lane, lb, asked)
            scope = answer["scope"]
            assert after.decide(lane, lb, asked)["scope"] == scope
            assert before.decide(lane, lb, replace(asked, draw_base=chance.getrandbits(64)))["scope"] == scope
            shortest = max(scope, 1)
            for bits in (shortest, chance.randrange(shortest, address.max_prefixlen + 1)):
                sent = covered(address, bits).network_address
                assert before.decide(lane, lb, for_address(asked, sent, bits)) == answer
        before.close()
        after.close()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_a_scope_never_reaches_into_a_private_block(seed: int, lane: Lane, toys: list[Toy], tmp_path: Path) -> None:
    """Else a resolver would hand a public client's answer to its own private clients, or theirs to the world."""
    chance = Random(f"private/{seed}")
    for number in range(WORLDS_A_SEED):
        tree, geodata = chance.choice(toys)
        world = draw_world(chance, tree)
        folder = tmp_path / str(number)
        folder.mkdir()
        served = Served(world, geodata, folder)
        for _ in range(PAIRS_A_WORLD):
            lb = draw_balancer(chance, world)
            address = draw_address(chance, tree, chance.choice((4, 6)))
            scope = served.decide(lane, lb, for_address(draw_asked(chance, world, lb), address))["scope"]
            if scope:
                reached = [block for block in PRIVATE_BLOCKS if block.version == address.version]
                reached = [block for block in reached if block.overlaps(covered(address, scope))]
                assert reached == ([covered(address, scope)] if is_private(address) else []), (lb, address)
        served.close()


# --- scopes worked out by hand: who lives where is in scenes.TREE -----------------------------------------------------

ALWAYS = {"mode": "pop", "prefer_ecs": "always"}


def by_country(*countries: str, **fields: Any) -> World:
    """Return a world in which some countries have a list of their own; this server stands in the US."""
    pools = (monitored("a"), monitored("b"), monitored("c"))
    maps = {"country_pools": {country: ["b"] for country in countries}, "location_strategy": ALWAYS}
    return scene(*pools, **{"steering_policy": "geo", "default_pools": ["a"], "pop": SJC, **maps, **fields})


@pytest.mark.parametrize(
    ("countries", "ecs", "scope"),
    [
        (("NL",), IN_NL, 8),  # 30/8; beside it, 31/8 is Germany
        (("NL", "DE"), IN_NL, 7),  # both, as 30/7
        (("NL", "DE"), IN_DE, 7),
        (("NL",), IN_DE, 8),
        (
            ("NL",),
            IN_NEW_YORK,
            5,
        ),  # 16/5: of New York and California, 20/8, and of the unknown, which this PoP's list gets
        (("NL",), IN_CALIFORNIA, 5),
        (("NL",), "60.0.0.1", 5),  # 56/5 is unknown; 50/8 is not
        (("NL",), "192.0.2.1", 9),  # unknown, as far as it is not 192.168/16
        (("NL",), "11.0.0.1", 8),  # unknown, but 10/8 is private
        (("NL",), "10.1.2.3", 8),
        (("NL",), "172.20.0.1", 12),
        (("NL",), "192.168.1.1", 16),
        (("NL",), "127.0.0.1", 8),
        (("NL",), "169.254.1.1", 16),
        (("NL",), "2a00::1", 16),
        (("NL",), "2600::1", 5),  # 2000::/5
        (("NL",), "fd00::1", 7),
        (("NL",), "fe80::1", 10),
        (("NL",), "::1", 128),
        (("NL",), "0.0.0.0/0", 0),
        ((), IN_NL, 0),  # every place has the same list
    ],
)
def test_scope_of_a_country_list(ask: Asker, countries: tuple[str, ...], ecs: str, scope: int) -> None:
    assert ask(by_country(*countries), ecs=ecs)["scope"] == scope


def test_unknown_networks_stay_apart_where_the_resolver_decides_for_them(ask: Asker) -> None:
    """One cache may stand behind resolvers in many places: what holds for one of them does not hold for all."""
    strategy = {**ALWAYS, "mode": "resolver_ip"}
    for ecs, scope in ((IN_NEW_YORK, 8), (IN_CALIFORNIA, 8), ("2600::1", 16), ("60.0.0.1", 5), (IN_NL, 8)):
        assert ask(by_country("NL", location_strategy=strategy), ecs=ecs)["scope"] == scope


def test_scope_is_zero_where_ecs_does_not_matter(ask: Asker) -> None:
    for fields in (
        {"location_strategy": {"prefer_ecs": "never"}},
        {"location_strategy": {"prefer_ecs": "proximity"}},
        {"pop_pools": {"SJC": ["c"]}},
        {"steering_policy": "off"},
        {"steering_policy": "random"},
        {"country_pools": {"NL": ["a"]}},
    ):
        assert ask(by_country("NL", **fields), ecs=IN_NL)["scope"] == 0
    assert ask(by_country("NL"))["scope"] == 0


def test_scope_of_a_region_by_location(ask: Asker) -> None:
    strategy = {**ALWAYS, "region_from": "location"}
    world = by_country(region_pools={"ENAM": ["b"]}, location_strategy=strategy)
    assert ask(world, ecs=IN_NEW_YORK)["scope"] == 9  # California, 20.128/9, is WNAM
    assert ask(world, ecs=IN_CALIFORNIA)["scope"] == 9
    world = by_country(region_pools={"ENAM": ["b"]}, location_strategy={**strategy, "prefer_ecs": "geo"})
    assert ask(world, ecs=IN_NEW_YORK)["scope"] == 8  # a country alone, the US, is ENAM, and the unknown is not


def test_scope_of_proximity(ask: Asker) -> None:
    pools = [monitored("ams", latitude=52.25, longitude=4.75), monitored("nyc", latitude=40.75, longitude=-74.0)]
    world = scene(*pools, steering_policy="proximity", pop=SJC)
    found = ask(world, ecs=IN_CALIFORNIA)
    assert (found["pool"], found["scope"]) == (
        "nyc",
        5,
    )  # so has all of 16/5 the order nyc, ams: the unknown is as at SJC
    found = ask(world, ecs=IN_NL)
    assert (found["pool"], found["scope"]) == ("ams", 7)  # 30/7: Germany beside it, by its centroid
    assert ask(down(world, "ams"), ecs=IN_NL)["scope"] == 7
    tokyo = monitored("tyo", latitude=35.5, longitude=140.0)
    assert ask(scene(*pools, tokyo, steering_policy="proximity"), ecs=IN_CALIFORNIA)["scope"] == 9


class TestScopeOfHashes:
    """24 (IPv4) or 56 (IPv6) where a hash of the ECS address may decide."""

    def hashing(self, *origins: Any, **fields: Any) -> World:
        return scene(pool("a", *origins, **fields), location_strategy=ALWAYS)

    def test_endpoint_hash(self, ask: Asker) -> None:
        two = self.hashing(*weighted(1.0, 1.0), "2001:db8::1", origin_steering={"policy": "hash"})
        assert ask(two, ecs=IN_NL)["scope"] == 24
        assert ask(two, ecs="2a00::1")["scope"] == 56
        assert ask(two, ecs=IN_NL, family="AAAA")["scope"] == 0  # one endpoint: nothing to choose

    def test_private_addresses_are_not_hashed(self, ask: Asker) -> None:
        world = self.hashing(*weighted(1.0, 1.0), origin_steering={"policy": "hash"})
        assert ask(world, ecs="10.1.2.3")["scope"] == 8
        assert ask(world, ecs="::1")["scope"] == 128
        assert ask(world, ecs="::2")["scope"] == 127

    def test_shedding_by_hash(self, ask: Asker) -> None:
        for percent, scope in ((0.0, 0), (50.0, 24), (100.0, 0)):
            shedding = {"default_percent": percent, "default_policy": "hash"}
            assert ask(self.hashing(load_shedding=shedding), ecs=IN_NL)["scope"] == scope
            random = {"default_percent": percent}
            assert ask(self.hashing(load_shedding=random), ecs=IN_NL)["scope"] == 0

    def test_only_lists_that_may_hash(self, ask: Asker) -> None:
        pools = (pool("a"), pool("b", *weighted(1.0, 1.0), origin_steering={"policy": "hash"}), pool("c"))
        geo = {"steering_policy": "geo", "default_pools": ["a"], "country_pools": {"NL": ["b"]}, "pop": SJC}
        world = scene(*pools, **geo, location_strategy=ALWAYS)
        assert ask(world, ecs=IN_NL)["scope"] == 24
        assert ask(world, ecs=IN_NEW_YORK)["scope"] == 5
        world = scene(*pools, **{**geo, "fallback_pool": "b"}, location_strategy=ALWAYS)
        assert ask(world, ecs=IN_NEW_YORK)["scope"] == 24

    def test_finer_places_than_the_hash(self, ask: Asker) -> None:
        """Where places are cut finer than /24 the scope is the finer: the list decides before the hash does."""
        pools = [pool(name, *weighted(1.0, 1.0), origin_steering={"policy": "hash"}) for name in "ab"]
        geo: dict[str, Any] = {"steering_policy": "geo", "default_pools": ["a"], "country_pools": {"NL": ["b"]}}
        world = scene(*pools, **geo, pop=SJC, location_strategy=ALWAYS)
        for ecs, name in (("50.1.2.3", "b"), ("50.1.2.16", "a")):
            found = ask(world, ecs=ecs)
            assert (found["pool"], found["scope"]) == (name, 28)
        assert ask(world, ecs="50.1.2.33")["scope"] == 27
        assert ask(world, ecs="50.1.3.1")["scope"] == 24


def test_nodata_of_steering_carries_the_scope(ask: Asker) -> None:
    """The client's pool has no endpoint of the family: another client's may have."""
    pools = (pool("a", "192.0.2.1"), pool("b", "2001:db8::1"))
    geo: dict[str, Any] = {"steering_policy": "geo", "default_pools": ["a"], "country_pools": {"NL": ["b"]}}
    world = scene(*pools, **geo, pop=SJC, location_strategy=ALWAYS)
    found = ask(world, ecs=IN_NL)
    assert (found["outcome"], found["scope"]) == ("no endpoint", 8)
