"""Which pool serves and which of its endpoints answer: health, fallback, shedding, weights, hashes, host names."""

from __future__ import annotations

from typing import Any

import pytest

from tests.steering.scenes import IN_NL, NOBODY_KNOWS, Asker, asking, down, monitored, pool, scene, weighted
from tests.steering.strategies import NOW_S

A, B = monitored("a"), monitored("b")
THREE = ("192.0.2.1", "192.0.2.2", "192.0.2.3")
HASH = {"policy": "hash"}


def host(address: str = "h.example.net", **fields: Any) -> dict[str, Any]:
    return {"address": address, **fields}


class TestHealth:
    """What a monitor says counts; unknown counts as down; without a monitor health is not considered."""

    def test_unknown_counts_as_down(self, ask: Asker) -> None:
        found = ask(scene(A, pool("b"), up=False))
        assert (found["pool"], found["passed"]) == ("b", [("a", "down")])

    def test_without_a_monitor_health_is_not_considered(self, ask: Asker) -> None:
        world = scene(pool("a", *THREE, minimum_origins=5), B, up=False)
        world.health["a", 0] = "unhealthy"
        assert (ask(world)["pool"], ask(world)["endpoints"]) == ("a", [0, 1, 2])

    def test_a_forced_state_counts_without_a_monitor(self, ask: Asker) -> None:
        world = scene(pool("a", *THREE), B, up=False)
        world.health["a", 0] = "unhealthy"
        world.forced.add(("a", 0))
        assert ask(world)["endpoints"] == [1, 2]

    def test_minimum_origins(self, ask: Asker) -> None:
        world = scene(monitored("a", *THREE, minimum_origins=2), B)
        world.health["a", 0] = "unhealthy"
        assert (ask(world)["pool"], ask(world)["endpoints"]) == ("a", [1, 2])
        world.health["a", 1] = "unhealthy"
        assert ask(world)["pool"] == "b"

    def test_disabled_endpoints_are_not_counted(self, ask: Asker) -> None:
        only = {"address": "192.0.2.1", "enabled": False}
        for unmonitored in (pool("a", only), monitored("a", only)):
            assert ask(scene(unmonitored, B))["pool"] == "b"
        found = ask(scene(A, pool("a-2", only), default_pools=["a-2"]))
        assert (found["outcome"], found["pool"], found["is_fallback"]) == ("no endpoint", "a-2", True)


class TestFallback:
    """Nothing left: the fallback pool, whose health is then ignored. Fallback disabled too: no records."""

    def test_health_is_ignored(self, ask: Asker) -> None:
        found = ask(down(scene(A, monitored("b", *THREE)), "a", "b"))
        assert (found["pool"], found["is_fallback"], found["endpoints"]) == ("b", True, [0, 1, 2])

    def test_among_the_candidates_its_health_counts(self, ask: Asker) -> None:
        assert ask(down(scene(A, B, fallback_pool="a"), "a"))["pool"] == "b"

    def test_outside_the_candidates(self, ask: Asker) -> None:
        found = ask(down(scene(A, B, default_pools=["a"]), "a", "b"))
        assert (found["pool"], found["is_fallback"], found["passed"]) == ("b", True, [("a", "down")])

    def test_disabled(self, ask: Asker) -> None:
        found = ask(down(scene(A, monitored("b", enabled=False)), "a"))
        assert (found["outcome"], found["pool"], found["endpoints"]) == ("no pool", None, [])

    def test_sheds_nobody(self, ask: Asker) -> None:
        shedding = {"load_shedding": {"default_percent": 100.0}}
        found = ask(scene(monitored("a", **shedding), monitored("b", **shedding)))
        assert (found["pool"], found["is_fallback"]) == ("b", True)
        assert found["passed"] == [("a", "shed"), ("b", "shed")]


