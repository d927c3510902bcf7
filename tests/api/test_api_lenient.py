"""What clients of the v4 API may send in another way than we would: pages, paths, methods, parameters nobody knows."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.api.conftest import Api

pytestmark = pytest.mark.slow

LISTS = {  # path -> (per_page where nothing is asked, the most)
    "/zones": (20, 1000),
    "/accounts": (20, 1000),
    "{zone}/dns_records": (100, 5000),
    "{account}/pools": (100, 1000),
    "{account}/monitors": (100, 1000),
    "{account}": (100, 1000),
    "{zone}/load_balancers": (100, 1000),
    "{account}/search": (25, 1000),
    "/user/load_balancing_analytics/events": (100, 1000),
}


@pytest.fixture
def paths(api: Api) -> dict[str, str]:
    return {"zone": f"/zones/{api.zone().id}", "account": api.account}


def good(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    return response.json()


@pytest.mark.parametrize("path", LISTS)
def test_any_page_and_any_size_is_answered(client: httpx.Client, paths: dict[str, str], path: str) -> None:
    otherwise, most = LISTS[path]
    for asked, taken in (
        ("1", 1),
        ("3", 3),
        ("7.0", 7),
        (" 8 ", 8),
        (str(most), most),
        (str(most + 1), most),
        ("9" * 5000, most),
        ("0", 1),
        ("-5", 1),
        ("many", otherwise),
        ("", otherwise),
        ("1e3", otherwise),
        ("\u0665", otherwise),
    ):
        said = good(client.get(path.format(**paths), params={"per_page": asked}))
        assert said["result_info"]["per_page"] == taken, asked
        is_told = any("per_page" in message["message"] for message in said["messages"])
        assert is_told is (asked not in ("1", "3", "7.0", " 8 ", str(most), "")), asked
    for asked, taken in (("2", 2), ("0", 1), ("-1", 1), ("x", 1), ("9" * 5000, 1_000_000)):
        said = good(client.get(path.format(**paths), params={"page": asked}))
        assert said["result_info"]["page"] == taken, asked


@pytest.mark.parametrize("path", ["/zones", "/accounts", "/user/tokens/verify", "{zone}", "{zone}/dns_records"])
def test_a_final_slash_and_empty_segments_change_nothing(
    api: Api, client: httpx.Client, paths: dict[str, str], path: str
) -> None:
    path = path.format(**paths)
    plain = good(client.get(path))
    for other in (f"{path}/", f"{path}//", f"/{path}", f"//{path}/?page=1"):
        assert good(client.get(f"{api.base}{other}"))["result"] == plain["result"]


def test_a_final_slash_changes_nothing_of_writes(client: httpx.Client, paths: dict[str, str]) -> None:
    body = {"name": "a", "type": "A", "content": "192.0.2.1"}
    made = good(client.post(f"{paths['zone']}/dns_records/", json=body))["result"]
    assert good(client.delete(f"{paths['zone']}/dns_records/{made['id']}/"))["result"] == {"id": made["id"]}


def test_a_slash_that_is_part_of_a_name_stays(api: Api) -> None:
    api.store.tokens.create("a//", "read")
    with api.local() as local:
        assert local.delete("http://localhost/lbdns/v1/tokens/a%2F%2F").json()["result"]["name"] == "a//"


def test_parameters_that_a_path_does_not_know_are_told(client: httpx.Client, paths: dict[str, str]) -> None:
    def told(path: str, **params: str) -> list[str]:
        return [one["message"] for one in good(client.get(path.format(**paths), params=params))["messages"]]

    assert told("/zones", nmae="x.example") == ['unknown query parameter "nmae" is ignored; did you mean "name"?']
    assert told("{account}/pools", limit="1", monitor="") == ['unknown query parameter "limit" is ignored']
    assert told("{zone}/dns_records", **{"name.exakt": "a"}) == [
        'unknown query parameter "name.exakt" is ignored; did you mean "name.exact"?'
    ]
    assert told("{zone}", **{"\x1b[31m": ""}) == ['unknown query parameter "\\x1b[31m" is ignored']
    assert told("{zone}/dns_records", **{"name.exact": "a", "type": "A", "page": "1", "match": "any"}) == []
    assert told("/zones", **{"account.id": "0" * 32, "name": "a", "per_page": "1", "direction": "asc"}) == []
    body = {"name": "eu", "origins": [{"name": "one", "address": "192.0.2.1"}]}
    made = good(client.post(f"{paths['account']}/pools?dry_runn=true", json=body))
    assert [one["message"] for one in made["messages"]] == [
        'unknown query parameter "dry_runn" is ignored; did you mean "dry_run"?'
    ]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "{zone}/settings/ssl", {"value": "off"}),
        ("PUT", "{zone}/activation_check", None),
        ("POST", "{zone}/dns_records/scan", None),
        ("PATCH", "{account}/pools", {"notification_email": ""}),
    ],
)
def test_a_change_that_cannot_be_tried_alone_is_refused_where_it_should(
    client: httpx.Client, paths: dict[str, str], method: str, path: str, body: Any
) -> None:
    answer = client.request(method, path.format(**paths), params={"dry_run": "true"}, json=body)
    assert answer.status_code == 400, answer.text
    assert "dry_run: this path has none; nothing was changed" in answer.json()["errors"][0]["message"]


def test_what_changes_objects_can_be_tried_alone(client: httpx.Client) -> None:
    keep_nothing: tuple[str, ...] = ("preview", "activation_check", "purge_cache", "settings", "{setting}", "graphql")
    keep_nothing += ("force_axfr", "force_notify")
    assert [
        f"{method} {path}"
        for path, methods in client.get("/openapi.json").json()["paths"].items()
        for method, operation in methods.items()
        if method in ("post", "put", "patch", "delete") and path.startswith("/client/v4/")
        if not any(one["name"] == "dry_run" for one in operation.get("parameters", ()))
        if not path.endswith(keep_nothing) and "/preview/" not in path and "/scan" not in path
    ] == ["patch /client/v4/accounts/{account_id}/load_balancers/pools"], "whose one field has no effect"


def test_what_is_told_of_one_request_is_not_told_of_the_next(client: httpx.Client) -> None:
    assert good(client.get("/zones?x=1"))["messages"] != []
    assert good(client.get("/zones"))["messages"] == []


@pytest.mark.parametrize(
    "path", ["/zones", "{zone}", "{account}/pools", "/nowhere", "{account}/pools/zz", "/openapi.json"]
)
def test_head_is_get_without_a_body(client: httpx.Client, paths: dict[str, str], path: str) -> None:
    got, head = client.get(path.format(**paths)), client.head(path.format(**paths))
    assert head.content == b""
    assert (head.status_code, head.headers) == (got.status_code, got.headers)


def test_head_needs_a_path_that_is_read(client: httpx.Client, paths: dict[str, str]) -> None:
    head = client.head(f"{paths['zone']}/dns_records/batch/x")
    assert head.status_code == 404
    head = client.head(f"{paths['zone']}/dns_records/import")
    assert head.status_code in (400, 405)


def test_options_name_the_methods(client: httpx.Client, paths: dict[str, str]) -> None:
    for path, methods in (
        ("/accounts", "GET, HEAD, OPTIONS"),
        ("{zone}/dns_records/batch", "OPTIONS, POST"),
        ("{account}/pools", "GET, HEAD, OPTIONS, PATCH, POST"),
        ("{account}/pools/" + "0" * 32, "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
    ):
        answer = client.options(path.format(**paths))
        assert good(answer)["result"] is None and answer.headers["allow"] == methods, path
    assert client.options("/nowhere").status_code == 404


def test_objects_stand_at_the_user_as_well(client: httpx.Client, paths: dict[str, str]) -> None:
    body = {"name": "eu", "origins": [{"name": "one", "address": "192.0.2.1"}]}
    made = good(client.post("/user/load_balancers/pools", json=body))["result"]
    assert good(client.get(f"{paths['account']}/pools/{made['id']}"))["result"] == made
    assert good(client.get(f"/user/load_balancers/pools/{made['id']}/"))["result"] == made
    assert good(client.patch(f"/user/load_balancers/pools/{made['id']}", json={"enabled": False}))
    monitor = good(client.post("/user/load_balancers/monitors", json={"description": "web"}))["result"]
    assert [one["id"] for one in good(client.get("/user/load_balancers/monitors"))["result"]] == [monitor["id"]]
    assert good(client.delete(f"/user/load_balancers/pools/{made['id']}"))["result"] == {"id": made["id"]}
    assert client.get("/user/load_balancers_x").status_code == 404
