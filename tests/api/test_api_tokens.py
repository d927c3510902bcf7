"""Tokens are made by the local user alone, shown once, and are of no use once revoked."""

from __future__ import annotations

import pytest

from tests.api.conftest import Api

pytestmark = pytest.mark.slow


def url(api: Api) -> str:
    return f"{api.server.address}/lbdns/v1/tokens"


def test_a_token_is_made_used_listed_and_revoked(api: Api) -> None:
    with api.local() as local:
        made = local.post("http://localhost/lbdns/v1/tokens", json={"name": "ci", "scope": "read"}).json()["result"]
        assert 40 <= len(made["value"]) <= 80 and made["scope"] == "read"
        with api.client(made["value"]) as client:
            assert client.get("/user/tokens/verify").json()["result"]["id"] == made["id"]
            assert client.post(f"{api.account}/pools", json={}).status_code == 403
        listed = local.get("http://localhost/lbdns/v1/tokens").json()["result"]
        assert [token["name"] for token in listed] == ["writer", "reader", "ci"]
        assert made["value"] not in str(listed)
        assert local.delete("http://localhost/lbdns/v1/tokens/ci").json()["result"]["id"] == made["id"]
        with api.client(made["value"]) as client:
            refused = client.get("/user/tokens/verify")
            assert (refused.status_code, refused.json()["errors"][0]["code"]) == (403, 10000)
        gone = local.delete("http://localhost/lbdns/v1/tokens/ci")
        assert (gone.status_code, gone.json()["errors"][0]["code"]) == (404, 1001)


def test_a_token_has_several_scopes(api: Api) -> None:
    with api.local() as local:
        scopes = ["pools:read", "zones:write:Example.com"]
        made = local.post("http://localhost/lbdns/v1/tokens", json={"name": "ci", "scope": scopes}).json()["result"]
        assert made["scopes"] == ["pools:read", "zones:write:example.com"]
        assert made["scope"] == "pools:read zones:write:example.com"
        wrong = local.post("http://localhost/lbdns/v1/tokens", json={"name": "x", "scope": ["read", "pools", 7]})
        assert [one["source"]["pointer"] for one in wrong.json()["errors"]] == ["/scope/1", "/scope/2"]
        assert local.post("http://localhost/lbdns/v1/tokens", json={"name": "x", "scope": []}).status_code == 400


def test_every_mistake_is_told(api: Api) -> None:
    with api.local() as local:
        refused = local.post("http://localhost/lbdns/v1/tokens", json={"name": "", "scope": "root", "nmae": 1})
        assert refused.status_code == 400
        pointers = {error["source"]["pointer"] for error in refused.json()["errors"]}
        assert pointers == {"/name", "/scope", "/nmae"}
        taken = local.post("http://localhost/lbdns/v1/tokens", json={"name": "writer"})
        assert taken.status_code == 400 and "already" in taken.json()["errors"][0]["message"]
        assert len(api.store.tokens.all()) == 2


def test_who_has_a_token_makes_no_other(api: Api) -> None:
    with api.client(api.write_token) as client:
        for answer in (
            client.post(url(api), json={"name": "more"}),
            client.get(url(api)),
            client.delete(f"{url(api)}/reader"),
        ):
            assert (answer.status_code, answer.json()["errors"][0]["code"]) == (403, 10000)
    assert [token.name for token in api.store.tokens.all()] == ["writer", "reader"]


def test_a_scope_of_a_zone_that_is_not_here_is_told(api: Api) -> None:
    with api.local() as local:
        api.zone()
        scopes = ["zones:write:example.com", "load_balancers:read:nowhere.example"]
        made = local.post("http://localhost/lbdns/v1/tokens", json={"name": "ci", "scope": scopes}).json()
        (message,) = made["messages"]
        assert message["message"] == "there is no zone nowhere.example here: the scope acts once there is"
        assert message["source"] == {"pointer": "/scope/1"}


def test_a_wrong_scope_is_named_once(api: Api) -> None:
    with api.local() as local:
        wrong = local.post("http://localhost/lbdns/v1/tokens", json={"name": "x", "scope": ["read", "bad"]}).json()
        (error,) = wrong["errors"]
        assert error["message"].startswith('scope[1]: "bad" is no scope; ')
