"""What tokens of each scope may do, and what a refusal says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from lbdns.base.errors import LbdnsError
from lbdns.manage.store.token_scopes import TokenScopes, parse_scope
from tests.api.conftest import Api

pytestmark = pytest.mark.slow

ORIGIN = {"name": "one", "address": "192.0.2.1"}


@pytest.fixture
def zones(api: Api) -> dict[str, str]:
    return {name: f"/zones/{api.zone(name).id}" for name in ("example.com", "example.org")}


@contextmanager
def holder(api: Api, *scopes: str) -> Iterator[httpx.Client]:
    text, _ = api.store.tokens.create(" ".join(scopes), *scopes)
    with api.client(text) as client:
        yield client


def refusal(response: httpx.Response) -> str:
    """Return what a refusal for want of a scope says."""
    assert response.status_code == 403, response.text
    (error,) = response.json()["errors"]
    assert error["code"] == 10000
    return str(error["message"])


def allowed(response: httpx.Response) -> bool:
    assert response.status_code in (200, 403, 404), response.text
    return response.status_code != 403


def requests(api: Api, zones: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Return requests by what they are: area, verb, and which zone."""
    one, other = zones.values()
    gone = "0" * 32
    return {
        "pools:read": ("GET", f"{api.account}/pools"),
        "pools:write": ("DELETE", f"{api.account}/pools/{gone}"),
        "monitors:read": ("GET", f"{api.account}/monitors"),
        "monitors:write": ("DELETE", f"{api.account}/monitor_groups/{gone}"),
        "health:read": ("GET", "/user/load_balancing_analytics/events"),
        "accounts:read": ("GET", api.account),
        "accounts:write": ("DELETE", f"{api.account}/{gone}"),
        "balancers:read:one": ("GET", f"{one}/load_balancers"),
        "balancers:write:one": ("DELETE", f"{one}/load_balancers/{gone}"),
        "balancers:read:other": ("GET", f"{other}/load_balancers"),
        "balancers:write:other": ("DELETE", f"{other}/load_balancers/{gone}"),
        "zones:read:one": ("GET", f"{one}/dns_records"),
        "zones:write:one": ("DELETE", f"{one}/dns_records/{gone}"),
        "zones:read:other": ("GET", other),
        "zones:write:other": ("DELETE", f"{other}/dns_records/{gone}"),
        "zone:write:gone": ("DELETE", f"/zones/{gone}"),
        "configuration:read": ("GET", f"{api.server.address}/lbdns/v1/configuration"),
        "revision:write": ("POST", f"{api.server.address}/lbdns/v1/revisions/999/restore"),
    }


@pytest.mark.parametrize(
    ("scopes", "may"),
    [
        (["read"], "pools:read monitors:read health:read accounts:read balancers:read:one balancers:read:other "
                   "zones:read:one zones:read:other configuration:read"),
        (["pools:read"], "pools:read monitors:read health:read"),
        (["pools:write"], "pools:read pools:write monitors:read monitors:write health:read"),
        (["load_balancers:read"], "accounts:read balancers:read:one balancers:read:other"),
        (["load_balancers:write"], "accounts:read accounts:write balancers:read:one balancers:write:one "
                                   "balancers:read:other balancers:write:other"),
        (["zones:read"], "zones:read:one zones:read:other"),
        (["zones:write"], "zones:read:one zones:write:one zones:read:other zones:write:other zone:write:gone"),
        (["zones:write:example.com"], "zones:read:one zones:write:one"),
        (["zones:read:EXAMPLE.org."], "zones:read:other"),
        (["load_balancers:write:example.org"], "balancers:read:other balancers:write:other"),
        (
            ["pools:read", "load_balancers:read:example.com", "zones:write:example.com"],
            "pools:read monitors:read health:read balancers:read:one zones:read:one zones:write:one",
        ),
    ],
)  # fmt: skip
def test_a_token_may_do_what_its_scopes_say(api: Api, zones: dict[str, str], scopes: list[str], may: str) -> None:
    asked = requests(api, zones)
    with holder(api, *scopes) as client:
        found = [what for what, (method, path) in asked.items() if allowed(client.request(method, path))]
    assert found == [what for what in asked if what in may.split()]


def test_everything_is_allowed_to_write(api: Api, zones: dict[str, str]) -> None:
    with holder(api, "write") as client:
        for what, (method, path) in requests(api, zones).items():
            if what != "revision:write":
                assert allowed(client.request(method, path)), what


def test_a_refusal_names_the_scope_that_is_missing(api: Api, zones: dict[str, str]) -> None:
    with holder(api, "pools:read") as client:
        assert refusal(client.post(f"{api.account}/pools", json={"name": "eu", "origins": [ORIGIN]})).endswith(
            "may only read; it needs a token of scope write or pools:write"
        )
        assert refusal(client.get("/zones")).endswith("may not read this; it needs a token of scope read or zones:read")
        assert "scope read or load_balancers:read" in refusal(client.get(f"{api.account}/search"))
        path = f"{zones['example.com']}/load_balancers"
        assert "load_balancers:write or load_balancers:write:ZONE" in refusal(client.post(path, json={}))


