"""Every request that is no good gets one clear error in the envelope, and changes nothing."""

from __future__ import annotations

import json
import logging
from typing import Any

import httpx
import pytest

from lbdns.base.errors import LbdnsError
from lbdns.manage.api.frame.pointers import pointer
from lbdns.manage.store.refusals import ReadOnly, StoreError
from tests.api.conftest import Api

pytestmark = pytest.mark.slow

JSON = {"Content-Type": "application/json"}
POOL = {"name": "eu", "origins": [{"name": "one", "address": "192.0.2.1"}]}


def refusals(response: httpx.Response) -> list[tuple[int, int]]:
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert body["result"] is None and body["success"] is False and body["messages"] == []
    return [(response.status_code, one["code"]) for one in body["errors"]]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b'{"a": 1} {"b": 2}',
        b"[]",
        b'"text"',
        b"null",
        b"7",
        b'{"name": NaN}',
        b'{"name": Infinity}',
        b'{"name": 1e999}',
        b'{"name": "\xff\xfe"}',
        b'{"name": "\\ud800"}',
        b'{"na\\ud800me": 1}',
        b'{"a": ' + b"[" * 40 + b"]" * 40 + b"}",
        b"[" * 100_000,
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
)
def test_bodies_that_are_no_json_object(api: Api, client: httpx.Client, body: bytes) -> None:
    response = client.post(f"{api.account}/pools", content=body, headers=JSON)
    assert refusals(response) == [(400, 1008)]
    assert api.manager.state.revision == 0


KINDS = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ";", "", "a/b", None]


@pytest.mark.parametrize("kind", [*KINDS, "application/json", "application/json; charset=utf-8", "APPLICATION/JSON"])
def test_json_is_read_whatever_it_is_sent_as(api: Api, client: httpx.Client, kind: str | None) -> None:
    headers = {"Content-Type": kind} if kind else {}
    response = client.post(f"{api.account}/pools", content=json.dumps(POOL), headers=headers)
    assert response.status_code == 200


@pytest.mark.parametrize(
    "fields",
    [
        {"name": {}},
        {"name": ["eu"]},
        {"name": "x" * 101},
        {"name": ""},
        {"origins": None},
        {"origins": {}},
        {"origins": []},
        {"origins": [1]},
        {"origins": ["x"]},
        {"origins": [POOL["origins"][0]] * 101},
        {"enabled": "yes"},
        {"enabled": 1},
        {"minimum_origins": 1.5},
        {"minimum_origins": "1"},
        {"minimum_origins": 10**30},
        {"latitude": 91, "longitude": 0},
        {"load_shedding": []},
        {"monitor": 7},
        {"monitor": "nobody"},
        {"monitor": "0" * 32},
        {"\x00": 1},
        {"": ""},
    ],
)
def test_values_of_the_wrong_type_or_size(api: Api, client: httpx.Client, fields: dict[str, Any]) -> None:
    response = client.post(f"{api.account}/pools", json=POOL | fields)
    assert set(refusals(response)) == {(400, 1002)}
    assert all(one["message"].endswith(": validation failed") for one in response.json()["errors"])
    assert api.manager.state.revision == 0


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/nowhere", (404, 7003)),
        ("/", (404, 7003)),
        ("", (404, 7003)),
        ("/account/", (404, 7003)),
        ("/zones/%2e%2e/load_balancers", (400, 7003)),
        ("/zones/zz/load_balancers", (400, 7003)),
        (f"/zones/{'0' * 32}/load_balancers", (404, 1001)),
        ("{account}/pools/zz", (400, 7003)),
        ("{account}/pools/" + "0" * 31, (400, 7003)),
        ("{account}/pools/" + "g" * 32, (400, 7003)),
        ("{account}/pools/" + "0" * 32, (404, 1001)),
        ("{account}/monitors/" + "0" * 32, (404, 1001)),
        ("{account}/monitor_groups/" + "0" * 32, (404, 1001)),
        ("{account}/" + "0" * 32, (404, 1001)),
        ("{account}/pools?monitor=" + "0" * 33, (400, 1002)),
        ("/zones?order=age", (400, 1002)),
    ],
)
def test_paths(api: Api, client: httpx.Client, path: str, expected: tuple[int, int]) -> None:
    assert refusals(client.get(path.format(account=api.account))) == [expected]


def test_paths_outside_of_the_api(api: Api, client: httpx.Client) -> None:
    for path in ("/", "/client/v5/accounts", "/docs", "/favicon.ico"):
        assert refusals(client.get(f"{api.server.address}{path}")) == [(404, 7003)]


def test_the_path_is_quoted(client: httpx.Client) -> None:
    told = client.get("/no%0Awhere/%ff").json()["errors"][0]["message"]
    assert told.startswith("Could not route to /client/v4/no\nwhere/")
    assert told.endswith(", perhaps your object identifier is invalid?")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "POST", "TRACE", "BREW"])
def test_methods_that_a_path_does_not_take(client: httpx.Client, method: str) -> None:
    response = client.request(method, "/accounts")
    assert refusals(response) == [(405, 10405)]
    assert response.headers["allow"] == "GET, HEAD, OPTIONS"


def test_all_methods_that_a_path_takes_are_named(api: Api, client: httpx.Client) -> None:
    assert client.post(f"{api.account}/pools/{'0' * 32}").headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"
    assert client.delete(f"/zones/{'0' * 32}/load_balancers").headers["allow"] == "GET, HEAD, OPTIONS, POST"


def failing(api: Api, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    async def change(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(api.manager, "change", change)


def test_a_bug_is_logged_and_not_told(
    api: Api, client: httpx.Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failing(api, monkeypatch, KeyError("a secret of the house"))
    with caplog.at_level(logging.WARNING):
        response = client.post(f"{api.account}/monitors", json={})
    assert refusals(response) == [(500, 1000)]
    assert "secret" not in response.text and "Traceback" not in response.text
    (record,) = caplog.records
    assert record.name == "lbdns.api" and record.exc_info is not None
    assert client.get("/accounts").status_code == 200


def test_a_store_that_fails_says_so(
    api: Api, client: httpx.Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failing(api, monkeypatch, StoreError("store.sqlite: the store failed: disk is full"))
    with caplog.at_level(logging.ERROR):
        assert refusals(client.post(f"{api.account}/monitors", json={})) == [(500, 1000)]
    assert "disk is full" in caplog.text


def test_files_are_changed_where_they_are(api: Api, client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(api, monkeypatch, ReadOnly("this server serves the files in /etc/lbdns; change them there"))
    response = client.post(f"{api.account}/monitors", json={})
    assert refusals(response) == [(403, 1007)]
    assert "/etc/lbdns" in response.text


def test_what_does_not_compile_is_told_to_its_author(
    api: Api, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(api, monkeypatch, LbdnsError("the canary query www.example.com A was answered REFUSED"))
    response = client.post(f"{api.account}/monitors", json={})
    assert refusals(response) == [(400, 1002)]
    assert "canary" in response.text


def test_pointers_escape_what_json_pointers_escape() -> None:
    assert pointer(()) == ""
    assert pointer(("region_pools", "a/b~c", 0)) == "/region_pools/a~1b~0c/0"
