"""Filters, orders and pages: each operator of each field against a plain comparison, and how they come together."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable
from typing import Any

import pytest

from lbdns.manage.api.graphql.node_table import NODE_BY_NAME
from lbdns.manage.api.graphql.row_filter import LIST_OPERATORS, OPERATORS, is_like, read_filter
from tests.graphql.played_traffic import KEPT_S, NOW_S, ZONE, PlayedTraffic, ask, steered

ROWS = [
    steered(
        at,
        "us" if at % 3 == 0 else "eu",
        load_balancer=["lb.example.com", "www.example.com", "a_b%.example.com"][at % 3],
        region=["WEU", "", "ENAM"][at % 3],
        endpoints=(("eu-1", "eu-2") if at % 2 else ("us-1",)),
        pool_rtt_ms=at,
        interval=1 + at % 4,
    )
    for at in range(0, 200, 5)
]
TRAFFIC = {"steered": ROWS}
QUERY = f"""
query ($filter: filter, $order: [order!], $limit: uint64) {{ viewer {{ zones(filter: {{zoneTag: "{ZONE}"}}) {{
  loadBalancingRequestsAdaptive(filter: $filter, orderBy: $order, limit: $limit) {{
    datetime lbName region selectedPoolName selectedPoolAvgRttMs sampleInterval proxied
  }} }} }} }}"""
COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "": operator.eq,
    "_neq": operator.ne,
    "_in": lambda value, wanted: value in wanted,
    "_notin": lambda value, wanted: value not in wanted,
    "_gt": operator.gt,
    "_lt": operator.lt,
    "_geq": operator.ge,
    "_leq": operator.le,
}
SOME: dict[str, list[Any]] = {
    "lbName": ["lb.example.com", "www.example.com", "none"],
    "region": ["WEU", "", "ENAM"],
    "selectedPoolName": ["eu", "fr"],
    "selectedPoolAvgRttMs": [0, 55, 1000],
    "sampleInterval": [1, 2, 4],
    "proxied": [0, 1],
    "datetime": ["2027-01-15T07:59:00Z", "2027-01-15T07:58:30Z", "2027-01-15T08:00:00+01:00"],
}


def rows_for(filter: Any = None, order: Any = None, limit: Any = None) -> list[dict[str, Any]]:
    reply = ask(PlayedTraffic(TRAFFIC), QUERY, {"filter": filter, "order": order, "limit": limit})
    assert reply["errors"] is None, reply["errors"]
    rows: list[dict[str, Any]] = reply["data"]["viewer"]["zones"][0]["loadBalancingRequestsAdaptive"]
    return rows


@pytest.mark.parametrize("name", SOME)
@pytest.mark.parametrize("ending", COMPARED)
def test_each_operator_of_each_field_compares_as_it_says(name: str, ending: str) -> None:
    every = rows_for()
    assert len(every) == len(ROWS)
    for wanted in SOME[name]:
        value = [wanted, SOME[name][0]] if ending in ("_in", "_notin") else wanted
        compared: Any = value
        if name == "datetime":  # with an offset it is another time of day
            compared = "2027-01-15T07:00:00Z" if "+" in wanted else wanted
            compared = [compared, SOME[name][0]] if ending in ("_in", "_notin") else compared
        expected = [row for row in every if COMPARED[ending](row[name], compared)]
        assert rows_for({f"{name}{ending}": value}) == expected, wanted


@pytest.mark.parametrize("text", ["", "a", "lb.example.com", "a_b%.example.com", "aXaXa", "%"])
@pytest.mark.parametrize(
    "pattern", ["", "%", "lb%", "%.com", "%example%", "a%a%a", "a%aa%a", "a_b%", "%%", "lb.%.com", "A%"]
)
def test_like_takes_a_percent_sign_for_any_characters(text: str, pattern: str) -> None:
    expected = re.fullmatch(".*".join(map(re.escape, pattern.split("%"))), text, re.DOTALL) is not None
    assert is_like(text, pattern) is expected


def test_like_is_of_every_scalar_and_compares_text() -> None:
    assert {row["lbName"] for row in rows_for({"lbName_like": "%.example.com"})} == {
        row["load_balancer"] for row in ROWS
    }
    assert {row["selectedPoolAvgRttMs"] for row in rows_for({"selectedPoolAvgRttMs_like": "15%"})} == {15, 150, 155}
    assert rows_for({"lbName_notlike": "%"}) == []


def test_and_or_and_their_kind_come_together() -> None:
    every = rows_for()
    of_eu = [row for row in every if row["selectedPoolName"] == "eu"]
    assert rows_for({"AND": [{"selectedPoolName": "eu"}, {"OR": [{"region": "WEU"}, {"sampleInterval_gt": 2}]}]}) == [
        row for row in of_eu if row["region"] == "WEU" or row["sampleInterval"] > 2
    ]
    assert rows_for({"OR": [{"selectedPoolName": "eu", "region": "ENAM"}, {"AND": [{"region": ""}]}]}) == [
        row for row in every if (row["selectedPoolName"] == "eu" and row["region"] == "ENAM") or row["region"] == ""
    ]
    assert rows_for({"OR": [{"selectedPoolName": "eu"}]}) == of_eu
    assert rows_for({"OR": [], "AND": []}) == every, "an empty list is no condition"
    assert rows_for({"OR": [{}, {"selectedPoolName": "eu"}]}) == every, "an empty filter lets all through"
    assert rows_for({"lbName_in": []}) == [] and rows_for({"lbName_notin": []}) == every


@pytest.mark.parametrize(
    "text", ["2027-01-15t07:59:00z", "2027-01-15T07:59:00.000000001Z", "2027-01-15T08:59:00+01:00"]
)
def test_times_are_taken_as_clients_write_them(text: str) -> None:
    assert rows_for({"datetime_geq": text}) == rows_for({"datetime_geq": "2027-01-15T07:59:00Z"}) != []


def test_what_is_null_is_no_condition() -> None:
    every = rows_for()
    assert rows_for({"lbName": None, "datetime_geq": None, "OR": None, "region_in": None}) == every
    query = QUERY.replace("filter: $filter", "filter: {lbName: $name, datetime_geq: $start}")
    query = query.replace("$filter: filter", "$name: String, $start: Time = null")
    reply = ask(PlayedTraffic(TRAFFIC), query, {"name": None})
    assert reply["data"]["viewer"]["zones"][0]["loadBalancingRequestsAdaptive"] == every


def test_rows_come_in_the_order_that_is_asked_for_and_else_by_time() -> None:
    every = rows_for()
    assert [row["datetime"] for row in every] == sorted(row["datetime"] for row in every)
    got = rows_for(order=["selectedPoolName_DESC", "selectedPoolAvgRttMs_ASC"])
    assert got == sorted(
        sorted(every, key=lambda row: row["selectedPoolAvgRttMs"]),
        key=lambda row: row["selectedPoolName"],
        reverse=True,
    )
    assert rows_for(order=["datetime_DESC"], limit=3) == every[::-1][:3]
    assert rows_for(order="datetime_ASC", limit=2) == every[:2], "one stands for a list of one"
    by_minute = sorted(every, key=lambda row: row["selectedPoolAvgRttMs"])
    by_minute.sort(key=lambda row: row["datetime"][:16], reverse=True)
    assert rows_for(order=["datetimeMinute_DESC", "selectedPoolAvgRttMs_ASC"], limit=5) == by_minute[:5]


def test_pages_follow_by_filters() -> None:
    seen: list[dict[str, Any]] = []
    last = "2027-01-15T00:00:00Z"
    while page := rows_for({"datetime_gt": last}, ["datetime_ASC"], 7):
        seen += page
        last = page[-1]["datetime"]
    assert seen == rows_for()


def test_lists_are_filtered_by_their_members() -> None:
    query = """{ viewer { zones(filter: {zoneTag: "%s"}) { loadBalancingRequestsAdaptiveGroups(
      filter: {%s}, orderBy: [count_DESC]) { count dimensions { selectedOriginNames multipleOriginsSelected } } } } }"""

    def found(condition: str) -> list[tuple[list[str], int]]:
        reply = ask(PlayedTraffic(TRAFFIC), query % (ZONE, condition))
        assert reply["errors"] is None, reply["errors"]
        rows = reply["data"]["viewer"]["zones"][0]["loadBalancingRequestsAdaptiveGroups"]
        return [
            (row["dimensions"]["selectedOriginNames"], row["dimensions"]["multipleOriginsSelected"]) for row in rows
        ]

    both, one = (["eu-1", "eu-2"], 1), (["us-1"], 0)
    assert sorted(found("")) == [both, one]
    assert found('selectedOriginNames_has: "eu-2"') == [both]
    assert found('selectedOriginNames_hasall: ["eu-2", "eu-1"]') == [both]
    assert found('selectedOriginNames_hasall: ["eu-2", "us-1"]') == []
    assert sorted(found('selectedOriginNames_hasany: ["eu-2", "us-1"]')) == [both, one]


def test_counts_are_ordered_by_what_is_counted_and_by_dimensions_that_are_shown() -> None:
    query = """{ viewer { zones(filter: {zoneTag: "%s"}) {
      loadBalancingRequestsAdaptiveGroups(orderBy: [%s] limit: %d) {
        count avg { sampleInterval } dimensions { lbName } } } } }"""

    def found(order: str, limit: int = 10) -> list[Any]:
        reply = ask(PlayedTraffic(TRAFFIC), query % (ZONE, order, limit))
        assert reply["errors"] is None, reply["errors"]
        rows: list[Any] = reply["data"]["viewer"]["zones"][0]["loadBalancingRequestsAdaptiveGroups"]
        return rows

    counts = {
        name: sum(row["interval"] for row in ROWS if row["load_balancer"] == name)
        for name in {r["load_balancer"] for r in ROWS}
    }
    assert {row["dimensions"]["lbName"]: row["count"] for row in found("")} == counts
    assert [row["count"] for row in found("count_DESC")] == sorted(counts.values(), reverse=True)
    assert [row["dimensions"]["lbName"] for row in found("lbName_DESC")] == sorted(counts, reverse=True)
    averages = [row["avg"]["sampleInterval"] for row in found("avg_sampleInterval_ASC")]
    assert averages == sorted(averages) and len(found("count_ASC", 1)) == 1
    reply = ask(PlayedTraffic(TRAFFIC), query % (ZONE, "region_ASC", 5))
    assert "region" in reply["errors"][0]["message"] and reply["data"] is None


def test_parts_of_counts_are_made_whole_and_add_up() -> None:
    rows = [
        steered(10, load_balancer=name, interval=weight)
        for name, weight in zip("abcd", (1.25, 2.5, 3.5, 4), strict=True)
    ]
    query = "{ viewer { zones { n: loadBalancingRequestsAdaptiveGroups { count dimensions { lbName } } } } }"
    zone = ask(PlayedTraffic({"steered": rows}), query)["data"]["viewer"]["zones"][0]
    counts = {row["dimensions"]["lbName"]: row["count"] for row in zone["n"]}
    assert sum(counts.values()) == 11 and counts["a"] == 1 and counts["d"] == 4
    assert sorted((counts["b"], counts["c"])) in ([2, 4], [3, 3])


def test_minutes_that_a_span_touches_are_counted() -> None:
    """A count by the minute begins before what is looked for, where that begins within a minute."""
    rows = [steered(before_s) for before_s in (150, 95, 61, 30)]
    query = """query ($start: Time) { viewer { zones(filter: {zoneTag: "%s"}) {
      whole: loadBalancingRequestsAdaptiveGroups(filter: {datetime_geq: $start}) { count }
      minutes: loadBalancingRequestsAdaptiveGroups(filter: {datetime_geq: $start}) {
        count dimensions { datetimeMinute } }
      either: loadBalancingRequestsAdaptiveGroups(filter: {OR: [{datetime_gt: $start}, {lbName: "none"}]}) { count }
    } } }"""
    reply = ask(PlayedTraffic({"steered": rows}), query % ZONE, {"start": "2027-01-15T07:58:30Z"})
    zone = reply["data"]["viewer"]["zones"][0]
    assert [row["count"] for row in zone["whole"]] == [3] == [row["count"] for row in zone["either"]]
    assert {row["dimensions"]["datetimeMinute"]: row["count"] for row in zone["minutes"]} == {
        "2027-01-15T07:58:00Z": 2,
        "2027-01-15T07:59:00Z": 1,
    }


def test_a_keeper_is_asked_for_the_span_and_the_values_that_a_filter_leaves() -> None:
    traffic = PlayedTraffic(TRAFFIC)
    wanted = {
        "datetime_geq": "2027-01-15T07:00:00Z",
        "AND": [
            {"date_leq": "2027-01-15", "lbName_in": ["lb.example.com", "x"]},
            {"OR": [{"lbName": "lb.example.com"}]},
        ],
        "OR": [{"datetimeHour": "2027-01-15T07:00:00Z"}, {"selectedPoolName": "eu"}],
        "selectedPoolName_neq": "us",
    }
    ask(traffic, QUERY, {"filter": wanted})
    (reading,) = traffic.read
    assert reading.since_s == NOW_S - 3600 and reading.until_s <= NOW_S + 3600
    assert reading.where == {"load_balancer": frozenset({"lb.example.com"})}
    assert {"load_balancer", "pool", "time"} <= reading.words and "rule" not in reading.words
    ask(traffic, QUERY, {})
    assert traffic.read[1].since_s == NOW_S - KEPT_S


MOMENTS = [NOW_S - before_s for before_s in (7200, 3600, 3599.5, 3599, 61, 60, 59.5, 30, 1, 0)]


@pytest.mark.parametrize("name", ["date", "datetime", "datetimeMinute", "datetimeHour"])
@pytest.mark.parametrize("ending", ["", "_in", "_gt", "_geq", "_lt", "_leq"])
@pytest.mark.parametrize("wanted", [NOW_S - 3600, NOW_S - 60, NOW_S - 59.25, NOW_S - 30, NOW_S - NOW_S % 86_400])
def test_a_span_has_all_that_fits_and_where_it_is_all_that_is_asked_nothing_else(
    name: str, ending: str, wanted: float
) -> None:
    node = NODE_BY_NAME["dnsAnalyticsAdaptive"]
    field = node.field(name)
    read = read_filter(node, {f"{name}{ending}": [wanted] if ending == "_in" else wanted})
    fits = read.condition({name: lambda row: field.make(None, row["time"])})
    since_s, until_s = read.span(float("-inf"), float("inf"))
    for moment in MOMENTS:
        within = since_s <= moment < until_s
        if fits({"time": moment}):
            assert within, moment
        elif list(read.beside_span().fields()) == []:
            assert not within, moment


def test_every_field_has_every_operator() -> None:
    for node in NODE_BY_NAME.values():
        for field in node.fields:
            for one in LIST_OPERATORS if field.is_list else OPERATORS:
                value: Any = "x" if one.takes_text or field.type.meaning == "text" else 1
                read = read_filter(node, {f"{field.name}{one.ending}": [value] if one.takes_list else value})
                assert [term.field for term in read.terms] == [field]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ('filter: {lbNam: "x"}', "lbName"),
        ('filter: {lbName_geqq: "x"}', "lbName_geq"),
        ("filter: {lbName: 1}", "text"),
        ('filter: {datetime_geq: "yesterday"}', "expected a time"),
        ('filter: {datetime_geq: "99999-01-01"}', "expected a time"),
        ('filter: {datetime_geq: "0001-01-01T00:00:00Z"}', "expected a year"),
        ("filter: {proxied: 256}", "0 to 255"),
        ("filter: {proxied: -1}", "0 to 255"),
        ("filter: {selectedPoolAvgRttMs: 1.5}", "whole number"),
        ("filter: {lbName_in: [null]}", "null"),
        ("orderBy: [lbNam_ASC]", "lbName_ASC"),
        ("orderBy: [lbName]", "lbName"),
        ("limit: 0", "limit must be a positive number and not greater than 10000"),
        ("limit: 10001", "limit must be a positive number and not greater than 10000"),
        ("limit: -1", "0 to 18446744073709551615"),
        ("limit: 18446744073709551616", "0 to 18446744073709551615"),
        ('limit: "10"', "whole number"),
        ("offset: 10", "offset"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(change: str, told: str) -> None:
    query = '{ viewer { zones(filter: {zoneTag: "%s"}) { loadBalancingRequestsAdaptive(%s) { lbName } } } }'
    reply = ask(PlayedTraffic(TRAFFIC), query % (ZONE, change))
    assert reply["data"] is None
    assert told in reply["errors"][0]["message"], json.dumps(reply["errors"])


def test_numbers_beyond_31_bits_are_read_and_shown() -> None:
    big = 2**53 + 1
    traffic = PlayedTraffic({"steered": [steered(1, pool_rtt_ms=big, interval=2**32 - 1)]})
    query = """query ($big: Int) { viewer { zones(filter: {zoneTag: "%s"}) {
      loadBalancingRequestsAdaptive(filter: {selectedPoolAvgRttMs: $big}) { selectedPoolAvgRttMs sampleInterval }
      loadBalancingRequestsAdaptiveGroups { count }
    } } }"""
    zone = ask(traffic, query % ZONE, {"big": big})["data"]["viewer"]["zones"][0]
    assert zone == {
        "loadBalancingRequestsAdaptive": [{"selectedPoolAvgRttMs": big, "sampleInterval": 2**32 - 1}],
        "loadBalancingRequestsAdaptiveGroups": [{"count": 2**32 - 1}],
    }