def test_lists_of_zones_show_those_that_may_be_read(api: Api, zones: dict[str, str]) -> None:
    def names(client: httpx.Client, query: str = "") -> list[str]:
        said = client.get(f"/zones{query}").json()
        assert said["result_info"]["total_count"] == len(said["result"])
        return [zone["name"] for zone in said["result"]]

    with holder(api, "zones:read:example.org", "pools:write") as client:
        assert names(client) == ["example.org"]
        assert names(client, "?name=example.com") == []
        refusal(client.post("/zones", json={"name": "example.net"}))
    with holder(api, "zones:read") as client:
        assert names(client) == ["example.com", "example.org"]
    # Who writes load balancers looks for the zone's id first.
    with holder(api, "load_balancers:write:example.org") as client:
        assert names(client) == names(client, "?name=example.org") == ["example.org"]
        refusal(client.get(f"{zones['example.org']}/dns_records"))


def test_a_master_file_is_imported_by_who_may_write_its_zone(api: Api, zones: dict[str, str]) -> None:
    def put(client: httpx.Client, zone: str) -> httpx.Response:
        text = "@ SOA ns1 admin 1 7200 900 1209600 300\n@ NS ns1\nns1 A 192.0.2.53\n"
        return client.post(f"{api.server.address}/lbdns/v1/zones/{zone}/import", files={"file": ("file", text)})

    with holder(api, "zones:write:example.com", "zones:write:b\u00fccher.example") as client:
        for zone in ("example.com", "EXAMPLE.com.", "b\u00fccher.example", "xn--bcher-kva.example"):
            assert put(client, zone).status_code == 200, zone
        for zone in ("example.org", "www.example.com", "a..b"):
            assert "zones:write" in refusal(put(client, zone))


def test_every_token_is_verified_and_sees_the_account(api: Api) -> None:
    with holder(api, "zones:read:nowhere.example") as client:
        for path in ("/user/tokens/verify", "/accounts", f"{api.account}/regions", "/openapi.json"):
            assert client.get(path).status_code == 200


def test_a_zone_with_load_balancers_takes_both_scopes_to_delete(api: Api, zones: dict[str, str]) -> None:
    with api.client(api.write_token) as client:
        pool = client.post(f"{api.account}/pools", json={"name": "eu", "origins": [ORIGIN]}).json()["result"]["id"]
        body = {"name": "www.example.com", "default_pools": [pool], "fallback_pool": pool}
        assert client.post(f"{zones['example.com']}/load_balancers", json=body).status_code == 200
    with holder(api, "zones:write") as client:
        assert "load_balancers:write" in refusal(client.delete(zones["example.com"]))
        assert client.delete(zones["example.org"]).status_code == 200
    with holder(api, "zones:write", "load_balancers:write:example.com") as client:
        assert client.delete(zones["example.com"]).status_code == 200


def test_a_zone_with_health_checks_takes_their_scope_to_delete(api: Api, zones: dict[str, str]) -> None:
    zone = zones["example.com"]
    with api.client(api.write_token) as client:
        body = {"name": "ship", "address": "192.0.2.1", "type": "TCP"}
        assert client.post(f"{zone}/healthchecks", json=body).status_code == 200
    with holder(api, "zones:write", "load_balancers:write") as client:
        assert "pools:write" in refusal(client.delete(zone))
        assert client.delete(zones["example.org"]).status_code == 200
    with holder(api, "zones:write", "pools:write") as client:
        assert client.delete(zone).status_code == 200


def test_scopes_as_texts() -> None:
    for text in ("read", "write", "pools:read", "zones:write:example.com", "load_balancers:read:xn--bcher-kva.example"):
        assert str(parse_scope(text)) == text
    assert str(parse_scope("zones:read:B\u00fccher.Example.")) == "zones:read:xn--bcher-kva.example"
    assert str(TokenScopes.parse(["pools:read", "zones:write", "pools:read"])) == "pools:read zones:write"
    for text, why in (
        ("admin", "expected read, write, or AREA:read"),
        ("zone:read", 'did you mean "zones"'),
        ("zones", "expected zones:read or zones:write"),
        ("zones:edit", "expected zones:read or zones:write"),
        ("pools:write:example.com", "belong to no zone"),
        ("zones:read:a..b", "empty label"),
        ("zones:read:", "is no scope"),
        ("write:example.com", "is no scope"),
    ):
        with pytest.raises(LbdnsError, match=why):
            parse_scope(text)
    with pytest.raises(LbdnsError, match="1 to 100 scopes"):
        TokenScopes.parse([])
