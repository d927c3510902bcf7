"""What real clients send of records, and what they look for in the reply: spellings, filters, codes, leniency."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from lbdns.manage.store.item import Item
from tests.api.conftest import Api
from tests.api.test_api_records import path, refusals

pytestmark = pytest.mark.process

TOKEN = "k3lR0gQmZ-tokenOfAnAcmeChallenge_7sYw"
HEX = "Ab" * 32


@pytest.fixture
def zone(api: Api) -> Item:
    return api.zone()


def made(client: httpx.Client, zone: Item, **body: Any) -> dict[str, Any]:
    response = client.post(path(zone), json=body)
    assert response.status_code == 200, response.text
    result: dict[str, Any] = response.json()["result"]
    return result


def found(client: httpx.Client, zone: Item, **params: str) -> list[str]:
    listed = client.get(path(zone), params={key.replace("_", "."): value for key, value in params.items()})
    return [one["id"] for one in listed.json()["result"]]


def messages(response: httpx.Response) -> dict[str, str]:
    """Return what was told, by pointer."""
    assert response.status_code == 200, response.text
    return {one["source"]["pointer"]: one["message"] for one in response.json()["messages"] if "source" in one}


def test_a_challenge_comes_and_goes_as_its_client_does_it(client: httpx.Client, zone: Item) -> None:
    body = {"type": "TXT", "name": "_acme-challenge.example.com", "content": TOKEN, "ttl": 120}
    record = made(client, zone, **body)
    assert {key: record[key] for key in body} == body
    look_up = {"type": "TXT", "name_exact": body["name"], "content_exact": TOKEN, "per_page": "1"}
    listed = client.get(path(zone), params={key.replace("_e", ".e"): str(value) for key, value in look_up.items()})
    assert [one["id"] for one in listed.json()["result"]] == [record["id"]]
    assert refusals(client.post(path(zone), json=body)) == [(81058, "/content")]
    assert refusals(client.post(path(zone), json={**body, "ttl": 60})) == [(81057, "/content")]
    assert refusals(client.post(path(zone), json={**body, "content": f'"{TOKEN[:9]}" "{TOKEN[9:]}"'})) == []
    assert client.delete(path(zone, record["id"])).status_code == 200
    assert refusals(client.delete(path(zone, record["id"]))) == [(81044, None)]


SPELLINGS: list[tuple[dict[str, Any], list[str]]] = [
    ({"type": "TXT", "content": "two words"}, ["two words", '"two words"', '"two" " words"', "TWO words"]),
    ({"type": "TXT", "content": '"two" " words"'}, ["two words", '"two words"', '"two" " words"']),
    ({"type": "TXT", "content": "é"}, ["é", r'"\195\169"']),
    ({"type": "CNAME", "content": "www.bücher.example"}, ["www.bücher.example.", "WWW.xn--bcher-kva.example"]),
    ({"type": "MX", "content": "mail.example.net", "priority": 5}, ["mail.example.net.", "5 MAIL.example.net"]),
    (
        {"type": "SRV", "data": {"priority": 1, "weight": 5, "port": 443, "target": "a.example.net"}},
        ["1 5 443 a.example.net", "5\t443\ta.example.net", "1 5 443 A.example.net."],
    ),
    (
        {"type": "TLSA", "data": {"usage": 3, "selector": 1, "matching_type": 1, "certificate": HEX}},
        [f"3 1 1 {HEX}", f"3\t1\t1\t{HEX.lower()}", f"3 1 1 {HEX.upper()}"],
    ),
    ({"type": "SSHFP", "content": f"4 2 {HEX}"}, [f"4 2 {HEX.lower()}"]),
    ({"type": "AAAA", "content": "2001:db8::1"}, ["2001:DB8:0:0::1"]),
    (
        {"type": "NAPTR", "content": '1 2 "S" "SIP" "" a.example.net.'},
        ['1 2 "S" "SIP" "" a.example.net', '1 2 S SIP "" a.example.net.'],
    ),
]


@pytest.mark.parametrize(("body", "spellings"), SPELLINGS)
def test_content_is_found_in_every_spelling(
    client: httpx.Client, zone: Item, body: dict[str, Any], spellings: list[str]
) -> None:
    id = made(client, zone, name="n", **body)["id"]
    made(client, zone, name="other", type="TXT", content="another text")
    for text in spellings:
        assert found(client, zone, content_exact=text) == [id], text
        assert found(client, zone, content=text, type=body["type"]) == [id], text
    assert found(client, zone, content_exact=f"{spellings[0]}x") == []


@pytest.mark.parametrize(
    ("params", "is_found"),
    [
        ({"name": "straße.bücher"}, True),
        ({"name": "straße.bücher.example.com."}, True),
        ({"name_exact": "XN--strae-oqa.xn--bcher-kva.example.com"}, True),
        ({"name_contains": "BÜCHER"}, True),
        ({"name_startswith": "straße."}, True),
        ({"name_endswith": "bücher.example.com."}, True),
        ({"name_contains": "xn--bcher"}, True),
        ({"content_contains": "wörter"}, True),
        ({"content_contains": "ei wö"}, True),
        ({"content_startswith": '"zwei'}, True),
        ({"content_endswith": "wörter"}, True),
        ({"search": "straße.bücher"}, True),
        ({"search": "zwei wörter"}, True),
        ({"type": "A,txt"}, True),
        ({"type": "a, aaaa"}, False),
        ({"type": "TYPE16"}, True),
        ({"name": "bücher"}, False),
        ({"content_contains": "drei"}, False),
    ],
)
def test_names_and_texts_are_found(client: httpx.Client, zone: Item, params: dict[str, str], is_found: bool) -> None:
    id = made(client, zone, name="straße.bücher", type="TXT", content='"zwei " "Wörter"')["id"]
    assert found(client, zone, **params) == ([id] if is_found else [])


ECHOED: list[dict[str, Any]] = [
    {"type": "TLSA", "data": {"usage": 3, "selector": 1, "matching_type": 1, "certificate": HEX}},
    {"type": "SSHFP", "data": {"algorithm": 4, "type": 2, "fingerprint": HEX}},
    {"type": "DS", "data": {"key_tag": 1, "algorithm": 13, "digest_type": 2, "digest": HEX}},
    {"type": "HTTPS", "data": {"priority": 1, "target": "svc.example.net.", "value": 'alpn="h2"'}},
    {"type": "HTTPS", "data": {"priority": 1, "target": "svc.example.net", "value": 'alpn="h2"'}},
    {
        "type": "NAPTR",
        "data": {
            "order": 1,
            "preference": 2,
            "flags": "S",
            "service": "SIP",
            "regex": "",
            "replacement": "sip.example.net.",
        },
    },
]


@pytest.mark.parametrize("body", ECHOED)
def test_data_is_echoed_as_it_was_sent(client: httpx.Client, zone: Item, body: dict[str, Any]) -> None:
    if body["type"] == "DS":
        made(client, zone, name="n", type="NS", content="ns.example.net")
    record = made(client, zone, name="n", **body)
    assert record["data"] == body["data"]
    assert record["content"].split()[-1] in body["data"].values() or body["data"]["target"] in record["content"]
    one = path(zone, record["id"])
    assert client.put(one, json=record).json()["result"] == record, "nothing changed"
    patched = client.patch(one, json={"ttl": 60}).json()["result"]
    assert (patched["data"], patched["content"]) == (record["data"], record["content"])


NUMBERS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {"type": "SRV", "data": {"priority": "10", "weight": "5", "port": "5060", "target": "sip.example.com"}},
        {"data": {"priority": 10, "weight": 5, "port": 5060, "target": "sip.example.com"}},
    ),
    ({"type": "A", "content": "192.0.2.1", "ttl": "120", "data": None}, {"ttl": 120}),
    ({"type": "MX", "content": "mail.example.net", "priority": "10"}, {"priority": 10}),
    (
        {"type": "CAA", "content": None, "data": {"flags": "0", "tag": "issue", "value": '"ca.example.net"'}},
        {"content": '0 issue "ca.example.net"'},
    ),
    (
        {"type": "URI", "priority": "10", "data": {"weight": "5", "target": '"https://example.net/"'}},
        {"content": '10 5 "https://example.net/"'},
    ),
    (
        {
            "type": "LOC",
            "data": {
                "lat_degrees": "52",
                "lat_minutes": "22",
                "lat_seconds": "23.000",
                "lat_direction": "N",
                "long_degrees": "4",
                "long_minutes": "53",
                "long_seconds": "32.000",
                "long_direction": "E",
                "altitude": "-2.00",
                "size": "0.00",
                "precision_horz": "10000",
                "precision_vert": "10",
            },
        },
        {"content": "52 22 23 N 4 53 32 E -2m 0m 10000m 10m"},
    ),
]


@pytest.mark.parametrize(("body", "shown"), NUMBERS)
def test_numbers_may_come_as_text(
    client: httpx.Client, zone: Item, body: dict[str, Any], shown: dict[str, Any]
) -> None:
    record = made(client, zone, name="n", **body)
    assert {key: record[key] for key in shown} == shown


@pytest.mark.parametrize("value", ["ten", "1e1", "10 s", ""])
def test_a_text_that_is_no_number_is_refused(client: httpx.Client, zone: Item, value: str) -> None:
    body = {"name": "n", "type": "MX", "content": "mail.example.net", "priority": value}
    assert refusals(client.post(path(zone), json=body)) == [(1002, "/priority")]


@pytest.mark.parametrize("name", ["", "@", "example.com", "EXAMPLE.com.", "@.example.com"])
def test_the_apex_has_many_names(client: httpx.Client, zone: Item, name: str) -> None:
    assert made(client, zone, name=name, type="TXT", content="apex")["name"] == "example.com"


def test_fields_without_effect_are_echoed_and_told(client: httpx.Client, zone: Item) -> None:
    data = {
        "service": "_sip",
        "proto": "_tcp",
        "name": "example.com.",
        "priority": 10,
        "weight": 5,
        "port": 5060,
        "target": "sip.example.net",
    }
    body = {"type": "SRV", "name": "_sip._tcp.example.com", "ttl": 300, "data": data, "extra": {"ttl": 60}}
    response = client.post(path(zone), json=body)
    told = messages(response)
    assert sorted(told) == ["/data/name", "/data/proto", "/data/service", "/extra"]
    assert all("of no effect" in message for message in told.values())
    record = response.json()["result"]
    assert (record["data"], record["extra"], record["ttl"]) == (data, {"ttl": 60}, 300)
    one = path(zone, record["id"])
    assert client.get(one).json()["result"] == record
    assert client.put(one, json=record).json()["result"] == record
    patched = client.patch(one, json={"extra": None, "data": {**data, "service": None, "port": 5061}}).json()["result"]
    assert "extra" not in patched and "service" not in patched["data"]
    assert (patched["data"]["proto"], patched["content"]) == ("_tcp", "10 5 5061 sip.example.net")


def test_unknown_fields_are_left_out_and_told(client: httpx.Client, zone: Item) -> None:
    body = {
        "name": "n",
        "type": "CAA",
        "data": {"flags": 0, "tag": "issue", "value": "ca.example.net", "valeu": "x"},
        "commnet": "x",
        "settings": {"ipv4": True, "ipv4_only": True},
        "name_server": "made",
        "echo": {"id": "0"},
    }
    told = messages(client.post(path(zone), json=body))
    assert sorted(told) == ["/commnet", "/data/valeu", "/echo", "/name_server", "/settings/ipv4"]
    assert 'did you mean "comment"?' in told["/commnet"] and 'did you mean "value"?' in told["/data/valeu"]
    batch = client.post(
        path(zone, "batch"), json={"posts": [{"name": "m", "type": "A", "content": "192.0.2.1", "x": 1}]}
    )
    assert list(messages(batch)) == ["/posts/0/x"]
    record = batch.json()["result"]["posts"][0]
    assert (record["zone_id"], record["zone_name"]) == (zone.id, "example.com")
    again = client.put(path(zone, record["id"]), json={**record, "data": {}, "locked": False})
    assert list(messages(again)) == ["/locked"], "what was read is sent back untold"
    beside = client.patch(path(zone, record["id"]), json={"content": "192.0.2.2", "data": {"address": "192.0.2.2"}})
    assert list(messages(beside)) == ["/data"]


def test_each_record_of_a_batch_that_clashes_is_told(client: httpx.Client, zone: Item) -> None:
    made(client, zone, name="a", type="A", content="192.0.2.1", ttl=60)
    cname = {"name": "a", "type": "CNAME", "content": "b.example.net"}
    posts: list[dict[str, Any]] = [
        cname,
        {**cname, "content": "c.example.net"},
        {"name": "a", "type": "A", "content": "192.0.2.1", "ttl": 60},
        {"name": "a", "type": "A", "content": "192.0.2.1", "ttl": 90},
        {"name": "b", "type": "A", "content": "192.0.2.1"},
        {"name": "b", "type": "A", "content": "192.0.2.1"},
        {"name": "t", "type": "TXT", "content": "text"},
        {**cname, "name": "t"},
    ]
    assert sorted(refusals(client.post(path(zone, "batch"), json={"posts": posts}))) == [
        (1002, "/posts/7/name"),
        (81053, "/posts/0/name"),
        (81053, "/posts/1/name"),
        (81053, "/posts/2/name"),
        (81053, "/posts/3/name"),
        (81057, "/posts/3/content"),
        (81058, "/posts/2/content"),
        (81058, "/posts/5/content"),
    ]


def test_each_mistake_of_a_batch_at_one_name_is_told(client: httpx.Client, zone: Item) -> None:
    wrong = {"name": "a", "type": "A", "content": "300.0.2.1"}
    response = client.post(path(zone, "batch"), json={"posts": [wrong, wrong, {**wrong, "ttl": -1}]})
    assert refusals(response) == [
        (1002, "/posts/0/content"),
        (1002, "/posts/1/content"),
        (1002, "/posts/2/content"),
        (1002, "/posts/2/ttl"),
    ]


def test_a_slip_in_a_field_is_told_where_the_record_is_refused(client: httpx.Client, zone: Item) -> None:
    data = {"priority": 1, "wieght": 2, "port": 443, "target": "a.example.net"}
    response = client.post(path(zone), json={"name": "_a._tcp", "type": "SRV", "data": data})
    assert sorted(refusals(response)) == [(1002, "/data/weight"), (1002, "/data/wieght")]
    assert 'did you mean "weight"?' in response.text.replace("\\", "")


def test_zones_are_found_in_unicode_and_in_a_labels(client: httpx.Client) -> None:
    id = client.post("/zones", json={"name": "bücher.example"}).json()["result"]["id"]
    for wanted in (
        "bücher.example",
        "BÜCHER.example.",
        "xn--bcher-kva.example",
        "equal:bücher.example",
        "contains:büch",
        "contains:bcher-kva",
        "starts_with:BÜ",
    ):
        assert [one["id"] for one in client.get("/zones", params={"name": wanted}).json()["result"]] == [id], wanted
    assert client.get("/zones", params={"name": "not_equal:bücher.example"}).json()["result"] == []


def test_types_may_be_repeated(client: httpx.Client, zone: Item) -> None:
    ids = [
        made(client, zone, name="n", type=one, content=text)["id"] for one, text in (("A", "192.0.2.1"), ("TXT", "t"))
    ]
    listed = client.get(path(zone), params=[("type", "a"), ("type", "TXT,MX")]).json()["result"]
    assert [one["id"] for one in listed] == ids
    assert [one["id"] for one in client.get(path(zone), params={"type": "", "name": ""}).json()["result"]] == ids
