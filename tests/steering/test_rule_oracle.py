"""Rules and pool sets: `decide` agrees with the naive oracle, interpreted and compiled, and scopes hold.

The seeds are few; `LBDNS_RULE_SEEDS=5000` asks for so many.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from lbdns.model.balancer import LoadBalancer
from tests.steering import naive
from tests.steering.conftest import Toy
from tests.steering.naive_conditions import address_text
from tests.steering.naive_rules import turns
from tests.steering.naive_world import Asked, World
from tests.steering.rule_strategies import draw_asked_by_name, spoken_addresses, with_rules
from tests.steering.scenes import Asker, pool, scene
from tests.steering.served import Lane, Served
from tests.steering.strategies import draw_world
from tests.steering.test_ecs_invariant import covered, neighbours
from tests.steering.test_oracle import told

SEEDS = int(os.environ.get("LBDNS_RULE_SEEDS", "24"))
QUERIES_A_BALANCER = 6
SHARES = 4


def draw_case(chance: Random, toys: list[Toy]) -> tuple[World, Any]:
    tree, geodata = chance.choice(toys)
    return with_rules(chance, draw_world(chance, tree)), geodata


def draw_query(chance: Random, world: World, lb: LoadBalancer) -> Asked:
    """Return a query, half of the time for a client at the edge of what the rules name."""
    asked = draw_asked_by_name(chance, world, lb)
    if chance.randrange(2):
        address = chance.choice(spoken_addresses(chance, world, lb))
        asked = replace(asked, ecs=(address, address.max_prefixlen))
    return asked


@pytest.mark.slow
@pytest.mark.parametrize("share", range(SHARES))
def test_decide_agrees_with_the_oracle_on_rules(share: int, lane: Lane, toys: list[Toy], tmp_path: Path) -> None:
    """Thousands of queries in seeded worlds; a failure is repeated by its seed."""
    for seed in range(share, SEEDS, SHARES):
        chance = Random(f"rules/{seed}")
        world, geodata = draw_case(chance, toys)
        served = Served(world, geodata, tmp_path)
        for lb in world.configuration.load_balancers:
            for _ in range(QUERIES_A_BALANCER):
                asked = draw_query(chance, world, lb)
                assert served.decide(lane, lb, asked) == naive.decide(world, lb, asked), told(world, lb, asked)
        served.close()


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(chance=st.randoms(use_true_random=False, note_method_calls=False))
def test_decide_agrees_with_the_oracle_on_rules_in_small_cases(lane: Lane, toys: list[Toy], chance: Random) -> None:
    """The same with Hypothesis, which looks for the smallest case that fails."""
    tree, geodata = chance.choice(toys)
    world = with_rules(chance, draw_world(chance, tree, small=True))
    lb = world.configuration.load_balancers[0]
    with TemporaryDirectory() as folder:
        served = Served(world, geodata, Path(folder))
        try:
            for _ in range(3):
                asked = draw_query(chance, world, lb)
                note(told(world, lb, asked))
                assert served.decide(lane, lb, asked) == naive.decide(world, lb, asked)
        finally:
            served.close()


@pytest.mark.slow
@pytest.mark.parametrize("share", range(SHARES))
def test_everyone_under_a_scope_gets_its_answer_whatever_the_rules(
    share: int, lane: Lane, toys: list[Toy], tmp_path: Path
) -> None:
    """The ECS invariant: whoever shares the bits of a scope is given the same, by the same rules, with that scope."""
    for seed in range(share, SEEDS, SHARES):
        chance = Random(f"rule scopes/{seed}")
        world, geodata = draw_case(chance, toys)
        served = Served(world, geodata, tmp_path)
        for lb in world.configuration.load_balancers:
            asked = draw_asked_by_name(chance, world, lb)
            address = chance.choice(spoken_addresses(chance, world, lb))
            asked = replace(asked, ecs=(address, address.max_prefixlen))
            answer = served.decide(lane, lb, asked)
            network = covered(address, answer["scope"])
            edges = [type(address)(point) for point in turns(world, lb, address.version)]
            inside = [one for one in edges if one in network]
            for other in [*neighbours(chance, world, network), *chance.sample(inside, min(4, len(inside)))]:
                around = replace(asked, ecs=(other, other.max_prefixlen))
                assert served.decide(lane, lb, around) == answer, told(world, lb, around)
            if answer["scope"]:
                bits = chance.randrange(answer["scope"], address.max_prefixlen + 1)
                sent = covered(address, bits).network_address
                assert served.decide(lane, lb, replace(asked, ecs=(sent, bits))) == answer, told(world, lb, asked)
        served.close()


@pytest.mark.slow
def test_the_random_rules_reach_everything(toys: list[Toy]) -> None:
    """What the comparison does not come by it cannot compare."""
    seen: Counter[Any] = Counter()
    for seed in range(24):
        chance = Random(f"rules reach/{seed}")
        world, _ = draw_case(chance, toys)
        for lb in world.configuration.load_balancers:
            for _ in range(4):
                found = naive.decide(world, lb, draw_query(chance, world, lb))
                ruled = sum(hit < len(lb.rules) for hit in found["hits"])
                seen.update((found["outcome"], ("rules", ruled), ("set", len(found["hits"]) > ruled)))
                seen["scope known", isinstance(found["scope"], int)] += 1
                seen["scope of rules", isinstance(found["scope"], int) and 0 < found["scope"] not in (24, 56)] += 1
    wanted = [naive.ANSWER, naive.NO_POOL, naive.NO_ENDPOINT, naive.FIXED, ("rules", 0), ("rules", 1), ("rules", 2)]
    wanted += [("set", True), ("set", False), ("scope known", True), ("scope known", False), ("scope of rules", True)]
    assert {key: seen[key] for key in wanted if seen[key] < 5} == {}


def test_the_oracle_writes_addresses_as_rfc_5952_says() -> None:
    """Against ipaddress, and by hand where that writes an IPv4 address within one of IPv6."""
    chance = Random("texts")
    for _ in range(200):
        groups = [chance.choice((0, 0, 0, 1, 0xA0, 0xFFFF)) for _ in range(8)]
        address = IPv6Address(int.from_bytes(b"".join(group.to_bytes(2, "big") for group in groups), "big"))
        if address.ipv4_mapped is None:
            assert address_text(address) == str(address).encode()
    assert address_text(IPv6Address("::ffff:192.0.2.1")) == b"::ffff:c000:201"
    assert address_text(IPv4Address("192.0.2.1")) == b"192.0.2.1"


# --- worked out by hand: who lives where is in scenes.TREE -----------------------------------------------------------


def ruled(condition: str, **rule: Any) -> World:
    """Return a world in which the clients that a condition is true of are answered from b, all others from a."""
    told_so = {"condition": condition, "overrides": {"pools": ("b",)}, **rule}
    return scene(pool("a"), pool("b"), default_pools=("a",), rules=[told_so])


@pytest.mark.parametrize(
    ("condition", "ecs", "answered", "scope"),
    [
        ("ip.src in {0.0.0.0/1}", "192.0.2.1", "a", 1),
        ("ip.src in {0.0.0.0/1}", "20.1.1.1", "b", 1),
        ("ip.src in {192.0.2.0/25}", "192.0.2.1", "b", 25),
        ("ip.src in {192.0.2.0/25}", "192.0.2.200", "a", 25),
        ("ip.src in {192.0.2.0/25}", "192.0.3.1", "a", 24),
        ("ip.src in {192.0.2.0/25}", "20.1.1.1", "a", 1),
        ("ip.src in {192.0.2.0/25}", "2a00::1", "a", 1),
        ("ip.src in {10.0.0.0/8}", "10.1.2.3", "b", 8),
        ("not ip.src in {192.0.2.0/25}", "192.0.2.1", "a", 25),
        ("ip.src eq 192.0.2.1", "192.0.2.0", "a", 32),
        ('ip.src.country eq "NL"', "30.1.2.3", "b", 8),
        ('ip.src.country eq "NL"', "31.1.2.3", "a", 8),
        ("ip.src.asnum eq 13335", "40.1.2.3", "b", 8),
        ("ip.src.asnum ne 13335", "41.1.2.3", "b", 8),
        ('dns.rr.opt.client.addr eq "30.1.2.3"', "30.1.2.3", "b", 32),
        ('starts_with(dns.rr.opt.client.addr, "30.1.")', "30.1.2.3", "b", 16),
        ('dns.rr.opt.client.addr contains ".1."', "30.1.2.3", "b", 32),
        ('dns.rr.opt.client.addr contains ".1."', "2a00::1", "a", 128),
        ("dns.rr.opt.client", "192.0.2.1", "b", 1),
        ("dns.qry.type in {1 28}", "192.0.2.1", "b", 0),
        ('dns.qry.name contains "www"', "192.0.2.1", "b", 0),
        ("", "192.0.2.1", "b", 0),
    ],
)
def test_scopes_of_conditions(ask: Asker, condition: str, ecs: str, answered: str, scope: int) -> None:
    found = ask(ruled(condition), ecs=ecs)
    assert (found["pool"], found["scope"]) == (answered, scope)


def test_a_terminating_rule_hides_what_follows(ask: Asker) -> None:
    first = {"condition": "ip.src in {192.0.2.0/24}", "terminates": True, "overrides": {"ttl": 7}}
    then = {"condition": "ip.src in {192.0.2.0/25 198.51.100.0/24}", "overrides": {"pools": ("b",)}}
    world = scene(pool("a"), pool("b"), default_pools=("a",), ttl=60, rules=[first, then])
    found = ask.many(world, [asking_for(text) for text in ("192.0.2.1", "198.51.100.1", "203.0.113.1")])
    assert [(one["pool"], one["ttl"], one["hits"]) for one in found] == [("a", 7, [0]), ("b", 60, [1]), ("a", 60, [])]
    assert found[0]["scope"] == 24


def asking_for(ecs: str) -> Asked:
    address = IPv4Address(ecs)
    return Asked("A", IPv4Address("198.51.100.7"), (address, 32))
