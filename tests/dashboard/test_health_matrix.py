"""The Health page's rows: the worst first, what is forced, lines of round-trip times."""

from __future__ import annotations

from typing import Any

import pytest

from lbdns.manage.dashboard import health_matrix as matrix


def endpoint(name: str, state: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "address": f"192.0.2.{len(name)}", "state": state, "order": None, "reason": None, **more}


def pool(name: str, state: str, *origins: dict[str, Any], **more: Any) -> dict[str, Any]:
    known = {"order": None, "minimum_origins": 1, "monitor": "web"}
    return {"name": name, "state": state, "origins": list(origins), **known, **more}


ORDER = {"state": "down", "set": 1.0, "until": 99.0, "why": "drill"}
POOLS = [
    pool("a", "healthy", endpoint("a1", "healthy")),
    pool("b", "critical", endpoint("b1", "unhealthy", reason="TCP timeout"), endpoint("b22", "disabled")),
    pool("c", "degraded", endpoint("c1", "healthy"), endpoint("c2", "unhealthy", order=ORDER, reason="TCP timeout")),
    pool("d", "no health", endpoint("d1", "unhealthy", reason="HTTP timeout occurred")),
    pool("e", "no monitor", endpoint("e1", "no monitor")),
]


def names(found: list[Any]) -> list[str]:
    return [one["name"] for one in found]


def test_the_worst_stand_first_and_lists_are_searched() -> None:
    assert names(matrix.listed(POOLS)) == ["b", "c", "d", "a", "e"]
    assert names(matrix.listed(POOLS, "poor")) == ["b", "c", "d"]
    assert names(matrix.listed(POOLS, "forced")) == ["c"]
    assert names(matrix.listed(POOLS, search="B22")) == ["b"]
    assert names(matrix.listed(POOLS, search="192.0.2.3")) == ["b"]
    assert matrix.counts(POOLS)[0] == ("critical", 1)


def test_a_row_says_how_many_are_up_why_not_and_what_is_forced() -> None:
    seen = {"places": {"near": {"healthy": True}}, "regions_rtt_ms": {"WEU": 3.5}}
    row = matrix.row_of(POOLS[2], seen, {})
    assert (row["up"], row["used"], row["reasons"], row["rtt_ms"]) == (1, 2, ["TCP timeout"], 3.5)
    assert row["orders"] == [{"what": "c/c2", **ORDER}]
    assert (matrix.row_of(POOLS[1], {}, {})["used"], matrix.row_of(POOLS[4], {}, {})["up"]) == (1, 1)
    other: dict[str, Any] = {"places": {"far": {}, "near": {}}}
    assert matrix.places_of([row, matrix.row_of(POOLS[0], other, {})]) == ["near", "far"]


def test_lines_have_gaps_where_nothing_is_known() -> None:
    series = {
        "series": [{"name": "a WEU", "values": [None, 1.0, 2.0, None, 4.0]}, {"name": "a ME", "values": [None] * 5}]
    }
    lines = matrix.lines_by_pool(series)
    assert list(lines["a"]) == ["WEU", "ME"]
    assert matrix.last_of(lines["a"]["WEU"]) == 4.0 and matrix.last_of(lines["a"]["ME"]) is None
    assert matrix.sparkline(lines["a"]["WEU"], 10, 14) == "M3.0 9.5L5.0 7.0M9.0 2.0"
    assert matrix.sparkline(lines["a"]["ME"]) == matrix.sparkline([5.0]) == ""
    assert matrix.lines_by_pool(None) == {}


def order(pattern: str, state: str, until: str | None, set_on: str) -> dict[str, Any]:
    return {"pattern": pattern, "state": state, "until": until, "set_on": set_on, "why": ""}


def test_the_last_order_of_a_pattern_counts_while_it_holds() -> None:
    orders = [
        order("a/*", "down", None, "2026-01-01T00:00:00Z"),
        order("b/*", "down", "2026-01-01T01:00:00Z", "2026-01-01T00:00:01Z"),
        order("c/*", "up", "2026-01-03T00:00:00Z", "2026-01-01T00:00:02Z"),
        order("a/*", "auto", None, "2026-01-01T00:00:03Z"),
        order("d/*", "down", None, "2026-01-01T00:00:04Z"),
    ]
    assert [one["pattern"] for one in matrix.orders_in_force(orders, 1_767_312_000.0)] == ["d/*", "c/*"]


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ({"pattern": " a/* ", "state": "down", "for_s": "3600", "why": "drill "}, {"for_s": 3600, "why": "drill"}),
        ({"pattern": "a/*", "state": "down", "for_s": "", "why": ""}, {}),
        ({"pattern": "a/*", "state": "down", "for_s": "soon"}, {"for_s": "soon"}),
    ],
)
def test_the_form_is_what_the_api_is_sent(fields: dict[str, str], body: dict[str, Any]) -> None:
    assert matrix.force_body(fields) == {"pattern": "a/*", "state": "down", **body}
