"""The OpenAPI document says what the server does: bounds and defaults of the models, and every answer as it comes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema_rs
import pytest

from lbdns.model import bounds
from tests.api.conftest import Api

pytestmark = pytest.mark.slow

ORIGIN = {"name": "one", "address": "192.0.2.1"}
STATUSES = {"400", "403", "404", "405", "408", "412", "413", "429", "500"}
METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture
def document(client: httpx.Client) -> Any:
    return client.get("/openapi.json").json()


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def test_it_takes_a_token(api: Api) -> None:
    with api.client() as client:
        assert client.get("/openapi.json").status_code == 400


def test_every_reference_leads_somewhere(document: Any) -> None:
    for reference in references(document):
        at = document
        for step in reference.removeprefix("#/").split("/"):
            at = at[step]


def test_every_operation_tells_its_refusals(document: Any) -> None:
    seen = set()
    for path in document["paths"].values():
        for method, operation in path.items():
            assert method in METHODS and operation["summary"]
            assert set(operation["responses"]) >= {"200", *STATUSES}
            assert "422" not in operation["responses"]
            seen.add(operation["operationId"])
    assert len(seen) == sum(len(path) for path in document["paths"].values())


def test_the_account_is_named(api: Api, document: Any) -> None:
    parameters = document["paths"]["/client/v4/accounts/{account_id}"]["get"]["parameters"]
    assert parameters[0]["schema"] == {"const": api.store.account_id}


def test_bounds_and_defaults_are_those_of_the_models(document: Any) -> None:
    schemas = document["components"]["schemas"]
    interval = schemas["MonitorWritten"]["properties"]["interval"]
    assert interval["default"] == bounds.DEFAULT_INTERVAL_S
    assert interval["anyOf"][0]["minimum"] == bounds.MIN_INTERVAL_S
    assert interval["anyOf"][0]["maximum"] == bounds.MAX_INTERVAL_S
    assert schemas["PoolWritten"]["required"] == ["name", "origins"]
    assert schemas["LoadBalancerWritten"]["required"] == ["name", "default_pools", "fallback_pool"]
    assert "required" not in schemas["LoadBalancerChanged"]
    assert schemas["MonitorGroupWritten"]["properties"]["members"]["items"]["$ref"].endswith("/GroupMemberWritten")
    assert schemas["GroupMemberWritten"]["required"] == ["monitor_id"]


def test_created_objects_are_linked_to_what_takes_their_id(document: Any) -> None:
    created = document["paths"]["/client/v4/zones/{zone_id}/load_balancers"]["post"]["responses"]["200"]
    linked = [link for link in created["links"].values() if link["operationId"].endswith("_get")]
    assert [link["parameters"] for link in linked] == [
        {"zone_id": "$request.path.zone_id", "id": "$response.body#/result/id"}
    ]


def template(document: Any, path: str) -> str:
    """Return the document's path that a request's path is one of; the most literal one."""
    found = [one for one in document["paths"] if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", one), path)]
    return str(min(found, key=lambda one: one.count("{")))


def check(document: Any, response: httpx.Response) -> None:
    """Fail unless an answer is as the document says."""
    operation = document["paths"][template(document, response.request.url.path)][response.request.method.lower()]
    described = operation["responses"][str(response.status_code)]["content"]["application/json"]["schema"]
    schema = {**described, "components": document["components"]}
    jsonschema_rs.validator_for(schema).validate(response.json())


def test_answers_are_as_described(api: Api, client: httpx.Client, document: Any) -> None:
    zone = api.zone()
    at = api.account

    def made(path: str, **body: Any) -> str:
        response = client.post(path, json=body)
        assert response.status_code == 200, response.text
        check(document, response)
        return str(response.json()["result"]["id"])

    monitor = made(f"{at}/monitors", header={"Host": ["www.example.com"]}, description="web")
    group = made(f"{at}/monitor_groups", members=[{"monitor_id": monitor}])
    filters = {"pool": {"healthy": False}, "origin": {"disable": True}}
    pool = made(
        f"{at}/pools",
        name="eu",
        origins=[ORIGIN],
        monitor=monitor,
        notification_filter=filters,
        latitude=1,
        longitude=2,
    )
    other = made(f"{at}/pools", name="us", origins=[ORIGIN], monitor_group=group, check_regions=["WEU"])
    balancer = {"default_pools": [pool], "fallback_pool": other, "region_pools": {"WEU": [other]}}
    weights = {"pool_weights": {pool: 0.5}, "default_weight": 0.25}
    first = made(f"/zones/{zone.id}/load_balancers", name="www.example.com", **balancer, random_steering=weights)
    second = made(at, name="shop.example.com", **balancer, session_affinity="ip_cookie", session_affinity_ttl=60)
    for path in (
        "/accounts",
        "/user/tokens/verify",
        f"/accounts/{api.store.account_id}",
        f"{at}/monitors",
        f"{at}/monitor_groups?page=1",
        f"{at}/pools",
        at,
        f"/zones/{zone.id}/load_balancers",
        f"{at}/monitors/{monitor}",
        f"{at}/monitor_groups/{group}",
        f"{at}/pools/{pool}",
        f"{at}/{second}",
        f"/zones/{zone.id}/load_balancers/{first}",
        f"{at}/pools/{'0' * 32}",
        f"{at}/pools/zz",
        "/accounts?page=x&pag=1",
        "/zones?order=age",
    ):
        check(document, client.get(path))
    refused = client.patch(f"{at}/pools/{pool}", json={"origins": [{"weight": 7}], "what": 1})
    assert len(refused.json()["errors"]) > 2
    check(document, refused)
    check(document, client.delete(f"{at}/pools/{pool}"))
    check(document, client.delete(f"{at}/{second}"))
    check(document, client.patch(f"{at}/pools/{pool}?dry_run=true", json={"enabled": False}))
    check(document, client.patch(f"{at}/pools", json={"notification_email": ""}))
