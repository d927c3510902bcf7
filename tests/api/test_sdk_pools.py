"""Monitors, monitor groups and pools by the official client: every method, every field, every default."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from cloudflare import NotFoundError

from tests.api.sdk import Sdk, plain, some, within

pytestmark = pytest.mark.process

MONITOR_DEFAULTS = {
    "type": "http",
    "description": "",
    "method": "GET",
    "path": "/",
    "header": {},
    "port": 0,
    "timeout": 5,
    "retries": 2,
    "interval": 60,
    "consecutive_up": 0,
    "consecutive_down": 0,
    "expected_body": "",
    "expected_codes": "200",
    "follow_redirects": False,
    "allow_insecure": False,
}
POOL_DEFAULTS = {
    "description": "",
    "enabled": True,
    "minimum_origins": 1,
    "monitor": None,
    "monitor_group": None,
    "check_regions": None,
    "latitude": None,
    "longitude": None,
    "load_shedding": {
        "default_percent": 0,
        "default_policy": "random",
        "session_percent": 0,
        "session_policy": "hash",
    },
    "origin_steering": {"policy": "random"},
    "notification_filter": None,
    "notification_email": "",
}
ORIGIN_DEFAULTS = {
    "enabled": True,
    "weight": 1,
    "port": 0,
    "header": {},
    "flatten_cname": True,
    "virtual_network_id": None,
}


def assert_times(model: dict[str, Any]) -> None:
    created, modified = (datetime.fromisoformat(model[key]) for key in ("created_on", "modified_on"))
    assert created.tzinfo is not None and created <= modified


def test_monitor_of_defaults_has_every_one_of_them(sdk: Sdk) -> None:
    monitors = sdk.client.load_balancers.monitors
    made = plain(monitors.create(account_id=sdk.account))
    assert within(made, MONITOR_DEFAULTS) == MONITOR_DEFAULTS
    assert len(made["id"]) == 32
    assert_times(made)
    assert plain(monitors.get(made["id"], account_id=sdk.account)) == made


def test_monitor_is_created_shown_changed_replaced_and_deleted(sdk: Sdk) -> None:
    monitors = sdk.client.load_balancers.monitors
    header = {"Host": ["www.example.com"], "X-App": ["a", "b"]}
    made = some(
        monitors.create(
            account_id=sdk.account,
            type="https",
            description="web farm",
            method="GET",
            path="/health?deep=1",
            header={key: list(values) for key, values in header.items()},
            port=8443,
            load_balancer_monitor_timeout=3,
            retries=0,
            interval=90,
            consecutive_up=3,
            consecutive_down=2,
            expected_body="alive",
            expected_codes="2xx",
            follow_redirects=True,
            allow_insecure=True,
        )
    )
    wanted = {
        "type": "https",
        "description": "web farm",
        "method": "GET",
        "path": "/health?deep=1",
        "header": header,
        "port": 8443,
        "timeout": 3,
        "retries": 0,
        "interval": 90,
        "consecutive_up": 3,
        "consecutive_down": 2,
        "expected_body": "alive",
        "expected_codes": "2xx",
        "follow_redirects": True,
        "allow_insecure": True,
    }
    assert within(plain(made), wanted) == wanted
    id = some(made.id)

    changed = plain(monitors.edit(id, account_id=sdk.account, expected_codes="200-299", interval=120))
    assert within(changed, wanted) == wanted | {"expected_codes": "200-299", "interval": 120}
    assert changed["created_on"] == made.created_on
    assert_times(changed)

    reset = plain(monitors.edit(id, account_id=sdk.account, extra_body={"port": None, "header": None, "path": None}))
    assert within(reset, wanted) == wanted | {
        "expected_codes": "200-299",
        "interval": 120,
        "port": 0,
        "header": {},
        "path": "/",
    }

    replaced = plain(monitors.update(id, account_id=sdk.account, type="tcp", port=25))
    assert within(replaced, MONITOR_DEFAULTS) == MONITOR_DEFAULTS | {"type": "tcp", "port": 25}
    assert replaced["id"] == id and replaced["created_on"] == made.created_on

    listed = [plain(one) for one in monitors.list(account_id=sdk.account)]
    assert replaced in listed
    assert some(monitors.delete(id, account_id=sdk.account)).id == id
    with pytest.raises(NotFoundError):
        monitors.get(id, account_id=sdk.account)
    assert id not in [one.id for one in monitors.list(account_id=sdk.account)]


@pytest.mark.parametrize("kind", ["tcp", "udp_icmp", "smtp", "icmp_ping"])
def test_every_monitor_type_is_taken(sdk: Sdk, kind: Any) -> None:
    port = 0 if kind == "icmp_ping" else 2525
    made = some(sdk.client.load_balancers.monitors.create(account_id=sdk.account, type=kind, port=port))
    assert (made.type, made.port) == (kind, port)


def test_monitor_group_is_created_shown_changed_replaced_and_deleted(sdk: Sdk) -> None:
    groups = sdk.client.load_balancers.monitor_groups
    first, second = (
        some(some(sdk.client.load_balancers.monitors.create(account_id=sdk.account, path=path)).id)
        for path in ("/first", "/second")
    )
    member: Any = {"monitor_id": first, "enabled": True, "monitoring_only": False, "must_be_healthy": True}
    other: Any = {"monitor_id": second, "enabled": False, "monitoring_only": True, "must_be_healthy": False}
    made = groups.create(account_id=sdk.account, description="both", members=[member, other])
    assert made.description == "both"
    assert [within(one.to_dict(), member) for one in made.members] == [member, other]
    assert made.created_on is not None and made.modified_on is not None
    assert groups.get(made.id, account_id=sdk.account) == made
    assert made in list(groups.list(account_id=sdk.account))

    changed = groups.edit(made.id, account_id=sdk.account, description="one", members=[other])
    assert changed.description == "one"
    assert [one.monitor_id for one in changed.members] == [second]
    replaced = groups.update(made.id, account_id=sdk.account, description="again", members=[member])
    assert replaced.description == "again"
    assert [one.monitor_id for one in replaced.members] == [first]
    assert replaced.created_on == made.created_on

    found = list(groups.references.get(made.id, account_id=sdk.account))
    assert [(one.reference_type, one.resource_id, one.resource_type) for one in found] == [
        ("referral", first, "monitor")
    ]
    deleted = groups.delete(made.id, account_id=sdk.account)
    assert deleted.id == made.id
    assert made.id not in [one.id for one in groups.list(account_id=sdk.account)]


def test_pool_of_defaults_has_every_one_of_them(sdk: Sdk) -> None:
    pools = sdk.client.load_balancers.pools
    made = plain(pools.create(account_id=sdk.account, name="plain", origins=[{"name": "a", "address": "192.0.2.1"}]))
    assert within(made, POOL_DEFAULTS) == POOL_DEFAULTS
    (origin,) = made["origins"]
    assert within(origin, ORIGIN_DEFAULTS) == ORIGIN_DEFAULTS
    assert (made["name"], origin["name"], origin["address"]) == ("plain", "a", "192.0.2.1")
    assert_times(made)
    assert plain(pools.get(made["id"], account_id=sdk.account)) == made


def test_pool_is_created_shown_changed_replaced_and_deleted(sdk: Sdk) -> None:
    pools = sdk.client.load_balancers.pools
    monitor = some(some(sdk.client.load_balancers.monitors.create(account_id=sdk.account, path="/pool")).id)
    origins: Any = [
        {
            "name": "first",
            "address": "127.0.0.10",
            "enabled": False,
            "weight": 0.56,
            "port": 8080,
            "header": {"Host": ["one.example.com"]},
        },
        {"name": "second", "address": "::1"},
        {"name": "third", "address": "app.example.org", "flatten_cname": False},
    ]
    shedding: Any = {
        "default_percent": 12.5,
        "default_policy": "hash",
        "session_percent": 5,
        "session_policy": "hash",
    }
    notification: Any = {"origin": {"disable": True, "healthy": None}, "pool": {"disable": False, "healthy": False}}
    wanted: dict[str, Any] = {
        "name": "whole",
        "description": "all fields",
        "enabled": False,
        "latitude": 52.25,
        "longitude": -4.75,
        "load_shedding": shedding,
        "minimum_origins": 2,
        "monitor": monitor,
        "origin_steering": {"policy": "hash"},
        "notification_filter": notification,
    }
    made = plain(
        pools.create(account_id=sdk.account, origins=origins, extra_body={"check_regions": ["WEU", "ENAM"]}, **wanted)
    )
    assert within(made, wanted) == wanted
    assert made["check_regions"] == ["WEU", "ENAM"]
    for sent, got in zip(origins, made["origins"], strict=True):
        assert within(got, ORIGIN_DEFAULTS | sent) == ORIGIN_DEFAULTS | sent
    id = made["id"]

    changed = plain(pools.edit(id, account_id=sdk.account, minimum_origins=1, check_regions=["WNAM"]))
    assert within(changed, wanted) == wanted | {"minimum_origins": 1}
    assert changed["check_regions"] == ["WNAM"]
    assert changed["origins"] == made["origins"]

    fewer = plain(pools.edit(id, account_id=sdk.account, origins=origins[1:]))
    assert [origin["name"] for origin in fewer["origins"]] == ["second", "third"]

    nothing: Any = {key: None for key in ("monitor", "latitude", "longitude", "load_shedding", "notification_filter")}
    reset = plain(pools.edit(id, account_id=sdk.account, check_regions=None, extra_body=nothing))
    expected = {key: POOL_DEFAULTS[key] for key in (*nothing, "check_regions")}
    assert within(reset, expected) == expected
    assert (reset["description"], reset["origin_steering"]) == ("all fields", {"policy": "hash"})

    replaced = plain(pools.update(id, account_id=sdk.account, name="whole", origins=origins[1:2]))
    assert within(replaced, POOL_DEFAULTS) == POOL_DEFAULTS
    assert [origin["address"] for origin in replaced["origins"]] == ["::1"]
    assert replaced["id"] == id and replaced["created_on"] == made["created_on"]

    assert replaced in [plain(one) for one in pools.list(account_id=sdk.account)]
    assert some(pools.delete(id, account_id=sdk.account)).id == id
    with pytest.raises(NotFoundError):
        pools.get(id, account_id=sdk.account)


def test_pools_are_listed_by_monitor(sdk: Sdk) -> None:
    pools = sdk.client.load_balancers.pools
    monitor = some(some(sdk.client.load_balancers.monitors.create(account_id=sdk.account, path="/by")).id)
    watched = sdk.pool("watched", "127.0.0.21", monitor=monitor)
    sdk.pool("unwatched", "192.0.2.22")
    assert [one.id for one in pools.list(account_id=sdk.account, monitor=monitor)] == [watched]
    assert {"watched", "unwatched"} <= {one.name for one in pools.list(account_id=sdk.account)}


def test_pools_are_edited_at_once_as_far_as_there_is_anything_to_edit(sdk: Sdk) -> None:
    sdk.pool("edited", "192.0.2.23")
    pools = sdk.client.load_balancers.pools
    before = sdk.revision()
    edited = list(pools.bulk_edit(account_id=sdk.account, notification_email=""))
    assert {one.id for one in edited} == {one.id for one in pools.list(account_id=sdk.account)}
    assert {one.notification_email for one in edited} == {""}
    assert sdk.revision() == before


def test_references_of_monitor_and_pool(sdk: Sdk) -> None:
    balancing = sdk.client.load_balancers
    monitor = some(some(balancing.monitors.create(account_id=sdk.account, path="/refs")).id)
    member: Any = {"monitor_id": monitor, "enabled": True, "monitoring_only": False, "must_be_healthy": True}
    group = balancing.monitor_groups.create(account_id=sdk.account, description="refs", members=[member]).id
    pool = sdk.pool("referring", "127.0.0.31", monitor=monitor)
    other = sdk.pool("grouped", "127.0.0.32", monitor_group=group)
    to_monitor = {
        (one.reference_type, one.resource_id, one.resource_type)
        for one in balancing.monitors.references.get(monitor, account_id=sdk.account)
    }
    assert to_monitor == {("referrer", group, "monitor_group"), ("referrer", pool, "pool")}
    of_pool = [
        (one.reference_type, one.resource_id, one.resource_name, one.resource_type)
        for one in balancing.pools.references.get(pool, account_id=sdk.account)
    ]
    assert [entry[:2] for entry in of_pool] == [("referral", monitor)]
    of_group = {
        (one.reference_type, one.resource_id, one.resource_name)
        for one in balancing.monitor_groups.references.get(group, account_id=sdk.account)
    }
    assert ("referrer", other, "grouped") in of_group
    balancing.pools.delete(other, account_id=sdk.account)
    balancing.monitor_groups.delete(group, account_id=sdk.account)
