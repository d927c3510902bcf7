"""Every operation of the OpenAPI document: closed without a token, read with one, and hard to send nonsense to."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import jsonschema_rs
import pytest

from lbdns.manage.api.frame.openapi import OPENAPI_PATH
from tests.api.sdk import SETTINGS, Sdk, sdk_over_store, some

pytestmark = pytest.mark.process

UNREADABLE = "/lbdns/v1/store/unreadable/"  # nothing here is; tests/store/test_store_unreadable.py has what is
GRAPHQL = "/client/v4/graphql"  # asks in a language of its own, and answers in its shape: tests/graphql
GONE = "0123456789abcdef" * 2
WRONG_TOKEN = "x" * 43
JSON = "application/json"
MIB = 1 << 20
GUESSES = 80  # of a token, from one address
VIEWS = "views: {office: {networks: [192.0.2.0/24], private: true}}\n"  # who asks for what is the account's
OTHER_NAMES = {"is_default"}  # of fields that are told of by their own names
MAY_BE_BARE = {  # sent without a body
    "PATCH /client/v4/accounts/{account_id}/teamnet/routes/network/{network}",
    "POST /client/v4/accounts/{account_id}/alerting/v3/destinations/pagerduty/connect",
}
RECORDS = ("/dns_records", "/dns_records/{id}")
Schema = dict[str, Any]


@dataclass(frozen=True)
class Operation:
    """One operation at a path that leads to something, with the schema of its JSON body."""

    method: str
    path: str
    template: str
    body: Schema | None
    bytes_max: int

    @property
    def is_writing(self) -> bool:
        return self.method != "GET"

    def __str__(self) -> str:
        return f"{self.method} {self.template}"


@dataclass(frozen=True)
class Api:
    """The API of a server with an object of each kind, and its operations."""

    sdk: Sdk
    client: httpx.Client
    operations: tuple[Operation, ...]
    document: Schema

    def resolved(self, schema: Schema) -> Schema:
        """Return a schema that stands for itself."""
        return {**schema, "components": self.document["components"]}

    def properties(self, schema: Schema) -> Schema:
        """Return the properties of a body."""
        found = schema
        if "$ref" in schema:
            found = self.document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        properties: Schema = found["properties"]
        return properties

    def refuses(self, operation: Operation, content: bytes, codes: tuple[int, ...] = (400,)) -> list[Schema]:
        """Check that a body is refused with a clear envelope; return the errors in it."""
        answer = self.client.request(operation.method, operation.path, content=content, headers={"Content-Type": JSON})
        assert answer.status_code in codes, (str(operation), content[:200], answer.text[:300])
        return errors_in(answer, f"{operation} {content[:200]!r}")


def errors_in(answer: httpx.Response, about: str) -> list[Schema]:
    """Check that an answer is the envelope of a failure and nothing else; return its errors."""
    assert answer.headers["Content-Type"] == JSON, about
    body = answer.json()
    assert {key: body[key] for key in body if key != "errors"} == {"result": None, "success": False, "messages": []}
    errors: list[Schema] = body["errors"]
    assert errors, about
    for error in errors:
        assert isinstance(error["code"], int) and error["message"], about
        assert set(error) <= {"code", "message", "source"}, about
    return errors


def of_document(document: Schema, paths: dict[str, str]) -> Iterator[Operation]:
    """Yield the operations; `paths` has what stands in for the parameters of a path."""
    for template, operations in document["paths"].items():
        if template.startswith(UNREADABLE) or template == GRAPHQL:
            continue
        path = template
        for name, value in paths.items():
            path = path.replace(name, value)
        assert "{" not in path, path
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {})
            is_large = path in ("/lbdns/v1/plan", "/lbdns/v1/apply", "/lbdns/v1/whatif") or path.endswith("/import")
            schema = content.get(JSON, {}).get("schema", {})
            body = schema if schema.get("type") != "array" else None  # of lists: test_api_alerting.py
            yield Operation(method.upper(), path, template, body or None, 64 * MIB if is_large else MIB)


@pytest.fixture(scope="module")
def api(starts_processes: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with sdk_over_store(tmp_path_factory.mktemp("operations"), SETTINGS + VIEWS) as sdk, sdk.server.local as client:
        document = client.get(OPENAPI_PATH).json()
        yield Api(sdk, client, tuple(of_document(document, paths_of_objects(sdk, client))), document)


def _alerting_paths(client: httpx.Client, alerting: str) -> dict[str, str]:
    """Make an object of each of alerting's kinds; return what stands in paths for them."""

    def made(path: str, body: Any) -> str:
        result = client.post(f"{alerting}/{path}", json=body).json()["result"]
        return str((result[0] if isinstance(result, list) else result)["id"])

    hook = made("destinations/webhooks", {"name": "operations", "url": "http://127.0.0.1:9/in"})
    pager = made("destinations/pagerduty/connect", {"name": "operations", "routing_key": "R0UT1NG"})
    mechanisms = {"webhooks": [{"id": hook}]}
    policy = {"name": "operations", "alert_type": "load_balancing_health_alert", "enabled": True}
    named = made("policies", {**policy, "mechanisms": mechanisms})
    span = {"start_time": "2026-01-01T00:00:00Z", "end_time": "2099-01-01T00:00:00Z"}
    silence = made("silences", [{"policy_id": named, **span}])
    return {
        "policies/{id}": f"policies/{named}",
        "webhooks/{id}": f"webhooks/{hook}",
        "connect/{id}": f"connect/{pager}",
        "pagerduty/{id}": f"pagerduty/{pager}",
        "silences/{id}": f"silences/{silence}",
    }


