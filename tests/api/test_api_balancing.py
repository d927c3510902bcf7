"""Load balancers, pools, monitors and monitor groups over the API: what is sent, what comes back, what is stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from lbdns.base.kinds import Kind
from tests.api.conftest import Api

pytestmark = pytest.mark.slow

ORIGIN = {"name": "one", "address": "192.0.2.1"}
NOBODY = "0" * 32


def result(response: httpx.Response, status: int = 200) -> Any:
    assert response.status_code == status, response.text
    body = response.json()
    assert body["success"] and body["errors"] == []
    return body["result"]


def errors(response: httpx.Response, status: int) -> list[tuple[int, str | None]]:
    """Return code and pointer of each error."""
    assert response.status_code == status, response.text
    body = response.json()
    assert body["result"] is None and not body["success"]
    return [(one["code"], one.get("source", {}).get("pointer")) for one in body["errors"]]


@pytest.fixture
def make(api: Api, client: httpx.Client) -> Any:
    """Create an object by its collection's name."""

    def create(collection: str, **body: Any) -> Any:
        return result(client.post(f"{api.account}/{collection}".rstrip("/"), json=body))

    return create


@pytest.fixture
def pool(make: Any) -> Any:
    return make("pools", name="eu", origins=[ORIGIN])


def test_a_pool_is_shown_with_every_default(make: Any) -> None:
    made = make("pools", name="eu", origins=[ORIGIN])
    assert len(made.pop("id")) == 32
    assert made.pop("created_on") == made.pop("modified_on")
    assert made == {
        "name": "eu",
        "origins": [
            {
                "name": "one",
                "address": "192.0.2.1",
                "enabled": True,
                "weight": 1.0,
                "port": 0,
                "header": {},
                "virtual_network_id": None,
                "flatten_cname": True,
            }
        ],
        "enabled": True,
        "description": "",
        "minimum_origins": 1,
        "monitor": None,
        "monitor_group": None,
        "check_regions": None,
        "latitude": None,
        "longitude": None,
        "load_shedding": {
            "default_percent": 0.0,
            "default_policy": "random",
            "session_percent": 0.0,
            "session_policy": "hash",
        },
        "origin_steering": {"policy": "random"},
        "notification_filter": None,
        "notification_email": "",
    }


def test_a_monitor_is_shown_with_every_default(make: Any) -> None:
    made = make("monitors")
    assert made["name"] == f"http-{made['id'][:8]}"
    shown = {key: value for key, value in made.items() if key not in ("id", "name", "created_on", "modified_on")}
    assert shown == {
        "type": "http",
        "description": "",
        "interval": 60,
        "timeout": 5,
        "retries": 2,
        "consecutive_up": 0,
        "consecutive_down": 0,
        "port": 0,
        "method": "GET",
        "path": "/",
        "header": {},
        "expected_codes": "200",
        "expected_body": "",
        "follow_redirects": False,
        "allow_insecure": False,
    }


def test_a_client_certificate_is_checked_and_shown_where_it_is_set(
    api: Api, client: httpx.Client, make: Any, tmp_path: Path
) -> None:
    made = trustme.CA().issue_cert("lbdns")
    pair = tmp_path / "pair.pem"
    made.private_key_and_cert_chain_pem.write_to_path(pair)
    shown = make("monitors", name="secured", type="https", client_certificate=str(pair))
    there = f"{api.account}/monitors/{shown['id']}"
    assert shown["client_certificate"] == str(pair) and "client_key" not in shown
    assert "PRIVATE KEY" not in str(shown)
    bad = client.patch(there, json={"client_key": str(tmp_path / "none.key")})
    assert bad.status_code == 400 and "none.key: cannot be read" in bad.json()["errors"][0]["message"]
    none = result(client.patch(there, json={"client_certificate": None}))
    assert "client_certificate" not in none


def test_max_answers_is_checked_and_shown_where_it_is_set(api: Api, client: httpx.Client, make: Any) -> None:
    plain = make("pools", name="all", origins=[ORIGIN])
    some = make("pools", name="some", origins=[ORIGIN], max_answers=8)
    assert "max_answers" not in plain and some["max_answers"] == 8
    there = f"{api.account}/pools/{some['id']}"
    bad = client.patch(there, json={"max_answers": 101})
    assert bad.status_code == 400 and bad.json()["errors"][0]["source"] == {"pointer": "/max_answers"}
    for nothing in (0, None):
        assert result(client.patch(there, json={"max_answers": 8}))["max_answers"] == 8
        assert "max_answers" not in result(client.patch(there, json={"max_answers": nothing}))


