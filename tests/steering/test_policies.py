"""Steering policies and locations, row by row of the table of `steering_policy`, with answers worked out by hand."""

from __future__ import annotations

import pytest

from tests.steering.scenes import (
    BY_COUNTRY_ALONE,
    IN_CALIFORNIA,
    IN_DE,
    IN_JAPAN,
    IN_KOSOVO,
    IN_NEW_YORK,
    IN_NL,
    NOBODY_KNOWS,
    NOWHERE,
    SJC,
    Asker,
    down,
    monitored,
    pool,
    scene,
)

A, B, C = monitored("a"), monitored("b"), monitored("c")
BY_RESOLVER = {"mode": "resolver_ip", "prefer_ecs": "never"}
BY_ECS = {"mode": "pop", "prefer_ecs": "always"}


class TestOff:
    """`off`: first available pool in `default_pools` order; fails back as soon as an earlier pool recovers."""

    def test_first_pool(self, ask: Asker) -> None:
        found = ask(scene(A, B, C, steering_policy="off"))
        assert (found["pool"], found["passed"], found["is_fallback"]) == ("a", [], False)

    def test_next_pool_and_back(self, ask: Asker) -> None:
        world = down(scene(A, B, C, steering_policy="off"), "a")
        assert ask(world)["pool"] == "b"
        assert ask(world)["passed"] == [("a", "down")]
        world.health["a", 0] = "healthy"
        assert ask(world)["pool"] == "a"

    def test_disabled_pool(self, ask: Asker) -> None:
        found = ask(scene(monitored("a", enabled=False), B, steering_policy="off"))
        assert (found["pool"], found["passed"]) == ("b", [("a", "disabled")])

    def test_empty_policy_without_places_is_off(self, ask: Asker) -> None:
        assert ask(scene(A, B, steering_policy=""), draw=0.9)["pool"] == "a"

    def test_place_maps_do_not_act(self, ask: Asker) -> None:
        assert ask(scene(A, B, steering_policy="off", country_pools={"NL": ["b"]}))["pool"] == "a"