def paths_of_objects(sdk: Sdk, client: httpx.Client) -> dict[str, str]:
    """Make an object of each kind; return what stands in paths for them."""
    balancing = sdk.client.load_balancers
    zone = sdk.zone("operations.example")
    monitor = some(balancing.monitors.create(account_id=sdk.account, path="/operations", interval=3600).id)
    member: Any = {"monitor_id": monitor, "enabled": True, "monitoring_only": False, "must_be_healthy": True}
    group = balancing.monitor_groups.create(account_id=sdk.account, description="operations", members=[member]).id
    pool = sdk.pool("operations", "127.0.0.1")
    pools: Any = {"default_pools": [pool], "fallback_pool": pool}
    below_zone = some(balancing.create(zone_id=zone, name="a.operations.example", **pools).id)
    below_account = some(balancing.create(account_id=sdk.account, name="b.operations.example", **pools).id)
    networks = sdk.client.zero_trust.networks
    network = networks.virtual_networks.create(account_id=sdk.account, name="operations").id
    place: Any = {"network": "10.66.0.0/16", "tunnel_id": "", "virtual_network_id": network}
    route = networks.routes.create(account_id=sdk.account, **place).id
    check = sdk.client.healthchecks.create(zone_id=zone, name="operations", address="127.0.0.1", interval=3600)
    record = next(iter(sdk.client.dns.records.list(zone_id=zone, name={"exact": "operations.example"}))).id
    named = {"name": "app.corp", "load_balancer": below_account}
    override = client.post("/lbdns/v1/overrides", json=named).json()["result"]["id"]
    alerting = f"/client/v4/accounts/{sdk.account}/alerting/v3"
    transfers = sdk.client.dns.zone_transfers
    key: Any = {"name": "operations", "algo": "hmac-sha256", "secret": "c2VjcmV0c2VjcmV0c2VjcmV0"}
    tsig = some(transfers.tsigs.create(account_id=sdk.account, **key)).id
    peer = some(transfers.peers.create(account_id=sdk.account, name="operations")).id
    acl = some(transfers.acls.create(account_id=sdk.account, name="operations", ip_range="192.0.2.0/28")).id
    return {
        **_alerting_paths(client, alerting),
        "tsigs/{id}": f"tsigs/{tsig}",
        "peers/{id}": f"peers/{peer}",
        "acls/{id}": f"acls/{acl}",
        "dns_records/{id}": f"dns_records/{record}",
        "monitors/{id}": f"monitors/{monitor}",
        "monitor_groups/{id}": f"monitor_groups/{group}",
        "pools/{id}": f"pools/{pool}",
        "preview/{id}": f"preview/{GONE}",
        "healthchecks/{id}": f"healthchecks/{check.id if check else ''}",
        "zones/{zone_id}/load_balancers/{id}": f"zones/{zone}/load_balancers/{below_zone}",
        "load_balancers/{id}": f"load_balancers/{below_account}",
        "virtual_networks/{id}": f"virtual_networks/{network}",
        "routes/{id}": f"routes/{route}",
        "{network}": "10.66.0.0%2F16",
        "{ip}": "10.66.0.1",
        "overrides/{id}": f"overrides/{override}",
        "{account_id}": sdk.account,
        "{zone_id}": zone,
        "{region_code}": "WEU",
        "{setting}": "ssl",
        "memberships/{id}": f"memberships/{sdk.account}",
        "{number}": "1",
        "{other}": "2",
        "{name}": "operations.example",
        "{machine}": "FRA-1",
    }