def test_a_load_balancer_is_shown_with_every_default(api: Api, client: httpx.Client, pool: Any) -> None:
    zone = api.zone()
    body = {"name": "www.example.com", "default_pools": [pool["id"]], "fallback_pool": pool["id"]}
    made = result(client.post(f"/zones/{zone.id}/load_balancers", json=body))
    shown = {key: value for key, value in made.items() if key not in ("id", "created_on", "modified_on", *body)}
    assert {key: made[key] for key in body} == body
    assert shown == {
        "description": "",
        "enabled": True,
        "proxied": False,
        "ttl": 30,
        "steering_policy": "",
        "region_pools": {},
        "country_pools": {},
        "pop_pools": {},
        "random_steering": {"default_weight": 1.0, "pool_weights": {}},
        "location_strategy": {"mode": "pop", "prefer_ecs": "proximity"},
        "session_affinity": "none",
        "session_affinity_ttl": None,
        "session_affinity_attributes": {
            "samesite": "Auto",
            "secure": "Auto",
            "drain_duration": None,
            "zero_downtime_failover": "none",
            "headers": [],
            "require_all_headers": False,
        },
        "adaptive_routing": {"failover_across_pools": False},
        "rules": [],
        "pool_sets": [],
        "zone_name": "example.com",
    }


def test_a_monitor_group_names_its_members_by_id(api: Api, client: httpx.Client, make: Any) -> None:
    web, login = make("monitors", path="/a"), make("monitors", path="/b")
    members = [
        {"monitor_id": web["id"], "enabled": True, "must_be_healthy": True, "monitoring_only": False},
        {"monitor_id": login["id"]},
    ]
    made = make("monitor_groups", description="app", members=members)
    watched = {"monitor_id": login["id"], "enabled": True, "must_be_healthy": False, "monitoring_only": False}
    assert made["members"] == [members[0], watched]
    assert made["description"] == "app"
    at = f"{api.account}/monitor_groups/{made['id']}"
    assert result(client.get(at)) == made
    pool = make("pools", name="eu", origins=[ORIGIN], monitor_group=made["id"])
    assert pool["monitor_group"] == made["id"]
    refused = client.patch(at, json={"members": [{"monitor_id": NOBODY}]})
    assert errors(refused, 400) == [(1002, "/members/0/monitor_id")]
    assert errors(client.delete(f"{api.account}/monitors/{web['id']}"), 412) == [(1005, None)]
    assert errors(client.delete(at), 412) == [(1005, None)]


@pytest.mark.parametrize("below_zone", [False, True])
def test_load_balancers_below_the_zone_and_below_the_account(
    api: Api, client: httpx.Client, pool: Any, below_zone: bool
) -> None:
    zone = api.zone()
    here, there = f"/zones/{zone.id}/load_balancers", api.account
    if not below_zone:
        here, there = there, here
    body = {"name": "www.example.com", "default_pools": [pool["id"]], "fallback_pool": pool["id"]}
    made = result(client.post(here, json=body))
    assert ("zone_name" in made) == below_zone
    assert result(client.get(here)) == [made]
    assert result(client.get(there)) == []
    assert errors(client.get(f"{there}/{made['id']}"), 404) == [(1001, None)]
    assert errors(client.delete(f"{there}/{made['id']}"), 404) == [(1001, None)]
    assert errors(client.put(f"{there}/{made['id']}", json=body), 404) == [(1001, None)]
    assert result(client.delete(f"{here}/{made['id']}")) == {"id": made["id"]}
    assert errors(client.get(f"{here}/{made['id']}"), 404) == [(1001, None)]


def test_put_replaces_and_patch_changes(api: Api, client: httpx.Client, make: Any) -> None:
    made = make("pools", name="eu", origins=[ORIGIN], description="Europe", minimum_origins=2, latitude=52, longitude=4)
    at = f"{api.account}/pools/{made['id']}"
    changed = result(client.patch(at, json={"enabled": False}))
    assert changed["created_on"] == made["created_on"] and changed["modified_on"] > made["modified_on"]
    only = {"enabled": False, "disabled_at": changed["modified_on"], "modified_on": changed["modified_on"]}
    assert changed == made | only
    replaced = result(client.put(at, json={"name": "eu", "origins": [ORIGIN]}))
    fresh = make("pools", name="us", origins=[ORIGIN])
    own = ("id", "name", "created_on", "modified_on")
    assert {key: replaced[key] for key in replaced if key not in own} == {k: fresh[k] for k in fresh if k not in own}
    assert result(client.get(at)) == replaced


def test_null_resets_a_field(api: Api, client: httpx.Client, make: Any) -> None:
    monitor = make("monitors")
    made = make("pools", name="eu", origins=[ORIGIN], monitor=monitor["id"], check_regions=["WEU"])
    at = f"{api.account}/pools/{made['id']}"
    assert result(client.patch(at, json={"check_regions": None}))["check_regions"] is None
    assert result(client.patch(at, json={"monitor": None}))["monitor"] is None
    assert result(client.patch(at, json={"monitor": monitor["id"]}))["monitor"] == monitor["id"]
    assert result(client.patch(at, json={"monitor": ""}))["monitor"] is None
    assert errors(client.patch(at, json={"name": None}), 400) == [(1002, "/name")]


