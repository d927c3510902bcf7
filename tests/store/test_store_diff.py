"""Differences: what changed of an object and nothing else, by name, in words that JSON and people share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lbdns.cli.frame import difference
from lbdns.config.loading import parse
from lbdns.manage.store.revisions.diff import between, count, describe
from lbdns.manage.store.revisions.from_files import state_of
from lbdns.manage.store.state import State

ZONE = "$TTL 300\n@ SOA ns1 h 1 7200 900 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\n"


def state(records: str = "", **sections: Any) -> State:
    """Return the state of a configuration with two monitors, a group and two pools."""
    pools: dict[str, Any] = {
        "eu": {
            "monitor": "web",
            "origins": [{"name": "e1", "address": "192.0.2.1"}, {"name": "e2", "address": "192.0.2.2"}],
        },
        "us": {"origins": [{"name": "u1", "address": "192.0.2.3"}]},
    }
    tree: dict[str, Any] = {
        "zones": {"example.com": ZONE + records},
        "monitors": {"web": {}, "tcp": {"type": "tcp", "port": 80}},
        "monitor_groups": {"all": {"members": [{"monitor": "web"}]}},
        "pools": pools | sections.pop("pools", {}),
        "load_balancers": [balancer()],
    }
    return state_of(parse(tree | sections, Path()).configuration, 1)


def balancer(**fields: Any) -> dict[str, Any]:
    return {"name": "www.example.com", "default_pools": ["eu", "us"], "fallback_pool": "us", **fields}


def described(before: State, after: State) -> list[dict[str, Any]]:
    """Return what leads from one state to another, without ids."""
    found = describe(between(before, after), before, after)
    return [{key: value for key, value in one.items() if key != "id"} for one in found]


def test_states_that_are_the_same_have_no_difference() -> None:
    assert described(state(), state()) == []
    assert count([]) == {"create": {}, "update": {}, "delete": {}}


def test_fields_that_differ_are_told_with_their_defaults_and_names() -> None:
    after = balancer(
        steering_policy="geo", region_pools={"enam": ["us", "eu"]}, location_strategy={"mode": "resolver_ip"}
    )
    (one,) = described(state(), state(load_balancers=[after]))
    assert one == {
        "action": "update",
        "kind": "load_balancer",
        "name": "www.example.com",
        "zone": "example.com",
        "type": "A",
        "fields": [
            {"field": "steering_policy", "before": "", "after": "geo"},
            {"field": "region_pools.ENAM", "after": ["us", "eu"]},
            {"field": "location_strategy.mode", "before": "pop", "after": "resolver_ip"},
        ],
    }


@pytest.mark.parametrize(
    ("origins", "fields"),
    [
        (
            [{"name": "e2", "address": "192.0.2.2", "weight": 0.5}, {"name": "e3", "address": "192.0.2.9", "port": 80}],
            [
                {"field": "origins.e1", "before": {"address": "192.0.2.1"}},
                {"field": "origins.e2.weight", "before": 1.0, "after": 0.5},
                {"field": "origins.e3", "after": {"address": "192.0.2.9", "port": 80}},
            ],
        ),
        (
            [{"name": "e2", "address": "192.0.2.2"}, {"name": "e1", "address": "192.0.2.1"}],
            [{"field": "origins", "before": ["e1", "e2"], "after": ["e2", "e1"]}],
        ),
    ],
)
def test_origins_are_told_by_name(origins: list[dict[str, Any]], fields: list[dict[str, Any]]) -> None:
    after = state(pools={"eu": {"monitor": "web", "origins": origins}})
    (one,) = described(state(), after)
    assert (one["kind"], one["name"], one["fields"]) == ("pool", "eu", fields)


def test_members_are_told_by_their_monitor() -> None:
    members = [{"monitor": "web", "must_be_healthy": True}, {"monitor": "tcp", "monitoring_only": True}]
    (one,) = described(state(), state(monitor_groups={"all": {"members": members}}))
    assert one["fields"] == [
        {"field": "members.web.must_be_healthy", "before": False, "after": True},
        {"field": "members.tcp", "after": {"monitoring_only": True}},
    ]


def test_created_and_deleted_objects_are_told_by_what_is_not_default() -> None:
    pools = {"new": {"monitor_group": "all", "origins": [{"name": "n", "address": "2001:db8::1"}]}}
    forth, back = described(state(), state(pools=pools)), described(state(pools=pools), state())
    origins = [{"name": "n", "address": "2001:db8::1"}]
    assert forth == [
        {
            "action": "create",
            "kind": "pool",
            "name": "new",
            "fields": [{"field": "origins", "after": origins}, {"field": "monitor_group", "after": "all"}],
        }
    ]
    assert back[0]["action"] == "delete"
    assert back[0]["fields"] == [{"field": "origins", "before": origins}, {"field": "monitor_group", "before": "all"}]


def test_a_person_reads_blocks_in_an_order_and_counts(capsys: pytest.CaptureFixture[str]) -> None:
    before = state("old A 192.0.2.7\nm MX 5 mail.example.net.\n")
    pools = {"new": {"origins": [{"name": "n", "address": "2001:db8::1"}]}}
    after = state(
        "b 60 A 192.0.2.8\nm MX 10 mail.example.net.\n", pools=pools, load_balancers=[balancer(steering_policy="off")]
    )
    changes = between(before, after)
    difference.show(describe(changes, before, after))
    assert capsys.readouterr().out == (
        "+ pool new\n"
        "    origins:\n"
        '      - {name: n, address: "2001:db8::1"}\n'
        "~ load balancer www.example.com\n"
        '    steering_policy: "" -> off\n'
        "+ record b.example.com A 192.0.2.8  ttl 60\n"
        "- record m.example.com MX 5 mail.example.net  ttl 300\n"
        "+ record m.example.com MX 10 mail.example.net  ttl 300\n"
        "- record old.example.com A 192.0.2.7  ttl 300\n"
    )
    assert difference.summary(count(changes)) == ("create 1 pool, 2 records; change 1 load balancer; delete 2 records")


def test_a_million_records_are_counted_and_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    one = {
        "action": "create",
        "kind": "record",
        "name": "a",
        "type": "A",
        "fields": [{"field": "content", "after": "x"}],
    }
    difference.show([one] * 1_000)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == difference.SHOWN_MAX + 1
    assert lines[-1] == "... and 800 more; --json says them all"


def test_nothing_that_is_shown_plays_tricks_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    after = state(pools={"us": {"origins": [{"name": "u1", "address": "192.0.2.3"}], "description": "a\x1b[2Jb\nc"}})
    difference.show(describe(between(state(), after), state(), after))
    assert capsys.readouterr().out == '~ pool us\n    description: "" -> "a\\u001b[2Jb\\nc"\n'
