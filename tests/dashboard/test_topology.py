"""A load balancer's topology: which ways there are, and that nothing on its drawing overlaps."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from lbdns.base.words import Health
from lbdns.manage.dashboard.topology.topology_layout import BOX_HEIGHT, ENDPOINTS_DRAWN_MAX, TopologyDrawing, draw
from lbdns.manage.dashboard.topology.topology_ways import WAYS_MAX, QueryShares, ways_of

BALANCER: dict[str, Any] = {
    "name": "www.example.com",
    "default_pools": ["eu", "us"],
    "fallback_pool": "last",
    "steering_policy": "",
    "region_pools": {},
    "country_pools": {"DE": ["eu"], "FR": ["eu"], "JP": ["asia"]},
    "pop_pools": {"AMS": ["eu"]},
    "rules": [
        {"name": "late", "condition": "true", "priority": 9, "overrides": {"pools": ["us"], "ttl": 5}},
        {"condition": 'ip.src.country == "DE"', "overrides": {"steering_policy": "random"}},
        {"name": "closed", "condition": "false", "disabled": True, "fixed_response": {}},
    ],
    "pool_sets": [{"match": {"topology": {"countries": ["CH"]}}, "overrides": {"fallback_pool": "asia"}}],
}


def pool(name: str, count: int = 1, **more: Any) -> dict[str, Any]:
    origins = [
        {"name": f"{name}-{at}", "address": f"192.0.2.{at}", "enabled": True, "weight": 1} for at in range(1, count + 1)
    ]
    return {"id": name, "name": name, "enabled": True, "origins": origins, **more}


POOLS = {name: pool(name, 2) for name in ("eu", "us", "asia", "last")}


def drawn(balancer: dict[str, Any] = BALANCER, pools: dict[str, Any] = POOLS, **states: Any) -> TopologyDrawing:
    return draw("AMS", balancer, ways_of(balancer), pools, states, QueryShares())


def test_ways_stand_in_the_order_in_which_they_are_looked_at() -> None:
    ways = ways_of(BALANCER)
    assert [(way.title, way.pools, way.is_off) for way in ways] == [
        ("rule 2", ("eu", "asia", "us"), False),
        ("closed", (), True),
        ("late", ("us",), False),
        ("pool set 1", ("eu", "asia", "us"), False),
        ("PoP AMS", ("eu",), False),
        ("Countries DE, FR", ("eu",), False),
        ("Country JP", ("asia",), False),
        ("Otherwise", ("eu", "us"), False),
    ]
    assert [way.fallback for way in ways] == ["last", "", "last", "asia", "last", "last", "last", "last"]
    assert ways[0].changes == ("policy random",)
    assert ways[2].changes == ("TTL 5 s",)


def test_maps_of_places_are_no_ways_under_another_policy() -> None:
    ways = ways_of({**BALANCER, "steering_policy": "off", "rules": [], "pool_sets": []})
    assert [(way.title, way.pools) for way in ways] == [("Every query", ("eu", "us"))]


def test_as_many_ways_as_there_may_be_are_bounded() -> None:
    rules = [{"name": f"r{at}", "overrides": {"pools": ["us"]}} for at in range(100)]
    ways = ways_of({**BALANCER, "rules": rules})
    assert len(ways) <= WAYS_MAX + 1
    assert sum(way.folded or 1 for way in ways if way.title.startswith("r") or "more rule" in way.title) == 100


def test_no_two_boxes_overlap() -> None:
    for balancer, pools in (
        (BALANCER, POOLS),
        (BALANCER, {name: pool(name, 40) for name in POOLS}),
        ({**BALANCER, "rules": [], "pool_sets": [], "country_pools": {}, "pop_pools": {}}, POOLS),
    ):
        made = drawn(balancer, pools)
        for one, other in combinations(made.boxes, 2):
            is_apart = one.column != other.column or abs(one.y - other.y) >= BOX_HEIGHT
            assert is_apart, (one.title, other.title)
        assert all(box.y > 0 and box.y + BOX_HEIGHT <= made.height for box in made.boxes)
        assert all(box.x + box.width <= made.width for box in made.boxes)


def test_labels_of_lines_to_one_pool_stand_apart() -> None:
    places = [(line.label_x, line.label_y) for line in drawn().lines if line.label]
    assert len({(round(x), round(y)) for x, y in places}) == len(places)


def test_states_and_shares_stand_on_it() -> None:
    health = {
        "state": Health.DEGRADED,
        "origins": [
            {"name": "eu-1", "address": "192.0.2.1", "state": Health.HEALTHY, "reason": None},
            {"name": "eu-2", "address": "192.0.2.2", "state": Health.UNHEALTHY, "reason": "TCP connection failed"},
        ],
    }
    shares = QueryShares({"eu": 0.75}, {("eu", "eu-1"): 1.0}, {"late": 0.031}, "the last hour")
    made = draw("AMS", BALANCER, ways_of(BALANCER), POOLS, {"eu": health}, shares)
    boxes = {box.title: box for box in made.boxes}
    assert boxes["eu"].state == Health.DEGRADED
    assert boxes["eu"].words == "75 % of queries, 1 of 2 up"
    assert boxes["eu-2"].told == "endpoint eu-2 192.0.2.2: unhealthy: TCP connection failed"
    assert boxes["late"].words == "3.1 % of queries, TTL 5 s"
    assert [line.label for line in made.lines].count("100 %") == 1


def test_more_endpoints_than_are_drawn_are_one_box_that_says_how_they_are() -> None:
    pools = {**POOLS, "eu": pool("eu", 30)}
    down = [{"name": "eu-29", "address": "192.0.2.29", "state": Health.UNHEALTHY, "reason": "x"}]
    made = drawn(pools=pools, eu={"state": Health.DEGRADED, "origins": down})
    more = next(box for box in made.boxes if box.title.endswith(" more"))
    assert more.title == f"{30 - ENDPOINTS_DRAWN_MAX + 1} more"
    assert (more.state, more.words) == (Health.DEGRADED, "1 of them down")
