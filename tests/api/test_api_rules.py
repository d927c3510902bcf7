"""Rules and pool sets by the API: taken, refused at their place, echoed as sent, and what they refer to."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest

from lbdns.config.loading import load
from lbdns.manage.store.revisions.from_files import state_of
from lbdns.manage.store.revisions.to_files import tree_of
from tests.api.conftest import Api

pytestmark = pytest.mark.slow

NOBODY = "0" * 32


def result(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    return response.json()["result"]


def refusals(response: httpx.Response) -> list[tuple[str, str]]:
    """Return pointer and message of each error of a refusal."""
    assert response.status_code == 400, response.text
    return [(one["source"]["pointer"], one["message"]) for one in response.json()["errors"]]


@pytest.fixture
def zone(api: Api) -> str:
    return f"/zones/{api.zone().id}/load_balancers"


@pytest.fixture
def pools(api: Api, client: httpx.Client) -> dict[str, str]:
    """Ids of pools by name."""
    return {
        name: result(
            client.post(f"{api.account}/pools", json={"name": name, "origins": [{"name": "a", "address": "192.0.2.1"}]})
        )["id"]
        for name in ("eu", "us", "asia")
    }


@pytest.fixture
def rules(pools: dict[str, str]) -> list[dict[str, Any]]:
    """Rules that say a lot: fields at their defaults, fields left out, every place where a pool is named."""
    eu, us, asia = pools.values()
    return [
        {
            "name": "office",
            "condition": 'ip.src in {192.0.2.0/24  198.51.100.0/24} or dns.qry.name contains "x"',
            "priority": 0,
            "disabled": False,
            "terminates": False,
            "overrides": {
                "default_pools": [asia, eu],
                "fallback_pool": asia,
                "region_pools": {"WEU": [asia]},
                "country_pools": {"DE": [asia, us]},
                "pop_pools": {"AMS": [asia]},
                "steering_policy": "random",
                "random_steering": {"pool_weights": {asia: 1, eu: 0.25}},
                "location_strategy": {"mode": "pop"},
                "session_affinity": "ip_cookie",
                "ttl": 30,
            },
        },
        {"name": "flat", "overrides": {"pools": [us, asia], "pool_weights": {us: 0.5}, "pool_default_weight": 1}},
        {"fixed_response": {"status_code": 404, "message_body": ""}, "condition": "dns.rr.opt.client"},
        {"terminates": True},
    ]


@pytest.fixture
def pool_sets(pools: dict[str, str]) -> list[dict[str, Any]]:
    eu, us, asia = pools.values()
    places = {"topology": {"pops": ["AMS"], "countries": ["US"], "regions": ["WNAM"]}}
    return [
        {
            "name": "here",
            "match": places,
            "overrides": {"pools": [asia], "fallback_pool": us, "steering_policy": "off"},
        },
        {"disabled": True, "match": {"default": True}, "overrides": {"pools": [eu, asia], "pool_weights": {asia: 1}}},
        {"fixed_response": {}},
    ]


@pytest.fixture
def balancer(pools: dict[str, str]) -> dict[str, Any]:
    return {"name": "www.example.com", "default_pools": [pools["eu"]], "fallback_pool": pools["eu"]}


def test_what_is_read_is_what_was_sent(
    client: httpx.Client, zone: str, balancer: Any, rules: Any, pool_sets: Any
) -> None:
    made = result(client.post(zone, json=balancer | {"rules": rules, "pool_sets": pool_sets}))
    assert (made["rules"], made["pool_sets"]) == (rules, pool_sets)
    at = f"{zone}/{made['id']}"
    assert result(client.get(at)) == made
    assert result(client.get(zone)) == [made]
    assert result(client.put(at, json=made)) == made  # it can be sent back, and nothing changes
    assert result(client.put(at, json=made))["modified_on"] == made["modified_on"]


def test_patch_keeps_what_it_leaves_out_and_an_empty_list_clears(
    client: httpx.Client, zone: str, balancer: Any, rules: Any, pool_sets: Any
) -> None:
    at = f"{zone}/{result(client.post(zone, json=balancer | {'rules': rules, 'pool_sets': pool_sets}))['id']}"
    patched = result(client.patch(at, json={"ttl": 60}))
    assert (patched["rules"], patched["pool_sets"], patched["ttl"]) == (rules, pool_sets, 60)
    patched = result(client.patch(at, json={"pool_sets": []}))
    assert (patched["rules"], patched["pool_sets"]) == (rules, [])
    patched = result(client.patch(at, json={"rules": rules[1:2], "pool_sets": pool_sets[:1]}))
    assert (patched["rules"], patched["pool_sets"]) == (rules[1:2], pool_sets[:1])
    assert result(client.patch(at, json={"rules": []}))["rules"] == []
    patched = result(client.patch(at, json={"rules": rules, "pool_sets": None}))
    assert (patched["rules"], patched["pool_sets"]) == (rules, [])
    replaced = result(client.put(at, json=balancer))
    assert (replaced["rules"], replaced["pool_sets"]) == ([], [])


def test_a_field_at_its_default_is_a_change_of_what_is_echoed(client: httpx.Client, zone: str, balancer: Any) -> None:
    made = result(client.post(zone, json=balancer | {"rules": [{"terminates": True}]}))
    fuller = [{"name": "", "condition": "", "disabled": False, "terminates": True}]
    changed = result(client.patch(f"{zone}/{made['id']}", json={"rules": fuller}))
    assert changed["rules"] == fuller


def test_null_in_a_rule_stands_for_left_out(client: httpx.Client, zone: str, balancer: Any) -> None:
    rule = {"terminates": True, "priority": None, "overrides": {"ttl": 60, "pools": None}, "fixed_response": None}
    made = result(client.post(zone, json=balancer | {"rules": [rule]}))
    assert made["rules"] == [{"terminates": True, "overrides": {"ttl": 60}}]


def test_every_mistake_has_its_pointer(client: httpx.Client, zone: str, balancer: Any, pools: Any) -> None:
    rules = [
        {"name": "web", "condition": 'http.host eq "x" or ip.scr eq 1'},
        {"name": "app", "condition": "ssl and http.request.body.size gt 1", "overrides": {"pool": []}},
        {"name": "x" * 201, "overrides": {"pools": [NOBODY], "pool_weights": {NOBODY: 1, pools["eu"]: 7}}},
        {"overrides": {"pools": [pools["eu"]]}, "fixed_response": {}},
    ]
    sets = [{"match": {"default": True, "topology": {"regions": ["WEU"]}}}, {"overrides": {"ttl": 1}}]
    found = refusals(client.post(zone, json=balancer | {"rules": rules, "pool_sets": sets}))
    pointers = [pointer for pointer, _ in found]
    assert set(pointers) >= {
        "/rules/0/condition",
        "/rules/1/condition",
        "/rules/1/overrides/pool",
        "/rules/2/name",
        f"/rules/2/overrides/pool_weights/{pools['eu']}",
        "/rules/2/overrides/pools/0",
        f"/rules/2/overrides/pool_weights/{NOBODY}",
        "/rules/3/overrides/pools",
        "/pool_sets/0/match/topology",
        "/pool_sets/1/overrides/ttl",
    }
    assert any('did you mean "pools"' in message for _, message in found)
    of_proxies = [message for _, message in found if "DNS-only" in message]
    assert [name for name in ("ssl", "http.request.body.size") if any(f'"{name}"' in one for one in of_proxies)] == [
        "ssl",
        "http.request.body.size",
    ]
    assert all(message.endswith("validation failed") for _, message in found)


def test_what_does_not_act_is_told(client: httpx.Client, zone: str, balancer: Any) -> None:
    rule = {"name": "sticky", "overrides": {"session_affinity": "cookie"}}
    response = client.post(zone, json=balancer | {"rules": [rule]})
    assert result(response)["rules"] == [rule]
    (told,) = [one for one in response.json()["messages"] if "cookie" in one["message"]]
    assert told["source"]["pointer"] == "/rules/0/overrides/session_affinity"


def test_pools_in_rules_are_references(
    api: Api, client: httpx.Client, zone: str, balancer: Any, pools: Any, rules: Any, pool_sets: Any
) -> None:
    """Each place where a pool may be named, by itself."""
    asia, at = pools["asia"], f"{api.account}/pools/{pools['asia']}"
    overrides: list[dict[str, Any]] = [
        {"rules": [{"disabled": True, "overrides": {"default_pools": [asia]}}]},
        {"rules": [{"overrides": {"pools": [asia]}}]},
        {"rules": [{"overrides": {"fallback_pool": asia}}]},
        {"rules": [{"overrides": {"region_pools": {"WEU": [asia]}}}]},
        {"rules": [{"overrides": {"country_pools": {"DE": [asia]}}}]},
        {"rules": [{"overrides": {"pop_pools": {"AMS": [asia]}}}]},
        {"rules": [{"overrides": {"random_steering": {"pool_weights": {asia: 1}}}}]},
        {"rules": [{"overrides": {"pool_weights": {asia: 1}}}]},
        {"pool_sets": [{"overrides": {"pools": [asia]}}]},
        {"pool_sets": [{"disabled": True, "overrides": {"fallback_pool": asia}}]},
        {"pool_sets": [{"overrides": {"pool_weights": {asia: 1}}}]},
    ]
    made = result(client.post(zone, json=balancer))
    for one in overrides:
        changed = result(client.put(f"{zone}/{made['id']}", json=balancer | one))
        assert {key: changed[key] for key in one} == one
        refused = client.delete(at)
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (412, 1005)
        assert "www.example.com" in refused.json()["errors"][0]["message"]
        (referrer,) = result(client.get(f"{at}/references"))
        assert referrer["resource_name"] == "www.example.com"
    result(client.put(f"{zone}/{made['id']}", json=balancer))
    assert result(client.delete(at)) == {"id": asia}


def test_a_pool_that_is_renamed_stays_in_its_rules(
    api: Api, client: httpx.Client, zone: str, balancer: Any, pools: Any, rules: Any, pool_sets: Any
) -> None:
    made = result(client.post(zone, json=balancer | {"rules": rules, "pool_sets": pool_sets}))
    result(client.patch(f"{api.account}/pools/{pools['asia']}", json={"name": "apac"}))
    assert result(client.get(f"{zone}/{made['id']}")) == made
    with own(api) as client:
        (text,) = [
            text for name, text in result(client.get("configuration"))["files"].items() if name.startswith("load_bal")
        ]
    assert text.count("apac") == 10 and "asia" not in text


@contextlib.contextmanager
def own(api: Api) -> Iterator[httpx.Client]:
    """A client of what is lbdns's own, on this machine."""
    with api.local() as client:
        client.base_url = httpx.URL("http://localhost/lbdns/v1")
        yield client


