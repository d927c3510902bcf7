"""How many networks a load balancer cuts the address space into, against asking `decide` from one end to the other."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from lbdns.answer.explain.fragmentation import networks_of
from lbdns.answer.serving_view import ServingView
from lbdns.snapshot.compile import place_classes as classes
from lbdns.steering.kernel.decide import decide
from lbdns.steering.kernel.numbers import FAMILY_A
from lbdns.steering.kernel.view import Decision, Query
from tests.steering.naive_world import World
from tests.steering.scenes import AMS, SJC, monitored, pool, scene, weighted
from tests.steering.served import Served, write_geodata
from tests.steering.strategies import draw_tree, draw_world

ALWAYS = {"mode": "pop", "prefer_ecs": "always"}
ADDRESS_BITS = {4: 32, 6: 128}


def asked_of(number: int) -> Query:
    query = Query()
    query.lb, query.family = number, FAMILY_A
    query.resolver_version, query.resolver_high = 4, 198 << 56
    return query


def walked(view: ServingView, query: Query, version: int) -> Counter[int]:
    """Count scopes by asking for the first address, then for the first one behind its scope, and so on."""
    width, found, address, decision = ADDRESS_BITS[version], Counter[int](), 0, Decision()
    query.ecs_version, query.ecs_bits = version, width
    while address < 2**width:
        whole = address << (128 - width)
        query.ecs_high, query.ecs_low = whole >> 64, whole & (2**64 - 1)
        decide(view.steering, query, decision)
        found[decision.scope] += 1
        address += 2 ** (width - decision.scope)
    return found


def counted(view: ServingView, query: Query, version: int) -> dict[int, int]:
    found = networks_of(view, query)[f"ipv{version}"]
    assert found["networks"] == sum(found["lengths"].values())
    assert list(map(int, found["lengths"])) == sorted(map(int, found["lengths"]))
    return {int(length): count for length, count in found["lengths"].items()}


@pytest.mark.slow
@pytest.mark.parametrize("tries_max", [classes.MERGED_TRIES_MAX, 0])
def test_as_many_as_a_walk_meets(tries_max: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For tries of classes, of units, and none; addresses that hash are counted by hand below, a walk would not end."""
    monkeypatch.setattr(classes, "MERGED_TRIES_MAX", tries_max)
    chance = Random(11)
    most = 0
    for number in range(20):
        folder = tmp_path / str(number)
        folder.mkdir()
        tree = draw_tree(chance)
        world = without_hashes(draw_world(chance, tree))
        served = Served(world, write_geodata(tree, folder / "places.mmdb"), folder)
        view = ServingView(served.snapshot, served.table)
        for index in range(len(world.configuration.load_balancers)):
            for version in (4, 6):
                found = counted(view, asked_of(index), version)
                assert found == walked(view, asked_of(index), version)
                most = max(most, sum(found.values()))
        del view  # it holds columns of the table
        served.close()
    assert most > 50


def without_hashes(world: World) -> World:
    pools = world.configuration.pools
    for name, each in pools.items():
        plain = {"origin_steering": {"policy": "random"}, "load_shedding": {}}
        pools[name] = type(each)(**{**each.model_dump(), **plain})
    balancers = tuple(one.model_copy(update={"session_affinity": "none"}) for one in world.configuration.load_balancers)
    object.__setattr__(world.configuration, "load_balancers", balancers)
    return world


def networks(tmp_path: Path, world: World) -> dict[str, Any]:
    served = Served(world, write_geodata(world.tree, tmp_path / "places.mmdb"), tmp_path)
    found = networks_of(ServingView(served.snapshot, served.table), asked_of(0))
    served.close()
    return found


def test_hashed_lists_are_cut_to_24_and_56_bits(tmp_path: Path) -> None:
    hashing = pool("a", *weighted(1.0, 1.0), origin_steering={"policy": "hash"})
    found = networks(tmp_path, scene(hashing, location_strategy=ALWAYS))
    assert found["ipv4"]["lengths"] == {
        "8": 2,
        "12": 1,
        "16": 2,
        "24": 2**24 - 2 * 2**16 - 2**12 - 2 * 2**8,
    }
    covered = sum(count * 2 ** (128 - int(length)) for length, count in found["ipv6"]["lengths"].items())
    assert covered == 2**128
    assert found["ipv6"]["lengths"]["56"] > 2**55


