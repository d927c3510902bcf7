"""Zones over the API: in the shapes of the v4 API, through its official SDK and past it."""

from __future__ import annotations

from typing import Any

import cloudflare
import httpx
import pytest
from cloudflare import Cloudflare

from lbdns.base.kinds import Kind
from tests.api.conftest import Api

pytestmark = pytest.mark.slow


@pytest.fixture
def sdk(api: Api) -> Any:
    with Cloudflare(api_token=api.write_token, base_url=api.base, max_retries=0) as made:
        yield made


def refusals(response: httpx.Response) -> list[tuple[int, str | None]]:
    """Return (code, pointer) of every error."""
    errors = response.json()["errors"]
    return [(error["code"], error.get("source", {}).get("pointer")) for error in errors]


def test_a_zone_through_the_sdk(api: Api, sdk: Cloudflare) -> None:
    zone = sdk.zones.create(account={"id": api.store.account_id}, name="Example.COM", type="full")
    assert zone is not None and zone.name == "example.com" and zone.status == "active"
    assert zone.name_servers == ["ns1.example.com"] and zone.account.id == api.store.account_id
    assert sdk.zones.get(zone_id=zone.id) == zone
    assert [one.name for one in sdk.zones.list()] == ["example.com"]
    assert not list(sdk.dns.records.list(zone_id=zone.id)), "the zone's own name servers are nobody's to delete"
    records = list(sdk.dns.records.list(zone_id=zone.id, extra_query={"name_servers": "true"}))
    assert [(one.name, one.type) for one in records][:2] == [("example.com", "NS"), ("ns1.example.com", "A")]
    edited = sdk.zones.edit(zone_id=zone.id, paused=True)
    assert edited is not None and edited.paused
    assert sdk.zones.delete(zone_id=zone.id) is not None
    with pytest.raises(cloudflare.NotFoundError):
        sdk.zones.get(zone_id=zone.id)
    assert not api.manager.state.all(Kind.RECORD)


def test_lists_go_by_pages_and_a_page_past_the_end_is_empty(api: Api, client: httpx.Client, sdk: Cloudflare) -> None:
    for number in range(7):
        api.zone(f"z{number}.example")
    first = client.get("/zones", params={"per_page": 5}).json()
    assert [zone["name"] for zone in first["result"]] == [f"z{number}.example" for number in range(5)]
    assert first["result_info"] == {"page": 1, "per_page": 5, "count": 5, "total_count": 7, "total_pages": 2}
    past = client.get("/zones", params={"per_page": 5, "page": 9})
    assert past.status_code == 200 and past.json()["result"] == []
    assert len(list(sdk.zones.list(per_page=5))) == 7
    for size in (1, 4, 51, 1000):
        assert client.get("/zones", params={"per_page": size}).json()["result_info"]["per_page"] == size


@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({"name": "A.example."}, ["a.example"]),
        ({"name": "contains:example"}, ["b.example", "a.example"]),
        ({"name": "not_equal:a.example"}, ["b.example"]),
        ({"name": "ends_with:org"}, []),
        ({"status": "active"}, ["b.example", "a.example"]),
        ({"status": "pending"}, []),
        ({"status": "pending", "name": "a.example", "match": "any"}, ["a.example"]),
        ({"type": "full,partial"}, ["b.example", "a.example"]),
        ({"type": "partial"}, []),
        ({"order": "name"}, ["a.example", "b.example"]),
        ({"order": "name", "direction": "desc"}, ["b.example", "a.example"]),
        ({"account.id": "0" * 32}, []),
        ({"account.name": "lbdns"}, ["b.example", "a.example"]),
    ],
)
def test_filters(api: Api, client: httpx.Client, params: dict[str, str], names: list[str]) -> None:
    api.zone("b.example")
    api.zone("a.example")
    assert [zone["name"] for zone in client.get("/zones", params=params).json()["result"]] == names


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, [(1002, "/name")]),
        ({"name": "a b"}, [(1002, "/name")]),
        ({"name": "a..b"}, [(1002, "/name")]),
        ({"name": 7}, [(1002, "/name")]),
        ({"name": "x" * 64 + ".com"}, [(1002, "/name")]),
        ({"name": "a.example", "type": "partial"}, [(1002, "/type")]),
        ({"name": "a.example", "paused": "yes"}, [(1002, "/paused")]),
        ({"name": "a.example", "nmae": 1, "serial": -1}, [(1002, "/nmae"), (1002, "/serial")]),
        ({"name": "a.example", "soa": {"refresh": -1, "mnam": "x"}}, [(1002, "/soa/refresh"), (1002, "/soa/mnam")]),
        ({"name": "a.example", "soa": 5}, [(1002, "/soa")]),
        ({"name": "a.example", "jump_start": 5}, [(1002, "/jump_start")]),
        ({"name": "a.example", "vanity_name_servers": ["ns.example"]}, [(1002, "/vanity_name_servers")]),
    ],
)
def test_mistakes_are_all_told_with_pointers(
    api: Api, client: httpx.Client, body: dict[str, Any], expected: list[tuple[int, str]]
) -> None:
    response = client.post("/zones", json=body)
    assert response.status_code == 400
    assert sorted(refusals(response)) == sorted(expected)
    assert not api.manager.state.all(Kind.ZONE)


