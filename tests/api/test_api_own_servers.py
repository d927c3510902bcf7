"""A zone's own name servers: clients that make a zone equal to what they hold neither see nor delete them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from lbdns.base.kinds import Kind
from tests.api.conftest import Api
from tests.api.test_api_records import refusals

pytestmark = pytest.mark.process

FILE = """$TTL 600
@ SOA ns1 hostmaster 1 7200 900 1209600 300
@ NS ns1
@ NS www
@ NS ns.elsewhere.example.
ns1 A 192.0.2.53
ns1 AAAA 2001:db8::53
www A 192.0.2.80
www TXT "more than a name server"
"""


@pytest.fixture
def zone(client: httpx.Client) -> str:
    """The id of a new zone, made as clients make one."""
    made = client.post("/zones", json={"name": "example.com", "jump_start": False})
    return str(made.json()["result"]["id"])


@pytest.fixture
def given(api: Api, client: httpx.Client) -> str:
    """The id of a zone that its operator gave as a file."""
    url = f"{api.server.address}/lbdns/v1/zones/given.example/import"
    return str(client.post(url, files={"file": FILE}).json()["result"]["id"])


def listed(client: httpx.Client, zone: str, **params: str) -> list[tuple[str, str, str]]:
    response = client.get(f"/zones/{zone}/dns_records", params=params)
    return sorted((one["name"].split(".")[0], one["type"], one["content"]) for one in response.json()["result"])


def served(api: Api, zone: str) -> list[tuple[str, str, str]]:
    """Return what the zone has, whoever sees it."""
    records = api.manager.state.records(zone).values()
    return sorted((one.name.split(".")[0], one.body["type"], one.body["content"]) for one in records)


def posted(client: httpx.Client, zone: str, **body: Any) -> httpx.Response:
    return client.post(f"/zones/{zone}/dns_records", json=body)


def synced(client: httpx.Client, zone: str, wanted: list[dict[str, Any]]) -> int:
    """Make a zone equal to some records, as clients do: delete what they do not have; return how many changes."""
    there = client.get(f"/zones/{zone}/dns_records").json()["result"]
    keys = {(one["name"], one["type"], one["content"]) for one in wanted}
    gone = [one for one in there if (one["name"], one["type"], one["content"]) not in keys]
    for one in gone:
        assert client.delete(f"/zones/{zone}/dns_records/{one['id']}").status_code == 200
    have = {(one["name"], one["type"], one["content"]) for one in there}
    new = [one for one in wanted if (one["name"], one["type"], one["content"]) not in have]
    for one in new:
        assert posted(client, zone, **one).status_code == 200
    return len(gone) + len(new)


@pytest.mark.parametrize("host", [{}, {"name": "ns1.example.com", "type": "A", "content": "203.0.113.53"}])
def test_a_new_zone_is_synced_and_then_has_no_difference(
    api: Api, client: httpx.Client, zone: str, host: dict[str, Any]
) -> None:
    wanted = [{"name": "www.example.com", "type": "A", "content": "192.0.2.1"}, *([host] if host else [])]
    assert synced(client, zone, wanted) == len(wanted)
    assert synced(client, zone, wanted) == 0
    own = [("ns1", "A", "203.0.113.53")] if host else [("ns1", "A", "127.0.0.1"), ("ns1", "AAAA", "::1")]
    assert served(api, zone) == [("example", "NS", "ns1.example.com"), *own, ("www", "A", "192.0.2.1")]


def test_a_zone_given_as_a_file_is_synced(api: Api, client: httpx.Client, given: str) -> None:
    assert listed(client, given) == [("www", "A", "192.0.2.80"), ("www", "TXT", '"more than a name server"')]
    everything = served(api, given)
    assert len(everything) == 7 and listed(client, given, name_servers="true") == everything
    www = {"name": "www.given.example", "type": "A", "content": "192.0.2.80"}
    assert synced(client, given, [www]) == 1
    assert synced(client, given, [www]) == 0
    assert served(api, given) == [one for one in everything if one[1] != "TXT"]


def test_who_asks_for_them_by_name_sees_them(client: httpx.Client, zone: str) -> None:
    assert listed(client, zone, name="example.com", type="NS") == [("example", "NS", "ns1.example.com")]
    assert listed(client, zone, name="@") == [("example", "NS", "ns1.example.com")]
    assert listed(client, zone, **{"name.exact": "ns1.example.com"}) == [
        ("ns1", "A", "127.0.0.1"),
        ("ns1", "AAAA", "::1"),
    ]
    assert listed(client, zone, **{"name.contains": "ns1"}) == []
    assert listed(client, zone, type="NS") == []
    assert "127.0.0.1" in client.get(f"/zones/{zone}/dns_records/export").text


def test_who_changes_one_knows_it_from_then_on(client: httpx.Client, zone: str) -> None:
    path = f"/zones/{zone}/dns_records"
    (own,) = client.get(path, params={"name": "ns1.example.com", "type": "A"}).json()["result"]
    assert own["meta"] == {"auto_added": True}
    changed = client.patch(f"{path}/{own['id']}", json={"content": "203.0.113.1"}).json()["result"]
    assert (changed["id"], changed["content"], changed["meta"]) == (own["id"], "203.0.113.1", {})
    assert listed(client, zone) == [("ns1", "A", "203.0.113.1")]
    (other,) = client.get(path, params={"name": "ns1", "type": "AAAA"}).json()["result"]
    deletes = [{"id": id} for id in (own["id"], other["id"])]
    last = client.post(f"{path}/batch", json={"deletes": deletes})
    assert last.status_code == 400 and "has no address" in last.json()["errors"][0]["message"]


def test_who_writes_the_same_record_has_it(client: httpx.Client, zone: str) -> None:
    (own,) = client.get(f"/zones/{zone}/dns_records", params={"name": "@"}).json()["result"]
    ns = {"name": "example.com", "type": "NS", "content": "ns1.example.com.", "ttl": 60}
    made = posted(client, zone, **ns)
    assert made.status_code == 200
    assert (made.json()["result"]["id"], made.json()["result"]["ttl"]) == (own["id"], 60)
    assert listed(client, zone) == [("example", "NS", "ns1.example.com")]
    assert refusals(posted(client, zone, **ns)) == [(81058, "/content")]


def test_a_further_name_server_stands_beside_them(api: Api, client: httpx.Client, zone: str) -> None:
    assert posted(client, zone, name="@", type="NS", content="ns.elsewhere.example").status_code == 200
    assert listed(client, zone) == [("example", "NS", "ns.elsewhere.example")]
    assert ("example", "NS", "ns1.example.com") in served(api, zone)


def test_an_address_that_was_found_gives_way(api: Api, client: httpx.Client, zone: str) -> None:
    made = posted(client, zone, name="ns1", type="A", content="203.0.113.53")
    assert ["gives way" in one["message"] for one in made.json()["messages"]] == [True, True]
    assert [one for one in served(api, zone) if one[0] == "ns1"] == [("ns1", "A", "203.0.113.53")]


def test_an_address_that_was_given_stays_and_is_listed(api: Api, client: httpx.Client, given: str) -> None:
    made = posted(client, given, name="ns1", type="A", content="203.0.113.53")
    assert [one["message"] for one in made.json()["messages"] if "listed now" in one["message"]]
    addresses = [("ns1", "A", "192.0.2.53"), ("ns1", "A", "203.0.113.53")]
    assert [one for one in listed(client, given) if one[0] == "ns1"] == addresses
    assert ("ns1", "AAAA", "2001:db8::53") in served(api, given)


def test_a_file_given_again_changes_nothing(api: Api, client: httpx.Client, given: str) -> None:
    assert posted(client, given, name="@", type="NS", content="ns1.given.example", ttl=600).status_code == 200
    before, revision = listed(client, given), api.manager.state.revision
    url = f"{api.server.address}/lbdns/v1/zones/given.example/import"
    assert client.post(url, files={"file": FILE}).json()["result"]["changes"] == 0
    assert (listed(client, given), api.manager.state.revision) == (before, revision)
    changed = client.post(url, files={"file": FILE.replace("192.0.2.53", "192.0.2.54")}).json()["result"]
    assert changed["changes"] == 1 and listed(client, given) == before
    assert not [one for one in api.manager.state.all(Kind.RECORD).values() if one.body["content"] == "192.0.2.53"]


def test_a_file_imported_by_a_client_is_the_operators_word(api: Api, client: httpx.Client, zone: str) -> None:
    text = "$TTL 60\n@ NS ns1\n@ NS ns2\nns1 A 203.0.113.53\nns2 A 203.0.113.54\nwww A 192.0.2.1\n"
    done = client.post(f"/zones/{zone}/dns_records/import", files={"file": text}).json()
    assert done["result"] == {"recs_added": 4, "total_records_parsed": 5}
    assert ["gives way" in one["message"] for one in done["messages"]].count(True) == 2
    assert listed(client, zone) == [("www", "A", "192.0.2.1")]
    hosts = [("ns1", "A", "203.0.113.53"), ("ns2", "A", "203.0.113.54")]
    assert [one for one in served(api, zone) if one[0].startswith("ns")] == hosts
    again = client.post(f"/zones/{zone}/dns_records/import", files={"file": text}).json()
    assert again["result"] == {"recs_added": 0, "total_records_parsed": 5}


def test_a_difference_says_nothing_of_it(api: Api, client: httpx.Client) -> None:
    plan = client.post("/zones", json={"name": "plan.example"}, params={"dry_run": "true"}).json()["result"]
    fields = [field["field"] for one in plan["differences"] if one["kind"] == "record" for field in one["fields"]]
    assert set(fields) == {"content", "ttl"}