def test_only_the_lists_that_hash(tmp_path: Path) -> None:
    """And only for those who ask at all."""
    pools = (pool("a"), pool("b", *weighted(1.0, 1.0), origin_steering={"policy": "hash"}), pool("c"))
    geo: dict[str, Any] = {"steering_policy": "geo", "default_pools": ["a"], "country_pools": {"JP": ["b"]}, "pop": SJC}
    found = networks(tmp_path, scene(*pools, **geo, location_strategy=ALWAYS))["ipv4"]["lengths"]
    assert found["24"] == 2**16  # 40/8, which is in Japan
    assert networks(tmp_path, scene(*pools, **geo, location_strategy={"prefer_ecs": "never"})) == {
        "ipv4": {"networks": 1, "lengths": {"0": 1}},
        "ipv6": {"networks": 1, "lengths": {"0": 1}},
    }


def test_unknown_networks_join_their_neighbours(tmp_path: Path) -> None:
    """With mode pop they are as at the PoP, so the same policy needs fewer networks than with mode resolver_ip."""
    pools = (monitored("a"), monitored("b"))
    geo: dict[str, Any] = {"default_pools": ["a"], "country_pools": {"DE": ["b"]}, "pop": AMS}
    by_pop, by_resolver = (
        networks(tmp_path, scene(*pools, **geo, location_strategy={**ALWAYS, "mode": mode}))
        for mode in ("pop", "resolver_ip")
    )
    for family in ("ipv4", "ipv6"):
        assert by_pop[family]["networks"] < by_resolver[family]["networks"]


BY_CLIENT = {"mode": "resolver_ip", "prefer_ecs": "always"}
RULES = {
    "two networks": ({"condition": "ip.src in {20.128.0.0/10 30.1.2.0/24}", "overrides": {"default_pools": ["b"]}},),
    "a place": ({"condition": 'ip.src.country eq "NL"', "overrides": {"default_pools": ["b"], "ttl": 5}},),
    "a fixed one": (
        {"condition": "ip.src in {10.0.0.0/9 2a00:8000::/17}", "fixed_response": {}},
        {"condition": "dns.rr.opt.client", "overrides": {"steering_policy": "off"}},
    ),
    "another policy": (
        {
            "condition": "ip.src in {0.0.0.0/1 ::/3}",
            "overrides": {"steering_policy": "geo", "country_pools": {"US": ["b"], "JP": ["b"]}},
        },
    ),
}
SETS = (
    {"match": {"topology": {"countries": ["US"]}}, "overrides": {"pools": ["b"]}},
    {"match": {"topology": {"regions": ["WEU"]}}, "fixed_response": {}},
)


@pytest.mark.parametrize("policy", ["off", "geo"])
@pytest.mark.parametrize("sets", [(), SETS], ids=["no sets", "sets"])
@pytest.mark.parametrize("rules", RULES)
def test_rules_and_pool_sets_cut_too(rules: str, sets: tuple[Any, ...], policy: str, tmp_path: Path) -> None:
    pools = (monitored("a"), monitored("b"))
    fields: dict[str, Any] = {"steering_policy": policy, "country_pools": {"DE": ["b"]}, "pop": SJC}
    world = scene(*pools, **fields, location_strategy=BY_CLIENT, rules=RULES[rules], pool_sets=sets)
    served = Served(world, write_geodata(world.tree, tmp_path / "places.mmdb"), tmp_path)
    view = ServingView(served.snapshot, served.table)
    for version in (4, 6):
        found = counted(view, asked_of(0), version)
        assert found == walked(view, asked_of(0), version)
        assert sum(found.values()) > 1
    del view
    served.close()


def test_a_text_of_the_address_cuts_all_of_it(tmp_path: Path) -> None:
    rules = ({"condition": 'dns.rr.opt.client.addr contains "7"', "overrides": {"default_pools": ["b"]}},)
    found = networks(tmp_path, scene(pool("a"), pool("b"), rules=rules))
    assert (found["ipv4"]["lengths"], found["ipv6"]["lengths"]) == ({"32": 2**32}, {"128": 2**128})