class TestShedding:
    """`load_shedding`: shed queries go where the policy would send them if that pool were down."""

    def test_random(self, ask: Asker) -> None:
        world = scene(pool("a", load_shedding={"default_percent": 30.0}), B)
        assert [ask(world, draw=draw)["pool"] for draw in (0, 0.29, 0.31, 0.99)] == ["b", "b", "a", "a"]

    def test_hash_keeps_a_client_where_it_is(self, ask: Asker) -> None:
        shedding = {"default_percent": 50.0, "default_policy": "hash"}
        world = scene(pool("a", load_shedding=shedding), B)
        clients = [f"20.0.{third}.1" for third in range(40)]
        found = ask.many(world, [asking(resolver=client, draw=draw) for client in clients for draw in (0, 0.9)])
        pools = [decision["pool"] for decision in found]
        assert pools[::2] == pools[1::2]
        assert set(pools) == {"a", "b"}

    def test_ip_cookie_takes_the_session_share(self, ask: Asker) -> None:
        shedding = {"default_percent": 100.0, "session_percent": 0.0}
        world = scene(pool("a", load_shedding=shedding), B, session_affinity="ip_cookie")
        assert ask(world)["pool"] == "a"
        world = scene(pool("a", load_shedding={"session_percent": 100.0}), B, session_affinity="ip_cookie")
        assert ask(world)["pool"] == "b"

    @pytest.mark.parametrize(("percent", "expected"), [(0.0, "a"), (100.0, "b")])
    def test_none_and_all(self, ask: Asker, percent: float, expected: str) -> None:
        for policy in ("random", "hash"):
            shedding = {"default_percent": percent, "default_policy": policy}
            world = scene(pool("a", load_shedding=shedding), B)
            assert {ask(world, draw=draw)["pool"] for draw in (0, 1 - 2**-40)} == {expected}

    def test_two_hash_shares_are_told_apart(self, ask: Asker) -> None:
        """A client that one pool sheds is not thereby shed by the next."""
        shedding = {"default_percent": 50.0, "default_policy": "hash"}
        world = scene(pool("a", load_shedding=shedding), pool("b", load_shedding=shedding), pool("c"))
        found = ask.many(world, [asking(resolver=f"20.0.{third}.1") for third in range(60)])
        assert {decision["pool"] for decision in found} == {"a", "b", "c"}


class TestOneOrAll:
    """All weights equal: every endpoint, rotated. Any weight differs: exactly one."""

    def test_equal_weights_give_all_rotated(self, ask: Asker) -> None:
        for weights in ((1.0, 1.0, 1.0), (0.5, 0.5, 0.5), (0.0, 0.0, 0.0)):
            world = scene(pool("a", *weighted(*weights)))
            assert [ask(world, draw=draw)["endpoints"] for draw in (0, 0.34, 0.99)] == [[0, 1, 2], [1, 2, 0], [2, 0, 1]]
            assert ask(world)["mode"] == "all"

    def test_different_weights_give_one(self, ask: Asker) -> None:
        world = scene(pool("a", *weighted(1.0, 0.5, 0.0, 0.5)))
        assert [ask(world, draw=draw)["endpoints"] for draw in (0, 0.49, 0.5, 0.74, 0.75, 0.99)] == [
            [0],
            [0],
            [1],
            [1],
            [3],
            [3],
        ]

    def test_weight_zero_differs(self, ask: Asker) -> None:
        found = ask(scene(pool("a", *weighted(0.0, 1.0))))
        assert (found["mode"], found["endpoints"]) == ("weighted", [1])

    def test_the_shape_does_not_change_with_health(self, ask: Asker) -> None:
        world = scene(monitored("a", *weighted(1.0, 0.5, 1.0)))
        world.health["a", 1] = "unhealthy"
        assert [ask(world, draw=draw)["endpoints"] for draw in (0.49, 0.5)] == [[0], [2]]

    def test_weight_zero_does_not_stand_in(self, ask: Asker) -> None:
        world = scene(monitored("a", *weighted(0.0, 1.0)), B)
        world.health["a", 1] = "unhealthy"
        found = ask(world)
        assert (found["outcome"], found["pool"]) == ("no endpoint", "a")

    def test_disabled_endpoints_and_other_families_are_not_compared(self, ask: Asker) -> None:
        origins = [
            {"address": "192.0.2.1", "weight": 1.0},
            {"address": "192.0.2.2", "weight": 0.5, "enabled": False},
            {"address": "2001:db8::1", "weight": 0.5},
            {"address": "192.0.2.3", "weight": 1.0},
        ]
        world = scene(pool("a", *origins))
        assert (ask(world)["mode"], ask(world)["endpoints"]) == ("all", [0, 3])
        assert ask(world, family="AAAA")["endpoints"] == [2]

    def test_no_endpoint_of_the_family_does_not_fail_over(self, ask: Asker) -> None:
        found = ask(scene(A, monitored("b", "2001:db8::1")), family="AAAA")
        assert (found["outcome"], found["pool"], found["is_fallback"]) == ("no endpoint", "a", False)

    @pytest.mark.parametrize("policy", ["least_outstanding_requests", "least_connections"])
    def test_least_of_nothing_is_random(self, ask: Asker, policy: str) -> None:
        world = scene(pool("a", *weighted(1.0, 0.5), origin_steering={"policy": policy}))
        assert [ask(world, draw=draw)["endpoints"] for draw in (0.66, 0.67)] == [[0], [1]]