def test_exported_applied_and_restored_as_sent(
    api: Api, client: httpx.Client, zone: str, balancer: Any, rules: Any, pool_sets: Any, tmp_path: Path
) -> None:
    made = result(client.post(zone, json=balancer | {"rules": rules, "pool_sets": pool_sets}))
    with own(api) as local:
        before = result(local.get("revisions", params={"limit": 1}))[0]["revision"]
        for name, text in result(local.get("configuration"))["files"].items():
            (tmp_path / name).write_text(text)
        tree = tree_of(state_of(load(tmp_path).configuration, 0))
        changed = result(client.patch(f"{zone}/{made['id']}", json={"rules": rules[1:2], "pool_sets": pool_sets[:1]}))
        assert changed["rules"] == rules[1:2]
        differences = result(local.post("plan", json={"configuration": tree}))["differences"]
        assert {field["field"] for field in differences[0]["fields"]} == {"rules", "pool_sets"}
        result(local.post("apply", json={"configuration": tree}))
        again = result(client.get(f"{zone}/{made['id']}"))
        assert (again["rules"], again["pool_sets"]) == (rules, pool_sets)
        assert result(local.post("plan", json={"configuration": tree}))["differences"] == []
        result(client.patch(f"{zone}/{made['id']}", json={"rules": []}))
        result(local.post(f"revisions/{before}/restore", json={}))
    again = result(client.get(f"{zone}/{made['id']}"))
    assert (again["rules"], again["pool_sets"]) == (rules, pool_sets)