def test_what_was_read_can_be_sent_back(api: Api, client: httpx.Client, make: Any) -> None:
    zone = api.zone()
    monitor = make("monitors", description="web check")
    group = make("monitor_groups", description="g", members=[{"monitor_id": monitor["id"]}])
    pool = make("pools", name="eu", origins=[ORIGIN], monitor=monitor["id"])
    body = {"name": "www.example.com", "default_pools": [pool["id"]], "fallback_pool": pool["id"]}
    balancer = result(client.post(f"/zones/{zone.id}/load_balancers", json=body))
    revision = api.manager.state.revision
    for at, shown in (
        (f"{api.account}/monitors", monitor),
        (f"{api.account}/monitor_groups", group),
        (f"{api.account}/pools", pool),
        (f"/zones/{zone.id}/load_balancers", balancer),
    ):
        assert result(client.put(f"{at}/{shown['id']}", json=shown)) == shown
        assert result(client.patch(f"{at}/{shown['id']}", json=shown)) == shown
    assert api.manager.state.revision == revision, "nothing changed: no revision"


def test_fields_that_ask_for_what_lbdns_does_not_do_may_be_sent_empty_alone(
    api: Api, client: httpx.Client, make: Any
) -> None:
    make("pools", name="eu", origins=[ORIGIN], notification_email="", health_sources=None, networks=[])
    make("monitors", probe_zone="")
    body = {"name": "us", "origins": [ORIGIN], "notification_email": "me@example.com"}
    assert errors(client.post(f"{api.account}/pools", json=body), 400) == [(1002, "/notification_email")]


def test_nothing_where_clients_mean_none(api: Api, client: httpx.Client, pool: Any) -> None:
    api.zone()
    body = {"name": "www.example.com", "default_pools": [pool["id"]], "fallback_pool": pool["id"]}
    assert result(client.post(api.account, json=body | {"session_affinity": ""}))["session_affinity"] == "none"


def test_whole_numbers_may_be_written_as_floats(make: Any) -> None:
    assert make("monitors", interval=30.0)["interval"] == 30


def test_every_mistake_is_pointed_to(api: Api, client: httpx.Client, pool: Any) -> None:
    api.zone()
    body = {"name": "a b", "origins": [ORIGIN, {"name": "two", "address": "x y", "weight": 2}], "nmae": 1}
    assert set(errors(client.post(f"{api.account}/pools", json=body), 400)) == {
        (1002, "/name"),
        (1002, "/nmae"),
        (1002, "/origins/1/address"),
        (1002, "/origins/1/weight"),
    }
    body = {
        "name": "www.example.com",
        "default_pools": [pool["id"], NOBODY],
        "fallback_pool": pool["id"],
        "random_steering": {"pool_weights": {pool["id"]: 7}},
        "region_pools": {"weu": [NOBODY]},
        "country_pools": {"XXX": [pool["id"]]},
    }
    assert set(errors(client.post(api.account, json=body), 400)) == {
        (1002, "/default_pools/1"),
        (1002, f"/random_steering/pool_weights/{pool['id']}"),
        (1002, "/region_pools/weu/0"),
        (1002, "/country_pools/XXX"),
    }
    assert api.manager.state.all(Kind.LOAD_BALANCER) == {}


def test_messages_of_a_mistake_end_as_the_v4_api_ends_them(api: Api, client: httpx.Client) -> None:
    refused = client.post(f"{api.account}/monitors", json={"interval": 1}).json()["errors"]
    assert [one["message"] for one in refused] == [
        "interval: 1 is out of bounds; expected at least 5: validation failed"
    ]


def test_names_are_unique(api: Api, client: httpx.Client, pool: Any, make: Any) -> None:
    refused = client.post(f"{api.account}/pools", json={"name": "eu", "origins": [ORIGIN]})
    assert errors(refused, 400) == [(1003, "/name")]
    assert "value not unique" in refused.json()["errors"][0]["message"]
    other = make("pools", name="us", origins=[ORIGIN])
    assert errors(client.patch(f"{api.account}/pools/{other['id']}", json={"name": "eu"}), 400) == [(1003, "/name")]


def test_what_others_use_is_not_deleted(api: Api, client: httpx.Client, pool: Any) -> None:
    body = {"name": "www.example.com", "default_pools": [pool["id"]], "fallback_pool": pool["id"]}
    api.zone()
    balancer = result(client.post(api.account, json=body))
    refused = client.delete(f"{api.account}/pools/{pool['id']}")
    assert errors(refused, 412) == [(1005, None)]
    message = refused.json()["errors"][0]["message"]
    assert message.startswith("This object is referenced by other objects, delete them first.")
    assert "www.example.com" in message
    result(client.delete(f"{api.account}/{balancer['id']}"))
    assert result(client.delete(f"{api.account}/pools/{pool['id']}")) == {"id": pool["id"]}
    assert errors(client.delete(f"{api.account}/pools/{pool['id']}"), 404) == [(1001, None)]


