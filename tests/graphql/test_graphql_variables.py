"""Variables are matched by what their types mean, whatever these are called."""

from __future__ import annotations

from typing import Any

import pytest

from tests.graphql.played_traffic import OTHER_ZONE, ZONE, PlayedTraffic, answered, ask, changed, steered

TRAFFIC = {
    "steered": [steered(10), steered(20, "us")],
    "answered": [answered(10), answered(20)],
    "health": [changed(10, "Healthy")],
}
START = "2027-01-15T07:00:00Z"


def told(text: str, variables: Any = None, **given: Any) -> dict[str, Any]:
    return ask(PlayedTraffic(TRAFFIC), text, variables, **given)


def count(reply: dict[str, Any], key: str = "n") -> int:
    assert reply["errors"] is None, reply["errors"]
    return sum(len(zone[key]) for zone in reply["data"]["viewer"]["zones"])


@pytest.mark.parametrize("zone", ["string", "string!", "String", "String!", "ID!"])
@pytest.mark.parametrize("start", ["Time", "Time!", "DateTime!", "String!", "string", "Date"])
@pytest.mark.parametrize("limit", ["uint64!", "Int", "Int!", "int64!", "Long!", "Float", "uint8"])
def test_scalars_are_taken_under_whatever_names_mean_them(zone: str, start: str, limit: str) -> None:
    text = f"""query ($zone: {zone}, $start: {start}, $limit: {limit}) {{ viewer {{ zones(filter: {{zoneTag: $zone}}) {{
      n: loadBalancingRequestsAdaptive(filter: {{datetime_geq: $start}}, limit: $limit) {{ lbName }} }} }} }}"""
    assert count(told(text, {"zone": ZONE, "start": START, "limit": 1})) == 1


@pytest.mark.parametrize("zones", ["[string!]", "[string!]!", "[String!]", "[String]!", "[ID!]!", "String!", "string"])
@pytest.mark.parametrize("value", [[ZONE], ZONE])
def test_lists_are_taken_and_one_stands_for_a_list_of_one(zones: str, value: Any) -> None:
    text = f"query ($zones: {zones}) {{ viewer {{ zones(filter: {{zoneTag_in: $zones}}) {{ zoneTag }} }} }}"
    assert told(text, {"zones": value}) == {"data": {"viewer": {"zones": [{"zoneTag": ZONE}]}}, "errors": None}


@pytest.mark.parametrize(
    "type_", ["filter", "ZoneLoadBalancingRequestsAdaptiveFilter_InputObject!", "Other_InputObject", "LbFilterInput"]
)
def test_a_filter_is_taken_whatever_its_type_is_called(type_: str) -> None:
    text = f"""query ($filter: {type_}, $order: [SomeOrderBy!]) {{ viewer {{ zones {{
      n: loadBalancingRequestsAdaptive(filter: $filter, orderBy: $order) {{ lbName }} }} }} }}"""
    assert count(told(text, {"filter": {"selectedPoolName": "eu"}, "order": ["datetime_DESC"]})) == 1


def test_one_variable_may_stand_in_places_of_several_types() -> None:
    text = """query ($filter: SomeFilter!, $limit: Int!, $name: String) { viewer {
      zones(filter: {zoneTag_in: [$name]}) {
      n: loadBalancingRequestsAdaptive(filter: $filter, limit: $limit) { ...Of }
      m: healthCheckEventsAdaptive(filter: $filter, limit: $limit) { fqdn }
      o: dnsAnalyticsAdaptiveGroups(filter: $filter, limit: $limit) { count }
      p: loadBalancingRequestsAdaptive(filter: {AND: [$filter], lbName_neq: $name}) { lbName }
    } } }
    fragment Of on ZoneLoadBalancingRequestsAdaptive { lbName }"""
    reply = told(text, {"filter": {"datetime_geq": START}, "limit": 5, "name": ZONE})
    assert [count(reply, key) for key in "nmop"] == [2, 1, 1, 2]


def test_variables_that_nobody_declared_are_those_that_are_given() -> None:
    text = """{ viewer { zones(filter: {zoneTag: $zone}) { ...Rows } } }
    fragment Rows on zone { n: loadBalancingRequestsAdaptive(filter: $filter, limit: $limit) { lbName } }"""
    variables = {"zone": ZONE, "filter": {"datetime_geq": START}, "limit": 1, "more": 1}
    assert count(told(text, variables)) == 1
    reply = told(text, {"zone": ZONE, "limit": 1})
    assert reply["data"] is None and "filter" in reply["errors"][0]["message"]


