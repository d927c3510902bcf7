"""Rows and counts from a history on disk: what is asked of it, and what it says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lbdns.base.kinds import Kind
from lbdns.health.events import HealthChange, Record
from lbdns.manage.api.frame.auth import local_caller
from lbdns.manage.api.frame.site import ApiSite
from lbdns.manage.api.graphql.query_execution import GraphqlRequest, answer
from lbdns.manage.api.graphql.scalars import time_shown
from lbdns.manage.api.graphql.traffic_rows import context_of
from lbdns.manage.store.edit import Edit
from lbdns.manage.store.item import Item
from lbdns.manage.store.manager import StoreManager
from lbdns.manage.store.sqlite import Store
from lbdns.manage.store.zones.zone_bodies import new_zone_records
from lbdns.model.settings import Settings
from tests.history import filled
from tests.loop_thread import LoopThread

NOW_S = 1_800_000_000 - 1_800_000_000 % 3600
MINUTES = 30
BALANCER = filled.LOAD_BALANCER


@pytest.fixture(scope="module")
def loop() -> Iterator[LoopThread]:
    running = LoopThread()
    yield running
    running.stop()


class HistorySite:
    """A store with a zone and a load balancer, and a history of both."""

    def __init__(self, site: ApiSite, loop: LoopThread) -> None:
        self.site = site
        self._loop = loop
        self.zone = self.change(_zone("example.com"))
        self.other = self.change(_zone("example.net"))

    def change(self, make: Any) -> Any:
        assert isinstance(self.site.manager, StoreManager)
        return self._loop.run(self.site.manager.change("test", "test", make)).result

    def ask(self, text: str, **variables: Any) -> dict[str, Any]:
        def context() -> Any:
            made = context_of(self.site, local_caller("test"))
            made.now_s = NOW_S
            return made

        reply = answer(GraphqlRequest(text, {"zone": self.zone.id, **variables}, None), context)
        assert reply["errors"] is None, reply["errors"]
        viewer: dict[str, Any] = reply["data"]["viewer"]
        return viewer

    def rows(self, node: str, **variables: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask(
            f"{{ viewer {{ zones(filter: {{zoneTag: $zone}}) {{ n: {node} }} }} }}", **variables
        )["zones"][0]["n"]
        return found


def _zone(name: str) -> Any:
    def make(edit: Edit) -> Item:
        soa, records = new_zone_records(name, Settings())
        zone = edit.create(Kind.ZONE, {"name": name, "soa": soa})
        for record in records:
            edit.create(Kind.RECORD, record, zone.id)
        return zone

    return make


@pytest.fixture(scope="module")
def history(loop: LoopThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HistorySite]:
    work = tmp_path_factory.mktemp("history")
    settings = Settings.model_validate({"state": work / "state", "pop": {"code": "FRA"}})
    store = Store(settings.state_dir())
    made = HistorySite(ApiSite(StoreManager(store, settings), store, settings), loop)

    def balancer(edit: Edit) -> None:
        origins = [{"name": "eu1", "address": "192.0.2.1"}, {"name": "eu2", "address": "2001:db8::1", "weight": 0.5}]
        monitor = edit.create(Kind.MONITOR, {"name": "http", "expected_codes": "2xx"}).id
        eu = edit.create(Kind.POOL, {"name": "eu", "origins": origins, "monitor": monitor}).id
        us = edit.create(Kind.POOL, {"name": "us", "origins": [{"name": "us1", "address": "192.0.2.2"}]}).id
        body = {"name": BALANCER, "default_pools": [eu], "fallback_pool": us, "steering_policy": "geo"}
        edit.create(Kind.LOAD_BALANCER, body, made.zone.id)

    made.change(balancer)
    filled.fill(settings.state_dir(), NOW_S, MINUTES)
    record = Record(settings.state_dir())
    for at_s, name, before, after, reason in (
        (NOW_S - 900, "eu1", "healthy", "unhealthy", "HTTP timeout occurred"),
        (NOW_S - 300, "eu1", "unhealthy", "healthy", ""),
    ):
        record.append(
            HealthChange(
                at_s, "endpoint", name, before, after, "eu", name, "192.0.2.1", "http", "ams", reason, "", 200, 12_400
            )
        )
    record.append(HealthChange(NOW_S - 890, "pool", "eu", "healthy", "critical", "eu"))
    record.append(HealthChange(NOW_S - 290, "pool", "eu", "critical", "healthy", "eu"))
    record.close()
    yield made
    store.close()


def test_counts_of_a_load_balancer_are_its_counter(history: HistorySite) -> None:
    steered = sum(filled.POOLS.values()) * MINUTES
    (row,) = history.rows("loadBalancingRequestsAdaptiveGroups { count avg { sampleInterval } dimensions { lbName } }")
    assert row == {"count": steered, "avg": {"sampleInterval": 1.0}, "dimensions": {"lbName": BALANCER}}
    (row,) = history.rows(
        "loadBalancingRequestsAdaptiveGroups(filter: {datetime_geq: $start, datetime_lt: $end}) { count }",
        start=time_shown(NOW_S - 600),
        end=time_shown(NOW_S - 300),
    )
    assert row == {"count": sum(filled.POOLS.values()) * 5}


def test_counts_of_a_pool_that_one_load_balancer_has_are_its_counter(history: HistorySite) -> None:
    text = """loadBalancingRequestsAdaptiveGroups {
      count confidence(level: 0.95) { count { lower upper } } dimensions { %s } }"""
    rows = history.rows(text % "lbName selectedPoolName")
    assert {row["dimensions"]["selectedPoolName"]: row["count"] for row in rows} == {
        pool: count * MINUTES for pool, count in filled.POOLS.items()
    }
    assert all(row["confidence"]["count"] == {"lower": row["count"], "upper": row["count"]} for row in rows)
    cells = history.rows(text % "selectedPoolName region")
    assert sum(row["count"] for row in cells) == sum(filled.POOLS.values()) * MINUTES
    assert all(row["confidence"]["count"]["lower"] < row["count"] for row in cells)


def test_what_is_counted_by_the_minute_adds_up_to_all(history: HistorySite) -> None:
    rows = history.rows(
        """loadBalancingRequestsAdaptiveGroups(orderBy: [datetimeMinute_ASC]) {
          count dimensions { datetimeMinute coloCode region lbName selectedPoolName selectedPoolHealthy
            selectedPoolAvgRttMs selectedOriginName selectedOriginNames numberOriginsSelected errorType
            steeringPolicy } }"""
    )
    assert sum(row["count"] for row in rows) == sum(filled.POOLS.values()) * MINUTES
    assert (
        rows[0]["dimensions"]
        == {
            "datetimeMinute": time_shown(NOW_S - MINUTES * 60),
            "coloCode": "FRA",
            "region": "WEU",
            "lbName": BALANCER,
            "selectedPoolName": "eu",
            "selectedPoolHealthy": 1,
            "selectedPoolAvgRttMs": 12,
            "selectedOriginName": "eu1",
            "selectedOriginNames": ["eu1"],
            "numberOriginsSelected": 1,
            "errorType": "",
            "steeringPolicy": "geo",
        }
        or rows[0]["dimensions"]["region"] == "ENAM"
    )


def test_a_rule_is_counted_by_its_counter_beside_what_its_load_balancer_answered(history: HistorySite) -> None:
    (row,) = history.rows(
        """loadBalancingRequestsAdaptiveGroups { count sum { ruleMatches totalRequestsWithRule }
          ratio { ruleMatchPercentage } dimensions { ruleName } }"""
    )
    assert row == {
        "count": 6 * MINUTES,
        "sum": {"ruleMatches": 6 * MINUTES, "totalRequestsWithRule": 60 * MINUTES},
        "ratio": {"ruleMatchPercentage": 10.0},
        "dimensions": {"ruleName": "night"},
    }


def test_rows_are_the_samples_that_are_kept(history: HistorySite) -> None:
    text = """loadBalancingRequestsAdaptive(orderBy: [%s], limit: 4) { datetime lbName region coloCode selectedPoolName
      selectedPoolIndex selectedPoolHealthy selectedPoolAvgRttMs selectedOriginIndex numberOriginsSelected errorType
      sampleInterval sessionAffinity }"""
    newest, oldest = history.rows(text % "datetime_DESC"), history.rows(text % "datetime_ASC")
    assert [row["datetime"] for row in newest[:2]] == [time_shown(NOW_S - 57), time_shown(NOW_S - 58)]
    assert [row["datetime"] for row in oldest[:2]] == [time_shown(NOW_S - MINUTES * 60 + at) for at in (1, 2)]
    assert newest[0] == {
        "datetime": time_shown(NOW_S - 57),
        "lbName": BALANCER,
        "region": "ENAM",
        "coloCode": "FRA",
        "selectedPoolName": "us",
        "selectedPoolIndex": 0,
        "selectedPoolHealthy": 1,
        "selectedPoolAvgRttMs": 12,
        "selectedOriginIndex": 0,
        "numberOriginsSelected": 1,
        "errorType": "",
        "sampleInterval": 10,
        "sessionAffinity": "none",
    }


def test_pools_and_endpoints_of_a_row_are_shown_as_they_stood_then(history: HistorySite) -> None:
    text = """loadBalancingRequestsAdaptive(filter: {selectedPoolName: "eu"}, orderBy: [datetime_DESC]) { datetime
      pools { poolName healthy healthCheckEnabled avgRttMs }
      origins { originName ipv4 ipv6 health weight selected } }"""
    rows = {row["datetime"]: row for row in history.rows(text)}
    for before_s, pool_up, endpoint_up in ((60, 1, 1), (600, 0, 0), (1200, 1, 1)):
        row = rows[time_shown(NOW_S - before_s + 1)]
        assert row["pools"] == [
            {"poolName": "eu", "healthy": pool_up, "healthCheckEnabled": 1, "avgRttMs": 12},
            {"poolName": "us", "healthy": 1, "healthCheckEnabled": 0, "avgRttMs": 12},
        ]
        assert row["origins"] == [
            {"originName": "eu1", "ipv4": "192.0.2.1", "ipv6": "", "health": endpoint_up, "weight": 1.0, "selected": 1},
            {"originName": "eu2", "ipv4": "", "ipv6": "2001:db8::1", "health": 1, "weight": 0.5, "selected": 0},
        ]


def test_health_is_told_of_the_pools_that_a_zone_uses(history: HistorySite) -> None:
    rows = history.rows(
        "healthCheckEventsAdaptive { datetime healthCheckName healthStatus failureReason rttMs region fqdn }"
    )
    assert [(row["healthStatus"], row["failureReason"], row["datetime"]) for row in rows] == [
        ("Unhealthy", "HTTP timeout occurred", time_shown(NOW_S - 900)),
        ("Healthy", "No failures", time_shown(NOW_S - 300)),
    ]
    assert rows[0]["healthCheckName"] == "eu/eu1" and rows[0]["rttMs"] == 12 and rows[0]["region"] == "ams"
    counted = history.rows(
        "healthCheckEventsAdaptiveGroups(orderBy: [healthStatus_ASC]) { count dimensions { healthStatus } }"
    )
    assert [(row["count"], row["dimensions"]["healthStatus"]) for row in counted] == [(1, "Healthy"), (1, "Unhealthy")]
    late = "healthCheckEventsAdaptiveGroups(filter: {datetime_gt: $start}) { count }"
    assert history.rows(late, start=time_shown(NOW_S - 900)) == [{"count": 1}]


def test_queries_are_counted_by_name_from_samples_that_add_up_to_the_counters(history: HistorySite) -> None:
    rows = history.rows(
        "dnsAnalyticsAdaptiveGroups { count avg { sampleInterval } dimensions { queryName queryType } }"
    )
    assert rows == [
        {
            "count": 60 * MINUTES,
            "avg": {"sampleInterval": 20.0},
            "dimensions": {"queryName": BALANCER, "queryType": "A"},
        }
    ]
    account = history.ask(
        "{ viewer { accounts { n: dnsAnalyticsAdaptiveGroups { count dimensions { responseCode } } } } }"
    )
    assert {row["dimensions"]["responseCode"]: row["count"] for row in account["accounts"][0]["n"]} == {
        "NOERROR": 90 * MINUTES,
        "NXDOMAIN": 10 * MINUTES,
    }
    rows = history.rows(
        'dnsAnalyticsAdaptive(limit: 1, filter: {queryName_like: "%.com"}) {'
        " queryName sourceIP protocol ipVersion zoneTag }"
    )
    assert rows == [
        {
            "queryName": BALANCER,
            "sourceIP": "192.0.2.0/24",
            "protocol": "udp",
            "ipVersion": 4,
            "zoneTag": history.zone.id,
        }
    ]


def test_a_minute_that_a_span_cuts_is_told_by_its_samples(history: HistorySite) -> None:
    """Each minute has samples at 1, 2 and 3 s, the last of `us`: 20 of its decisions each."""
    text = "loadBalancingRequestsAdaptiveGroups(filter: {datetime_geq: $start, datetime_lt: $end}) { count %s }"
    begin = NOW_S - 600

    def count(start_s: float, end_s: float, more: str = "") -> int:
        given = {"start": time_shown(start_s), "end": time_shown(end_s)}
        return sum(row["count"] for row in history.rows(text % more, **given))

    every = sum(filled.POOLS.values())
    assert count(begin, begin + 60) == every
    assert count(begin + 1, begin + 60) == every, "nothing of the minute lies before"
    assert count(begin + 2, begin + 60) == every * 2 // 3
    assert count(begin + 2, begin + 3) == every // 3
    assert count(begin + 30, begin + 40) == 0
    assert count(begin + 3, begin + 122) == every // 3 + every + every // 3
    assert count(begin + 3, begin + 122, "dimensions { datetimeMinute region selectedOriginName }") == every * 5 // 3
    of_us = text.replace("datetime_lt: $end", 'datetime_lt: $end, selectedPoolName: "us"')
    (row,) = history.rows(of_us % "", start=time_shown(begin + 3), end=time_shown(begin + 60))
    assert row == {"count": 20}


def test_a_span_that_ends_before_it_begins_or_lies_ahead_has_nothing(history: HistorySite) -> None:
    for start, end in ((NOW_S - 60, NOW_S - 600), (NOW_S + 7200, NOW_S + 9000)):
        for node in ("loadBalancingRequestsAdaptive", "healthCheckEventsAdaptive", "dnsAnalyticsAdaptive"):
            span = "(filter: {datetime_geq: $start, datetime_lt: $end})"
            given = {"start": time_shown(start), "end": time_shown(end)}
            assert history.rows(f"{node}{span} {{ datetime }}", **given) == []
            assert history.rows(f"{node}Groups{span} {{ count }}", **given) == []


def test_another_zone_has_none_of_it(history: HistorySite) -> None:
    text = """{ viewer { zones(filter: {zoneTag: $other}) { a: loadBalancingRequestsAdaptive { lbName }
      b: loadBalancingRequestsAdaptiveGroups { count } c: healthCheckEventsAdaptive { fqdn }
      d: dnsAnalyticsAdaptiveGroups { count dimensions { responseCode } } } } }"""
    assert history.ask(text, other=history.other.id)["zones"] == [{"a": [], "b": [], "c": [], "d": []}]


def test_without_a_history_there_is_nothing(loop: LoopThread, tmp_path: Path) -> None:
    settings = Settings.model_validate({"state": tmp_path / "state"})
    store = Store(settings.state_dir())
    try:
        empty = HistorySite(ApiSite(StoreManager(store, settings), store, settings), loop)
        for node in ("loadBalancingRequestsAdaptive", "healthCheckEventsAdaptive", "dnsAnalyticsAdaptive"):
            assert empty.rows(f"{node} {{ datetime }}") == []
            assert empty.rows(f"{node}Groups {{ count }}") == []
    finally:
        store.close()