class TestGeo:
    """`geo`: `pop_pools[PoP]`, else `country_pools[country]`, else `region_pools[region]`, else `default_pools`."""

    def test_order_of_maps(self, ask: Asker) -> None:
        pools = (pool("d"), pool("r"), pool("c"), pool("p"))
        maps = {"region_pools": {"WEU": ["r"]}, "country_pools": {"NL": ["c"]}, "pop_pools": {"AMS": ["p"]}}
        geo = {"steering_policy": "geo", "default_pools": ["d"]}
        assert ask(scene(*pools, **geo, **maps))["pool"] == "p"
        del maps["pop_pools"]
        assert ask(scene(*pools, **geo, **maps))["pool"] == "c"
        del maps["country_pools"]
        assert ask(scene(*pools, **geo, **maps))["pool"] == "r"
        assert ask(scene(*pools, **geo))["pool"] == "d"

    def test_empty_policy_with_places_is_geo(self, ask: Asker) -> None:
        assert ask(scene(A, B, country_pools={"NL": ["b"]}))["pool"] == "b"

    def test_list_all_down_goes_to_the_fallback_not_to_the_default(self, ask: Asker) -> None:
        world = scene(A, B, C, steering_policy="geo", default_pools=["a"], country_pools={"NL": ["b"]})
        found = ask(down(world, "b"))
        assert (found["pool"], found["is_fallback"]) == ("c", True)

    def test_country_follows_the_location_strategy(self, ask: Asker) -> None:
        geo = {"steering_policy": "geo", "country_pools": {"US": ["b"], "JP": ["c"]}}
        of_pop = ask(scene(A, B, C, **geo), resolver=IN_JAPAN, ecs=IN_NEW_YORK)
        assert (of_pop["pool"], of_pop["location_source"], of_pop["scope"]) == ("a", "pop", 0)
        of_resolver = ask(scene(A, B, C, **geo, location_strategy=BY_RESOLVER), resolver=IN_JAPAN, ecs=IN_NEW_YORK)
        assert (of_resolver["pool"], of_resolver["location_source"]) == ("c", "resolver")
        of_client = ask(scene(A, B, C, **geo, location_strategy=BY_ECS), resolver=IN_JAPAN, ecs=IN_NEW_YORK)
        assert (of_client["pool"], of_client["location_source"]) == ("b", "ecs")

    def test_unknown_places_fall_through(self, ask: Asker) -> None:
        strategy = {"mode": "resolver_ip", "prefer_ecs": "always"}
        geo = {"steering_policy": "geo", "country_pools": {"NL": ["b"], "JP": ["c"]}, "location_strategy": strategy}
        found = ask(scene(A, B, C, **geo), resolver=IN_JAPAN, ecs=NOBODY_KNOWS)
        assert (found["pool"], found["location_source"]) == ("c", "resolver")
        found = ask(scene(A, B, C, **geo), resolver=NOBODY_KNOWS, ecs=NOBODY_KNOWS)
        assert (found["pool"], found["location_source"]) == ("b", "pop")
        found = ask(scene(A, B, C, **geo, pop=NOWHERE), resolver=NOBODY_KNOWS, ecs=NOBODY_KNOWS)
        assert (found["pool"], found["location_source"]) == ("a", "pop")

    def test_region_is_that_of_the_pop(self, ask: Asker) -> None:
        geo = {"steering_policy": "geo", "region_pools": {"WEU": ["b"], "NEAS": ["c"]}}
        found = ask(scene(A, B, C, **geo, location_strategy=BY_RESOLVER), resolver=IN_JAPAN)
        assert (found["pool"], found["location_source"]) == ("b", None)

    @pytest.mark.parametrize(
        ("client", "expected"), [(IN_NEW_YORK, "a"), (IN_CALIFORNIA, "b"), (IN_JAPAN, "c"), (IN_KOSOVO, "d")]
    )
    def test_region_from_location(self, ask: Asker, client: str, expected: str) -> None:
        """The US is two regions; where a country has no region, the PoP's is taken."""
        geo = {"steering_policy": "geo", "default_pools": ["e"]}
        regions = {"ENAM": ["a"], "WNAM": ["b"], "NEAS": ["c"], "WEU": ["d"]}
        pools = (*(pool(name) for name in "abcde"),)
        by_ecs = scene(*pools, **geo, region_pools=regions, location_strategy={**BY_ECS, "region_from": "location"})
        assert ask(by_ecs, ecs=client)["pool"] == expected
        strategy = {**BY_RESOLVER, "region_from": "location"}
        assert (
            ask(scene(*pools, **geo, region_pools=regions, location_strategy=strategy), resolver=client)["pool"]
            == expected
        )

    def test_prefer_ecs_geo_takes_the_country_alone(self, ask: Asker) -> None:
        strategy = {"mode": "resolver_ip", "prefer_ecs": "geo", "region_from": "location"}
        regions = {"ENAM": ["a"], "WNAM": ["b"]}
        world = scene(A, B, C, steering_policy="geo", region_pools=regions, location_strategy=strategy)
        assert ask(world, ecs=IN_CALIFORNIA)["pool"] == "a"
        assert ask(world, resolver=IN_CALIFORNIA)["pool"] == "b"

    def test_other_kinds_of_prefer_ecs(self, ask: Asker) -> None:
        for prefer, expected in (("never", "a"), ("proximity", "a"), ("geo", "b"), ("always", "b")):
            strategy = {"mode": "pop", "prefer_ecs": prefer}
            world = scene(A, B, steering_policy="geo", country_pools={"US": ["b"]}, location_strategy=strategy)
            assert ask(world, ecs=IN_NEW_YORK)["pool"] == expected

    def test_source_zero_and_private_addresses_are_no_ecs(self, ask: Asker) -> None:
        world = scene(A, B, steering_policy="geo", country_pools={"US": ["b"]}, location_strategy=BY_ECS)
        assert ask(world, ecs="0.0.0.0/0")["location_source"] == "pop"
        assert ask(world, ecs="10.1.2.3")["location_source"] == "pop"


class TestRandom:
    """`random`: one pool at random, by `pool_weights`, else `default_weight`."""

    def test_draw_over_the_weights(self, ask: Asker) -> None:
        steering = {"default_weight": 0.5, "pool_weights": {"b": 0.25, "c": 0.25}}
        world = scene(A, B, C, steering_policy="random", random_steering=steering)
        drawn = [ask(world, draw=draw)["pool"] for draw in (0, 0.49, 0.5, 0.74, 0.75, 0.99)]
        assert drawn == ["a", "a", "b", "b", "c", "c"]

    def test_the_rest_is_weighed_anew(self, ask: Asker) -> None:
        steering = {"default_weight": 0.5, "pool_weights": {"b": 0.25, "c": 0.25}}
        world = down(scene(A, B, C, steering_policy="random", random_steering=steering), "a")
        assert [ask(world, draw=draw)["pool"] for draw in (0, 0.49, 0.5, 0.99)] == ["b", "b", "c", "c"]

    def test_weight_zero_gets_nothing(self, ask: Asker) -> None:
        world = scene(A, B, C, steering_policy="random", random_steering={"pool_weights": {"a": 0.0, "b": 0.0}})
        assert {ask(world, draw=draw)["pool"] for draw in (0, 0.5, 0.99)} == {"c"}
        found = ask(down(world, "c"))
        assert (found["pool"], found["is_fallback"]) == ("c", True)
        assert found["passed"] == [("a", "weight zero"), ("b", "weight zero"), ("c", "down")]

    def test_all_weights_zero_are_equal(self, ask: Asker) -> None:
        world = scene(A, B, steering_policy="random", random_steering={"default_weight": 0.0})
        assert [ask(world, draw=draw)["pool"] for draw in (0.49, 0.5)] == ["a", "b"]

    @pytest.mark.parametrize("policy", ["least_outstanding_requests", "least_connections"])
    def test_counts_are_zero_in_dns(self, ask: Asker, policy: str) -> None:
        assert [ask(scene(A, B, steering_policy=policy), draw=draw)["pool"] for draw in (0.49, 0.5)] == ["a", "b"]