@pytest.mark.parametrize("variables", [None, {}, {"start": None}, {"other": 1}])
def test_what_is_absent_or_null_is_left_out_and_a_default_stands_for_what_is_absent(variables: Any) -> None:
    text = """query ($start: Time, $limit: Int = 1, $pool: String = "us") { viewer { zones {
      n: loadBalancingRequestsAdaptive(filter: {datetime_geq: $start}, limit: $limit) { lbName }
      m: loadBalancingRequestsAdaptive(filter: {selectedPoolName: $pool}) { selectedPoolName } } } }"""
    reply = told(text, variables)
    assert count(reply) == 1 and count(reply, "m") == 1


@pytest.mark.parametrize(
    ("declared", "variables", "words"),
    [
        ("$limit: Int!", {}, "limit"),
        ("$limit: Int!", {"limit": None}, "limit"),
        ("$limit: Int!", {"limit": "many"}, "whole number"),
        ("$limit: Int!", {"limit": [1, 2]}, "whole number"),
        ("$limit: String!", {"limit": "5"}, "$limit is declared as String!, and stands where uint64 is expected"),
        ("$limit: Time", {"limit": 5}, "declared as Time"),
        ("$limit: [Int!]", {"limit": [5]}, "declared as [Int!]"),
        ("$limit: LbFilter", {"limit": 5}, "declared as LbFilter"),
    ],
)
def test_what_means_something_else_is_refused(declared: str, variables: Any, words: str) -> None:
    reply = told(
        f"query ({declared}) {{ viewer {{ zones {{ dnsAnalyticsAdaptive(limit: $limit) {{ qn: queryName }} }} }} }}",
        variables,
    )
    assert reply["data"] is None and words in reply["errors"][0]["message"], reply["errors"]


def test_a_flag_is_a_number_of_8_bits() -> None:
    text = """query ($healthy: Boolean) { viewer { zones {
      n: loadBalancingRequestsAdaptive(filter: {selectedPoolHealthy: $healthy}) { selectedPoolHealthy } } } }"""
    assert count(told(text, {"healthy": True})) == 2 and count(told(text, {"healthy": 0})) == 0


def test_directives_say_what_is_wanted() -> None:
    text = f"""query ($more: Boolean!, $less: bool) {{ viewer {{ zones(filter: {{zoneTag: "{ZONE}"}}) {{
      zoneTag @skip(if: $less)
      n: loadBalancingRequestsAdaptive(limit: 1) @include(if: $more) {{
        lbName @skip(if: $more) region ... @include(if: $less) {{ proxied }} }}
    }} }} }}"""
    (zone,) = told(text, {"more": True, "less": False})["data"]["viewer"]["zones"]
    assert zone == {"zoneTag": ZONE, "n": [{"region": "WEU"}]}
    (zone,) = told(text, {"more": False, "less": True})["data"]["viewer"]["zones"]
    assert zone == {}


def test_fragments_aliases_and_type_names() -> None:
    text = """query Q { viewer { __typename zones { ...Z ... on zone { b: zoneTag } } } }
    fragment Z on zone { a: zoneTag __typename n: loadBalancingRequestsAdaptiveGroups { ...G count } }
    fragment G on ZoneLoadBalancingRequestsAdaptiveGroups {
      c: count d: dimensions { ...D pool: selectedPoolName __typename } dimensions { region } }
    fragment D on ZoneLoadBalancingRequestsAdaptiveGroupsDimensions { lbName }
    fragment Unused on zone { zoneTag }"""
    reply = told(text)
    assert reply["errors"] is None, reply["errors"]
    viewer = reply["data"]["viewer"]
    assert viewer["__typename"] == "viewer"
    first, second = viewer["zones"]
    name = "ZoneLoadBalancingRequestsAdaptiveGroups"
    assert first["n"] == [
        {
            "c": 1,
            "d": {"lbName": "lb.example.com", "pool": pool, "__typename": f"{name}Dimensions"},
            "dimensions": {"region": "WEU"},
            "count": 1,
        }
        for pool in ("eu", "us")
    ]
    assert second == {"a": OTHER_ZONE, "__typename": "zone", "n": [], "b": OTHER_ZONE}


def test_of_several_operations_the_named_one_is_carried_out() -> None:
    text = """query A($limit: Int) { viewer { zones(filter: {zoneTag: $zone}) {
      n: dnsAnalyticsAdaptive(limit: $limit) { queryName } } } }
    query B { viewer { zones { zoneTag } } }"""
    assert len(told(text, {"zone": ZONE}, operation_name="B")["data"]["viewer"]["zones"]) == 2
    assert count(told(text, {"zone": ZONE, "limit": 1}, operation_name="A")) == 1
    for name in (None, "C"):
        reply = told(text, {"zone": ZONE}, operation_name=name)
        assert reply["data"] is None and "operation" in reply["errors"][0]["message"]
    assert (
        count(told("query A { viewer { zones { n: dnsAnalyticsAdaptive { queryName } } } }", operation_name="B")) == 2
    )
