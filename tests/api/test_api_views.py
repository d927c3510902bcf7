"""Views over the API: zones, records and load balancers of one; names and records are unique in each view."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from lbdns.model.settings import Settings
from tests.api.conftest import Api

pytestmark = pytest.mark.process

VIEWS = {"office": {"networks": ["10.0.0.0/8"]}, "lab": {"networks": ["10.9.0.0/16"]}}
FILE = """$TTL 600
@ SOA ns1 hostmaster 7 7200 900 1209600 300
@ NS ns1
ns1 A 192.0.2.53
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.model_validate({"state": tmp_path / "state", "api": {"listen": "127.0.0.1:0"}, "views": VIEWS})


@pytest.fixture
def zone(client: httpx.Client) -> str:
    """The id of a zone that all see."""
    return made_zone(client, "example.com")


def made_zone(client: httpx.Client, name: str, **fields: Any) -> str:
    return str(result(client.post("/zones", json={"name": name, **fields}))["id"])


def result(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    return response.json()["result"]


def refusals(response: httpx.Response) -> list[tuple[int, str, str | None]]:
    """Return the errors of a refusal: code, message, pointer."""
    assert response.status_code in (400, 412), response.text
    errors = response.json()["errors"]
    return [(one["code"], one["message"], one.get("source", {}).get("pointer")) for one in errors]


def added(client: httpx.Client, zone: str, content: str, name: str = "www", type: str = "A", **fields: Any) -> Any:
    body = {"name": name, "type": type, "content": content, **fields}
    return result(client.post(f"/zones/{zone}/dns_records", json=body))


def refused(client: httpx.Client, zone: str, content: str, name: str = "www", type: str = "A", **fields: Any) -> Any:
    body = {"name": name, "type": type, "content": content, **fields}
    return refusals(client.post(f"/zones/{zone}/dns_records", json=body))


def listed(client: httpx.Client, zone: str, **params: Any) -> list[tuple[str, str]]:
    records = result(client.get(f"/zones/{zone}/dns_records", params={"order": "content", **params}))
    return [(one["content"], one.get("view", "")) for one in records]


def pool(api: Api, client: httpx.Client, name: str = "eu") -> str:
    body = {"name": name, "origins": [{"name": "a", "address": "192.0.2.1"}]}
    return str(result(client.post(f"{api.account}/pools", json=body))["id"])


# --- zones ---


def test_a_zone_of_a_view_stands_beside_that_of_all(client: httpx.Client, zone: str) -> None:
    office = result(client.post("/zones", json={"name": "example.com", "view": "office"}))
    assert (office["name"], office["view"]) == ("example.com", "office")
    assert "view" not in result(client.get(f"/zones/{zone}"))
    assert result(client.get(f"/zones/{office['id']}"))["view"] == "office"
    # Of one name the one that all see comes first, whichever was made first.
    made_zone(client, "later.example", view="lab")
    later = made_zone(client, "later.example")
    assert result(client.get("/zones", params={"name": "later.example"}))[0]["id"] == later
    assert [one["id"] for one in result(client.get("/zones", params={"view": "office"}))] == [office["id"]]
    assert {one["id"] for one in result(client.get("/zones", params={"view": ""}))} == {zone, later}
    assert result(client.get("/zones", params={"view": "nowhere"})) == []


def test_a_zone_is_there_once_in_a_view(client: httpx.Client, zone: str) -> None:
    made_zone(client, "example.com", view="office")
    for view in ("office", ""):
        response = client.post("/zones", json={"name": "example.com", "view": view})
        ((code, message, at),) = refusals(response)
        assert (code, at) == (1061, "/name")
        assert f'"example.com{"@office" if view else ""}" already' in message
    made_zone(client, "example.com", view="public")


@pytest.mark.parametrize("view", ("offce", "PUBLIC", "a b", 7, ["office"], "x" * 200))
def test_a_view_that_there_is_not_is_refused(client: httpx.Client, zone: str, view: Any) -> None:
    for path, body in (
        ("/zones", {"name": "other.example", "view": view}),
        (f"/zones/{zone}/dns_records", {"name": "www", "type": "A", "content": "192.0.2.1", "view": view}),
    ):
        found = refusals(client.post(path, json=body))
        assert [(code, at) for code, _, at in found] == [(1002, "/view")], found
    assert [one["name"] for one in result(client.get("/zones"))] == ["example.com"]


def test_the_view_of_a_zone_stays(client: httpx.Client, zone: str) -> None:
    office = made_zone(client, "example.com", view="office")
    for id, view in ((zone, "office"), (office, "lab"), (office, None)):
        ((code, message, at),) = refusals(client.patch(f"/zones/{id}", json={"view": view}))
        assert (code, at) == (1002, "/view")
        assert "create another" in message
    assert result(client.patch(f"/zones/{office}", json={"view": "office", "serial": 9}))["serial"] == 9
    assert result(client.patch(f"/zones/{zone}", json={"view": None, "serial": 9}))["serial"] == 9


# --- records ---


def test_records_of_a_view(client: httpx.Client, zone: str) -> None:
    added(client, zone, "192.0.2.1")
    office = added(client, zone, "10.0.0.1", view="office")
    assert office["view"] == "office"
    assert listed(client, zone, name="www") == [("10.0.0.1", "office"), ("192.0.2.1", "")]
    assert listed(client, zone, view="office") == [("10.0.0.1", "office")]
    assert listed(client, zone, view="", name="www") == [("192.0.2.1", "")]
    assert listed(client, zone, view="lab") == []
    path = f"/zones/{zone}/dns_records/{office['id']}"
    assert result(client.get(path))["view"] == "office"
    # A PATCH leaves what it does not name, null puts it back; a PUT puts back what it does not name, and says so.
    assert result(client.patch(path, json={"ttl": 60}))["view"] == "office"
    assert "view" not in result(client.patch(path, json={"view": None}))
    assert result(client.patch(path, json={"view": "lab"}))["view"] == "lab"
    put = {"name": "www", "type": "A", "content": "10.0.0.2"}
    assert result(client.put(path, json={**put, "view": "lab"}))["view"] == "lab"
    widened = client.put(path, json=put)
    assert "view" not in result(widened)
    assert 'view: was "lab"' in widened.json()["messages"][0]["message"]


def test_a_record_clashes_within_its_view_alone(client: httpx.Client, zone: str) -> None:
    added(client, zone, "192.0.2.1", ttl=60)
    added(client, zone, "192.0.2.1", ttl=60, view="office")
    added(client, zone, "192.0.2.1", ttl=60, view="lab")
    for view in ("", "office"):
        assert [code for code, _, _ in refused(client, zone, "192.0.2.1", ttl=60, view=view)] == [81058]
        assert [code for code, _, _ in refused(client, zone, "192.0.2.1", ttl=70, view=view)] == [81057]
        assert [code for code, _, _ in refused(client, zone, "web.example.net", type="CNAME", view=view)] == [81053]
    # In its view a CNAME takes the place of whatever all see at its name, and anything takes the place of a CNAME.
    added(client, zone, "web.example.net", type="CNAME", view="public")
    assert [code for code, _, _ in refused(client, zone, "192.0.2.9", view="public")] == [81053]
    added(client, zone, "web.example.net", "alias", "CNAME")
    added(client, zone, "192.0.2.3", "alias", view="office")


def test_records_move_between_views_by_a_change_each_or_by_one(client: httpx.Client, zone: str) -> None:
    first = added(client, zone, "192.0.2.1")
    second = added(client, zone, "192.0.2.1", view="office")
    clash = client.patch(f"/zones/{zone}/dns_records/{first['id']}", json={"view": "office"})
    assert [code for code, _, _ in refusals(clash)] == [81058]
    patches = [{"id": first["id"], "view": "office"}, {"id": second["id"], "view": None}]
    done = result(client.post(f"/zones/{zone}/dns_records/batch", json={"patches": patches}))
    assert [one.get("view", "") for one in done["patches"]] == ["office", ""]
    posts = [{"name": "b", "type": "A", "content": "192.0.2.2", "view": view} for view in ("office", "lab", "office")]
    refusal = client.post(f"/zones/{zone}/dns_records/batch", json={"posts": posts})
    assert [(code, at) for code, _, at in refusals(refusal)] == [(81058, "/posts/2/content")]
    posts.pop()
    assert len(result(client.post(f"/zones/{zone}/dns_records/batch", json={"posts": posts}))["posts"]) == 2


def test_what_is_in_a_zone_of_a_view_is_of_it(api: Api, client: httpx.Client) -> None:
    zone = made_zone(client, "example.com", view="office")
    record = added(client, zone, "10.0.0.1")
    assert record["view"] == "office"
    assert ("10.0.0.1", "office") in listed(client, zone, view="office")
    assert listed(client, zone, view="lab") == []
    path = f"/zones/{zone}/dns_records/{record['id']}"
    assert result(client.put(path, json={**record, "content": "10.0.0.2"}))["view"] == "office"
    assert [at for _, _, at in refused(client, zone, "10.0.0.9", view="lab")] == ["/view"]
    body = {"name": "lb.example.com", "default_pools": [pool(api, client)], "fallback_pool": pool(api, client, "us")}
    balancer = result(client.post(f"/zones/{zone}/load_balancers", json=body))
    assert balancer["view"] == "office"
    assert (
        result(client.patch(f"/zones/{zone}/load_balancers/{balancer['id']}", json={"view": None}))["view"] == "office"
    )
    found = refusals(
        client.post(f"/zones/{zone}/load_balancers", json={**body, "name": "x.example.com", "view": "lab"})
    )
    assert (1002, "/view") in [(code, at) for code, _, at in found]


def test_a_view_sees_its_own_zone_or_its_records_in_that_of_all(api: Api, client: httpx.Client, zone: str) -> None:
    """Who may write one of the two zones has no say in the other."""
    added(client, zone, "10.0.0.1", view="office")
    found = refusals(client.post("/zones", json={"name": "example.com", "view": "office"}))
    assert len(found) == 1 and "example.com@office" in found[0][1]
    made_zone(client, "example.com", view="lab")
    ((code, message, at),) = refused(client, zone, "10.0.0.1", view="lab")
    assert (code, at) == (1002, "/view") and "example.com@lab" in message
    body = {"name": "lb.example.com", "default_pools": [pool(api, client)], "fallback_pool": pool(api, client, "us")}
    found = refusals(client.post(f"/zones/{zone}/load_balancers", json={**body, "view": "lab"}))
    assert [(code, at) for code, _, at in found] == [(1002, "/view")]


def test_master_files_of_a_view(client: httpx.Client, zone: str) -> None:
    added(client, zone, "192.0.2.1")
    file = {"file": "$TTL 60\nwww A 10.0.0.1\nwww A 10.0.0.2 ; the second\n"}
    path = f"/zones/{zone}/dns_records"
    assert result(client.post(f"{path}/import", files=file, params={"view": "office"})) == {
        "recs_added": 2,
        "total_records_parsed": 2,
    }
    assert listed(client, zone, view="office") == [("10.0.0.1", "office"), ("10.0.0.2", "office")]
    assert result(client.post(f"{path}/import", files=file, params={"view": "office"}))["recs_added"] == 0
    text = client.get(f"{path}/export", params={"view": "office"}).text
    assert "SOA" not in text and "10.0.0.1" in text and "192.0.2.1" not in text
    assert "10.0.0.1" not in client.get(f"{path}/export").text
    assert result(client.post(f"{path}/import", files={"file": text}, params={"view": "lab"}))["recs_added"] == 2
    assert len(refusals(client.get(f"{path}/export", params={"view": "a b"}))) == 1


def test_whole_zones_and_whole_views_of_one(api: Api, client: httpx.Client, zone: str) -> None:
    own = f"{api.server.address}/lbdns/v1/zones"
    added(client, zone, "192.0.2.1")
    added(client, zone, "10.0.0.1", view="office")
    added(client, zone, "10.0.0.9", view="lab")
    done = result(
        client.post(f"{own}/example.com/import", params={"view": "office"}, files={"file": "www A 10.0.0.2\n"})
    )
    assert (done["name"], done["view"], done["records"], done["changes"]) == ("example.com", "office", 1, 1)
    assert listed(client, zone, name="www") == [("10.0.0.2", "office"), ("10.0.0.9", "lab"), ("192.0.2.1", "")]
    result(client.post(f"{own}/example.com/import", files={"file": FILE}))  # says nothing of views
    assert listed(client, zone, name="www") == [("10.0.0.2", "office"), ("10.0.0.9", "lab")]
    (refusal,) = refusals(client.post(f"{own}/example.com@public/import", files={"file": "www A 192.0.2.8\n"}))
    assert "?view=public" in refusal[1]
    done = result(client.post(f"{own}/example.com@public/import", files={"file": FILE}))
    assert (done["name"], done["view"], done["created"]) == ("example.com", "public", True)


# --- load balancers ---


def test_load_balancers_of_views(api: Api, client: httpx.Client, zone: str) -> None:
    body = {"name": "www.example.com", "default_pools": [pool(api, client)], "fallback_pool": pool(api, client, "us")}
    path = f"/zones/{zone}/load_balancers"
    of_all = result(client.post(path, json=body))
    office = result(client.post(path, json={**body, "view": "office"}))
    assert "view" not in of_all and office["view"] == "office"
    for view, words in (("office", "www.example.com@office"), ("", "www.example.com")):
        ((code, message, at),) = refusals(client.post(path, json={**body, "view": view}))
        assert (code, at) == (1003, "/name") and f'"{words}" already' in message
    assert [one["id"] for one in result(client.get(path))] == [of_all["id"], office["id"]]
    assert [one["id"] for one in result(client.get(path, params={"view": "office"}))] == [office["id"]]
    assert [one["id"] for one in result(client.get(path, params={"view": ""}))] == [of_all["id"]]
    own = result(client.get(f"{api.server.address}/lbdns/v1/load_balancers", params={"view": "office"}))
    assert [one["id"] for one in own] == [office["id"]]
    assert result(client.patch(f"{path}/{office['id']}", json={"ttl": 60}))["view"] == "office"
    widened = client.put(f"{path}/{office['id']}", json={**body, "name": "b.example.com"})
    assert "view" not in result(widened)
    assert any('view: was "office"' in one["message"] for one in widened.json()["messages"])
    for one in (of_all, office):
        result(client.delete(f"{path}/{one['id']}"))


def test_search_references_and_names_tell_views_apart(api: Api, client: httpx.Client, zone: str) -> None:
    eu = pool(api, client)
    body = {"name": "www.example.com", "default_pools": [eu], "fallback_pool": eu}
    path = f"/zones/{zone}/load_balancers"
    ids = {
        f"www.example.com{f'@{view}' if view else ''}": result(client.post(path, json={**body, "view": view}))["id"]
        for view in ("", "office", "lab")
    }
    found = result(client.get(f"{api.account}/search", params={"query": "www"}))["resources"]
    assert {one["resource_name"]: one["resource_id"] for one in found} == ids
    referrers = result(client.get(f"{api.account}/pools/{eu}/references"))
    assert {one["resource_name"]: one["resource_id"] for one in referrers} == ids
    office = made_zone(client, "other.example", view="office")
    names = result(client.get(f"{api.server.address}/lbdns/v1/names"))
    assert names["load_balancer"] == ids
    assert names["zone"] == {"example.com": zone, "other.example@office": office}
    ((code, message, _),) = refusals(client.delete(f"{api.account}/pools/{eu}"))
    assert code == 1005 and '"www.example.com@office"' in message


# --- tokens ---


def test_a_token_of_a_zone_of_a_view(api: Api, client: httpx.Client, zone: str) -> None:
    office = made_zone(client, "example.com", view="office")
    with api.local() as local:
        for scope, mine, other in (
            ("zones:write:example.com@office", office, zone),
            ("zones:write:example.com", zone, office),
        ):
            made = local.post("http://localhost/lbdns/v1/tokens", json={"name": scope, "scope": scope})
            assert not made.json()["messages"]
            with api.client(result(made)["value"]) as client_of_one:
                assert [one["id"] for one in result(client_of_one.get("/zones"))] == [mine]
                added(client_of_one, mine, "10.0.0.1")
                assert client_of_one.get(f"/zones/{other}/dns_records").status_code == 403
                label = "example.com" if mine == office else "example.com@office"
                own = f"{api.server.address}/lbdns/v1/zones/{label}/import"
                assert client_of_one.post(own, files={"file": FILE}).status_code == 403