@pytest.fixture(autouse=True)
def unchanged(api: Api) -> Iterator[None]:
    """Nothing that is refused leaves a trace."""
    before = api.sdk.revision()
    yield
    assert api.sdk.revision() == before


def from_elsewhere(sdk: Sdk, address: str, **headers: str) -> httpx.Client:
    """Return a client over TCP from an address of its own, because guesses of tokens are counted by address."""
    transport = httpx.HTTPTransport(local_address=address)
    return httpx.Client(transport=transport, base_url=sdk.server.api, headers=headers, timeout=30)


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 400, 9106),
        ({"X-Auth-Key": WRONG_TOKEN}, 400, 9106),
        ({"Authorization": "Basic dTpw"}, 400, 6003),
        ({"Authorization": f"Bearer {WRONG_TOKEN}"}, 403, 10000),
    ],
    ids=["none", "half", "malformed", "wrong"],
)
def test_without_a_token_there_is_nothing(api: Api, headers: dict[str, str], status: int, code: int) -> None:
    texts = set()
    for start in range(0, len(api.operations), GUESSES):
        with from_elsewhere(api.sdk, f"127.0.1.{1 + start // GUESSES}", **headers) as client:
            for operation in api.operations[start : start + GUESSES]:
                answer = client.request(operation.method, operation.path)
                assert answer.status_code == status, str(operation)
                assert [error["code"] for error in errors_in(answer, str(operation))] == [code]
                texts.add(answer.text)
            for path in ("/", "/nothing", OPENAPI_PATH, "/client/v4/zones/nonsense"):
                answer = client.get(path)
                if not headers and path in ("/", "/nothing"):  # the dashboard's, which asks to sign in at any
                    assert answer.status_code == 303 and answer.headers["location"].startswith("/sign-in")
                else:
                    texts.add(answer.text)
    assert len(texts) == 1  # not even which paths there are


def test_token_that_may_read_changes_nothing(api: Api) -> None:
    token = api.sdk.server.token("read", "operations-reader")
    with from_elsewhere(api.sdk, "127.0.0.1", Authorization=f"Bearer {token}") as client:
        for operation in api.operations:
            answer = client.request(operation.method, operation.path)
            if operation.is_writing:
                assert answer.status_code == 403, str(operation)
                assert [error["code"] for error in errors_in(answer, str(operation))] == [10000]
            else:
                assert answer.status_code in (200, 400, 403, 404), str(operation)
                assert answer.status_code == 200 or errors_in(answer, str(operation))