def test_a_change_of_what_changed_since_is_refused(api: Api, client: httpx.Client, pool: Any) -> None:
    at = f"{api.account}/pools/{pool['id']}"
    read = client.get(at)
    changed = client.patch(at, json={"description": "x"}, headers={"If-Match": read.headers["etag"]})
    assert changed.status_code == 200 and changed.headers["etag"] != read.headers["etag"]
    late = {"If-Match": read.headers["etag"]}
    assert errors(client.patch(at, json={"description": "y"}, headers=late), 412) == [(1006, None)]
    assert errors(client.put(at, json={"name": "eu", "origins": [ORIGIN]}, headers=late), 412) == [(1006, None)]
    assert errors(client.delete(at, headers=late), 412) == [(1006, None)]
    assert errors(client.delete(at, headers={"If-Match": "what"}), 412) == [(1006, None)]
    assert result(client.get(at))["description"] == "x"
    result(client.delete(at, headers={"If-Match": changed.headers["etag"]}))


def test_lists_are_whole_unless_pages_are_asked_for(api: Api, client: httpx.Client, make: Any) -> None:
    names = [make("pools", name=f"p{number}", origins=[ORIGIN])["name"] for number in range(5)]
    whole = client.get(f"{api.account}/pools").json()
    assert [one["name"] for one in whole["result"]] == names
    assert "result_info" not in whole
    page = client.get(f"{api.account}/pools?page=2&per_page=2").json()
    assert [one["name"] for one in page["result"]] == names[2:4]
    assert page["result_info"] == {"page": 2, "per_page": 2, "count": 2, "total_count": 5, "total_pages": 3}
    past = client.get(f"{api.account}/pools?page=9&per_page=2").json()
    assert past["result"] == [] and past["success"]
    assert client.get(f"{api.account}/pools?page=0").json()["result_info"]["page"] == 1


def test_pools_by_monitor(api: Api, client: httpx.Client, make: Any) -> None:
    monitor = make("monitors")
    make("pools", name="a", origins=[ORIGIN])
    make("pools", name="b", origins=[ORIGIN], monitor=monitor["id"])
    assert [one["name"] for one in result(client.get(f"{api.account}/pools?monitor={monitor['id']}"))] == ["b"]
    assert result(client.get(f"{api.account}/pools?monitor={NOBODY}")) == []


def test_all_pools_at_once_have_their_mail_address_reset(api: Api, client: httpx.Client, make: Any) -> None:
    for name in ("b", "a"):
        make("pools", name=name, origins=[ORIGIN])
    changed = result(client.patch(f"{api.account}/pools", json={"notification_email": ""}))
    assert [one["name"] for one in changed] == ["a", "b"]
    assert errors(client.patch(f"{api.account}/pools", json={"enabled": False}), 400) == [(1002, "/enabled")]
    mail = {"notification_email": "me@example.com"}
    assert errors(client.patch(f"{api.account}/pools", json=mail), 400) == [(1002, "/notification_email")]


def test_warnings_about_the_object_come_as_messages(api: Api, client: httpx.Client, pool: Any) -> None:
    body = {"name": "www.example.com", "default_pools": [pool["id"]], "fallback_pool": pool["id"]}
    api.zone()
    quiet = client.post(api.account, json=body).json()
    warned = client.post(api.account, json=body | {"name": "shop.example.com", "session_affinity": "cookie"}).json()
    told = [one["message"] for one in warned["messages"]]
    assert any("session_affinity" in one for one in told)
    assert not any("session_affinity" in one["message"] for one in quiet["messages"])


def test_proximity_says_at_creation_that_it_goes_by_centroids(api: Api, client: httpx.Client, pool: Any) -> None:
    api.zone()
    body = {"name": "near.example.com", "default_pools": [pool["id"]], "fallback_pool": pool["id"]}
    made = client.post(api.account, json=body | {"steering_policy": "proximity"}).json()
    (told,) = [one["message"] for one in made["messages"] if "geolocation database" in one["message"]]
    assert "every client is taken to be at the centroid of its subdivision or country" in told


def test_a_revision_says_who_and_what(api: Api, client: httpx.Client, pool: Any) -> None:
    with api.local() as local:
        local.patch(f"{api.account}/pools/{pool['id']}", json={"enabled": False})
    last, first = api.store.revisions()
    assert (first.author, first.message) == ("token writer", 'create pool "eu"')
    assert last.author.startswith("local user ") and last.message == 'change pool "eu"'
