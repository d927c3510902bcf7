"""Health checks of zones: an endpoint that is watched, shown, and in no answer."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from lbdns.base.kinds import Kind
from tests.api.conftest import Api

pytestmark = pytest.mark.slow

SHIP = {
    "name": "ship",
    "address": "www.example.com",
    "type": "HTTPS",
    "http_config": {
        "path": "/health",
        "expected_codes": ["2xx", "302"],
        "header": {"Host": ["www.example.com"]},
        "port": 8443,
        "allow_insecure": True,
    },
    "interval": 90,
    "retries": 1,
    "timeout": 4,
    "consecutive_fails": 3,
    "check_regions": ["WEU"],
    "description": "the ship",
}


@pytest.fixture
def at(api: Api) -> str:
    return f"/zones/{api.zone().id}/healthchecks"


def result(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    return response.json()["result"]


def refused(response: httpx.Response, status: int = 400) -> list[tuple[int, str]]:
    assert response.status_code == status, response.text
    return [(one["code"], one.get("source", {}).get("pointer", "")) for one in response.json()["errors"]]


def test_what_is_sent_is_echoed_with_its_defaults(client: httpx.Client, at: str) -> None:
    made = result(client.post(at, json=SHIP))
    assert {key: made[key] for key in SHIP if key != "http_config"} == {
        key: value for key, value in SHIP.items() if key != "http_config"
    }
    assert made["http_config"] == {
        **SHIP["http_config"],  # type: ignore[dict-item]
        "expected_body": "",
        "follow_redirects": False,
        "method": "GET",
    }
    assert (made["tcp_config"], made["consecutive_successes"], made["suspended"]) == (None, 1, False)
    assert (made["status"], made["failure_reason"]) == ("unknown", "")
    assert result(client.get(f"{at}/{made['id']}")) == made
    assert result(client.get(at)) == [made]
    assert client.get(f"{at}?per_page=1&page=2").json()["result_info"]["total_count"] == 1


def test_the_documents_defaults(client: httpx.Client, at: str) -> None:
    made = result(client.post(at, json={"name": "a", "address": "192.0.2.1"}))
    assert (made["type"], made["interval"], made["timeout"], made["retries"]) == ("HTTP", 60, 5, 2)
    assert made["http_config"]["port"] == 80 and made["http_config"]["expected_codes"] == ["200"]
    tcp = result(client.post(at, json={"name": "a", "address": "192.0.2.1", "type": "TCP"}))
    assert tcp["tcp_config"] == {"method": "connection_established", "port": 80} and tcp["http_config"] is None
    assert result(client.post(at, json={**made, "http_config": None}))["http_config"] == made["http_config"]


def test_it_is_replaced_changed_and_deleted(api: Api, client: httpx.Client, at: str) -> None:
    made = result(client.post(at, json=SHIP))
    one = f"{at}/{made['id']}"
    changed = result(client.patch(one, json={"suspended": True, "http_config": {"path": "/up"}}))
    assert changed["http_config"] == {**made["http_config"], "path": "/up"}
    assert (changed["status"], changed["suspended"], changed["interval"]) == ("unknown", True, 90)
    put = result(client.put(one, json={"name": "other", "address": "192.0.2.9", "type": "TCP"}))
    assert (put["id"], put["name"], put["type"], put["suspended"]) == (made["id"], "other", "TCP", False)
    assert put["created_on"] == made["created_on"] and put["tcp_config"]["port"] == 80
    assert result(client.delete(one)) == {"id": made["id"]}
    assert refused(client.get(one), 404) == refused(client.delete(one), 404) == [(1001, "")]
    assert [len(api.manager.state.all(kind)) for kind in (Kind.POOL, Kind.MONITOR)] == [0, 0]


def test_a_write_may_be_tried_alone_and_tells_what_it_would_do(api: Api, client: httpx.Client, at: str) -> None:
    body = {**SHIP, "check_regions": ["OC"]}

    def counts(response: httpx.Response) -> Any:
        return {key: value for key, value in result(response)["counts"].items() if value}

    tried = client.post(f"{at}?dry_run=true", json=body)
    assert counts(tried) == {"create": {"monitor": 1, "pool": 1}}
    assert [one["source"]["pointer"] for one in tried.json()["messages"]] == ["/check_regions"]
    assert result(client.get(at)) == []
    done = client.post(at, json=body)
    assert [one["source"]["pointer"] for one in done.json()["messages"]] == ["/check_regions"]
    made = result(done)
    one = f"{at}/{made['id']}"
    assert counts(client.patch(f"{one}?dry_run=true", json={"interval": 80})) == {"update": {"monitor": 1}}
    assert counts(client.put(f"{one}?dry_run=true", json={**SHIP, "name": "other"})) == {"update": {"pool": 1}}
    assert counts(client.delete(f"{one}?dry_run=true")) == {"delete": {"monitor": 1, "pool": 1}}
    assert result(client.get(one)) == made


def test_every_mistake_is_told_where_it_stands(api: Api, client: httpx.Client, at: str) -> None:
    wrong = {
        "address": "http://x",
        "type": "UDP",
        "interval": 1,
        "consecutive_fails": "x",
        "suspended": "no",
        "nmae": 1,
        "http_config": {"path": "up", "expected_codes": ["999"], "pth": 1},
        "check_regions": ["XX"],
    }
    assert set(refused(client.post(at, json=wrong))) == {
        (1002, pointer)
        for pointer in (
            "/name",
            "/address",
            "/type",
            "/interval",
            "/consecutive_fails",
            "/suspended",
            "/nmae",
            "/http_config/path",
            "/http_config/expected_codes",
            "/http_config/pth",
            "/check_regions/0",
        )
    }
    assert set(refused(client.post(f"{at}/preview", json={"name": 7, "address": []}))) >= {(1002, "/name")}
    assert [len(api.manager.state.all(kind)) for kind in (Kind.POOL, Kind.MONITOR)] == [0, 0]


def test_it_is_no_pool_of_the_account(api: Api, client: httpx.Client, at: str) -> None:
    id = result(client.post(at, json=SHIP))["id"]
    assert result(client.get(f"{api.account}/pools")) == result(client.get(f"{api.account}/monitors")) == []
    assert result(client.get(f"{api.account}/search?query=ship"))["resources"] == []
    assert refused(client.delete(f"{api.account}/pools/{id}"), 404) == [(1001, "")]
    other = f"/zones/{api.zone('example.org').id}/healthchecks"
    assert result(client.get(other)) == [] and refused(client.get(f"{other}/{id}"), 404) == [(1001, "")]


def test_it_goes_with_its_zone_and_comes_back_with_it(api: Api, client: httpx.Client, at: str) -> None:
    own = f"{api.server.address}/lbdns/v1"
    made = result(client.post(at, json=SHIP))
    revision = api.manager.state.revision
    assert result(client.delete(at.removesuffix("/healthchecks")))
    assert [len(api.manager.state.all(kind)) for kind in (Kind.POOL, Kind.MONITOR, Kind.ZONE)] == [0, 0, 0]
    result(client.post(f"{own}/revisions/{revision}/restore", json={}))
    again = result(client.get(f"{at}/{made['id']}"))
    assert {**again, "created_on": "", "modified_on": ""} == {**made, "created_on": "", "modified_on": ""}
    result(client.post(f"{own}/revisions/0/restore", json={}))
    assert [len(api.manager.state.all(kind)) for kind in (Kind.POOL, Kind.MONITOR, Kind.ZONE)] == [0, 0, 0]


def test_an_export_that_is_applied_changes_nothing(api: Api, client: httpx.Client, at: str) -> None:
    own = f"{api.server.address}/lbdns/v1"
    made = result(client.post(at, json=SHIP))
    exported = result(client.get(f"{own}/configuration"))["files"]
    assert f"healthcheck-{made['id'][:8]}" in exported["pools.yaml"]


def test_it_takes_the_scope_of_pools(api: Api, at: str) -> None:
    text, _ = api.store.tokens.create("zones", "zones:write")
    with api.client(text) as client:
        assert refused(client.get(at), 403) == [(10000, "")]
