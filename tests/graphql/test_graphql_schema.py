"""The schema has what it is to have, and every part of it can be asked for."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import GraphQLObjectType, get_named_type, is_leaf_type, validate_schema

from lbdns.manage.api.graphql.graphql_schema import row_type_name, whole_schema
from lbdns.manage.api.graphql.node_table import NODES
from lbdns.manage.api.graphql.scalars import SCALARS
from tests.graphql.played_traffic import PlayedTraffic, answered, ask, changed, steered

STEERED = """datetime lbName region coloCode proxied steeringPolicy sessionAffinity sessionAffinityStatus selectedPoolId
    selectedPoolName selectedPoolIndex selectedPoolHealthy selectedPoolHealthChecksEnabled selectedPoolAvgRttMs
    selectedOriginIndex numberOriginsSelected errorType sampleInterval"""
STEERED_DIMENSIONS = """datetime datetimeMinute datetimeFiveMinutes datetimeFifteenMinutes datetimeHalfOfHour
    datetimeHour
    coloCode region lbName proxied steeringPolicy selectedPoolId selectedPoolName selectedPoolHealthy
    selectedPoolHealthChecksEnabled selectedPoolAvgRttMs selectedOriginName selectedOriginNames numberOriginsSelected
    multipleOriginsSelected errorType ruleName"""
HEALTH = """datetime healthCheckId healthCheckName healthStatus healthChanged failureReason fqdn originIP
    originResponseStatus region rttMs"""
ANSWERED = "queryName queryType responseCode coloName datetime"
HAS: dict[str, dict[str, str]] = {
    "loadBalancingRequestsAdaptive": {
        "": STEERED,
        "pools": "id poolName healthy healthCheckEnabled avgRttMs",
        "origins": "originName ipv4 ipv6 fqdn health weight selected",
    },
    "loadBalancingRequestsAdaptiveGroups": {
        "": "count",
        "avg": "sampleInterval",
        "sum": "ruleMatches totalRequestsWithRule",
        "ratio": "ruleMatchPercentage",
        "dimensions": STEERED_DIMENSIONS,
    },
    "healthCheckEventsAdaptive": {"": HEALTH},
    "healthCheckEventsAdaptiveGroups": {"": "count", "dimensions": HEALTH},
    "dnsAnalyticsAdaptive": {"": ANSWERED},
    "dnsAnalyticsAdaptiveGroups": {"": "count", "dimensions": ANSWERED},
}
"""What each node is to have, by the part of a row."""


def fields_of(type_: Any) -> dict[str, Any]:
    named = get_named_type(type_)
    assert isinstance(named, GraphQLObjectType)
    return dict(named.fields)


def test_the_schema_is_a_valid_one() -> None:
    assert validate_schema(whole_schema()) == []
    assert {scalar.name for scalar in SCALARS} <= set(whole_schema().type_map)


@pytest.mark.parametrize("scope", ["zones", "accounts"])
def test_every_node_has_its_fields(scope: str) -> None:
    query = whole_schema().query_type
    assert query is not None
    below = fields_of(fields_of(fields_of(query)["viewer"].type)[scope].type)
    assert set(HAS) == {node.name for node in NODES} <= set(below)
    for name, parts in HAS.items():
        row = fields_of(below[name].type)
        assert set(below[name].args) == {"limit", "filter", "orderBy"}
        for part, wanted in parts.items():
            have = row if not part else fields_of(row[part].type)
            assert set(wanted.split()) <= set(have), (name, part)
        settings = fields_of(fields_of(below["settings"].type)[name].type)
        assert {"enabled", "maxPageSize", "maxDuration", "notOlderThan"} <= set(settings)


@pytest.mark.parametrize("name", HAS)
@pytest.mark.parametrize("scope", ["zones", "accounts"])
def test_everything_that_there_is_can_be_asked_for(scope: str, name: str) -> None:
    """Each part by itself, since a node takes so many fields; its values are of their types, and never null."""
    prefix = {"zones": "Zone", "accounts": "Account"}[scope]
    node = next(node for node in NODES if node.name == name)
    row = whole_schema().type_map[row_type_name(prefix, node)]
    traffic = PlayedTraffic(
        {"steered": [steered(10, rules=("night",))], "answered": [answered(10)], "health": [changed(10, "Unhealthy")]},
        {"lb.example.com": ["night"]},
    )
    parts = [(key, _selection(key, one)) for key, one in fields_of(row).items()]
    leaves = " ".join(text for key, text in parts if "{" not in text)
    for text in (leaves, *(text for _, text in parts if "{" in text)):
        reply = ask(traffic, f"{{ viewer {{ {scope} {{ {name} {{ {text} }} }} }} }}")
        assert reply["errors"] is None, reply["errors"]
        (found,) = reply["data"]["viewer"][scope][0][name]
        assert _nothing_is_null(found), found


def _selection(name: str, field: Any) -> str:
    if is_leaf_type(get_named_type(field.type)):
        return name
    inner = " ".join(_selection(key, one) for key, one in fields_of(field.type).items())
    return f"{name}{'(level: 0.9)' if field.args else ''} {{ {inner} }}"


def _nothing_is_null(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_nothing_is_null, value.values()))
    if isinstance(value, list):
        return all(map(_nothing_is_null, value))
    return value is not None


def test_directives_are_of_places_that_older_clients_know() -> None:
    """A client that does not know a directive's place refuses the whole schema (findings/graphql-core-new-place.sh)."""
    text = "{ __schema { directives { name locations } } }"
    directives = ask(PlayedTraffic({}), text)["data"]["__schema"]["directives"]
    assert {one["name"]: one["locations"] for one in directives} == {
        "include": ["FIELD", "FRAGMENT_SPREAD", "INLINE_FRAGMENT"],
        "skip": ["FIELD", "FRAGMENT_SPREAD", "INLINE_FRAGMENT"],
    }


def test_the_schema_that_clients_see_is_told_beside_data() -> None:
    text = """{ __typename viewer { zones { zoneTag } } __type(name: "zone") { name fields { name } }
      __schema { queryType { name } } }"""
    data = ask(PlayedTraffic({}), text)["data"]
    assert data["__typename"] == "Query" and data["__schema"] == {"queryType": {"name": "Query"}}
    assert {"zoneTag", "settings", *HAS} == {field["name"] for field in data["__type"]["fields"]}
    row = '{ __type(name: "ZoneDnsAnalyticsAdaptive") { fields { name type { kind ofType { name } } } } }'
    fields = ask(PlayedTraffic({}), row)["data"]["__type"]["fields"]
    assert {"name": "datetime", "type": {"kind": "NON_NULL", "ofType": {"name": "Time"}}} in fields
    assert ask(PlayedTraffic({}), '{ __type(name: "gone") { name } }')["data"] == {"__type": None}