def test_a_name_is_taken_once(api: Api, client: httpx.Client) -> None:
    assert client.post("/zones", json={"name": "a.example"}).status_code == 200
    response = client.post("/zones", json={"name": "A.example."})
    assert (response.status_code, refusals(response)) == (400, [(1061, "/name")])


def test_soa_and_serial(api: Api, client: httpx.Client) -> None:
    made = client.post("/zones", json={"name": "a.example", "serial": 7, "soa": {"refresh": 60}}).json()["result"]
    assert (made["serial"], made["soa"]["refresh"], made["soa"]["mname"]) == (7, 60, "ns1.a.example")
    path = f"/zones/{made['id']}"
    changed = client.patch(path, json={"soa": {"rname": "dns.admin@a.example"}}).json()["result"]
    assert changed["serial"] == 8, "a changed SOA raises the serial"
    assert changed["soa"] == {**made["soa"], "rname": r"dns\.admin.a.example"}
    assert client.patch(path, json={"soa": {"rname": None}}).json()["result"]["soa"]["rname"] == "hostmaster.a.example"
    assert client.patch(path, json={}).json()["result"]["serial"] == 9, "nothing changed"
    ahead = client.patch(path, json={"serial": 2_000_000_000}).json()
    assert (ahead["result"]["serial"], ahead["messages"]) == (2_000_000_000, [])
    for options in ({"dry_run": "true"}, {}):
        back = client.patch(path, json={"serial": 7}, params=options).json()
        [told] = [one["message"] for one in back["messages"]]
        assert "7 is older than 2000000000 (RFC 1982), which others may have seen: what is served goes on" in told
    assert back["result"]["serial"] == 7
    refused = client.patch(path, json={"name": "b.example"})
    assert refusals(refused) == [(1002, "/name")]
    assert client.patch(path, json={"name": "A.example", "paused": True}).json()["result"]["paused"]


def test_what_was_read_can_be_sent_back(api: Api, client: httpx.Client) -> None:
    zone = client.post("/zones", json={"name": "a.example"}).json()["result"]
    assert client.patch(f"/zones/{zone['id']}", json=zone).json()["result"] == zone
    assert client.get(f"/zones/{zone['id']}").json()["result"] == zone


def test_a_changed_zone_is_not_overwritten(api: Api, client: httpx.Client) -> None:
    path = f"/zones/{api.zone().id}"
    tag = client.get(path).headers["etag"]
    assert client.patch(path, json={"paused": True}, headers={"If-Match": tag}).status_code == 200
    assert refusals(client.patch(path, json={"paused": False}, headers={"If-Match": tag})) == [(1006, None)]
    assert refusals(client.delete(path, headers={"If-Match": tag})) == [(1006, None)]
    assert client.get(path).json()["result"]["paused"] is True


def test_a_zone_goes_with_its_load_balancers(api: Api, client: httpx.Client) -> None:
    zone = api.zone()
    pool = {"name": "p", "origins": [{"name": "o", "address": "192.0.2.1"}]}
    pool_id = client.post(f"{api.account}/pools", json=pool).json()["result"]["id"]
    balancer = {"name": "www.example.com", "default_pools": [pool_id], "fallback_pool": pool_id}
    assert client.post(f"/zones/{zone.id}/load_balancers", json=balancer).status_code == 200
    assert client.delete(f"/zones/{zone.id}").json()["result"] == {"id": zone.id}
    assert [item.kind for item in api.manager.state] == [Kind.POOL]


def test_a_dry_run_changes_nothing(api: Api, client: httpx.Client) -> None:
    made = client.post("/zones", params={"dry_run": "true"}, json={"name": "a.example"})
    assert made.json()["result"]["counts"]["create"] == {"zone": 1, "record": 3}
    assert not api.manager.state.all(Kind.ZONE)
    zone = api.zone()
    assert client.delete(f"/zones/{zone.id}", params={"dry_run": "true"}).status_code == 200
    assert client.get(f"/zones/{zone.id}").status_code == 200