class TestProximity:
    """`proximity`: nearest pool by great-circle distance; pools without coordinates last, in order."""

    POOLS = (
        monitored("nowhere-1"),
        monitored("tokyo", latitude=35.5, longitude=140.0),
        monitored("amsterdam", latitude=52.25, longitude=4.75),
        monitored("nowhere-2"),
        monitored("amsterdam-2", latitude=52.25, longitude=4.75),
    )

    def test_order_of_distance(self, ask: Asker) -> None:
        world = scene(*self.POOLS, steering_policy="proximity")
        order = ["tokyo", "amsterdam", "amsterdam-2", "nowhere-1", "nowhere-2"]
        for taken in order:
            found = ask(world, ecs=IN_JAPAN)
            assert (found["pool"], found["is_fallback"], found["location_source"]) == (taken, False, "ecs")
            down(world, taken)

    def test_resolver_and_pop(self, ask: Asker) -> None:
        world = scene(*self.POOLS, steering_policy="proximity", location_strategy={"mode": "resolver_ip"})
        assert ask(world, resolver=IN_JAPAN)["pool"] == "tokyo"
        found = ask(world, resolver=NOBODY_KNOWS)
        assert (found["pool"], found["location_source"]) == ("amsterdam", "pop")

    @pytest.mark.parametrize("mode", ["pop", "resolver_ip"])
    def test_the_centroid_of_a_country_stands_in_for_coordinates(self, ask: Asker, mode: str) -> None:
        world = scene(*self.POOLS, steering_policy="proximity", pop=NOWHERE, location_strategy={"mode": mode})
        found = ask(world, ecs=IN_DE, resolver=IN_JAPAN)
        assert (found["pool"], found["location_source"]) == ("amsterdam", "ecs")
        found = ask(world, resolver=IN_DE)
        assert (found["pool"], found["location_source"]) == {
            "pop": ("nowhere-1", "pop"),
            "resolver_ip": ("amsterdam", "resolver"),
        }[mode]

    def test_the_centroid_of_this_server_s_country_too(self, ask: Asker) -> None:
        world = scene(*self.POOLS, steering_policy="proximity", pop=BY_COUNTRY_ALONE)
        found = ask(world, ecs=NOBODY_KNOWS)
        assert (found["pool"], found["location_source"]) == ("amsterdam", "ecs")
        assert ask(world)["pool"] == "amsterdam"

    def test_distances_count_in_whole_metres(self, ask: Asker) -> None:
        """Pools in one building tie, and ties keep their order: b is centimetres nearer, c some metres."""
        a, b, c = (
            monitored(name, latitude=latitude, longitude=4.75)
            for name, latitude in (("a", 52.25), ("b", 52.250001), ("c", 52.2501))
        )
        assert ask(scene(a, b, steering_policy="proximity"), ecs=IN_NL)["pool"] == "a"
        assert ask(scene(a, c, steering_policy="proximity"), ecs=IN_NL)["pool"] == "c"

    def test_a_server_without_a_place(self, ask: Asker) -> None:
        world = scene(*self.POOLS, steering_policy="proximity", pop=NOWHERE)
        assert ask(world)["pool"] == "nowhere-1"
        assert ask(world, ecs=IN_NL)["pool"] == "amsterdam"


class TestDynamicLatency:
    """`dynamic_latency`: lowest round-trip time for this PoP's region; pools without a figure after those with one."""

    def test_fastest_of_the_region(self, ask: Asker) -> None:
        world = scene(A, B, C, steering_policy="dynamic_latency")
        assert ask(world)["pool"] == "a"
        world.rtt_ms = {("b", "WEU"): 40.0, ("c", "WEU"): 12.5, ("a", "WNAM"): 1.0}
        assert ask(world)["pool"] == "c"
        assert ask(down(world, "c"))["pool"] == "b"
        assert ask(down(world, "b"))["pool"] == "a"

    def test_ties_keep_their_order(self, ask: Asker) -> None:
        world = scene(A, B, C, steering_policy="dynamic_latency", pop=SJC)
        world.rtt_ms = {("b", "WNAM"): 12.5, ("c", "WNAM"): 12.5}
        assert ask(world)["pool"] == "b"

    def test_without_a_region_there_is_no_figure(self, ask: Asker) -> None:
        world = scene(A, B, steering_policy="dynamic_latency", pop=NOWHERE)
        world.rtt_ms = {("b", "EEU"): 1.0}
        assert ask(world)["pool"] == "a"
