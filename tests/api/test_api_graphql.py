"""GraphQL over HTTP: who may ask, what a request may be, and what is answered meanwhile."""

from __future__ import annotations

import json
import threading
from typing import Any

import httpx
import jsonschema_rs
import pytest

from lbdns.manage.api.v4 import graphql_routes
from tests.api.conftest import Api

ZONES = "{ viewer { zones { zoneTag } } }"


def post(client: httpx.Client, **body: Any) -> Any:
    response = client.post("/graphql", json=body)
    assert response.status_code == 200, response.text
    return response.json()


def post_once(client: httpx.Client, **body: Any) -> Any:
    with client:
        return post(client, **body)


def test_every_token_that_may_read_something_may_ask(api: Api, client: httpx.Client) -> None:
    zone, other = api.zone(), api.zone("example.net")
    wanted = {"data": {"viewer": {"zones": [{"zoneTag": id} for id in sorted((zone.id, other.id))]}}, "errors": None}
    assert post(client, query=ZONES) == wanted
    assert post_once(api.client(api.read_token), query=ZONES) == wanted
    token, _ = api.store.tokens.create("of one zone", "zones:read:example.net")
    with api.client(token) as narrow:
        assert post(narrow, query=ZONES)["data"]["viewer"]["zones"] == [{"zoneTag": other.id}]
        reply = post(narrow, query="{ viewer { zones { loadBalancingRequestsAdaptive { lbName } } } }")
        assert reply["data"] is None and reply["errors"][0]["extensions"]["code"] == "authz"
    assert post_once(api.local(), query=ZONES) == wanted


def test_who_shows_no_token_or_a_wrong_one_is_refused_as_everywhere(api: Api) -> None:
    for token, code in (("", 9106), ("x" * 40, 10000)):
        with api.client(token) as stranger:
            response = stranger.post("/graphql", json={"query": ZONES})
        assert response.status_code in (400, 403) and response.json()["errors"][0]["code"] == code


def test_a_final_slash_and_keys_in_headers_are_taken(api: Api) -> None:
    headers = {"X-Auth-Email": "user@example.com", "X-Auth-Key": api.read_token}
    response = httpx.post(f"{api.base}/graphql/", json={"query": ZONES, "variables": None}, headers=headers)
    assert response.json() == {"data": {"viewer": {"zones": []}}, "errors": None}
    text = json.dumps({"query": ZONES, "variables": {}, "operationName": None, "extensions": {}})
    response = httpx.post(f"{api.base}/graphql", content=text, headers=headers | {"Content-Type": "text/plain"})
    assert response.json()["errors"] is None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("{}", "no query"),
        ("null", "no query"),
        ("17", "no query"),
        ('"{ viewer { zones { zoneTag } } }"', "no query"),
        ('{"query": null}', "no query"),
        ('{"query": ["{a}"]}', "no query"),
        ('{"query": ""}', "empty"),
        ('{"query": " \\n"}', "empty"),
        ('[{"query": "{ viewer { zones { zoneTag } } }"}]', "one query in one request"),
        ("[]", "one query in one request"),
        ('{"query": "{a}", "variables": [1]}', "variables"),
        ('{"query": "{a}", "variables": "{}"}', "variables"),
        ('{"query": "{a}", "operationName": 5}', "operationName"),
    ],
)
def test_json_that_is_no_query_is_told_in_the_shape_of_graphql(client: httpx.Client, body: str, words: str) -> None:
    response = client.post("/graphql", content=body)
    assert response.status_code == 200
    reply = response.json()
    assert reply["data"] is None and words in reply["errors"][0]["message"]


@pytest.mark.parametrize(
    "body", ["", "{", "query { viewer }", '{"query": "\\ud800"', b"\xff\xfe", "[" * 100 + "]" * 100]
)
def test_what_is_no_json_is_refused_as_everywhere(client: httpx.Client, body: str | bytes) -> None:
    response = client.post("/graphql", content=body)
    assert response.status_code == 400
    assert response.json()["errors"][0]["code"] == 1008


def test_half_a_character_in_a_query_is_no_failure_of_ours(client: httpx.Client) -> None:
    response = client.post(
        "/graphql", content='{"query": "{ viewer { zones(filter: {zoneTag: \\"\\\\uD800\\"}) { zoneTag } } }"}'
    )
    assert response.status_code == 200 and response.json()["errors"]
    response = client.post(
        "/graphql",
        content='{"query": "query ($z: string) { viewer { zones(filter: {zoneTag: $z}) { zoneTag } } }",'
        ' "variables": {"z": "\\u0000\\u001b"}}',
    )
    assert response.status_code == 200 and response.json()["errors"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_queries_are_posted(client: httpx.Client, method: str) -> None:
    response = client.request(method, "/graphql", params={"query": ZONES})
    assert response.status_code == 405 and "POST" in response.headers["Allow"]


def test_a_body_that_is_too_long_is_refused(client: httpx.Client) -> None:
    response = client.post("/graphql", content=json.dumps({"query": ZONES, "more": "x" * (1 << 20)}))
    assert response.status_code == 413


def test_answers_are_as_the_openapi_document_says(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    operation = document["paths"]["/client/v4/graphql"]["post"]
    described = operation["responses"]["200"]["content"]["application/json"]["schema"]
    check = jsonschema_rs.validator_for({**described, "components": document["components"]})
    for query in (
        ZONES,
        "{",
        "{ viewer { zones { nothing } } }",
        "{ viewer { accounts { dnsAnalyticsAdaptive(limit: 0) { queryName } } } }",
    ):
        check.validate(post(client, query=query))


def test_the_api_answers_others_while_queries_are_carried_out(own_api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as may run at one time wait in threads; one more waits its turn, and is told when it is up."""
    goes_on = threading.Event()
    begun = threading.Semaphore(0)
    answered = graphql_routes._answered

    def slow(site: Any, caller: Any, body: Any, is_granted: bool) -> bytes:
        if is_granted:
            begun.release()
            assert goes_on.wait(30)
        return answered(site, caller, body, is_granted)

    monkeypatch.setattr(graphql_routes, "_answered", slow)
    monkeypatch.setattr(graphql_routes, "WAITING_S", 0.05)
    replies: list[Any] = []

    def ask() -> None:
        replies.append(post_once(own_api.client(own_api.read_token), query=ZONES))

    threads = [threading.Thread(target=ask) for _ in range(graphql_routes.RUNNING_MAX)]
    for thread in threads:
        thread.start()
    try:
        for _ in threads:
            assert begun.acquire(timeout=30)
        with own_api.client(own_api.read_token) as other:
            assert other.get("/user/tokens/verify").status_code == 200
        busy = post_once(own_api.client(own_api.read_token), query=ZONES)
        assert busy["errors"][0]["message"] == "too many queries in progress, please try again later"
        assert not replies
    finally:
        goes_on.set()
        for thread in threads:
            thread.join(30)
    assert [reply["errors"] for reply in replies] == [None] * len(threads)
    monkeypatch.undo()
    assert post_once(own_api.client(own_api.read_token), query=ZONES)["errors"] is None
