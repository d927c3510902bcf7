"""`decide` agrees with the naive oracle, interpreted and compiled, over random worlds and queries."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from ipaddress import IPv4Address, ip_address, ip_network
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from types import FunctionType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from lbdns.base.words import STEERING_POLICIES
from lbdns.health.pool_state import pool_state
from lbdns.health.verdict import POOL_WORDS, UNKNOWN
from tests.steering import naive, naive_candidates
from tests.steering.conftest import LANES, Toy
from tests.steering.naive_places import Network, Place, distance_m, is_private, look_up, turning_points
from tests.steering.naive_world import Asked, World, draw, mix64
from tests.steering.served import ENDPOINT_STATES, Lane, Served, compiled_lane
from tests.steering.strategies import draw_asked, draw_balancer, draw_world, place

WORLDS_A_SEED = 10
QUERIES_A_WORLD = 25


def told(world: World, lb: Any, asked: Asked) -> str:
    """Return all that a failure has to say to be looked into."""
    pools = "\n".join(f"  {pool!r}" for pool in world.configuration.pools.values())
    state = f"health {world.health}\nforced {world.forced}\nrtt {world.rtt_ms}\nresolved {world.resolved}"
    return f"{asked}\n{lb!r}\npools\n{pools}\npop {world.pop}\n{state}"


def clock_words(world: World, lb: Any, asked: Asked, found: dict[str, Any]) -> Iterator[str]:
    """Yield what the clock of a query and the expiries of the host names in its answer have to do with each other."""
    if asked.family == "named" or not found["endpoints"]:
        return
    pool = world.configuration.pools[found["pool"]]
    for index in found["endpoints"]:
        if pool.origins[index].ip is not None:
            continue
        if found["addresses"] is None:
            yield "cname, whatever the time"
            continue
        left_s = world.resolved[pool.name, index]["expiry"] - asked.now_s
        if left_s > 0:
            yield "before, and shorter" if left_s < lb.ttl else "before, and longer"
        else:
            yield "at expiry" if left_s == 0 else "after expiry"


class TestTheOracleItself:
    """Its parts, against figures from elsewhere or worked out by hand."""

    def test_mix64_is_the_finaliser_of_splitmix64(self) -> None:
        """The first outputs of splitmix64 seeded with 0, from its published reference code."""
        golden = 0x9E3779B97F4A7C15
        assert mix64(golden) == 0xE220A8397B1DCDAF
        assert mix64(2 * golden % 2**64) == 0x6E789E6AA1B965F4
        assert mix64(3 * golden % 2**64) == 0x06C45D188009454F

    def test_draws(self) -> None:
        fixed = Asked("A", IPv4Address("192.0.2.1"), draw_base=2**63, draw_fixed=True)
        assert {draw(fixed, salt) for salt in range(20)} == {Fraction(1, 2)}
        free = Asked("A", IPv4Address("192.0.2.1"), draw_base=0)
        assert draw(free, 1) == Fraction(0xE220A839, 2**32)

    def test_weighted_pick_takes_the_share_that_holds_the_draw(self) -> None:
        below = Fraction(2**32 - 1, 2**32)
        assert [naive.weighted_pick([1, 0, 3], Fraction(n, 4)) for n in range(4)] == [0, 2, 2, 2]
        assert naive.weighted_pick([1, 1], Fraction(1, 2)) == 1
        assert naive.weighted_pick([1, 1, 0], below) == 1

    def test_distance(self) -> None:
        """A quarter of a great circle, half of one, and London to Paris (343.6 km)."""
        pole, equator = {"latitude": 90.0, "longitude": 0.0}, {"latitude": 0.0, "longitude": 77.0}
        assert distance_m(pole, equator) == round(6_371_008.8 * math.pi / 2)
        opposite = {"latitude": 0.0, "longitude": -103.0}
        assert distance_m(equator, opposite) == round(6_371_008.8 * math.pi)
        london, paris = {"latitude": 51.5074, "longitude": -0.1278}, {"latitude": 48.8566, "longitude": 2.3522}
        assert abs(distance_m(london, paris) - 343_600) < 100
        assert distance_m(london, london) == 0

    def test_look_up_takes_the_longest_network(self) -> None:
        tree: dict[Network, Place] = {
            ip_network("20.0.0.0/8"): place("US"),
            ip_network("20.128.0.0/9"): place("DE"),
            ip_network("20.128.0.0/16"): place("NL"),
        }
        found = [
            look_up(tree, IPv4Address(text))["country"] for text in ("20.1.1.1", "20.200.1.1", "20.128.9.9", "9.9.9.9")
        ]
        assert found == ["US", "DE", "NL", ""]

    def test_turning_points(self) -> None:
        networks = [ip_network("0.0.0.0/2"), ip_network("128.0.0.0/1"), ip_network("2000::/3")]
        assert turning_points(networks, 4) == [0, 2**30, 2**31]
        assert turning_points(networks, 6) == [2**125, 2**126]

    def test_private_addresses(self) -> None:
        private = ("10.0.0.0", "172.31.255.255", "192.168.0.1", "127.9.9.9", "169.254.0.1", "fdff::1", "fe80::1", "::1")
        public = ("11.0.0.0", "172.32.0.0", "192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "fe00::1", "::2")
        assert all(is_private(ip_address(text)) for text in private)
        assert not any(is_private(ip_address(text)) for text in public)

    def test_pool_words_are_those_of_the_monitor_worker(self) -> None:
        """The naive count and the function that fills the health table say the same."""
        for number in range(60):
            chance = Random(f"words/{number}")
            world = draw_world(chance, {})
            for each in world.configuration.pools.values():
                enabled = [index for index, endpoint in enumerate(each.origins) if endpoint.enabled]
                states = [world.health.get((each.name, index)) for index in enabled]
                monitored = each.monitor is not None
                if not monitored and (states.count("unhealthy") or each.minimum_origins > len(enabled)) and enabled:
                    continue  # the table's byte has no say there, save where an operator forced a state
                endpoints = [ENDPOINT_STATES.get(state or "", UNKNOWN) for state in states]
                byte = pool_state(endpoints, each.minimum_origins, monitored)
                assert naive.pool_word(world, each) == POOL_WORDS[byte], (each, states)

    @pytest.mark.slow
    def test_the_random_worlds_reach_everything(self, toys: list[Toy]) -> None:
        """What the comparison below does not come by it cannot compare."""
        seen: Counter[Any] = Counter()
        for number in range(80):
            chance = Random(f"reach/{number}")
            world = draw_world(chance, chance.choice(toys)[0])
            for _ in range(10):
                lb = draw_balancer(chance, world)
                asked = draw_asked(chance, world, lb)
                found = naive.decide(world, lb, asked)
                seen.update(clock_words(world, lb, asked, found))
                policy = lb.effective_policy
                seen.update((found["outcome"], found["mode"], found["location_source"], found["is_fallback"]))
                seen.update(reason for _, reason in found["passed"])
                seen.update([policy, (policy, found["location_source"]), ("address", found["address"] is not None)])
                most = world.configuration.pools[found["pool"]].max_answers if found["pool"] else 0
                seen["at most", found["mode"], asked.family, len(found["addresses"] or found["endpoints"]) == most] += 1
                seen["CNAME asked for", bool(asked.wants_cname and found["endpoints"])] += 1
                seen["places" if 0 < found["scope"] not in (24, 56) else "hash or none"] += 1
        wanted = [naive.ANSWER, naive.NO_POOL, naive.NO_ENDPOINT, naive.ALL, naive.WEIGHTED, naive.HASHED, True]
        wanted += [naive.DISABLED, naive.DOWN, naive.UNRESOLVED, naive.SHED, naive.WEIGHT_ZERO]
        wanted += [("address", True), ("CNAME asked for", True), "places"]
        wanted += [("at most", naive.ALL, family, True) for family in ("A", "AAAA", "named")]
        wanted += [*STEERING_POLICIES]
        wanted += ["before, and shorter", "before, and longer", "at expiry", "after expiry", "cname, whatever the time"]
        sources = (naive_candidates.ECS, naive_candidates.RESOLVER, naive_candidates.POP, None)
        wanted += [(policy, source) for policy in ("geo", "proximity") for source in sources]
        assert {key: seen[key] for key in wanted if seen[key] < 5} == {}


def test_both_lanes_are_compared() -> None:
    """Without the compiled extension the other tests of steering run interpreted alone; this one says so."""
    if compiled_lane() is None:
        pytest.skip("the compiled kernel is not installed: steering is compared interpreted alone")
    assert [lane.name for lane in LANES] == ["interpreted", "compiled"]
    interpreted, compiled = LANES
    assert isinstance(interpreted.decide, FunctionType)
    assert not isinstance(compiled.decide, FunctionType)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_decide_agrees_with_the_oracle(seed: int, lane: Lane, toys: list[Toy], tmp_path: Path) -> None:
    """Thousands of queries in seeded worlds; a failure is repeated by its seed."""
    for number in range(WORLDS_A_SEED):
        chance = Random(f"{seed}/{number}")
        tree, geodata = chance.choice(toys)
        world = draw_world(chance, tree)
        served = Served(world, geodata, tmp_path)
        for _ in range(QUERIES_A_WORLD):
            lb = draw_balancer(chance, world)
            asked = draw_asked(chance, world, lb)
            assert served.decide(lane, lb, asked) == naive.decide(world, lb, asked), told(world, lb, asked)
        served.close()


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(chance=st.randoms(use_true_random=False, note_method_calls=False))
def test_decide_agrees_with_the_oracle_in_small_cases(lane: Lane, toys: list[Toy], chance: Random) -> None:
    """The same with Hypothesis, which looks for the smallest case that fails."""
    tree, geodata = chance.choice(toys)
    world = draw_world(chance, tree, small=True)
    lb = draw_balancer(chance, world)
    with TemporaryDirectory() as folder:
        served = Served(world, geodata, Path(folder))
        try:
            for _ in range(3):
                asked = draw_asked(chance, world, lb)
                note(told(world, lb, asked))
                assert served.decide(lane, lb, asked) == naive.decide(world, lb, asked)
        finally:
            served.close()
