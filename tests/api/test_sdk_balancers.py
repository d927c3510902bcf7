"""Load balancers of zones and of the account by the official client, and the answers that they give."""

from __future__ import annotations

from typing import Any

import pytest
from cloudflare import APIStatusError, BadRequestError, NotFoundError

from tests.api.sdk import Sdk, codes, plain, sole, some, within

pytestmark = pytest.mark.process

DEFAULTS: dict[str, Any] = {
    "description": "",
    "enabled": True,
    "proxied": False,
    "ttl": 30,
    "steering_policy": "",
    "region_pools": {},
    "country_pools": {},
    "pop_pools": {},
    "random_steering": {"default_weight": 1, "pool_weights": {}},
    "location_strategy": {"mode": "pop", "prefer_ecs": "proximity"},
    "session_affinity": "none",
    "session_affinity_ttl": None,
    "session_affinity_attributes": {
        "samesite": "Auto",
        "secure": "Auto",
        "drain_duration": None,
        "zero_downtime_failover": "none",
        "headers": [],
        "require_all_headers": False,
    },
    "adaptive_routing": {"failover_across_pools": False},
    "rules": [],
    "pool_sets": [],
}


@pytest.fixture(scope="module")
def zone(sdk: Sdk) -> str:
    return sdk.zone("example.com")


@pytest.fixture(scope="module")
def pools(sdk: Sdk) -> tuple[str, str]:
    return sdk.pool("near", "192.0.2.1", "2001:db8::1"), sdk.pool("far", "198.51.100.1", "2001:db8::2")


def test_balancer_of_defaults_has_every_one_of_them(sdk: Sdk, zone: str, pools: tuple[str, str]) -> None:
    near, far = pools
    made = plain(
        sdk.client.load_balancers.create(
            zone_id=zone, name="plain.example.com", default_pools=[near], fallback_pool=far
        )
    )
    assert within(made, DEFAULTS) == DEFAULTS
    assert (made["name"], made["default_pools"], made["fallback_pool"]) == ("plain.example.com", [near], far)
    assert made["zone_name"] == "example.com"
    assert made["created_on"] == made["modified_on"]
    assert plain(sdk.client.load_balancers.get(made["id"], zone_id=zone)) == made


def test_balancer_of_a_zone_lives_its_life(sdk: Sdk, zone: str, pools: tuple[str, str]) -> None:
    near, far = pools
    balancers = sdk.client.load_balancers
    wanted: dict[str, Any] = {
        "name": "www.example.com",
        "default_pools": [near, far],
        "fallback_pool": far,
        "description": "all fields",
        "ttl": 45,
        "steering_policy": "random",
        "region_pools": {"WEU": [near]},
        "country_pools": {"DE": [near, far]},
        "pop_pools": {"AMS": [far]},
        "random_steering": {"default_weight": 0.5, "pool_weights": {near: 1, far: 0}},
        "location_strategy": {"mode": "resolver_ip", "prefer_ecs": "always"},
        "session_affinity": "ip_cookie",
        "session_affinity_ttl": 5000,
        "session_affinity_attributes": {"samesite": "Lax", "secure": "Always", "zero_downtime_failover": "sticky"},
        "adaptive_routing": {"failover_across_pools": True},
    }
    made = plain(balancers.create(zone_id=zone, **wanted))
    expected = wanted | {
        "location_strategy": DEFAULTS["location_strategy"] | wanted["location_strategy"],
        "session_affinity_attributes": DEFAULTS["session_affinity_attributes"] | wanted["session_affinity_attributes"],
    }
    assert within(made, expected) == expected
    id = made["id"]
    assert sdk.server.addresses("www.example.com") == ["192.0.2.1"]
    assert sdk.server.addresses("www.example.com", "AAAA") == ["2001:db8::1"]

    weights: Any = {"default_weight": 0, "pool_weights": {far: 1}}
    changed = plain(balancers.edit(id, zone_id=zone, random_steering=weights, ttl=7))
    assert within(changed, expected) == expected | {"random_steering": weights, "ttl": 7}
    reply = sdk.server.query("www.example.com")
    assert [(rrset.ttl, [str(one) for one in rrset]) for rrset in reply.answer] == [(7, ["198.51.100.1"])]

    nothing = {"random_steering": None, "steering_policy": None, "session_affinity": None, "country_pools": None}
    reset = plain(balancers.edit(id, zone_id=zone, extra_body=nothing))
    defaults = {key: DEFAULTS[key] for key in nothing}
    assert within(reset, nothing) == defaults
    assert (reset["ttl"], reset["region_pools"]) == (7, {"WEU": [near]})

    replaced = plain(balancers.update(id, zone_id=zone, name="www.example.com", default_pools=[far], fallback_pool=far))
    assert within(replaced, DEFAULTS) == DEFAULTS
    assert (replaced["id"], replaced["created_on"]) == (id, made["created_on"])
    assert sdk.server.addresses("www.example.com") == ["198.51.100.1"]

    assert replaced in [plain(one) for one in balancers.list(zone_id=zone)]
    assert some(balancers.delete(id, zone_id=zone)).id == id
    with pytest.raises(NotFoundError):
        balancers.get(id, zone_id=zone)
    assert sdk.server.addresses("www.example.com") == []


