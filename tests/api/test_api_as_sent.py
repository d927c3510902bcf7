"""Bodies as the v4 API's documents print them and as its clients send them: what is taken, told, and echoed."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from lbdns.base.kinds import Kind
from lbdns.base.words import NOTE_CODE
from tests.api.conftest import Api

pytestmark = pytest.mark.slow

ORIGIN = {"name": "one", "address": "192.0.2.1"}
TIMES = ("id", "created_on", "modified_on")


def done(response: httpx.Response) -> tuple[Any, list[str]]:
    """Return the result of a success, and its messages."""
    assert response.status_code == 200, response.text
    body = response.json()
    return body["result"], [one["message"] for one in body["messages"]]


def refusals(response: httpx.Response) -> list[tuple[str, str]]:
    """Return pointer and message of each error of a refusal."""
    assert response.status_code == 400, response.text
    return [(one["source"]["pointer"], one["message"]) for one in response.json()["errors"]]


@pytest.fixture
def pool(api: Api, client: httpx.Client) -> str:
    id: str = done(client.post(f"{api.account}/pools", json={"name": "eu", "origins": [ORIGIN]}))[0]["id"]
    return id


@pytest.fixture
def zone(api: Api) -> str:
    return f"/zones/{api.zone().id}/load_balancers"


def test_the_monitor_that_the_documents_print(api: Api, client: httpx.Client) -> None:
    body = {
        "type": "https",
        "description": "sign-in page",
        "method": "GET",
        "path": "/health",
        "header": {"Host": ["example.com"], "X-App-ID": ["abc123"]},
        "port": 8080,
        "timeout": 3,
        "retries": 0,
        "interval": 90,
        "expected_body": "alive",
        "expected_codes": "2xx",
        "follow_redirects": True,
        "allow_insecure": True,
        "consecutive_up": 3,
        "consecutive_down": 2,
        "probe_zone": "example.com",
    }
    made, messages = done(client.post(f"{api.account}/monitors", json=body))
    assert {key: value for key, value in made.items() if key not in (*TIMES, "name")} == body
    assert len(messages) == 1 and "probe_zone: does not act" in messages[0]
    assert client.get(f"{api.account}/monitors/{made['id']}").json()["result"] == made


def test_the_pool_that_the_documents_print(api: Api, client: httpx.Client) -> None:
    monitor, _ = done(client.post(f"{api.account}/monitors", json={}))
    body = {
        "description": "first data centre",
        "name": "primary-dc-1",
        "enabled": False,
        "load_shedding": {
            "default_percent": 0,
            "default_policy": "random",
            "session_percent": 0,
            "session_policy": "hash",
        },
        "minimum_origins": 2,
        "monitor": monitor["id"],
        "check_regions": ["WEU", "ENAM"],
        "origins": [
            {
                "name": "app-server-1",
                "address": "0.0.0.0",
                "enabled": True,
                "weight": 0.56,
                "header": {"Host": ["example.com"]},
            }
        ],
        "origin_steering": {"policy": "random"},
        "notification_filter": {
            "origin": {"disable": False, "healthy": None},
            "pool": {"disable": False, "healthy": None},
        },
    }
    response = client.post(f"{api.account}/pools", json=body)
    made, messages = done(response)
    pointers = [one["source"]["pointer"] for one in response.json()["messages"]]
    assert pointers == ["/check_regions", "/origins", "/origins/0/address"]
    assert {key: made[key] for key in body if key != "origins"} == {k: v for k, v in body.items() if k != "origins"}
    assert made["origins"][0].items() >= body["origins"][0].items()
    assert made["disabled_at"] == made["created_on"]
    assert any('"0.0.0.0" is no host\'s address: nobody answers there' in one for one in messages)
    nobody = 'no vantage point stands in "WEU", "ENAM": every vantage point of this server probes the pool'
    assert any(nobody in one for one in messages)


def test_the_load_balancer_that_the_documents_print(client: httpx.Client, zone: str, pool: str) -> None:
    body = {
        "description": "the shop",
        "name": "lb.example.com",
        "enabled": True,
        "ttl": 30,
        "fallback_pool": pool,
        "default_pools": [pool],
        "proxied": True,
        "steering_policy": "random_steering",
        "session_affinity": "cookie",
        "session_affinity_attributes": {
            "samesite": "Auto",
            "secure": "Auto",
            "drain_duration": 100,
            "zero_downtime_failover": "sticky",
        },
        "session_affinity_ttl": 5000,
        "adaptive_routing": {"failover_across_pools": True},
        "location_strategy": {"prefer_ecs": "always", "mode": "resolver_ip"},
        "random_steering": {"pool_weights": {pool: 0.3}, "default_weight": 0.2},
    }
    made, messages = done(client.post(zone, json=body))
    assert made["steering_policy"] == "random"
    assert 'steering_policy: "random_steering" is read as "random"' in messages
    same = [key for key in body if key not in ("steering_policy", "session_affinity_attributes")]
    assert {key: made[key] for key in same} == {key: body[key] for key in same}
    sent, kept = body["session_affinity_attributes"], made["session_affinity_attributes"]
    assert isinstance(sent, dict) and {key: kept[key] for key in sent} == sent


def test_whole_numbers_are_echoed_without_a_fraction(api: Api, client: httpx.Client, zone: str, pool: str) -> None:
    origin = ORIGIN | {"weight": 1}
    place: dict[str, Any] = {"latitude": 52, "longitude": -4.0}
    made = {"name": "us", "origins": [origin], **place, "load_shedding": {"default_percent": 50}}
    text = client.post(f"{api.account}/pools", json=made).text
    assert '"latitude":52,"longitude":-4,' in text and '"default_percent":50,' in text and '"weight":1,' in text
    assert '"session_percent":0,' in text, "defaults too"
    body = {
        "name": "www.example.com",
        "default_pools": [pool],
        "fallback_pool": pool,
        "random_steering": {"pool_weights": {pool: 1}, "default_weight": 0.25},
        "session_affinity_attributes": {"drain_duration": 100},
    }
    text = client.post(zone, json=body).text
    assert '"drain_duration":100,' in text and f'"{pool}":1' in text and '"default_weight":0.25' in text


def test_known_fields_without_effect_are_kept_echoed_and_told(
    api: Api, client: httpx.Client, zone: str, pool: str
) -> None:
    fields = {"networks": ["cloudflare"], "health_sources": ["regional", "global"]}
    made, messages = done(client.post(f"{api.account}/pools", json={"name": "us", "origins": [ORIGIN], **fields}))
    assert {key: made[key] for key in fields} == fields
    assert all(any(f"{key}: does not act" in one for one in messages) for key in fields)
    balancer = {"name": "www.example.com", "default_pools": [pool], "fallback_pool": pool, "networks": ["cloudflare"]}
    made, messages = done(client.post(zone, json=balancer))
    assert made["networks"] == ["cloudflare"]
    assert any("networks: does not act" in one for one in messages)
    changed, _ = done(client.patch(f"{zone}/{made['id']}", json={"networks": None}))
    assert "networks" not in changed, "shown only where it is set"
    at = f"{api.account}/pools/{pool}"
    response = client.patch(at, json={"notification_email": ""})
    assert response.json()["result"]["notification_email"] == ""
    (message,) = response.json()["messages"]
    assert message["source"] == {"pointer": "/notification_email"} and "notifications" in message["message"]
    ((pointer, refused),) = refusals(client.patch(at, json={"notification_email": "ops@example.com"}))
    assert pointer == "/notification_email" and "notification policies" in refused


@pytest.mark.parametrize("collection", ["monitors", "pools", "monitor_groups", ""])
def test_unknown_fields_are_refused_with_the_nearest_known_one(
    api: Api, client: httpx.Client, pool: str, collection: str
) -> None:
    needed: dict[str, dict[str, Any]] = {
        "pools": {"name": "us", "origins": [ORIGIN]},
        "monitor_groups": {"description": "g", "members": [{"monitor_id": "0" * 32}]},
        "": {"name": "www.example.com", "default_pools": [pool], "fallback_pool": pool},
    }
    body = {**needed.get(collection, {}), "descripton": "x"}
    found = refusals(client.post(f"{api.account}/{collection}".rstrip("/"), json=body))
    assert (
        "/descripton",
        'descripton: unknown key "descripton"; did you mean "description"?: validation failed',
    ) in found


def test_a_monitor_that_sends_no_request_takes_what_it_does_not_need_empty(api: Api, client: httpx.Client) -> None:
    empty = {"path": "", "expected_codes": "", "method": "", "expected_body": ""}
    body = {"type": "tcp", "port": 8080, "header": None, "probe_zone": "", "allow_insecure": False, **empty}
    made, messages = done(client.post(f"{api.account}/monitors", json=body))
    assert {key: made[key] for key in empty} == empty, "echoed as it was sent"
    assert made["header"] == {} and messages == []
    at = f"{api.account}/monitors/{made['id']}"
    assert client.put(at, json={**made, "header": None}).json()["result"] == made
    web, _ = done(client.patch(at, json={"type": "http"}))
    assert (web["path"], web["expected_codes"], web["method"]) == ("/", "200", "GET")


def test_empty_is_the_default_where_a_monitor_sends_requests(api: Api, client: httpx.Client) -> None:
    body = {"type": "https", "path": "", "expected_codes": "", "method": "", "header": None, "port": None}
    made, _ = done(client.post(f"{api.account}/monitors", json=body))
    assert (made["path"], made["expected_codes"], made["method"], made["port"]) == ("/", "200", "GET", 0)


def test_our_own_keys_are_echoed_only_where_they_are_set(api: Api, client: httpx.Client, zone: str, pool: str) -> None:
    shown, _ = done(client.get(f"{api.account}/pools/{pool}"))
    assert "priority" not in shown["origins"][0]
    origins = [{**ORIGIN, "address": "mx.example.com", "priority": 5}]
    mail, _ = done(client.post(f"{api.account}/pools", json={"name": "mail", "origins": origins}))
    assert mail["origins"][0]["priority"] == 5
    body = {"name": "www.example.com", "default_pools": [pool], "fallback_pool": pool}
    made, _ = done(client.post(zone, json=body))
    assert "type" not in made and made["location_strategy"] == {"mode": "pop", "prefer_ecs": "proximity"}
    changed, _ = done(client.patch(f"{zone}/{made['id']}", json={"location_strategy": {"region_from": "location"}}))
    assert changed["location_strategy"]["region_from"] == "location"
    mx = {"name": "example.com", "default_pools": [mail["id"]], "fallback_pool": mail["id"], "type": "MX"}
    assert done(client.post(zone, json=mx))[0]["type"] == "MX"


def test_a_patch_of_an_object_inside_says_what_it_dropped(api: Api, client: httpx.Client, zone: str, pool: str) -> None:
    body = {
        "name": "www.example.com",
        "default_pools": [pool],
        "fallback_pool": pool,
        "random_steering": {"default_weight": 0.5, "pool_weights": {pool: 0.3}},
        "region_pools": {"WEU": [pool], "ENAM": [pool]},
        "location_strategy": {"mode": "resolver_ip", "prefer_ecs": "always"},
    }
    made, _ = done(client.post(zone, json=body))
    at = f"{zone}/{made['id']}"
    fields = {
        "random_steering": {"default_weight": 0.2},
        "region_pools": {"weu": [pool]},
        "location_strategy": {"mode": "resolver_ip", "prefer_ecs": "proximity"},
    }
    response = client.patch(at, json=fields)
    changed, _ = done(response)
    assert changed["random_steering"] == {"default_weight": 0.2, "pool_weights": {}}
    told = {one["source"]["pointer"]: one["message"] for one in response.json()["messages"] if one["code"] == NOTE_CODE}
    words = "is replaced as a whole; what it had and was not sent is dropped"
    assert told == {
        "/random_steering": f'random_steering: {words}: "pool_weights"',
        "/region_pools": f'region_pools: {words}: "ENAM"',
    }
    again = client.patch(at, json=fields).json()["messages"]
    assert not any("dropped" in one["message"] for one in again), "there is nothing left to drop"


def test_a_patch_of_a_list_of_objects_says_what_it_dropped(api: Api, client: httpx.Client) -> None:
    origins: list[dict[str, Any]] = [
        {"name": "one", "address": "192.0.2.1", "weight": 0.5, "header": {"Host": ["www.example.com"]}},
        {"name": "two", "address": "192.0.2.2", "port": 8080},
        {"name": "three", "address": "192.0.2.3", "weight": 0.2},
    ]
    made, _ = done(client.post(f"{api.account}/pools", json={"name": "eu", "origins": origins}))
    at = f"{api.account}/pools/{made['id']}"
    sent = [{"name": "two", "address": "192.0.2.2", "port": 8080}, {"name": "one", "address": "192.0.2.1", "weight": 1}]
    response = client.patch(at, json={"origins": sent})
    told = {one["source"]["pointer"]: one["message"] for one in response.json()["messages"] if one["code"] == NOTE_CODE}
    assert told.keys() == {"/origins", "/origins/1"}
    assert told["/origins"].endswith('dropped: "three"') and told["/origins/1"].endswith('dropped: "header"')
    assert client.put(at, json={"name": "eu", "origins": sent}).json()["messages"] == [], "PUT means the whole"


def test_load_balancers_that_answer_nobody_are_told(api: Api, client: httpx.Client, pool: str) -> None:
    """They are an earlier release's: a new one is refused (test_api_private.py)."""
    body = {"default_pools": [pool], "fallback_pool": pool}
    elsewhere = api.change(lambda edit: edit.create(Kind.LOAD_BALANCER, body | {"name": "www.example.org"}))
    at = f"{api.account}/{elsewhere.id}"
    assert any("answers nobody until one is" in one for one in done(client.patch(at, json={"ttl": 60}))[1])
    api.zone("example.org")
    assert done(client.patch(at, json={"description": "x"}))[1] == []