class TestHash:
    """`hash`: weighted by source IP. `ip_cookie`: exactly one address, by weighted hash."""

    def test_equal_weights_give_all_the_hash_first(self, ask: Asker) -> None:
        world = scene(pool("a", *THREE, origin_steering=HASH))
        queries = [asking(resolver=f"20.0.{third}.1", draw=draw) for third in range(30) for draw in (0, 0.9)]
        found = [decision["endpoints"] for decision in ask.many(world, queries)]
        assert found[::2] == found[1::2]
        assert {tuple(order) for order in found} == {(0, 1, 2), (1, 2, 0), (2, 0, 1)}

    def test_different_weights_give_one(self, ask: Asker) -> None:
        world = scene(pool("a", *weighted(1.0, 0.5, 0.0), origin_steering=HASH))
        found = ask.many(world, [asking(resolver=f"20.0.{third}.1") for third in range(40)])
        assert {(decision["mode"], *decision["endpoints"]) for decision in found} == {("hashed", 0), ("hashed", 1)}

    def test_ip_cookie_gives_one_whatever_the_weights(self, ask: Asker) -> None:
        world = scene(pool("a", *THREE), session_affinity="ip_cookie")
        queries = [asking(resolver=f"20.0.{third}.1", draw=draw) for third in range(30) for draw in (0, 0.9)]
        found = ask.many(world, queries)
        assert {len(decision["endpoints"]) for decision in found} == {1}
        assert found[::2] == found[1::2]
        assert {decision["endpoints"][0] for decision in found} == {0, 1, 2}

    def test_reordering_moves_nobody(self, ask: Asker) -> None:
        endpoints = [{"name": f"e{number}", "address": f"192.0.2.{number}"} for number in range(1, 6)]
        queries = [asking(resolver=f"20.0.{third}.1") for third in range(60)]
        taken = []
        for order in (endpoints, endpoints[::-1], endpoints[2:] + endpoints[:2]):
            world = scene(pool("a", *order), session_affinity="ip_cookie")
            names = [each.name for each in world.configuration.pools["a"].origins]
            taken.append([names[decision["endpoints"][0]] for decision in ask.many(world, queries)])
        assert taken[0] == taken[1] == taken[2]

    def test_removing_one_moves_only_those_on_it(self, ask: Asker) -> None:
        endpoints = [{"name": f"e{number}", "address": f"192.0.2.{number}"} for number in range(5)]
        queries = [asking(resolver=f"20.0.{third}.1") for third in range(100)]
        before = ask.many(scene(pool("a", *endpoints), session_affinity="ip_cookie"), queries)
        after = ask.many(scene(pool("a", *endpoints[:4]), session_affinity="ip_cookie"), queries)
        moved = [
            was["endpoints"] for was, now in zip(before, after, strict=True) if was["endpoints"] != now["endpoints"]
        ]
        assert moved == [[4]] * len(moved)
        assert moved

    def test_the_source_is_the_ecs_network_where_preferred(self, ask: Asker) -> None:
        strategy = {"prefer_ecs": "always"}
        world = scene(pool("a", *THREE), session_affinity="ip_cookie", location_strategy=strategy)
        resolvers = [f"20.0.{third}.1" for third in range(10)]
        by_ecs = ask.many(world, [asking(resolver=each, ecs="198.51.100.7") for each in resolvers])
        assert len({tuple(decision["endpoints"]) for decision in by_ecs}) == 1
        neighbours = ask.many(world, [asking(ecs=f"198.51.100.{last}") for last in range(10)])
        assert len({tuple(decision["endpoints"]) for decision in neighbours}) == 1
        long, short = ask.many(world, [asking(ecs="2001:db8:0:ff::1/128"), asking(ecs="2001:db8::/56")])
        assert long == short
        hashed = ask.many(world, [asking(ecs=f"198.51.{third}.7") for third in range(30)])
        assert {decision["endpoints"][0] for decision in hashed} == {0, 1, 2}

    def test_the_source_is_the_resolver_elsewhere(self, ask: Asker) -> None:
        world = scene(pool("a", *THREE), session_affinity="ip_cookie")  # no ECS where the policy is off
        found = ask.many(world, [asking(resolver=f"20.0.0.{last}", ecs=IN_NL) for last in range(30)])
        assert {decision["endpoints"][0] for decision in found} == {0, 1, 2}
        assert {decision["scope"] for decision in found} == {0}