def test_differences_name_the_rule(api: Api, client: httpx.Client, zone: str, balancer: Any, pools: Any) -> None:
    rules: list[dict[str, Any]] = [
        {"name": "office", "overrides": {"pools": [pools["eu"]]}},
        {"name": "home", "condition": "dns.rr.opt.client", "terminates": True},
    ]
    made = result(client.post(zone, json=balancer | {"rules": rules}))
    rules[0]["overrides"] = {"pools": [pools["us"]], "ttl": 60}
    rules[1] = {"name": "shop", "fixed_response": {}}
    result(client.patch(f"{zone}/{made['id']}", json={"rules": rules}))
    with own(api) as local:
        newest = result(local.get("revisions", params={"limit": 1}))[0]["revision"]
        (difference,) = result(local.get(f"revisions/{newest}"))["differences"]
    assert difference["fields"] == [
        {"field": "rules.office.overrides.pools", "before": ["eu"], "after": ["us"]},
        {"field": "rules.office.overrides.ttl", "after": 60},
        {"field": "rules.home", "before": {"condition": "dns.rr.opt.client", "terminates": True}},
        {"field": "rules.shop", "after": {"fixed_response": {}}},
    ]


def test_answers_are_as_the_document_says(
    client: httpx.Client, zone: str, balancer: Any, rules: Any, pool_sets: Any
) -> None:
    document = client.get("/openapi.json").json()
    body = balancer | {"rules": rules, "pool_sets": pool_sets}

    def is_valid(name: str, value: Any) -> bool:
        schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        return bool(jsonschema_rs.validator_for(schema).is_valid(value))

    assert is_valid("LoadBalancerWritten", body)
    assert is_valid("LoadBalancer", result(client.post(zone, json=body)))
    assert not is_valid("LoadBalancerWritten", balancer | {"rules": [{"conditions": ""}]})
    assert not is_valid("LoadBalancerWritten", balancer | {"pool_sets": [{"overrides": {"ttl": 1}}]})
