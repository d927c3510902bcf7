"""References, search, regions, events, and lbdns's own look-ups: what the API answers from the store and the record."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from lbdns.base.kinds import BALANCING, Kind
from lbdns.health.events import HealthChange, Record, Seen
from lbdns.health.forced import Forced, save
from lbdns.places.regions import REGION_CODES
from tests.api.conftest import Api

pytestmark = pytest.mark.slow

Ids = Mapping[str, str]


@pytest.fixture
def ids(api: Api) -> Ids:
    """A zone, two monitors in a group, three pools, two load balancers; ids by name."""
    zone = api.zone()
    made = {"zone": zone.id}

    def create(kind: Kind, body: dict[str, Any], zone_id: str = "") -> None:
        made[body["name"]] = api.change(lambda edit: edit.create(kind, body, zone_id)).id

    create(Kind.MONITOR, {"name": "web", "description": "the Shop's front"})
    create(Kind.MONITOR, {"name": "login", "path": "/login"})
    create(Kind.MONITOR_GROUP, {"name": "app", "members": [{"monitor_id": made["web"]}, {"monitor_id": made["login"]}]})
    create(Kind.POOL, {"name": "eu", "monitor": made["web"], "origins": [{"name": "eu-1", "address": "192.0.2.1"}]})
    create(
        Kind.POOL, {"name": "us", "monitor_group": made["app"], "origins": [{"name": "us-1", "address": "192.0.2.2"}]}
    )
    create(Kind.POOL, {"name": "lone", "origins": [{"name": "lone-1", "address": "192.0.2.3"}]})
    www = {"name": "www.example.com", "default_pools": [made["eu"]], "fallback_pool": made["us"]}
    create(Kind.LOAD_BALANCER, www, zone.id)
    create(Kind.LOAD_BALANCER, {**www, "name": "api.example.com", "region_pools": {"WEU": [made["us"]]}})
    return made


def result(response: httpx.Response) -> Any:
    """Return the result of a success."""
    assert response.status_code == 200, response.text
    return response.json()["result"]


def told(references: list[dict[str, str]]) -> list[tuple[str, str, str]]:
    """Return references as (direction, type, name)."""
    return [(one["reference_type"], one["resource_type"], one["resource_name"]) for one in references]


def test_references_go_both_ways(api: Api, client: httpx.Client, ids: Ids) -> None:
    def references(kind: str, name: str) -> list[tuple[str, str, str]]:
        return told(result(client.get(f"{api.account}/{kind}/{ids[name]}/references")))

    assert references("pools", "eu") == [
        ("referrer", "load_balancer", "www.example.com"),
        ("referrer", "load_balancer", "api.example.com"),
        ("referral", "monitor", "web"),
    ]
    assert references("pools", "lone") == []
    assert references("monitors", "web") == [("referrer", "monitor_group", "app"), ("referrer", "pool", "eu")]
    group = references("monitor_groups", "app")
    assert group[0] == ("referrer", "pool", "us")
    assert set(group[1:]) == {("referral", "monitor", "web"), ("referral", "monitor", "login")}
    missing = client.get(f"{api.account}/pools/{'0' * 32}/references")
    assert (missing.status_code, missing.json()["errors"][0]["code"]) == (404, 1001)
    assert client.get(f"{api.account}/pools/eu/references").status_code == 400


def test_search_looks_at_names_descriptions_and_endpoints(api: Api, client: httpx.Client, ids: Ids) -> None:
    def found(**params: Any) -> list[str]:
        resources = result(client.get(f"{api.account}/search", params=params))["resources"]
        return [one["resource_name"] for one in resources]

    assert found() == ["www.example.com", "api.example.com", "eu", "us", "lone", "web", "login"]
    assert found(query="EU") == ["eu"]
    assert found(query="192.0.2.3") == ["lone"]
    assert found(query="shop") == ["web"]
    assert found(query="nothing") == []
    assert found(page=2, per_page=3) == ["us", "lone", "web"]
    assert found(page=9) == []
    pages = client.get(f"{api.account}/search", params={"page": 2, "per_page": 3}).json()["result_info"]
    assert pages == {"page": 2, "per_page": 3, "count": 3, "total_count": 7, "total_pages": 3}

    def references(which: str) -> list[tuple[str, str, str]]:
        (one,) = result(client.get(f"{api.account}/search", params={"query": "us-1", "references": which}))["resources"]
        return told(one["references"])

    assert references("referral") == [("referral", "monitor_group", "app")]
    assert {name for _, _, name in references("referrer")} == {"www.example.com", "api.example.com"}
    assert len(references("*")) == 3
    (plain,) = result(client.get(f"{api.account}/search", params={"query": "us-1"}))["resources"]
    assert set(plain) == {"resource_id", "resource_name", "resource_type"}
    assert client.get(f"{api.account}/search", params={"references": "all"}).status_code == 400


def test_regions(api: Api, client: httpx.Client) -> None:
    def regions(path: str = "", **params: str) -> dict[str, list[dict[str, Any]]]:
        found = result(client.get(f"{api.account}/regions{path}", params=params))
        assert found["iso_standard"].startswith("Country and subdivision codes")
        return {one["region_code"]: one["countries"] for one in found["regions"]}

    every = regions()
    assert sorted(every) == list(REGION_CODES)
    assert regions(country_code_a2="de") == {"WEU": [{"country_code_a2": "DE", "country_name": "Germany"}]}
    assert set(regions(country_code_a2="US")) == {"ENAM", "WNAM"}
    california = [{"subdivision_code_a2": "CA", "subdivision_name": "California"}]
    for params in ({"subdivision_code": "ca"}, {"subdivision_code_a2": "CA"}, {"subdivision_code": "US-CA"}):
        found = regions(country_code_a2="US", **params)
        assert [one["country_subdivisions"] for one in found["WNAM"]] == [california] and len(found) == 1
    assert regions(country_code="de") == regions(country_code_a2="DE")
    assert regions(country_code="US", subdivision_code="CA") == regions(country_code_a2="US", subdivision_code_a2="CA")
    assert regions(country_code_a2="ZZ") == {}
    assert regions("/WEU") == {"WEU": every["WEU"]}
    missing = client.get(f"{api.account}/regions/NOWHERE")
    assert (missing.status_code, missing.json()["errors"][0]["code"]) == (404, 1001)


NOON_S = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()


def write_record(api: Api, *more: HealthChange) -> None:
    """Write a day: eu comes up, eu-1 fails, a forced state hides a failure, a pool that is gone fails."""
    seen = Seen(NOON_S, "local", "web", "192.0.2.1", False, "Response code mismatch error", 503, 900)

    def endpoint(at_s: float, pool: str, name: str, after: str, **more: Any) -> HealthChange:
        return HealthChange(at_s, "endpoint", f"{pool}/{name}", "unknown", after, pool=pool, endpoint=name, **more)

    def pool(at_s: float, name: str, after: str) -> HealthChange:
        return HealthChange(at_s, "pool", name, "unknown", after, pool=name)

    failed = {"address": "192.0.2.1", "monitor": "web", "reason": seen.reason, "code": 503, "probes": (seen,)}
    changes = [
        endpoint(NOON_S, "eu", "eu-1", "healthy", address="192.0.2.1", monitor="web"),
        endpoint(NOON_S, "eu", "eu-0", "unhealthy", address="192.0.2.8"),  # gone since
        pool(NOON_S + 0.001, "eu", "healthy"),
        endpoint(NOON_S + 0.002, "old", "old-1", "unhealthy", address="192.0.2.9", reason="TCP timeout"),
        pool(NOON_S + 0.003, "old", "critical"),
        endpoint(NOON_S + 60, "eu", "eu-1", "unhealthy", **failed),
        pool(NOON_S + 60.001, "eu", "critical"),
        HealthChange(NOON_S + 60.002, "load_balancer", "www.example.com", "healthy", "critical"),
        endpoint(NOON_S + 90, "eu", "eu-1", "healthy", hidden=True),
        *more,
    ]
    record = Record(api.manager.settings.state_dir())
    for change in changes:
        record.append(change)
    record.close()


def test_a_forced_pool_says_why(api: Api, client: httpx.Client) -> None:
    drill = HealthChange(
        NOON_S + 120, "pool", "eu", "healthy", "critical", pool="eu", detail="forced down: a drill", cause="forced"
    )
    write_record(api, drill)
    latest, earlier, *_ = result(client.get("/user/load_balancing_analytics/events"))
    assert latest["pool"]["reason"] == "forced down: a drill"
    assert "reason" not in earlier["pool"], "probes decided, and endpoints say what they saw"


def test_events_join_a_pools_changes(api: Api, client: httpx.Client, ids: Ids) -> None:
    path = "/user/load_balancing_analytics/events"
    assert result(client.get(path)) == []
    write_record(api)
    latest, *earlier = result(client.get(path))
    assert latest == {
        "id": latest["id"],
        "timestamp": "2026-11-21T12:01:00.001000Z",
        "pool": {"id": ids["eu"], "name": "eu", "healthy": False, "changed": True, "minimum_origins": 1},
        "origins": [
            {
                "name": "eu-1",
                "address": "192.0.2.1",
                "ip": "192.0.2.1",
                "enabled": True,
                "healthy": False,
                "changed": True,
                "failure_reason": "Response code mismatch error",
                "response_code": 503,
                "monitors": [
                    {
                        "id": ids["web"],
                        "name": "web",
                        "healthy": False,
                        "failure_reason": "Response code mismatch error",
                        "response_code": 503,
                        "must_be_healthy": False,
                        "monitoring_only": False,
                    }
                ],
            }
        ],
    }
    assert {(one["pool"]["name"], one["pool"]["healthy"]) for one in earlier} == {("eu", True), ("old", False)}
    assert next(one for one in earlier if one["pool"]["name"] == "old")["pool"]["id"] is None
    assert [one["name"] for one in earlier[-1]["origins"]] == ["eu-1", "eu-0"]
    assert len({one["id"] for one in (latest, *earlier)}) == 3

    def found(**params: Any) -> list[tuple[str, bool]]:
        events = result(client.get(path, params=params))
        return [(one["pool"]["name"], one["pool"]["healthy"]) for one in events]

    assert found(pool_id=ids["eu"]) == found(pool_name="eu") == [("eu", False), ("eu", True)]
    assert found(pool_id=ids["us"]) == found(pool_id="0" * 32) == []
    assert found(pool_healthy="true") == found(origin_healthy="true") == [("eu", True)]
    assert found(origin_name="old-1", origin_healthy="false") == [("old", False)]
    assert found(since="2026-11-21T12:00:30Z") == [("eu", False)]
    assert found(since="2026-11-21T13:00:30+01:00", until="2026-11-21T12:05:00") == [("eu", False)]
    assert found(until="2026-11-21T11:00:00Z") == []
    assert len(found(page=1, per_page=2)) == 2 and len(found(page=2, per_page=2)) == 1
    assert found(limit=1) == found()[:1] and found(limit=2, offset=1) == found()[1:] and found(offset=9) == []
    assert client.get(path, params={"since": "yesterday"}).status_code == 400


def test_events_say_what_each_monitor_of_a_group_saw(api: Api, client: httpx.Client, ids: Ids) -> None:
    def seen(at_s: float, monitor: str, healthy: bool, vantage: str = "ams", **part: bool) -> Seen:
        reason, code = ("No failures", 200) if healthy else ("Response code mismatch error", 503)
        return Seen(NOON_S + at_s, vantage, monitor, "192.0.2.2", healthy, reason, code, 900, **part)

    probes = (
        seen(0, "web", True, must_be_healthy=True),
        seen(1, "web", True, "lhr", must_be_healthy=True),
        seen(2, "web", False, must_be_healthy=True),
        seen(3, "web", False, "jfk", must_be_healthy=True),
        seen(4, "login", False, monitoring_only=True),
        seen(5, "gone", True),
    )
    record = Record(api.manager.settings.state_dir())
    name: dict[str, Any] = {"pool": "us", "endpoint": "us-1", "address": "192.0.2.2", "monitor": "web"}
    record.append(HealthChange(NOON_S + 6, "endpoint", "us/us-1", "healthy", "unhealthy", probes=probes, **name))
    record.close()
    (event,) = result(client.get("/user/load_balancing_analytics/events"))
    (origin,) = event["origins"]
    bad = {"healthy": False, "failure_reason": "Response code mismatch error", "response_code": 503}
    good = {"healthy": True, "failure_reason": "No failures", "response_code": 200}
    voter = {"must_be_healthy": False, "monitoring_only": False}
    assert sorted(origin["monitors"], key=lambda one: str(one["name"])) == [
        {"id": None, "name": "gone", **good, **voter},
        {"id": ids["login"], "name": "login", **bad, **voter, "monitoring_only": True},
        {"id": ids["web"], "name": "web", **bad, **voter, "must_be_healthy": True},
    ]


def test_own_look_ups_without_a_server(api: Api, client: httpx.Client, ids: Ids) -> None:
    own = str(client.base_url.copy_with(path="/lbdns/v1"))
    located = result(client.get(f"{own}/locate", params={"ip": "2001:4860:4860::8888"}))
    assert (located["country"], located["region"]) == ("US", "ENAM")
    mapped, plain = (result(client.get(f"{own}/locate", params={"ip": ip})) for ip in ("::ffff:8.8.8.8", "8.8.8.8"))
    assert mapped == plain and (mapped["address"], mapped["country"]) == ("8.8.8.8", "US")
    wrong = client.get(f"{own}/locate", params={"ip": "here"})
    assert (wrong.status_code, wrong.json()["errors"][0]["code"]) == (400, 1002)
    balancers = result(client.get(f"{own}/load_balancers"))
    assert [(one["name"], one["zone_id"]) for one in balancers] == [
        ("www.example.com", ids["zone"]),
        ("api.example.com", None),
    ]
    assert result(client.get(f"{own}/load_balancers", params={"name": "api.example.com"})) == balancers[1:]
    names = result(client.get(f"{own}/names", params={"kind": ["pool", "monitor_group"]}))
    assert names == {"pool": {name: ids[name] for name in ("eu", "us", "lone")}, "monitor_group": {"app": ids["app"]}}
    assert set(result(client.get(f"{own}/names"))) == {*BALANCING, Kind.ZONE}
    save(api.manager.settings.state_dir(), [Forced("eu/*", "down", NOON_S, NOON_S + 60, "drill")])
    assert result(client.get(f"{own}/forced")) == [
        {
            "pattern": "eu/*",
            "state": "down",
            "set_on": "2026-11-21T12:00:00.000000Z",
            "until": "2026-11-21T12:01:00.000000Z",
            "why": "drill",
        }
    ]
    for path in ("/explain?name=www.example.com", "/health", "/status"):
        refused = client.get(own + path)
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (400, 1010)
        assert "no server runs on the store in" in refused.json()["errors"][0]["message"]
    assert client.post(f"{own}/forced", json={"pattern": "eu", "state": "up"}).json()["errors"][0]["code"] == 1010
    asked = {"name": "www.example.com", "networks": ["192.0.2.0/24"]}
    assert client.post(f"{own}/what_if", json=asked).json()["errors"][0]["code"] == 1010
    for mistaken in ({"name": "www.example.com"}, {**asked, "colour": "red"}):
        assert client.post(f"{own}/what_if", json=mistaken).status_code == 400
    health = client.get(f"{api.account}/pools/{ids['eu']}/health")
    assert health.json()["errors"][0]["code"] == 1010


def test_a_read_token_forces_nothing_and_probes_nothing(api: Api, ids: Ids) -> None:
    with api.client(api.read_token) as reader:
        own = str(reader.base_url.copy_with(path="/lbdns/v1"))
        for path in (f"{own}/forced", f"{api.account}/pools/{ids['eu']}/preview"):
            refused = reader.post(path, json={"pattern": "eu", "state": "down"})
            assert (refused.status_code, refused.json()["errors"][0]["code"]) == (403, 10000)
        assert reader.get(f"{own}/load_balancers").status_code == 200


def test_the_document_has_every_route(api: Api, client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    account = "/client/v4/accounts/{account_id}/load_balancers"
    expected = {f"{account}/{path}" for path in ("search", "regions", "regions/{region_code}", "preview/{id}")}
    expected |= {f"{account}/{kind}/{{id}}/references" for kind in ("pools", "monitors", "monitor_groups")}
    expected |= {f"{account}/pools/{{id}}/{path}" for path in ("health", "preview")}
    expected |= {f"{account}/monitors/{{id}}/preview", "/client/v4/user/load_balancing_analytics/events"}
    own = ("explain", "health", "status", "forced", "locate", "load_balancers", "names")
    assert expected | {f"/lbdns/v1/{path}" for path in own} <= set(paths)
