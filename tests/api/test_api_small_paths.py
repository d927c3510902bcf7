"""What clients of the v4 API look at before they go on: the smallest honest answer of each path."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from lbdns.manage.api.v4.zone_extras import EMPTY
from tests.api.conftest import Api

pytestmark = pytest.mark.slow


@pytest.fixture
def zone(api: Api) -> str:
    return f"/zones/{api.zone().id}"


def result(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    return response.json()["result"]


def refused(response: httpx.Response, status: int = 400) -> list[tuple[int, str]]:
    assert response.status_code == status, response.text
    return [(one["code"], one.get("source", {}).get("pointer", "")) for one in response.json()["errors"]]


def told(response: httpx.Response) -> str:
    return " ".join(one["message"] for one in response.json()["messages"])


def test_who_asks(api: Api, client: httpx.Client) -> None:
    user = result(client.get("/user"))
    assert (user["id"], user["username"], user["email"]) == (api.store.account_id, "token writer", None)


def test_one_membership_whose_permissions_are_the_scopes(api: Api, client: httpx.Client) -> None:
    said = client.get("/memberships?page=1&per_page=50").json()
    assert said["result_info"] == {"page": 1, "per_page": 50, "count": 1, "total_count": 1, "total_pages": 1}
    (membership,) = said["result"]
    assert membership["account"] == result(client.get("/accounts"))[0]
    assert membership["permissions"]["lb"] == {"read": True, "write": True}
    assert result(client.get(f"/memberships/{membership['id']}")) == membership
    assert result(client.get("/memberships?page=2")) == []
    assert result(client.get("/memberships?status=pending")) == result(client.get("/memberships?name=x")) == []
    assert result(client.get("/memberships?name=lbdns&account.name=lbdns&status=accepted&order=status")) == [membership]
    assert refused(client.get(f"/memberships/{'0' * 32}"), 404) == [(1001, "")]
    text, _ = api.store.tokens.create("few", "zones:read", "load_balancers:write:example.com")
    with api.client(text) as few:
        permissions = result(few.get("/memberships"))[0]["permissions"]
    assert permissions["dns_records"] == {"read": True, "write": False}
    assert permissions["lb"] == {"read": True, "write": True}


def test_an_account_has_no_people(api: Api, client: httpx.Client) -> None:
    for what in ("members", "roles"):
        said = client.get(f"/accounts/{api.store.account_id}/{what}?page=1&status=accepted").json()
        assert (said["result"], said["messages"], said["result_info"]["total_count"]) == ([], [], 0)


def test_traffic_has_no_addresses(client: httpx.Client) -> None:
    answer = client.get("/ips")
    assert result(answer) == {"ipv4_cidrs": [], "ipv6_cidrs": [], "etag": ""} and "no traffic" in told(answer)


@pytest.mark.parametrize("what", EMPTY)
def test_lists_of_what_there_is_not(client: httpx.Client, zone: str, what: str) -> None:
    said = client.get(f"{zone}/{what}?status=active&order=priority&page=1").json()
    assert (said["result"], said["messages"], said["result_info"]["total_count"]) == ([], [], 0)
    assert client.get(f"/zones/{'0' * 32}/{what}").status_code == 404
    assert refused(client.post(f"{zone}/{what}", json={}), 405) == [(10405, "")]


def test_settings_of_a_proxy_stay_as_they_are(client: httpx.Client, zone: str) -> None:
    settings = {one["id"]: one for one in result(client.get(f"{zone}/settings"))}
    assert {settings[name]["value"] for name in ("ssl", "development_mode", "always_use_https", "brotli")} == {"off"}
    assert not any(one["editable"] for one in settings.values())
    at = f"{zone}/settings/development_mode"
    assert result(client.get(at)) == settings["development_mode"]
    assert result(client.patch(at, json={"value": "off"})) == settings["development_mode"]
    assert refused(client.patch(at, json={"value": "on"})) == [(1002, "/value")]
    assert "carries no traffic" in client.patch(at, json={"value": "on"}).json()["errors"][0]["message"]
    assert refused(client.get(f"{zone}/settings/nonsense"), 404) == [(1001, "")]
    many = {"items": [{"id": "ssl", "value": "off"}, {"id": "minify", "value": settings["minify"]["value"]}]}
    assert len(result(client.patch(f"{zone}/settings", json=many))) == len(settings)
    many["items"].append({"id": "ssl", "value": "full"})
    assert refused(client.patch(f"{zone}/settings", json=many)) == [(1002, "/items/2/value")]
    assert refused(client.patch(f"{zone}/settings", json={"items": [{"id": "x"}]})) == [(1002, "/items")]
    assert refused(client.patch(f"{zone}/settings", json={"items": [{"id": {}}, 7]})) == [(1002, "/items")]


def test_a_zone_is_active_at_once(client: httpx.Client, zone: str) -> None:
    id = zone.rpartition("/")[2]
    assert result(client.put(f"{zone}/activation_check")) == {"id": id}
    assert refused(client.put(f"/zones/{'0' * 32}/activation_check"), 404) == [(1001, "")]
    purged = client.post(f"{zone}/purge_cache", json={"purge_everything": True})
    assert result(purged) == {"id": id} and "nothing to purge" in told(purged)
    assert result(client.get(f"{zone}/hold"))["hold"] is False
    assert result(client.get(f"{zone}/available_plans")) == [result(client.get(zone))["plan"]]


def test_dns_settings_are_the_zones_soa_and_its_name_servers_ttl(api: Api, client: httpx.Client, zone: str) -> None:
    at = f"{zone}/dns_settings"
    before = result(client.get(at))
    soa = result(client.get(zone))["soa"]
    assert before["soa"] == {("min_ttl" if key == "minimum" else key): value for key, value in soa.items()}
    assert before["zone_mode"] == "standard" and before["multi_provider"] is False
    changed = result(client.patch(at, json={"ns_ttl": 7200, "soa": {"min_ttl": 60, "refresh": 9999}}))
    assert changed == {**before, "ns_ttl": 7200, "soa": {**before["soa"], "min_ttl": 60, "refresh": 9999}}
    assert result(client.get(zone))["soa"] == {**soa, "minimum": 60, "refresh": 9999}
    servers = result(client.get(f"{zone}/dns_records?type=NS&name_servers=true"))
    assert [one["ttl"] for one in servers] == [7200]
    revision = api.manager.state.revision
    tried = result(client.patch(f"{at}?dry_run=true", json={"ns_ttl": 9000, "soa": {"min_ttl": 90}}))
    assert tried["counts"]["update"] == {"zone": 1, "record": 1} and result(client.get(at)) == changed
    assert result(client.patch(at, json={"multi_provider": False, "zone_mode": None})) == changed
    wrong = {"multi_provider": True, "foundation_dns": 0, "ns_ttl": 1, "soa": {"min_ttl": "x"}, "nmae": 1}
    assert refused(client.patch(at, json=wrong)) == [
        (1002, "/multi_provider"),
        (1002, "/foundation_dns"),
        (1002, "/nmae"),
        (1002, "/ns_ttl"),
    ]
    assert refused(client.patch(at, json={"soa": {"min_ttl": "x"}})) == [(1002, "/soa/min_ttl")]
    assert api.manager.state.revision == revision


def test_a_scan_finds_nothing(client: httpx.Client, zone: str) -> None:
    at = f"{zone}/dns_records"
    scanned = client.post(f"{at}/scan", json={})
    assert result(scanned) == {"recs_added": 0, "total_records_parsed": 0} and "nothing to scan" in told(scanned)
    assert client.post(f"{at}/scan/trigger").json()["success"]
    assert result(client.get(f"{at}/scan/review")) == []
    assert result(client.post(f"{at}/scan/review", json={"accepts": [], "rejects": []})) == {
        "accepts": [],
        "rejects": [],
    }
    client.post(at, json={"name": "www", "type": "A", "content": "192.0.2.1"})
    count = len(result(client.get(at)))
    assert result(client.get(f"{at}/usage")) == {"record_quota": None, "record_usage": count}


def test_settings_take_the_scope_of_zones(api: Api, zone: str) -> None:
    text, _ = api.store.tokens.create("pools", "pools:write")
    with api.client(text) as client:
        for path in ("settings", "settings/ssl", "pagerules", "dns_settings", "dnssec", "dns_records/usage"):
            assert refused(client.get(f"{zone}/{path}"), 403) == [(10000, "")]