@pytest.mark.parametrize("below", ["all", "origin"])
def test_disabled_at_is_since_when(api: Api, client: httpx.Client, below: str) -> None:
    origins = [{"name": "one", "address": "192.0.2.1"}, {"name": "two", "address": "192.0.2.2"}]
    made, _ = done(client.post(f"{api.account}/pools", json={"name": "eu", "origins": origins}))
    at = f"{api.account}/pools/{made['id']}"

    def changed(enabled: bool, **more: Any) -> Any:
        part = {"enabled": enabled} if below == "all" else {"origins": [origins[0], {**origins[1], "enabled": enabled}]}
        return done(client.patch(at, json={**part, **more}))[0]

    def since(shown: dict[str, Any]) -> Any:
        parts = [shown, *shown["origins"]]
        disabled = shown if below == "all" else shown["origins"][1]
        assert all("disabled_at" not in one for one in parts if one is not disabled)
        return disabled.get("disabled_at")

    assert since(made) is None
    first = changed(False)
    assert since(first) == first["modified_on"]
    assert since(changed(False, description="still")) == since(first)
    assert since(client.put(at, json=client.get(at).json()["result"]).json()["result"]) == since(first)
    assert api.store.load().get(Kind.POOL, made["id"]) == api.manager.state.get(Kind.POOL, made["id"]), "and on disk"
    assert since(changed(True)) is None
    assert since(changed(False)) > since(first)
