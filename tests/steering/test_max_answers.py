"""`max_answers` of a pool: so many of the addresses that would be answered, each as likely as any other.

Seeded, so a run repeats itself. The oracle says which addresses, query by query, in both lanes; the shares are counted
in both as well.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from ipaddress import IPv4Address
from random import Random
from typing import Any

import pytest

from lbdns.model.pool import Pool
from lbdns.places.geodata import Geodata
from tests.steering.conftest import Serve
from tests.steering.naive_world import World
from tests.steering.scenes import IN_NL, Asker, asking, monitored, pool, scene, weighted
from tests.steering.served import Lane
from tests.steering.strategies import NOW_S
from tests.steering.test_weights import check_shares

DRAWS = 20_000
ALWAYS = {"mode": "pop", "prefer_ecs": "always"}
BY_HASH = {"policy": "hash"}

Answers = Callable[..., list[dict[str, Any]]]


def many(count: int, most: int, **fields: Any) -> Pool:
    return pool("a", *weighted(*[1.0] * count), max_answers=most, **fields)


@pytest.fixture
def answers(lane: Lane, serve: Serve, scene_geodata: Geodata) -> Answers:
    """Return the decisions for many random words, or under one word for many clients."""

    def decide(world: World, seed: int = 0, clients: int = 0, family: str = "A") -> list[dict[str, Any]]:
        chance = Random(seed)
        served, balancer = serve(world, scene_geodata), world.configuration.load_balancers[0]
        queries = [asking(family, resolver=str(IPv4Address("30.0.0.0") + 3 * n), base=seed) for n in range(clients)]
        queries = queries or [asking(family, base=chance.getrandbits(64)) for _ in range(DRAWS)]
        return [served.decide(lane, balancer, asked) for asked in queries]

    return decide


def test_each_address_is_as_likely_as_any_other(answers: Answers) -> None:
    """In the answer, at its head, and together with each other one."""
    found = [decision["endpoints"] for decision in answers(scene(many(7, 3)), seed=1)]
    assert {len(set(picks)) for picks in found} == {3}
    first, pairs, all_of_them = Counter[Any](), Counter[Any](), Counter[Any]()
    for picks in found:
        first[picks[0]] += 1
        all_of_them.update(picks)
        pairs.update(itertools.combinations(sorted(picks), 2))
    check_shares(first, dict.fromkeys(range(7), 1 / 7))
    check_shares(pairs, dict.fromkeys(itertools.combinations(range(7), 2), 1 / 21))
    check_shares(all_of_them, dict.fromkeys(range(7), 1 / 7))


def test_those_that_are_down_leave_equal_shares_to_the_rest(answers: Answers) -> None:
    world = scene(monitored("a", *weighted(*[1.0] * 9), max_answers=2))
    for index in (0, 1, 5):
        world.health["a", index] = "unhealthy"
    counted = Counter[Any](index for decision in answers(world, seed=2) for index in decision["endpoints"])
    check_shares(counted, dict.fromkeys((2, 3, 4, 6, 7, 8), 1 / 6))


def test_each_address_of_host_names_is_as_likely_as_any_other(answers: Answers) -> None:
    """An endpoint with more addresses has more of the answers, as it has where all are answered."""
    hosts = ({"address": f"h{index}.example.net"} for index in range(3))
    world = scene(pool("a", *hosts, *weighted(1.0, 1.0), max_answers=3))
    for index, count in enumerate((1, 2, 2)):
        world.resolved["a", index] = {"A": count, "AAAA": 0, "expiry": NOW_S + 100}
    counted = Counter[Any](address for decision in answers(world, seed=3) for address in decision["addresses"])
    # Two host names have one address in common: it stands in an answer once.
    assert len(counted) == 3 + 1 + 2
    check_shares(counted, dict.fromkeys(counted, 1 / 6))


def test_mail_hosts_are_drawn_as_addresses_are(answers: Answers) -> None:
    hosts = ({"address": f"mx{index}.example.net"} for index in range(6))
    found = answers(scene(pool("a", *hosts, max_answers=4), type="MX"), seed=4, family="named")
    assert {(len(decision["endpoints"]), decision["addresses"]) for decision in found} == {(4, None)}
    counted = Counter[Any](index for decision in found for index in decision["endpoints"])
    check_shares(counted, dict.fromkeys(range(6), 1 / 6))


def test_by_hash_each_client_keeps_its_own(ask: Asker) -> None:
    """Whatever is drawn; what comes first is what would without a bound."""
    bound, free = scene(many(20, 4, origin_steering=BY_HASH)), scene(many(20, 0, origin_steering=BY_HASH))
    for client in range(40):
        resolver = str(IPv4Address("30.0.0.0") + client)
        queries = [asking(resolver=resolver, base=base) for base in range(5)]
        found = [decision["endpoints"] for decision in ask.many(bound, queries)]
        assert found == [found[0]] * 5 and len(found[0]) == 4
        assert found[0][0] == ask.many(free, queries[:1])[0]["endpoints"][0]


def test_by_hash_each_address_is_as_likely_over_clients(answers: Answers) -> None:
    found = answers(scene(many(8, 3, origin_steering=BY_HASH)), clients=DRAWS)
    counted = Counter[Any](index for decision in found for index in decision["endpoints"])
    check_shares(counted, dict.fromkeys(range(8), 1 / 8))


def test_by_hash_nobody_loses_an_address_that_stays(answers: Answers) -> None:
    """An endpoint that goes down is replaced by one other for those clients who had it, and for nobody else."""
    world = scene(monitored("a", *weighted(*[1.0] * 9), max_answers=3, origin_steering=BY_HASH))
    before = answers(world, clients=500)
    world.health["a", 4] = "unhealthy"
    after = answers(world, clients=500)
    for was, now in zip(before, after, strict=True):
        kept = [index for index in was["endpoints"] if index != 4]
        assert now["endpoints"][: len(kept)] == kept
        assert len(now["endpoints"]) == 3


def test_as_many_as_there_are_is_no_bound(ask: Asker) -> None:
    """The order is what it is without one."""
    for policy in ({"policy": "random"}, BY_HASH):
        free = ask.many(scene(many(5, 0, origin_steering=policy)), [asking(base=base) for base in range(20)])
        for most in (5, 6, 100):
            bound = scene(many(5, most, origin_steering=policy))
            assert ask.many(bound, [asking(base=base) for base in range(20)]) == free


@pytest.mark.parametrize("fields", [{"session_affinity": "ip_cookie"}, {}])
def test_one_stays_one(ask: Asker, fields: dict[str, Any]) -> None:
    """Where weights differ or clients stick."""
    weights = [1.0] * 5 if fields else [1.0, 0.5, 0.5]
    world = scene(pool("a", *weighted(*weights), max_answers=2), **fields)
    for decision in ask.many(world, [asking(base=base) for base in range(20)]):
        assert len(decision["endpoints"]) == len(decision["addresses"]) == 1


def test_the_ttl_is_that_of_what_is_answered(ask: Asker) -> None:
    """The resolution of a host name that is not in the answer does not shorten it."""
    world = scene(pool("a", {"address": "h0.example.net"}, *weighted(1.0, 1.0, 1.0), max_answers=1), ttl=60)
    world.resolved["a", 0] = {"A": 1, "AAAA": 0, "expiry": NOW_S + 7}
    found = ask.many(world, [asking(base=base) for base in range(60)])
    assert {(decision["endpoints"][0], decision["ttl"]) for decision in found} == {(0, 7), (1, 60), (2, 60), (3, 60)}


def test_a_cname_that_is_not_drawn_to_lead_is_flattened(ask: Asker) -> None:
    world = scene(pool("a", {"address": "h0.example.net", "flatten_cname": False}, *weighted(1.0, 1.0), max_answers=1))
    world.resolved["a", 0] = {"A": 1, "AAAA": 0, "expiry": NOW_S + 7}
    found = ask.many(world, [asking(base=base) for base in range(200)])
    by_name = [decision for decision in found if decision["addresses"] is None]
    assert {decision["endpoints"][0] for decision in by_name} == {0}
    assert {decision["endpoints"][0] for decision in found if decision["addresses"]} == {0, 1, 2}


class TestScopes:
    """RFC 7871: what a hash of the client's network decides is answered for that network alone."""

    def test_drawn_answers_are_anybodys(self, ask: Asker) -> None:
        assert ask(scene(many(5, 2), location_strategy=ALWAYS), ecs=IN_NL)["scope"] == 0

    def test_hashed_answers_are_the_networks(self, ask: Asker) -> None:
        assert ask(scene(many(5, 2, origin_steering=BY_HASH), location_strategy=ALWAYS), ecs=IN_NL)["scope"] == 24

    @pytest.mark.parametrize(("most", "scope"), [(0, 0), (1, 24), (7, 24), (8, 0)])
    def test_one_host_name_may_have_more_addresses_than_an_answer(self, ask: Asker, most: int, scope: int) -> None:
        """With one endpoint there is nothing to hash but its addresses, of which eight are kept."""
        one = pool("a", {"address": "h0.example.net"}, max_answers=most, origin_steering=BY_HASH)
        world = scene(one, location_strategy=ALWAYS)
        world.resolved["a", 0] = {"A": 2, "AAAA": 2, "expiry": NOW_S + 7}
        assert ask(world, ecs=IN_NL)["scope"] == scope
