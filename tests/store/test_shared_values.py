"""What many stored objects have in common is there once, after a change by files and after the store is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lbdns.base.kinds import Kind
from lbdns.config.loading import parse
from lbdns.manage.store.item import Change, Item
from lbdns.manage.store.revisions.from_files import desired
from lbdns.manage.store.revisions.wanted import wanted_of
from lbdns.manage.store.shared_values import SharedTexts, share_words
from lbdns.manage.store.sqlite import Store
from lbdns.manage.store.state import State

POOLS = [f"{number:032x}" for number in range(3)]
BODY: dict[str, Any] = {
    "default_pools": POOLS[:2],
    "fallback_pool": POOLS[2],
    "steering_policy": "dynamic_latency",
    "country_pools": {"DE": [POOLS[0]]},
    "location_strategy": {"mode": "resolver_ip", "prefer_ecs": "always"},
}


def read(body: dict[str, Any]) -> dict[str, Any]:
    """Return a body whose values are objects of its own."""
    found: dict[str, Any] = json.loads(json.dumps(body))
    return found


def test_a_store_that_is_read_has_what_is_common_once(tmp_path: Path) -> None:
    time = "2026-11-30T00:00:00.000000Z"
    items = [Item(Kind.POOL, id, {"name": id[-3:], "origins": []}, "", time, time, 1) for id in POOLS]
    names = [f"w{number}.example.com" for number in range(2)]
    items += [Item(Kind.LOAD_BALANCER, f"{name[1]:f>32}", {"name": name, **BODY}, "z", time, time, 1) for name in names]
    store = Store(tmp_path)
    store.commit([Change(None, item) for item in items], "t", "t", time, 0)
    state = store.load()
    store.close()
    assert [*state] == items
    pools = {id: item.id for id, item in state.all(Kind.POOL).items()}
    first, second = state.all(Kind.LOAD_BALANCER).values()
    assert first.created_on is second.modified_on and first.zone_id is second.zone_id
    for one in (first, second):
        body = one.body
        for id in (*body["default_pools"], body["fallback_pool"], *body["country_pools"]["DE"]):
            assert id is pools[id]
    assert first.body["steering_policy"] is second.body["steering_policy"]
    assert first.body["location_strategy"] is second.body["location_strategy"]
    assert first.body["country_pools"]["DE"] is second.body["country_pools"]["DE"]


def test_words_in_a_body_are_those_of_others() -> None:
    first, second = read(BODY), read(BODY)
    share_words(Kind.LOAD_BALANCER, first)
    share_words(Kind.LOAD_BALANCER, second)
    assert first == second == BODY
    assert first["steering_policy"] is second["steering_policy"]
    assert first["location_strategy"] is second["location_strategy"]


@pytest.mark.parametrize(
    "odd",
    [
        {"steering_policy": 1},
        {"steering_policy": ["geo"]},
        {"location_strategy": "pop"},
        {"location_strategy": {"mode": ["pop"]}},
        {"location_strategy": {"mode": 1}},
        {"default_pools": {"a": 1}, "country_pools": [["DE"]], "fallback_pool": None},
        {"country_pools": {"DE": {"a": 1}}},
        {"country_pools": {"DE": 1, "FR": [["a"]]}, "region_pools": {"WEU": None}},
    ],
)
def test_what_is_of_another_shape_stays_as_it_is(odd: dict[str, Any]) -> None:
    body = {**BODY, **odd}
    assert SharedTexts().share(Kind.LOAD_BALANCER, read(body)) == body


def test_what_files_say_of_places_is_there_once() -> None:
    balancer = {"default_pools": ["p0"], "fallback_pool": "p0", "country_pools": {"DE": ["p1"], "FR": ["p0", "p1"]}}
    names = ["a.example.com", "b.example.com"]
    tree = {
        "zones": {"example.com": "$TTL 300\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n"},
        "pools": {f"p{n}": {"origins": [{"name": "a", "address": f"192.0.2.{n + 1}"}]} for n in range(2)},
        "load_balancers": [{"name": name, **balancer} for name in names],
    }
    items = desired(wanted_of(parse(tree, Path()).configuration), State())
    first, second = (one.body["country_pools"] for one in items if one.kind is Kind.LOAD_BALANCER)
    assert first == second and first["DE"] is second["DE"]
    assert len(first["FR"]) == 2
