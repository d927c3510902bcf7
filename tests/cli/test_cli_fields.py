"""KEY=VALUE: the ways into an object, and what a text stands for there."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.cli.frame.assignments import assign, parse_assignment, parse_origin

BODY: dict[str, Any] = {
    "name": "eu",
    "description": "old",
    "latitude": None,
    "origins": [{"name": "eu-1", "address": "192.0.2.1", "weight": 1.0}, {"name": "eu.2", "address": "192.0.2.2"}],
    "members": [{"monitor": "web", "enabled": True}],
    "region_pools": {"WEU": ["eu"]},
    "random_steering": {"default_weight": 1.0, "pool_weights": {}},
    "notification_filter": None,
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ttl=60", (("ttl",), "60")),
        ("origins.eu-1.weight=0.2", (("origins", "eu-1", "weight"), "0.2")),
        ("origins[1].weight=0.2", (("origins", 1, "weight"), "0.2")),
        ('origins."eu.2".weight=1', (("origins", "eu.2", "weight"), "1")),
        ("description=a=b.c", (("description",), "a=b.c")),
        ("description=", (("description",), "")),
        ('header."X-\\"q".=x', None),
        ("ttl", None),
        ("=1", None),
        ("a..b=1", None),
        (".a=1", None),
        ("a[x]=1", None),
        ("a.=1", None),
    ],
)
def test_ways(text: str, expected: Any) -> None:
    if expected is not None:
        assert parse_assignment(text) == expected
        return
    with pytest.raises(LbdnsError, match="no KEY=VALUE"):
        parse_assignment(text)


@pytest.mark.parametrize(
    ("texts", "touched", "key", "expected"),
    [
        (["ttl=60"], {"ttl"}, "ttl", 60),
        (["enabled=false"], {"enabled"}, "enabled", False),
        (["description=42"], {"description"}, "description", "42"),
        (['description="a b"'], {"description"}, "description", "a b"),
        (["description=null"], {"description"}, "description", None),
        (["expected_codes=200"], {"expected_codes"}, "expected_codes", "200"),
        (["steering_policy=off"], {"steering_policy"}, "steering_policy", "off"),
        (["default_pools=eu, us"], {"default_pools"}, "default_pools", ["eu", "us"]),
        (["default_pools=[eu, off]"], {"default_pools"}, "default_pools", ["eu", "off"]),
        (['default_pools=["eu"]'], {"default_pools"}, "default_pools", ["eu"]),
        (["region_pools.ENAM=us,eu"], {"region_pools"}, "region_pools", {"WEU": ["eu"], "ENAM": ["us", "eu"]}),
        (["region_pools.WEU=null"], {"region_pools"}, "region_pools", {}),
        (
            ["random_steering.pool_weights.eu=0.5"],
            {"random_steering"},
            "random_steering",
            {"default_weight": 1.0, "pool_weights": {"eu": 0.5}},
        ),
        (
            ["notification_filter.pool.disable=true"],
            {"notification_filter"},
            "notification_filter",
            {"pool": {"disable": True}},
        ),
        (
            ["members.web.enabled=false", 'members.login={"must_be_healthy": true}'],
            {"members"},
            "members",
            [{"monitor": "web", "enabled": False}, {"monitor": "login", "must_be_healthy": True}],
        ),
    ],
)
def test_values(texts: list[str], touched: set[str], key: str, expected: Any) -> None:
    body = deepcopy(BODY)
    assert assign(body, map(parse_assignment, texts)) == touched
    assert body[key] == expected
    assert {name: value for name, value in body.items() if name != key} == {
        name: value for name, value in BODY.items() if name != key
    }


def origins(*texts: str) -> Any:
    """Return the origins after some assignments."""
    body = deepcopy(BODY)
    assign(body, map(parse_assignment, texts))
    return body["origins"]


def test_endpoints_are_reached_by_name_or_index() -> None:
    first, second = BODY["origins"]
    assert origins("origins.eu-1.weight=0.2") == origins("origins[0].weight=0.2") == [first | {"weight": 0.2}, second]
    assert origins("origins.0.weight=null") == [{"name": "eu-1", "address": "192.0.2.1"}, second]
    assert origins('origins."eu.2".address=192.0.2.9') == [first, second | {"address": "192.0.2.9"}]
    assert origins("origins.eu-3=192.0.2.3") == [first, second, {"name": "eu-3", "address": "192.0.2.3"}]
    assert origins('origins.eu-1={"address": "192.0.2.3"}') == [{"name": "eu-1", "address": "192.0.2.3"}, second]
    assert origins("origins.eu-1=null", "origins.nobody=null") == [second]


def test_fields_of_rules_and_pool_sets() -> None:
    """By name or index; the first makes the list, and what is not there is added."""
    body: dict[str, Any] = {"rules": [{"name": "office", "overrides": {"pools": ["eu"]}}, {"condition": "ssl"}]}
    texts = [
        "rules.office.condition=ip.src in {192.0.2.0/24}",
        "rules.office.overrides.pools=us,eu",
        "rules.office.overrides.region_pools.WEU=eu",
        "rules.office.overrides.steering_policy=off",
        "rules.office.priority=5",
        "rules[1].condition=42",
        "rules.home={fixed_response: {}}",
        "pool_sets.here={match: {default: true}}",
        "pool_sets.here.match={topology: {pops: [AMS]}}",
        "pool_sets.here.match.topology.countries=DE,US",
        "pool_sets.gone=null",
    ]
    assert assign(body, map(parse_assignment, texts)) == {"rules", "pool_sets"}
    overrides = {"pools": ["us", "eu"], "region_pools": {"WEU": ["eu"]}, "steering_policy": "off"}
    assert body == {
        "rules": [
            {"name": "office", "overrides": overrides, "condition": "ip.src in {192.0.2.0/24}", "priority": 5},
            {"condition": "42"},
            {"name": "home", "fixed_response": {}},
        ],
        "pool_sets": [{"name": "here", "match": {"topology": {"pops": ["AMS"], "countries": ["DE", "US"]}}}],
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("origins.eu-9.weight=1", 'origins has no "eu-9"; it has eu-1, eu.2'),
        ("origins[7].weight=1", 'origins has no "7"'),
        ("description.x=1", "description holds one value"),
        ("origins.eu-1.address.x=1", "origins.eu-1.address holds one value"),
    ],
)
def test_ways_that_lead_nowhere(text: str, told: str) -> None:
    with pytest.raises(LbdnsError, match=told.replace(".", r"\.")):
        origins(text)


def test_endpoints_on_the_command_line() -> None:
    assert parse_origin("eu-1=2001:db8::1") == {"name": "eu-1", "address": "2001:db8::1"}
    assert parse_origin("eu-1=192.0.2.1, weight=0.5,port=80,enabled=false,host=www.example.com") == {
        "name": "eu-1",
        "address": "192.0.2.1",
        "weight": 0.5,
        "port": 80,
        "enabled": False,
        "header": {"Host": ["www.example.com"]},
    }
    for text in ("192.0.2.1", "=192.0.2.1", "eu-1=", "eu-1=192.0.2.1,weight"):
        with pytest.raises(LbdnsError, match=r"expected NAME=ADDRESS|no KEY=VALUE"):
            parse_origin(text)