NOT_JSON = {
    "nothing": b"",
    "half": b'{"name": "a',
    "two": b"{}{}",
    "no object": b'[{"name": "a"}]',
    "number": b"7",
    "null": b"null",
    "NaN": b'{"name": NaN}',
    "huge number": b'{"name": 1e999}',
    "not UTF-8": b'{"name": "\xff\xfe"}',
    "half a character": b'{"name": "\\ud800"}',
    "form": b"name=a&type=A",
    "deep": b'{"name": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep objects": b'{"a": ' * 5_000 + b"1" + b"}" * 5_000,
    "deep enough": b'{"name": ' + b"[" * 40 + b"]" * 40 + b"}",
}


@pytest.mark.parametrize("content", NOT_JSON.values(), ids=NOT_JSON)
def test_body_that_is_no_json_object(api: Api, content: bytes) -> None:
    for operation in api.operations:
        if operation.body is not None and (content or str(operation) not in MAY_BE_BARE):
            (error,) = api.refuses(operation, content)
            assert error["code"] == 1008, (str(operation), error)


def test_body_of_another_type_is_read_as_what_it_should_be(api: Api) -> None:
    for operation in api.operations:
        if operation.body is not None:
            for kind in ("text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"):
                answer = api.client.request(
                    operation.method, operation.path, content=b"{", headers={"Content-Type": kind}
                )
                assert answer.status_code == 400, str(operation)
                (error,) = errors_in(answer, str(operation))
                assert error["code"] == 1008 and ("not JSON" in error["message"] or "form" in error["message"])


def test_field_that_there_is_not(api: Api) -> None:
    for operation in api.operations:
        is_lenient = operation.method == "PATCH" and operation.template.endswith(RECORDS)  # told in messages
        if operation.body is not None and not is_lenient:
            errors = api.refuses(operation, b'{"no/such~field": 1, "nonsense": null, "naem": "x"}')
            pointers = {error["source"]["pointer"] for error in errors if "source" in error}
            assert {"/no~1such~0field", "/naem"} <= pointers, (str(operation), errors)


WRONG_VALUES = [7.5, True, "\u0000 ", [[[]]], {"": {"": ""}}, -1, "x" * 20_000]


@pytest.mark.parametrize("value", WRONG_VALUES, ids=lambda value: repr(value)[:12])
def test_fields_of_wrong_types_are_all_told(api: Api, value: Any) -> None:
    for operation in api.operations:
        if operation.body is None:
            continue
        properties = api.properties(operation.body)
        # What the content of a record may be follows from its type.
        sent: Schema = {"name": "@", "type": "MX"} if operation.template.endswith(RECORDS) else {}
        wrong = {
            key
            for key, schema in properties.items()
            if key not in {*sent, *OTHER_NAMES}
            and not schema.get("readOnly")
            and not jsonschema_rs.Draft202012Validator(api.resolved(schema)).is_valid(value)
        }
        if wrong:
            errors = api.refuses(operation, json.dumps(dict.fromkeys(wrong, value) | sent).encode())
            pointers = {error["source"]["pointer"].split("/")[1] for error in errors if "source" in error}
            assert wrong <= pointers, (str(operation), wrong - pointers, errors)


def long_by_length(length: int) -> tuple[dict[str, str], Iterator[bytes]]:
    return {"Content-Length": str(length)}, iter([b"{" + b" " * (length - 1)])


def long_by_chunks(length: int) -> tuple[dict[str, str], Iterator[bytes]]:
    piece = b" " * (MIB // 4)
    return {}, (piece for _ in range(length // len(piece) + 1))


@pytest.mark.parametrize("long", [long_by_length, long_by_chunks])
def test_body_that_is_too_long(api: Api, long: Callable[[int], tuple[dict[str, str], Iterator[bytes]]]) -> None:
    with from_elsewhere(api.sdk, "127.0.0.1", Authorization=f"Bearer {api.sdk.token}") as client:
        for operation in api.operations:
            # DELETE has no body: one of no stated length is never read, and what it says does not matter.
            if operation.bytes_max == MIB and operation.method not in ("GET", "DELETE"):
                headers, content = long(MIB + 1)
                answer = client.request(operation.method, operation.path, content=content, headers=headers)
                assert answer.status_code == 413, str(operation)
                assert [error["code"] for error in errors_in(answer, str(operation))] == [1009]


@pytest.mark.parametrize("length", [64 * MIB + 1, 10**12, 10**19])
def test_body_that_says_it_is_too_long_is_not_waited_for(api: Api, length: int) -> None:
    host, _, port = api.sdk.server.api.removeprefix("http://").rpartition(":")
    for operation in api.operations:
        if not operation.is_writing:
            continue
        head = (
            f"{operation.method} {operation.path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {api.sdk.token}\r\n"
            f"Content-Type: {JSON}\r\nContent-Length: {length}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
        )
        with socket.create_connection((host, int(port)), timeout=10) as sock:
            sock.sendall(head.encode())
            answer = b"".join(iter(lambda: sock.recv(65_536), b""))
        assert answer.startswith(b"HTTP/1.1 413 "), (str(operation), answer[:200])
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["errors"][0]["code"] == 1009
