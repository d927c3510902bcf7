"""Who may ask: tokens in every form, the UNIX socket, and what is learnt without a token: nothing."""

from __future__ import annotations

import asyncio
import re
import stat

import httpx
import pytest

from lbdns.base.kinds import Kind
from lbdns.manage.api.app import local_app
from lbdns.manage.api.frame.site import ApiSite
from tests.api.conftest import Api

pytestmark = pytest.mark.slow

MISSING, MALFORMED, WRONG = (400, 9106), (400, 6003), (403, 10000)
STRANGER = "A" * 43


def refusal(response: httpx.Response) -> tuple[int, int]:
    body = response.json()
    assert body["result"] is None and body["success"] is False and len(body["errors"]) == 1
    return response.status_code, body["errors"][0]["code"]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, MISSING),
        ({"X-Auth-Email": "me@example.com"}, MISSING),
        ({"X-Auth-Key": STRANGER}, MISSING),
        ({"Authorization": ""}, MALFORMED),
        ({"Authorization": "Bearer"}, MALFORMED),
        ({"Authorization": f"Basic {STRANGER}"}, MALFORMED),
        ({"Authorization": f"Bearer {STRANGER} {STRANGER}"}, MALFORMED),
        ({"Authorization": "Bearer tökén".encode()}, MALFORMED),
        ({"Authorization": f"Bearer {'A' * 600}"}, MALFORMED),
        ({"X-Auth-Email": "me", "X-Auth-Key": STRANGER}, MALFORMED),
        ({"X-Auth-Email": "me@example.com", "X-Auth-Key": "a b"}, MALFORMED),
        ({"Authorization": f"Bearer {STRANGER}"}, WRONG),
        ({"Authorization": "Bearer wrong"}, WRONG),
        ({"X-Auth-Email": "me@example.com", "X-Auth-Key": STRANGER}, WRONG),
    ],
)
def test_refused(api: Api, headers: dict[str, str | bytes], expected: tuple[int, int]) -> None:
    with api.client() as client:
        assert refusal(client.get("/accounts", headers=headers)) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/accounts"),
        ("GET", "/nowhere"),
        ("GET", "/openapi.json"),
        ("GET", "/accounts/zz"),
        ("DELETE", "/accounts"),
        ("POST", f"/accounts/{'0' * 32}/load_balancers/pools"),
        ("OPTIONS", "/accounts"),
        ("GET", "/../../lbdns/v1/revisions"),
    ],
)
def test_nothing_is_learnt_without_a_token(api: Api, method: str, path: str) -> None:
    with api.client() as client:
        assert refusal(client.request(method, path, content=b"{" if method == "POST" else None)) == MISSING


def test_authorization_twice(api: Api) -> None:
    with api.client() as client:
        headers = [("Authorization", f"Bearer {api.write_token}"), ("Authorization", f"Bearer {api.write_token}")]
        assert refusal(client.get("/accounts", headers=headers)) == MALFORMED


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_a_token_is_verified(api: Api, scheme: str) -> None:
    with api.client(Authorization=f"{scheme} {api.read_token}") as client:
        for path in ("/user/tokens/verify", f"/accounts/{api.store.account_id}/tokens/verify"):
            verified = client.get(path).json()["result"]
            known = next(token for token in api.store.tokens.all() if token.name == "reader")
            assert verified == {"id": known.id, "status": "active"}


def test_mail_address_and_key(api: Api) -> None:
    headers = {"X-Auth-Email": "me@example.com", "X-Auth-Key": api.write_token}
    with api.client(**headers) as client:
        assert client.get("/user/tokens/verify").status_code == 200


def test_tokens_are_such_as_terraform_accepts(api: Api) -> None:
    assert re.fullmatch(r"[0-9A-Za-z\-_]{40,80}", api.write_token)


def test_a_read_token_changes_nothing(api: Api) -> None:
    body = {"name": "eu", "origins": [{"name": "one", "address": "192.0.2.1"}]}
    pools = f"{api.account}/pools"
    with api.client(api.write_token) as writer, api.client(api.read_token) as reader:
        made = writer.post(pools, json=body).json()["result"]
        revision = api.manager.state.revision
        at = f"{pools}/{made['id']}"
        assert reader.get(at).json()["result"] == made
        for response in (
            reader.post(pools, json=body | {"name": "us"}),
            reader.put(at, json=body),
            reader.patch(at, json={"enabled": False}),
            reader.patch(pools, json={"notification_email": ""}),
            reader.delete(at),
        ):
            assert refusal(response) == WRONG
            assert "token reader may only read" in response.json()["errors"][0]["message"]
    assert api.manager.state.revision == revision


def test_a_revoked_token_is_wrong_at_once(api: Api) -> None:
    with api.client(api.read_token) as client:
        assert client.get("/accounts").status_code == 200
        api.store.tokens.revoke("reader")
        assert refusal(client.get("/accounts")) == WRONG


def test_a_token_made_while_the_server_runs_is_right_at_once(api: Api) -> None:
    text, _ = api.store.tokens.create("new", "read")
    with api.client(text) as client:
        assert client.get("/accounts").status_code == 200


def test_the_unix_socket_is_its_owners_and_asks_for_no_token(api: Api) -> None:
    mode = api.server.socket_path.stat().st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600
    with api.local() as client:
        assert client.get("/user/tokens/verify").json()["result"] == {"id": "0" * 32, "status": "active"}
        body = {"name": "eu", "origins": [{"name": "one", "address": "192.0.2.1"}]}
        assert client.post(f"{api.account}/pools", json=body).status_code == 200


def test_nobody_is_local_by_saying_so(api: Api) -> None:
    with api.client(**{"local_user": "root", "X-Local-User": "root"}) as client:
        assert refusal(client.get("/accounts")) == MISSING


def test_another_account_leads_nowhere(api: Api) -> None:
    with api.client(api.write_token) as client:
        assert refusal(client.get(f"/accounts/{'0' * 32}")) == (404, 7003)
        assert refusal(client.get(f"/accounts/{'0' * 32}/load_balancers/pools")) == (404, 7003)
        assert refusal(client.get("/accounts/ours")) == (400, 7003)


def test_the_account(api: Api) -> None:
    with api.client(api.read_token) as client:
        shown = client.get("/accounts").json()
        assert [one["id"] for one in shown["result"]] == [api.store.account_id]
        assert shown["result_info"]["total_count"] == 1
        assert client.get(f"/accounts/{api.store.account_id}").json()["result"] == shown["result"][0]
        assert client.get("/accounts?page=2").json()["result"] == []
        assert client.get("/accounts?name=other").json()["result"] == []


def test_in_this_process_no_token_is_needed(api: Api) -> None:
    app = local_app(ApiSite(api.manager, api.store, api.manager.settings), "me")

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(base_url="http://localhost/client/v4", transport=transport) as client:
            return await client.post(f"{api.account}/monitors", json={})

    assert asyncio.run(ask()).status_code == 200
    assert len(api.manager.state.all(Kind.MONITOR)) == 1
    assert api.store.revisions()[0].author == "local user me"
