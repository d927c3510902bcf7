"""What-if over samples: what moves, where load goes, which names are lost, what is left out and said of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.health.verdict import CRITICAL, HEALTHY, UNHEALTHY
from lbdns.mapped.run_directory import RunDirectory
from lbdns.publish.replay.guard import Guarded, check_guard, parse_guard
from lbdns.publish.replay.what_if_question import WhatIfQuestion
from lbdns.telemetry.recorded_queries import QUERIES_MAX
from lbdns.telemetry.recorded_traffic import RecordedTraffic
from lbdns.telemetry.recorded_what_if import recorded_what_if
from tests.whatif.recorded import NOW_S, POOLS, configured, sample, serve, tree

Ask = Callable[..., dict[str, Any]]
WWW = {"name": "www.example.com"}
HOUR = WhatIfQuestion(NOW_S - 3600, NOW_S)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    found = tmp_path / "state"
    yield found
    RunDirectory(found).remove()


@pytest.fixture
def ask(state: Path, tmp_path: Path) -> Ask:
    """Serve one configuration, and ask samples of another."""

    def ask(before: dict[str, Any], after: dict[str, Any], *samples: Any, all_up: bool = False) -> dict[str, Any]:
        serve(state, configured(before, tmp_path))
        question = WhatIfQuestion(HOUR.since_s, HOUR.until_s, all_up)
        return recorded_what_if(state, configured(after, tmp_path), question, RecordedTraffic(samples))

    return ask


def test_a_rule_moves_whom_it_is_for_and_by_what_samples_stand_for(ask: Ask) -> None:
    rule = {"condition": "ip.src in {198.51.100.0/24}", "overrides": {"pools": ["us"]}}
    told = ask(
        tree(WWW),
        tree({**WWW, "rules": [rule]}),
        sample(interval=3, country="DE"),
        sample(ecs="192.0.2.0/24", interval=9),
    )
    assert (told["samples"], told["queries"], told["clients"]) == (2, 12.0, {"count": 2, "moved": 1})
    assert told["moved"] == {"share": 0.25, "error": pytest.approx(0.265165), "endpoints_share": 0.25}
    (move,) = told["moves"]
    assert {key: move[key] for key in ("load_balancer", "type", "before", "after", "share", "samples")} == {
        "load_balancer": "www.example.com",
        "type": "A",
        "before": "eu",
        "after": "us",
        "share": 0.25,
        "samples": 1,
    }
    assert (move["countries"], move["networks"]) == ([{"country": "DE", "share": 1.0}], ["198.51.100.0/24"])
    loads = {one["pool"]: (one["before_share"], one["after_share"]) for one in told["endpoints"]}
    assert loads == {"eu": (1.0, 0.75), "us": (0.0, 0.25)}
    assert told["endpoints"][0]["before_per_s"] == pytest.approx(12 / 60, abs=1e-3)
    assert told["caveats"][1] == "recorded are 1 min of the 1 h asked for"
    assert (
        told["caches"]["scopes"] == [{"family": 4, "before": 0, "after": 24, "share": 0.25}] or told["caches"]["scopes"]
    )


def test_what_changes_nothing_moves_nothing_however_random(ask: Ask) -> None:
    weights = {"steering_policy": "random", "default_pools": ["eu", "us", "tv"]}
    again = {**weights, "default_pools": ["tv", "us", "eu"], "ttl": 20}
    told = ask(tree({**WWW, **weights}), tree({**WWW, **again}), *(sample(ago_s=ago) for ago in range(50)))
    assert told["moved"] == {"share": 0.0, "error": 0.0, "endpoints_share": 0.0}
    assert told["moves"] == []


def test_weights_move_what_they_differ_by(ask: Ask) -> None:
    def weighted(eu: float, us: float) -> dict[str, Any]:
        weights = {"pool_weights": {"eu": eu, "us": us}}
        return {**WWW, "steering_policy": "random", "default_pools": ["eu", "us"], "random_steering": weights}

    told = ask(tree(weighted(0.5, 0.5)), tree(weighted(0.4, 0.6)), *(sample(ago_s=ago) for ago in range(50)))
    assert told["moved"]["share"] == pytest.approx(0.1)
    (move,) = told["moves"]
    assert (move["before"], move["after"], move["share"]) == ("eu", "us", pytest.approx(0.1))


def test_names_and_load_balancers_that_come_and_go_are_told(ask: Ask) -> None:
    told = ask(
        tree(WWW, {"name": "old.example.com"}),
        tree(WWW, {"name": "new.example.com"}),
        sample(),
        sample("old.example.com"),
        sample("new.example.com"),
        sample("plain.example.com"),
    )
    assert told["load_balancers"] == {"new": ["new.example.com A"], "gone": ["old.example.com A"]}
    assert [(one["before"], one["after"], one["names"]) for one in told["rcodes"]] == [
        ("NOERROR", "NXDOMAIN", ["old.example.com"]),
        ("NXDOMAIN", "NOERROR", ["new.example.com"]),
    ]
    assert [one["name"] for one in told["balanced_no_longer"]] == ["old.example.com"]
    assert [one["name"] for one in told["balanced_newly"]] == ["new.example.com"]
    assert {(one["before"], one["after"]) for one in told["moves"]} == {("eu", "NXDOMAIN"), ("NXDOMAIN", "eu")}
    assert told["moved"]["share"] == 0.5


def test_health_is_that_of_now_and_new_endpoints_are_supposed_to_be_up(state: Path, tmp_path: Path) -> None:
    monitored = {name: {**pool, "monitor": "web"} for name, pool in POOLS.items()}
    more = {"monitors": {"web": {"type": "tcp", "port": 80}}}
    before = tree({**WWW, "default_pools": ["eu", "us"]}, pools=monitored, **more)
    published = serve(state, configured(before, tmp_path))
    columns = published.table.columns
    for name, (byte, pool_byte) in {"eu": (UNHEALTHY, CRITICAL), "us": (HEALTHY, HEALTHY)}.items():
        columns["endpoint_state"][published.slots.endpoint[name, "one", POOLS[name]["origins"][0]["address"]]] = byte
        columns["pool_state"][published.slots.pool[name]] = pool_byte
    grown = {**monitored, "new": {"origins": [{"name": "n", "address": "192.0.2.9"}], "monitor": "web"}}
    after = configured(tree({**WWW, "default_pools": ["new", "us"]}, pools=grown, **more), tmp_path)
    told = recorded_what_if(state, after, HOUR, RecordedTraffic([sample()]))
    assert [(one["before"], one["after"]) for one in told["moves"]] == [("us", "new")]
    assert 'new endpoints are supposed to be up: "new/n"' in told["caveats"]
    up = recorded_what_if(state, after, WhatIfQuestion(HOUR.since_s, HOUR.until_s, True), RecordedTraffic([sample()]))
    assert [(one["before"], one["after"]) for one in up["moves"]] == [("eu", "new")]
    columns.clear()


def test_samples_without_networks_say_nothing_and_a_guard_refuses(ask: Ask) -> None:
    told = ask(tree(WWW), tree(WWW), sample(resolver=None, ecs=None), sample(resolver=None, ecs=None, ecs_bits=24))
    assert (told["samples"], told["left_out"], told["moved"]["share"]) == (0, {"no network": 2}, None)
    with pytest.raises(Guarded, match="cannot be told: samples name no networks"):
        check_guard(told, 1.0)


def test_a_guard_says_what_moves_most_and_which_guard_allows_it(ask: Ask) -> None:
    told = ask(tree(WWW), tree({**WWW, "default_pools": ["us"]}), sample(), sample("plain.example.com"))
    check_guard(told, parse_guard("50%"))
    with pytest.raises(Guarded) as refused:
        check_guard(told, parse_guard("5%"))
    assert "moves 50.0% of the recorded clients, and the guard allows 5.0%" in str(refused.value)
    assert "at www.example.com, from eu to us; nothing is changed; a guard of 50% allows it" in str(refused.value)


@pytest.mark.parametrize("text", ["5", "5 percent", "101%", "-1%", "", "%", "1e1%", "nan%"])
def test_what_is_no_guard_is_refused(text: str) -> None:
    with pytest.raises(LbdnsError, match="expected one such as 5%"):
        parse_guard(text)


def test_of_more_samples_as_many_are_asked_as_is_bearable(ask: Ask) -> None:
    samples = [sample(ago_s=3000 - number / 20, interval=2) for number in range(2 * QUERIES_MAX)]
    told = ask(tree(WWW), tree({**WWW, "default_pools": ["us"]}), *samples)
    assert told["samples"] == QUERIES_MAX
    assert told["queries"] == pytest.approx(4 * QUERIES_MAX)
    assert told["moved"]["share"] == 1.0


def test_nothing_served_is_nothing_to_compare_with(tmp_path: Path) -> None:
    with pytest.raises(LbdnsError, match="nothing was ever served"):
        recorded_what_if(tmp_path / "none", configured(tree(WWW), tmp_path), HOUR, RecordedTraffic([]))


def test_scopes_are_what_resolvers_keep_answers_for(ask: Ask) -> None:
    rule = {"condition": "ip.src in {198.51.100.0/25}", "overrides": {"pools": ["us"]}}
    networks = ("198.51.100.0/24", "198.51.101.0/24", "198.51.102.0/24", "203.0.113.0/24")
    samples = [sample(ecs=network, ago_s=10 - place) for place, network in enumerate(networks)]
    told = ask(tree(WWW), tree({**WWW, "rules": [rule]}), *samples)
    before, after = told["caches"]["before"], told["caches"]["after"]
    assert (before["entries"], before["hit_rate"], before["mean_scope_ipv4"]) == (1, 0.75, 0.0)
    assert after["entries"] == 4 or after["entries"] == 3
    assert after["hit_rate"] < before["hit_rate"] and after["mean_scope_ipv4"] > 0
