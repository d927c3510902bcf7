"""Rules and pool sets as models: shown as they were sent, and what they make of a load balancer."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from lbdns.model import bounds
from lbdns.model.balancer import LoadBalancer, overridden
from lbdns.model.configuration import Configuration
from lbdns.model.mistakes import mistakes_of
from lbdns.model.needed_names import needed_hostnames
from lbdns.model.pool import Pool
from lbdns.model.rule import Overrides, PoolSet, PoolSetOverrides, Rule, in_order

BALANCER: dict[str, Any] = {"name": "www.example.com", "default_pools": ["eu"], "fallback_pool": "us"}
WHOLE: dict[str, Any] = {
    "name": "everything",
    "condition": 'ip.src in {192.0.2.0/24}  or  dns.qry.name contains "x"',
    "priority": 0,
    "disabled": False,
    "terminates": True,
    "overrides": {
        "default_pools": ["a", "b"],
        "fallback_pool": "c",
        "region_pools": {"WEU": ["d"]},
        "country_pools": {"DE": ["e", "d"]},
        "pop_pools": {"AMS": ["f"]},
        "steering_policy": "",
        "random_steering": {"pool_weights": {"a": 1, "g": 0.5}},
        "location_strategy": {"mode": "pop"},
        "session_affinity": "none",
        "session_affinity_ttl": 1800,
        "session_affinity_attributes": {"headers": [], "drain_duration": 0},
        "ttl": 30,
        "adaptive_routing": {},
    },
}
SETS: list[dict[str, Any]] = [
    {"match": {"topology": {"pops": ["AMS"], "countries": [], "regions": ["WEU"]}}, "overrides": {"pools": ["h"]}},
    {
        "name": "",
        "match": {"default": True},
        "overrides": {"pools": ["i"], "pool_weights": {"i": 0}, "pool_default_weight": 1},
    },
    {"disabled": True, "overrides": {"fallback_pool": "j", "steering_policy": "random", "pools": ["k"]}},
    {"fixed_response": {"message_body": "", "status_code": 404, "content_type": "text/plain", "location": ""}},
    {"fixed_response": {}},
    {},
]


def balancer(**fields: Any) -> LoadBalancer:
    return LoadBalancer.model_validate({**BALANCER, **fields})


def test_shown_exactly_as_sent() -> None:
    made = balancer(rules=[WHOLE, {}], pool_sets=SETS)
    for shown in (
        made.model_dump(mode="json"),
        made.model_dump(mode="json", exclude_defaults=True),
        made.model_dump(mode="json", exclude_unset=True),
        TypeAdapter(LoadBalancer).dump_python(made, mode="json", exclude_unset=True),
    ):
        assert (shown["rules"], shown["pool_sets"]) == ([WHOLE, {}], SETS)
        assert balancer(**{key: shown[key] for key in ("rules", "pool_sets")}) == made


def test_nothing_reads_as_left_out() -> None:
    assert balancer(rules=[{"overrides": {"ttl": None}, "priority": None}]).model_dump()["rules"] == (
        {"overrides": {}},
    )


def test_pools_that_are_named() -> None:
    made = balancer(rules=[WHOLE], pool_sets=SETS)
    assert made.candidate_names() == {"eu", *"abdefhi"}
    assert made.fallback_names() == {"us", "c"}
    assert made.pool_names() == made.candidate_names() | {"us", "c"}
    assert made.named_pools() == made.pool_names() | {*"gjk"}
    assert (("rules", 0, "overrides", "country_pools", "DE"), ("e", "d")) in made.pool_lists()
    disabled = balancer(rules=[{**WHOLE, "disabled": True}])
    assert disabled.pool_names() == {"eu", "us"} and disabled.named_pools() == {"eu", "us", *"abcdefg"}
    assert made.without_rules() == balancer()


def test_order_of_rules() -> None:
    """By priority, where it lacks by position; of two alike the first; without those that are disabled."""
    given = [
        {"priority": 7},
        {},
        {"priority": 1},
        {"disabled": True, "priority": -9},
        {},
        {"priority": -1},
        {"priority": 1},
    ]
    assert in_order(tuple(Rule.model_validate(one) for one in given)) == [5, 1, 2, 6, 4, 0]


@pytest.mark.parametrize(
    ("overrides", "changed"),
    [
        ({}, {}),
        ({"ttl": 0}, {"ttl": 0}),
        ({"default_pools": ["a"]}, {"default_pools": ("a",)}),
        ({"country_pools": {}}, {"country_pools": {}}),
        ({"steering_policy": ""}, {"steering_policy": ""}),
        ({"pools": ["a"]}, {"default_pools": ("a",), "region_pools": {}, "country_pools": {}, "pop_pools": {}}),
        (
            {"pools": ["a"], "default_pools": ["b"], "region_pools": {"WEU": ["b"]}},
            {"default_pools": ("a",), "region_pools": {}, "country_pools": {}, "pop_pools": {}},
        ),
        ({"location_strategy": {"mode": "resolver_ip"}}, {"location_strategy": {"mode": "resolver_ip"}}),
        ({"random_steering": {"default_weight": 0}}, {"random_steering": {"default_weight": 0}}),
        ({"pool_weights": {"a": 1}}, {"random_steering": {"default_weight": 0.5, "pool_weights": {"a": 1}}}),
        ({"pool_default_weight": 0}, {"random_steering": {"default_weight": 0, "pool_weights": {"eu": 0.1}}}),
        ({"session_affinity": "none", "fallback_pool": "a"}, {"session_affinity": "none", "fallback_pool": "a"}),
    ],
)
def test_what_overrides_make_of_a_load_balancer(overrides: Any, changed: Any) -> None:
    fields = {
        "steering_policy": "random",
        "region_pools": {"WEU": ["eu"]},
        "country_pools": {"DE": ["eu"]},
        "pop_pools": {"AMS": ["eu"]},
        "random_steering": {"default_weight": 0.5, "pool_weights": {"eu": 0.1}},
        "location_strategy": {"prefer_ecs": "never"},
        "session_affinity": "ip_cookie",
        "ttl": 60,
    }
    made = overridden(balancer(**fields), Overrides.model_validate(overrides))
    assert made == LoadBalancer.model_validate(balancer(**fields).model_dump() | changed)
    assert made.effective_policy  # it is a load balancer like any other


def test_overrides_of_a_pool_set() -> None:
    given = {"pools": ["a", "b"], "pool_weights": {"a": 0}, "fallback_pool": "c", "steering_policy": "random"}
    made = overridden(balancer(region_pools={"WEU": ["eu"]}), PoolSetOverrides.model_validate(given))
    expected = {"default_pools": ["a", "b"], "fallback_pool": "c", "steering_policy": "random"}
    assert made == balancer(**expected, random_steering={"pool_weights": {"a": 0}})


@pytest.mark.parametrize(
    ("model", "body", "location"),
    [
        (Rule, {"name": "x" * (bounds.MAX_RULE_NAME_CHARS + 1)}, ("name",)),
        (Rule, {"priority": "1"}, ("priority",)),
        (Rule, {"conditions": ""}, ("conditions",)),
        (Rule, {"condition": "x" * 5000}, ("condition",)),
        (Rule, {"overrides": {"pools": []}}, ("overrides", "pools")),
        (Rule, {"overrides": {"pools": ["a"]}, "fixed_response": {}}, ("overrides", "pools")),
        (Rule, {"overrides": {"pool_weights": {"a": 1}, "random_steering": {}}}, ("overrides", "random_steering")),
        (Rule, {"overrides": {"pool_default_weight": 1, "random_steering": {}}}, ("overrides", "random_steering")),
        (Rule, {"overrides": {"pool_weights": {"a": 2}}}, ("overrides", "pool_weights", "a")),
        (PoolSet, {"overrides": {"ttl": 1}}, ("overrides", "ttl")),
        (PoolSet, {"overrides": {"pools": ["a"]}, "fixed_response": {}}, ("overrides", "pools")),
        (PoolSet, {"condition": ""}, ("condition",)),
        (PoolSet, {"match": {}}, ("match",)),
        (PoolSet, {"match": {"default": False}}, ("match",)),
        (PoolSet, {"match": {"topology": {}}}, ("match", "topology")),
        (PoolSet, {"match": {"topology": {"pops": ["AMS"]}, "default": True}}, ("match", "topology")),
        (PoolSet, {"match": {"topology": {"pops": ["AMST"]}}}, ("match", "topology", "pops", 0)),
    ],
)
def test_refused_at_its_place(model: Any, body: Any, location: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(body)
    assert [mistake.location for mistake in mistakes_of(caught.value, model)] == [location]


def test_how_many() -> None:
    assert len(balancer(rules=[{}] * 100, pool_sets=[{}] * 100).rules) == bounds.MAX_RULES == 100
    for field in ("rules", "pool_sets"):
        with pytest.raises(ValidationError):
            balancer(**{field: [{}] * 101})


def test_hostnames_of_a_rules_pool_are_needed() -> None:
    """To be answered they have to resolve, as those of the load balancer's own pools."""
    pool = Pool.model_validate({"name": "far", "origins": [{"name": "a", "address": "www.example.net"}]})

    def needed(**fields: Any) -> list[str]:
        made = balancer(**fields)
        configuration = Configuration(pools={"far": pool}, load_balancers=(made,))
        return [endpoint.address for _, endpoint in needed_hostnames(configuration)]

    assert needed() == []
    assert needed(rules=[{"overrides": {"pools": ["far"]}}]) == ["www.example.net"]
    assert needed(rules=[{"overrides": {"fallback_pool": "far"}}]) == ["www.example.net"]
    assert needed(pool_sets=[{"overrides": {"pools": ["far"]}}]) == ["www.example.net"]
    assert needed(rules=[{"overrides": {"pools": ["far"]}, "disabled": True}]) == []