def test_balancer_of_the_account_lives_its_life(sdk: Sdk, zone: str, pools: tuple[str, str]) -> None:
    near, far = pools
    balancers = sdk.client.load_balancers
    account = sdk.account
    made = balancers.create(
        account_id=account, name="private.example.com", default_pools=[near], fallback_pool=near, proxied=True
    )
    id = some(made.id)
    assert (made.proxied, made.ttl, made.zone_name) == (True, 30, None)
    assert sdk.server.addresses("private.example.com") == ["192.0.2.1"]
    assert id in [one.id for one in balancers.list(account_id=account)]
    assert id not in [one.id for one in balancers.list(zone_id=zone)]
    with pytest.raises(NotFoundError):
        balancers.get(id, zone_id=zone)

    assert balancers.edit(id, account_id=account, enabled=False).enabled is False
    assert sdk.server.addresses("private.example.com") == []
    replaced = balancers.update(
        id, account_id=account, name="renamed.example.com", default_pools=[far], fallback_pool=near
    )
    assert (replaced.name, replaced.enabled, replaced.proxied) == ("renamed.example.com", True, False)
    assert sdk.server.addresses("renamed.example.com") == ["198.51.100.1"]
    assert balancers.get(id, account_id=account) == replaced
    assert some(balancers.delete(id, account_id=account)).id == id
    assert id not in [one.id for one in balancers.list(account_id=account)]


def test_what_was_read_can_be_sent_back_and_changes_nothing(sdk: Sdk, zone: str, pools: tuple[str, str]) -> None:
    balancers = sdk.client.load_balancers
    made = balancers.create(zone_id=zone, name="same.example.com", default_pools=list(pools), fallback_pool=pools[0])
    before = sdk.revision()
    body = plain(made)
    sent: Any = {key: body.pop(key) for key in ("name", "default_pools", "fallback_pool")}
    again = plain(balancers.update(some(made.id), zone_id=zone, extra_body=body, **sent))
    assert again == plain(made)
    assert plain(balancers.edit(some(made.id), zone_id=zone, ttl=30)) == again
    assert sdk.revision() == before


def test_list_of_balancers_is_whole(sdk: Sdk, pools: tuple[str, str]) -> None:
    zone = sdk.zone("many.example")
    names = [f"n{index:02}.many.example" for index in range(30)]
    for name in names:
        sdk.client.load_balancers.create(zone_id=zone, name=name, default_pools=[pools[0]], fallback_pool=pools[0])
    assert [one.name for one in sdk.client.load_balancers.list(zone_id=zone)] == names


def test_answers_follow_a_change_of_the_pool(sdk: Sdk, zone: str) -> None:
    first, second = sdk.pool("first", "203.0.113.1"), sdk.pool("second", "203.0.113.2")
    sdk.client.load_balancers.create(
        zone_id=zone, name="over.example.com", default_pools=[first, second], fallback_pool=second
    )
    assert sdk.server.addresses("over.example.com") == ["203.0.113.1"]
    sdk.client.load_balancers.pools.edit(first, account_id=sdk.account, enabled=False)
    assert sdk.server.addresses("over.example.com") == ["203.0.113.2"]
    sdk.client.load_balancers.pools.edit(
        first,
        account_id=sdk.account,
        enabled=True,
        origins=[{"name": "a", "address": "203.0.113.3"}, {"name": "b", "address": "203.0.113.4"}],
    )
    assert sdk.server.addresses("over.example.com") == ["203.0.113.3", "203.0.113.4"]


def test_pool_shows_who_refers_to_it(sdk: Sdk, zone: str, pools: tuple[str, str]) -> None:
    pool = sdk.pool("referred", "203.0.113.9")
    made = sdk.client.load_balancers.create(
        zone_id=zone, name="refers.example.com", default_pools=[pools[0]], fallback_pool=pool
    )
    found = sdk.client.load_balancers.pools.references.get(pool, account_id=sdk.account)
    assert [(one.reference_type, one.resource_id, one.resource_name, one.resource_type) for one in found] == [
        ("referrer", made.id, "refers.example.com", "load_balancer")
    ]