def test_ids(api: Api, client: httpx.Client) -> None:
    assert refusals(client.get("/zones/zz")) == [(7003, None)]
    assert refusals(client.get(f"/zones/{'0' * 32}")) == [(1001, None)]
    assert refusals(client.get(f"/zones/{'0' * 32}/dns_records")) == [(1001, None)]


FILE = """\
$TTL 600
@  SOA ns1 admin 2020010105 7200 900 1209600 300
@  NS  ns1
ns1 A 192.0.2.53
www A 192.0.2.1 ; web
"""


def whole(client: httpx.Client, api: Api, name: str, text: str, **params: str) -> httpx.Response:
    """Import a whole zone."""
    url = f"{api.server.address}/lbdns/v1/zones/{name}/import"
    return client.post(url, files={"file": ("zone", text.encode())}, params=params)


def test_a_whole_zone_comes_from_a_file(api: Api, client: httpx.Client) -> None:
    dry = whole(client, api, "example.com", FILE, dry_run="true").json()["result"]
    assert dry["counts"]["create"] == {"zone": 1, "record": 3}
    assert not api.manager.state.all(Kind.ZONE)
    made = whole(client, api, "example.com", FILE).json()["result"]
    assert (made["serial"], made["records"], made["created"]) == (2020010105, 3, True)
    records = api.manager.state.records(made["id"])
    www = next(record for record in records.values() if record.name == "www.example.com")
    client.patch(f"/zones/{made['id']}/dns_records/{www.id}", json={"comment": "the web"})
    second = whole(client, api, "example.com", FILE.replace("192.0.2.1 ", "192.0.2.2 ") + "new TXT hello\n")
    assert second.json()["result"]["changes"] == 2
    after = api.manager.state.records(made["id"])
    assert after[www.id].body["content"] == "192.0.2.2" and after[www.id].body["comment"] == "the web"
    assert len(after) == 4
    serial = second.json()["result"]["serial"]
    assert serial > 2020010105, "the file's serial is behind the zone's, so the zone's is raised"
    again = whole(client, api, "example.com", FILE.replace("192.0.2.1 ", "192.0.2.2 ") + "new TXT hello\n")
    assert (again.json()["result"]["changes"], again.json()["result"]["serial"]) == (0, serial)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("example.com", "@ A 192.0.2.1\n", "no SOA"),
        ("example.com", FILE + "www A x\n", "line 6: www.example.com A"),
        ("example.com", FILE.replace("ns1 A", "ns2 A"), 'name server "ns1.example.com" has no address'),
        ("exa mple.com", FILE, "no name of a zone"),
        ("example.com", FILE + "$INCLUDE /etc/passwd\n", "$INCLUDE is not allowed"),
    ],
)
def test_a_bad_file_makes_no_zone(api: Api, client: httpx.Client, name: str, text: str, told: str) -> None:
    response = whole(client, api, name, text)
    assert response.status_code == 400
    assert told in response.json()["errors"][0]["message"]
    assert not api.manager.state.all(Kind.ZONE)


def test_a_zone_with_keys_here_is_imported_without_another_signers_records(api: Api, client: httpx.Client) -> None:
    signed = FILE + "@ DNSKEY 257 3 13 AAAA\nwww NSEC @ A\n@ RRSIG NS 13 2 600 20300101000000 20200101000000 1 @ AAAA\n"
    refused = whole(client, api, "example.com", signed)
    assert refused.status_code == 400 and "lbdns dnssec import example.com DIRECTORY" in refused.text
    state = api.manager.settings.state_dir() / "dnssec"
    state.mkdir()
    (state / "example.com.json").write_text("{}")
    made = whole(client, api, "example.com", signed)
    assert made.status_code == 200, made.text
    told = [one["message"] for one in made.json()["messages"]]
    assert any("1 DNSKEY, 1 RRSIG, 1 NSEC of the file are left out" in one for one in told), told
    id = made.json()["result"]["id"]
    assert {record.body["type"] for record in api.manager.state.records(id).values()} == {"NS", "A"}
    added = client.post(f"/zones/{id}/dns_records/import", files={"file": ("zone", signed.encode())})
    assert added.status_code == 200 and added.json()["result"]["recs_added"] == 0
    tree = {"zones": {"example.com": signed}}
    url = f"{api.server.address}/lbdns/v1/plan"
    plan = client.post(url, json={"configuration": tree})
    assert plan.status_code == 200 and "DNSKEY" not in plan.text, plan.text
