"""Queries that are printed run unchanged and give the printed shape."""

from __future__ import annotations

from typing import Any

import pytest

from tests.graphql.played_traffic import ZONE, PlayedTraffic, answered, ask, changed, steered
from tests.graphql.printed_by_collectors import COLLECTED
from tests.graphql.printed_queries import DOCUMENTED, Printed

TRAFFIC = {
    "steered": [steered(before_s, "us" if before_s % 3 == 0 else "eu") for before_s in range(1, 40)],
    "answered": [answered(before_s, rcode="NXDOMAIN" if before_s % 2 else "NOERROR") for before_s in range(1, 20)],
    "health": [changed(300, "Unhealthy"), changed(100, "Healthy")],
}

PRINTED = DOCUMENTED | COLLECTED


def has_shape(value: Any, shape: Any) -> bool:
    """Tell whether a value has exactly the keys of a shape, and values of its types."""
    if isinstance(shape, dict):
        return (
            isinstance(value, dict)
            and value.keys() == shape.keys()
            and all(has_shape(value[key], inner) for key, inner in shape.items())
        )
    if isinstance(shape, list):
        return isinstance(value, list) and bool(value) and all(has_shape(one, shape[0]) for one in value)
    return type(value) is shape


@pytest.mark.parametrize("name", PRINTED)
def test_what_is_printed_runs_unchanged_and_gives_its_shape(name: str) -> None:
    printed = PRINTED[name]
    reply = ask(PlayedTraffic(TRAFFIC), printed.text, printed.variables, printed.operation_name)
    assert reply["errors"] is None, reply["errors"]
    (found,) = reply["data"]["viewer"][printed.scope]
    for key, shape in printed.rows.items():
        assert has_shape(found[key], [shape]), (key, found[key][:1])


def rows_of(printed: Printed, node: str) -> list[Any]:
    reply = ask(PlayedTraffic(TRAFFIC), printed.text, printed.variables)
    (zone,) = reply["data"]["viewer"]["zones"]
    rows: list[Any] = zone[node]
    return rows


def test_requests_are_counted_by_pool() -> None:
    rows = rows_of(DOCUMENTED["requests_per_pool"], "loadBalancingRequestsAdaptiveGroups")
    counts = {row["dimensions"]["selectedPoolName"]: row["count"] for row in rows}
    assert counts == {"eu": 26, "us": 13}
    assert {row["dimensions"]["datetimeFifteenMinutes"] for row in rows} == {"2027-01-15T07:45:00Z"}


def test_a_row_has_its_load_balancers_pools_as_they_stood() -> None:
    row = rows_of(DOCUMENTED["requests_per_data_center"], "loadBalancingRequestsAdaptive")[0]
    assert row == {
        "selectedPoolName": "eu",
        "pools": [
            {"poolName": "eu", "healthy": 1, "healthCheckEnabled": 1, "avgRttMs": 12},
            {"poolName": "us", "healthy": 0, "healthCheckEnabled": 1, "avgRttMs": 95},
        ],
    }


def test_an_exporter_sees_each_endpoint_of_the_pool_and_which_was_chosen() -> None:
    row = rows_of(COLLECTED["exporter_load_balancers"], "loadBalancingRequestsAdaptive")[0]
    assert row["origins"] == [
        {"originName": "us-1", "health": 0, "ipv4": "192.0.2.2", "selected": 1},
        {"originName": "us-2", "health": 0, "ipv4": "", "selected": 0},
    ]
    assert row["selectedPoolId"] and row["steeringPolicy"] == "geo" and row["proxied"] == 0


def test_rules_are_summed_beside_counts_that_do_not_tell_them_apart() -> None:
    rows = [steered(10, rules=("night", "beta")), steered(11, rules=("night",)), steered(12)]
    traffic = PlayedTraffic({"steered": rows}, {"lb.example.com": ["night", "beta"]})
    reply = ask(traffic, COLLECTED["collector_by_minute"].text, COLLECTED["collector_by_minute"].variables)
    (row,) = reply["data"]["viewer"]["zones"][0]["loadBalancingRequestsAdaptiveGroups"]
    assert row["count"] == 3
    assert row["sum"] == {"ruleMatches": 3, "totalRequestsWithRule": 6}


def test_rules_are_told_apart_by_their_names() -> None:
    rows = [steered(10, rules=("night", "beta")), steered(11, rules=("night",)), steered(12), steered(13, interval=5)]
    traffic = PlayedTraffic({"steered": rows}, {"lb.example.com": ["night", "beta"]})
    query = """{ viewer { zones(filter: {zoneTag: "%s"}) {
      loadBalancingRequestsAdaptiveGroups(orderBy: [sum_ruleMatches_DESC]) {
        count sum { ruleMatches totalRequestsWithRule } ratio { ruleMatchPercentage } dimensions { ruleName }
      } } } }"""
    reply = ask(traffic, query % ZONE)
    found = reply["data"]["viewer"]["zones"][0]["loadBalancingRequestsAdaptiveGroups"]
    assert found == [
        {
            "count": 2,
            "sum": {"ruleMatches": 2, "totalRequestsWithRule": 8},
            "ratio": {"ruleMatchPercentage": 25.0},
            "dimensions": {"ruleName": "night"},
        },
        {
            "count": 1,
            "sum": {"ruleMatches": 1, "totalRequestsWithRule": 8},
            "ratio": {"ruleMatchPercentage": 12.5},
            "dimensions": {"ruleName": "beta"},
        },
    ]