def test_rules_and_pool_sets_are_created_read_patched_and_cleared(sdk: Sdk, zone: str, pools: tuple[str, str]) -> None:
    """What is read is what was sent: nothing is added, and the order stays."""
    near, far = pools
    balancers = sdk.client.load_balancers
    rules: Any = [
        {
            "name": "loopback",
            "condition": "ip.src in {127.0.0.0/8} and dns.qry.type in {1 28}",
            "priority": 5,
            "disabled": False,
            "overrides": {"pools": [far], "pool_weights": {far: 0.5}, "ttl": 77, "location_strategy": {"mode": "pop"}},
        },
        {"name": "never", "condition": "not (dns.qry.qu)", "terminates": True, "fixed_response": {"status_code": 503}},
    ]
    pool_sets: Any = [
        {"name": "off", "disabled": True, "match": {"default": True}, "overrides": {"pools": [near]}},
        {
            "name": "places",
            "match": {"topology": {"regions": ["WNAM"], "countries": ["US"]}},
            "overrides": {"pools": [near, far], "pool_default_weight": 1, "steering_policy": "random"},
        },
    ]
    made = plain(
        balancers.create(
            zone_id=zone,
            name="rules.example.com",
            default_pools=[near],
            fallback_pool=near,
            rules=rules,
            extra_body={"pool_sets": pool_sets},
        )
    )
    id = made["id"]
    assert (made["rules"], made["pool_sets"]) == (rules, pool_sets)
    assert plain(balancers.get(id, zone_id=zone)) == made
    typed = some(some(balancers.get(id, zone_id=zone).pool_sets)[1].match)
    assert some(typed.topology).regions == ["WNAM"]
    reply = sdk.server.query("rules.example.com")
    assert [(rrset.ttl, [str(one) for one in rrset]) for rrset in reply.answer] == [(77, ["198.51.100.1"])]

    kept = plain(balancers.edit(id, zone_id=zone, ttl=45))
    assert (kept["rules"], kept["pool_sets"]) == (rules, pool_sets)
    cleared = plain(balancers.edit(id, zone_id=zone, extra_body={"pool_sets": []}))
    assert (cleared["rules"], cleared["pool_sets"]) == (rules, [])
    cleared = plain(balancers.edit(id, zone_id=zone, rules=[]))
    assert (cleared["rules"], cleared["pool_sets"]) == ([], [])
    assert sdk.server.addresses("rules.example.com") == ["192.0.2.1"]

    answer: Any = [{"condition": "", "fixed_response": {"message_body": "closed"}}]
    fixed = plain(balancers.edit(id, zone_id=zone, rules=answer))
    assert fixed["rules"] == answer
    assert sdk.server.addresses("rules.example.com") == []
    name: Any = {"name": "rules.example.com", "default_pools": [near], "fallback_pool": near}
    assert plain(balancers.update(id, zone_id=zone, **name))["rules"] == []


def test_rules_that_a_dns_server_cannot_follow_are_refused_by_name(sdk: Sdk, zone: str, pools: tuple[str, str]) -> None:
    rules: Any = [{"name": "path", "condition": 'http.request.uri.path contains "/a"', "overrides": {"ttl": 60}}]
    with pytest.raises(BadRequestError) as caught:
        sdk.client.load_balancers.create(
            zone_id=zone, name="http.example.com", default_pools=[pools[0]], fallback_pool=pools[0], rules=rules
        )
    code, message, pointer = sole(caught.value)
    assert (code, pointer) == (1002, "/rules/0/condition")
    assert 'rule "path"' in str(message) and '"http.request.uri.path"' in str(message)


def test_a_pool_of_a_rule_is_in_use(sdk: Sdk, zone: str, pools: tuple[str, str]) -> None:
    pool = sdk.pool("ruled", "203.0.113.10")
    rules: Any = [{"name": "r", "condition": "dns.rr.opt.client", "overrides": {"pools": [pool]}}]
    made = sdk.client.load_balancers.create(
        zone_id=zone, name="ruled.example.com", default_pools=[pools[0]], fallback_pool=pools[0], rules=rules
    )
    with pytest.raises(APIStatusError) as caught:
        sdk.client.load_balancers.pools.delete(pool, account_id=sdk.account)
    assert (caught.value.status_code, codes(caught.value)) == (412, [1005])
    sdk.client.load_balancers.edit(some(made.id), zone_id=zone, rules=[])
    assert some(sdk.client.load_balancers.pools.delete(pool, account_id=sdk.account)).id == pool