class TestHostNames:
    """Host names are flattened to what they resolve to; `flatten_cname: false` answers with the CNAME itself."""

    def resolved(self, world: Any, index: int, a: int = 0, aaaa: int = 0, left_s: int = 1000) -> Any:
        world.resolved["a", index] = {"A": a, "AAAA": aaaa, "expiry": NOW_S + left_s}
        return world

    def test_a_pool_whose_names_all_lead_nowhere_is_passed_over(self, ask: Asker) -> None:
        world = scene(pool("a", host(), host("i.example.net")), pool("b"))
        for family in ("A", "AAAA"):
            found = ask(world, family=family)
            assert (found["pool"], found["passed"]) == ("b", [("a", "unresolved")])
        self.resolved(world, 1, aaaa=1)
        assert (ask(world)["pool"], ask(world)["outcome"]) == ("a", "no endpoint")  # it lacks the family alone
        assert ask(world, family="AAAA")["endpoints"] == [1]
        self.resolved(world, 1)
        assert ask(world)["passed"] == [("a", "unresolved")]

    def test_with_all_pools_unresolved_the_fallback_pool_serves_or_has_no_record(self, ask: Asker) -> None:
        lost = pool("a", host()), pool("b", host("i.example.net"))
        found = ask(scene(*lost, pool("c"), default_pools=("a", "b")))
        assert (found["pool"], found["is_fallback"], found["endpoints"]) == ("c", True, [0])
        found = ask(scene(*lost))
        assert (found["outcome"], found["pool"], found["is_fallback"]) == ("no endpoint", "b", True)
        assert found["passed"] == [("a", "unresolved"), ("b", "unresolved")]

    @pytest.mark.parametrize("policy", ["random", "proximity", "dynamic_latency", "geo"])
    def test_an_unresolved_pool_is_no_candidate_of_any_policy(self, ask: Asker, policy: str) -> None:
        near = {"latitude": 52.5, "longitude": 5.75}
        world = scene(pool("a", host(), **near), pool("b", latitude=10.0, longitude=10.0), steering_policy=policy)
        world.rtt_ms["a", "WEU"] = 1.0
        assert {ask(world, draw=draw)["pool"] for draw in (0, 0.4, 0.9)} == {"b"}
        self.resolved(world, 0, a=1)
        assert ask(world)["pool"] == "a"

    def test_an_endpoint_that_cannot_serve_does_not_stand_in_for_a_lost_name(self, ask: Asker) -> None:
        """Disabled, forced down, or with a weight of 0 beside others; unhealthy ones make a monitored pool critical."""
        out = {"address": "192.0.2.1", "enabled": False}, {"address": "192.0.2.1", "weight": 0.0}
        for other in out:
            assert ask(scene(pool("a", host(), other), B))["passed"] == [("a", "unresolved")]
        world = scene(pool("a", host(), "192.0.2.1"), B)
        assert ask(world)["endpoints"] == [1]
        world.health["a", 1] = "unhealthy"
        world.forced.add(("a", 1))
        assert ask(world)["passed"] == [("a", "unresolved")]

    def test_a_monitored_pool_of_lost_names_is_down(self, ask: Asker) -> None:
        assert ask(down(scene(monitored("a", host()), B), "a"))["passed"] == [("a", "down")]

    def test_a_pool_that_is_answered_as_a_cname_needs_no_address(self, ask: Asker) -> None:
        lost = pool("a", host(flatten_cname=False))
        assert ask(scene(lost, B))["endpoints"] == [0]
        assert ask(scene(lost, B, name="example.com"))["passed"] == [("a", "unresolved")]  # an apex has no CNAME

    @pytest.mark.parametrize("kind", ["MX", "SRV"])
    def test_records_that_give_names_back_need_no_address(self, ask: Asker, kind: str) -> None:
        assert ask(scene(pool("a", host(port=443)), pool("b"), type=kind), family="named")["endpoints"] == [0]

    def test_unresolvable_is_skipped(self, ask: Asker) -> None:
        world = scene(pool("a", host(), "192.0.2.1"))
        assert ask(world)["endpoints"] == [1]
        assert ask(world, family="AAAA")["outcome"] == "no endpoint"
        self.resolved(world, 0, a=1)
        assert ask(world)["endpoints"] == [0, 1]
        assert ask(world, family="AAAA")["outcome"] == "no endpoint"

    def test_ttl_is_what_the_resolution_left(self, ask: Asker) -> None:
        world = self.resolved(scene(pool("a", host(), "192.0.2.1"), ttl=30), 0, a=1, left_s=7)
        assert ask(world)["ttl"] == 7
        assert ask(self.resolved(world, 0, a=1, left_s=31))["ttl"] == 30
        assert ask(self.resolved(world, 0, a=1, left_s=-5))["ttl"] == 1

    def test_weights_are_compared_in_both_families(self, ask: Asker) -> None:
        world = scene(pool("a", host(weight=0.5), "192.0.2.1", "2001:db8::1"))
        assert (ask(world)["mode"], ask(world)["endpoints"]) == ("weighted", [1])
        assert (ask(world, family="AAAA")["mode"], ask(world, family="AAAA")["endpoints"]) == ("weighted", [2])

    def test_cname_where_that_endpoint_is_picked(self, ask: Asker) -> None:
        world = scene(pool("a", host(flatten_cname=False, weight=0.5), "192.0.2.1"), ttl=30)
        self.resolved(world, 0, a=2, left_s=5)
        found = ask(world, draw=0.1)
        assert (found["endpoints"], found["ttl"]) == ([0], 30)
        assert ask(world, draw=0.9)["endpoints"] == [1]

    def test_cname_stands_alone_among_equals(self, ask: Asker) -> None:
        world = scene(pool("a", host(flatten_cname=False), "192.0.2.1", "192.0.2.2"), ttl=30)
        assert [ask(world, draw=draw)["endpoints"] for draw in (0, 0.34, 0.99)] == [[0], [1, 2], [2, 1]]

    def test_a_query_for_cname_is_decided_as_one_for_addresses(self, ask: Asker) -> None:
        world = scene(pool("a", host(flatten_cname=False, weight=0.5), "192.0.2.1"), ttl=30)
        assert ask(world, draw=0.1, wants_cname=True) == ask(world, draw=0.1)
        found = ask(world, draw=0.9, wants_cname=True)
        assert (found["outcome"], found["pool"], found["endpoints"]) == ("no endpoint", "a", [])
        alone = scene(pool("a", host(flatten_cname=False), "192.0.2.1", "192.0.2.2"))
        decisions = ask.many(alone, [asking(draw=draw, wants_cname=True) for draw in (0, 0.34, 0.99)])
        assert [decision["endpoints"] for decision in decisions] == [[0], [], []]

    def test_behind_another_it_is_flattened(self, ask: Asker) -> None:
        world = scene(pool("a", host(flatten_cname=False), "192.0.2.1"), ttl=30)
        self.resolved(world, 0, a=1, left_s=7)
        found = ask(world, draw=0.5)
        assert (found["endpoints"], found["ttl"]) == ([1, 0], 7)

    def test_no_cname_at_an_apex(self, ask: Asker) -> None:
        world = scene(pool("a", host(flatten_cname=False), "192.0.2.1"), ttl=30, name="example.com")
        assert ask(world)["endpoints"] == [1]
        self.resolved(world, 0, a=1, left_s=7)
        assert (ask(world)["endpoints"], ask(world)["ttl"]) == ([0, 1], 7)

    @pytest.mark.parametrize("kind", ["MX", "SRV"])
    def test_named_records(self, ask: Asker, kind: str) -> None:
        names = [host(f"h{number}.example.net", port=443, flatten_cname=False) for number in range(3)]
        world = scene(pool("a", *names), type=kind, ttl=30)
        assert [ask(world, family="named", draw=draw)["endpoints"] for draw in (0, 0.34)] == [[0, 1, 2], [1, 2, 0]]
        lighter = [{**name, "weight": weight} for name, weight in zip(names, (1.0, 0.5, 0.5), strict=True)]
        world = scene(pool("a", *lighter), type=kind, ttl=30)
        assert [ask(world, family="named", draw=draw)["endpoints"] for draw in (0.49, 0.5)] == [[0], [1]]

    def test_one_address_of_several_under_ip_cookie(self, ask: Asker) -> None:
        """Which one is a hash, so it limits the scope where it looks at an ECS address."""
        strategy = {"prefer_ecs": "always"}
        world = scene(pool("a", host()), session_affinity="ip_cookie", location_strategy=strategy)
        self.resolved(world, 0, a=3)
        found = ask.many(world, [asking(ecs=f"198.51.{third}.7") for third in range(30)])
        assert {decision["address"] for decision in found} == {0, 1, 2}
        assert {decision["scope"] for decision in found} == {24}
        assert ask(world, ecs=NOBODY_KNOWS, draw=0.9) == ask(world, ecs=NOBODY_KNOWS, draw=0.1)
