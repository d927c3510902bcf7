"""What one query may ask: each bound is an error with a sentence, and settings tell those of a node."""

from __future__ import annotations

from typing import Any

import pytest

from lbdns.manage.api.graphql.query_bounds import (
    ASKED_MAX,
    FRAGMENTS_MAX,
    NESTING_MAX,
    QUERY_CHARS_MAX,
    ROWS_READ_MAX,
    SELECTED_MAX,
    TOKENS_MAX,
    VALUES_MAX,
    ZONES_MAX,
    Work,
)
from lbdns.manage.api.graphql.row_filter import CONDITIONS_MAX, DEPTH_MAX
from tests.graphql.played_traffic import ACCOUNT, KEPT_S, OTHER_ZONE, ZONE, PlayedTraffic, answered, ask, steered

TRAFFIC = {"steered": [steered(10)], "answered": [answered(10)]}
ROWS = "{ viewer { zones { dnsAnalyticsAdaptive%s { queryName } } } }"


def refusal(text: str, variables: Any = None, **given: Any) -> dict[str, Any]:
    reply = ask(PlayedTraffic(TRAFFIC), text, variables, **given)
    assert reply["data"] is None
    error: dict[str, Any] = reply["errors"][0]
    assert error["extensions"]["timestamp"].endswith("Z")
    return error


BEYOND = {
    "characters": ("{ viewer { zones { zoneTag } } } #" + "x" * QUERY_CHARS_MAX, "characters"),
    "words": ("{ viewer { zones { zoneTag " + "zoneTag " * TOKENS_MAX + "} } }", "words"),
    "nesting": ("{ viewer { zones " * (NESTING_MAX // 2 + 1), "nested"),
    "nesting of a filter": (ROWS % ("(filter: " + "{AND: [" * 30 + "]}" * 30 + ")"), "nested"),
    "fields": (
        "{ viewer { zones { " + " ".join(f"a{n}: zoneTag" for n in range(SELECTED_MAX + 1)) + " } } }",
        "fields",
    ),
    "aliases of a node": (
        "{ viewer { zones { "
        + " ".join(f"a{n}: dnsAnalyticsAdaptive {{ queryName }}" for n in range(ASKED_MAX + 1))
        + " } } }",
        "nodes",
    ),
    "fragments": (
        "{ viewer { ...F0 } } "
        + " ".join(f"fragment F{n} on viewer {{ ...F{n + 1} }}" for n in range(FRAGMENTS_MAX + 1)),
        "fragments",
    ),
    "fragments that double": (
        "{ viewer { zones { ...F0 } } } "
        + " ".join(f"fragment F{n} on zone {{ a{n}: zoneTag ...F{n + 1} ...F{n + 1} }}" for n in range(40))
        + " fragment F40 on zone { zoneTag }",
        "fields",
    ),
    "introspection that turns on itself": (
        "{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }",
        "introspection",
    ),
    "fields of a node": (
        "{ viewer { zones { dnsAnalyticsAdaptive { " + " ".join(f"a{n}: queryName" for n in range(61)) + " } } } }",
        "number of fields can't be more than 60",
    ),
    "rows": (ROWS % "(limit: 10001)", "not greater than 10000"),
    "span": (
        ROWS % '(filter: {datetime_geq: "2026-09-01T00:00:00Z", datetime_leq: "2027-01-15T00:00:00Z"})',
        "cannot request a time range wider than 12w6d",
    ),
    "age": (
        ROWS % '(filter: {date_geq: "2021-06-26", date_leq: "2021-06-27"})',
        "cannot request data older than 12w6d",
    ),
    "conditions": (
        ROWS % ("(filter: {OR: [" + '{queryName: "a"} ' * (CONDITIONS_MAX + 1) + "]})"),
        "conditions",
    ),
    "filters within filters": (
        ROWS % ("(filter: " + "{AND: " * (DEPTH_MAX + 2) + "{}" + "}" * (DEPTH_MAX + 2) + ")"),
        "nested",
    ),
    "level": (
        "{ viewer { zones { dnsAnalyticsAdaptiveGroups { confidence(level: 1) { count { lower } } } } } }",
        "between 0 and 1",
    ),
}


@pytest.mark.parametrize("inner", ["x", {"queryName": "x"}])
def test_variables_hold_so_many_values(inner: Any) -> None:
    text = "query($f: filter, $in: [string!]) { viewer { zones { dnsAnalyticsAdaptive(filter: $f) { queryName } } } }"
    half = VALUES_MAX // 2
    error = refusal(text, {"f": {"OR": [inner] * half, "AND": [inner] * half}})
    assert error["message"].startswith("the variables hold more than 10,000 values")
    assert error["extensions"]["code"] == "limit"


@pytest.mark.parametrize("name", BEYOND)
def test_what_is_beyond_a_bound_is_refused_in_a_sentence(name: str) -> None:
    text, words = BEYOND[name]
    assert words in refusal(text)["message"]


def test_an_error_has_the_shape_of_the_v4_api() -> None:
    error = refusal(BEYOND["age"][0])
    assert error["path"] == ["viewer", "zones", "0", "dnsAnalyticsAdaptive"]
    assert error["extensions"]["code"] == "limit"


def test_a_query_that_works_too_long_is_ended() -> None:
    seconds = iter(range(10_000))
    work = Work(lambda: next(seconds) / 2)
    rows = [steered(1, before) for before in ["eu"] * 5000]
    reply = ask(
        PlayedTraffic({"steered": rows}), "{ viewer { zones { loadBalancingRequestsAdaptive { lbName } } } }", work=work
    )
    assert reply["data"] is None and "more than 2 seconds of work" in reply["errors"][0]["message"]


def test_a_query_that_looks_at_too_many_rows_is_ended() -> None:
    work = Work(lambda: 0.0)
    for _ in range(ROWS_READ_MAX - ROWS_READ_MAX % 256):
        work.row()
    rows = [steered(1)] * 600
    reply = ask(
        PlayedTraffic({"steered": rows}),
        "{ viewer { zones { loadBalancingRequestsAdaptiveGroups { count } } } }",
        work=work,
    )
    assert "more than 500,000 rows" in reply["errors"][0]["message"]


def test_a_query_that_nests_as_deep_as_tools_do_is_carried_out() -> None:
    from graphql import get_introspection_query

    reply = ask(PlayedTraffic({}), get_introspection_query(input_value_deprecation=True, specified_by_url=True))
    assert reply["errors"] is None and len(reply["data"]["__schema"]["types"]) > 50


def test_settings_tell_the_bounds_of_each_node() -> None:
    text = """{ viewer { zones(filter: {zoneTag: "%s"}) { settings { loadBalancingRequestsAdaptiveGroups {
      enabled maxPageSize maxDuration notOlderThan maxNumberOfFields availableFields } } }
      accounts { settings { healthCheckEventsAdaptive { enabled } } } } }"""
    viewer = ask(PlayedTraffic({}), text % ZONE)["data"]["viewer"]
    bounds = viewer["zones"][0]["settings"]["loadBalancingRequestsAdaptiveGroups"]
    fields = bounds.pop("availableFields")
    assert bounds == {
        "enabled": True,
        "maxPageSize": 10_000,
        "maxDuration": int(KEPT_S),
        "notOlderThan": int(KEPT_S),
        "maxNumberOfFields": 60,
    }
    assert {"count", "sum_ruleMatches", "avg_sampleInterval", "dimensions_selectedPoolName"} <= set(fields)
    assert viewer["accounts"] == [{"settings": {"healthCheckEventsAdaptive": {"enabled": True}}}]


def test_where_no_history_is_kept_settings_and_errors_say_so() -> None:
    settings = "{ viewer { zones { settings { %s { enabled } } } } }"
    for node, is_kept in (("dnsAnalyticsAdaptive", False), ("healthCheckEventsAdaptive", True)):
        zones = ask(PlayedTraffic(TRAFFIC), settings % node, enabled=False)["data"]["viewer"]["zones"]
        assert [zone["settings"][node]["enabled"] for zone in zones] == [is_kept] * 2
        reply = ask(PlayedTraffic(TRAFFIC), f"{{ viewer {{ zones {{ {node} {{ datetime }} }} }} }}", enabled=False)
        assert (reply["errors"] is None) is is_kept
        assert is_kept or "the history is off" in reply["errors"][0]["message"]


@pytest.mark.parametrize(
    ("scopes", "zones", "account", "allowed"),
    [
        (
            "read",
            [ZONE, OTHER_ZONE],
            True,
            {"loadBalancingRequestsAdaptive", "healthCheckEventsAdaptive", "dnsAnalyticsAdaptive"},
        ),
        ("zones:read", [ZONE, OTHER_ZONE], True, {"dnsAnalyticsAdaptive"}),
        ("zones:read:example.com", [ZONE], False, {"dnsAnalyticsAdaptive"}),
        ("load_balancers:write:example.com", [ZONE], False, {"loadBalancingRequestsAdaptive"}),
        ("load_balancers:read:example.org", [], False, set()),
        ("pools:read", [ZONE, OTHER_ZONE], True, {"healthCheckEventsAdaptive"}),
        ("notifications:write zones:read:example.com", [ZONE], False, {"dnsAnalyticsAdaptive"}),
        ("zones:read:example.net load_balancers:read:example.com", [ZONE, OTHER_ZONE], False, set()),
    ],
)
def test_a_token_sees_what_its_scopes_allow(scopes: str, zones: list[str], account: bool, allowed: set[str]) -> None:
    reply = ask(PlayedTraffic(TRAFFIC), "{ viewer { zones { zoneTag } } }", scopes=scopes)
    assert [zone["zoneTag"] for zone in reply["data"]["viewer"]["zones"]] == zones
    for node in ("loadBalancingRequestsAdaptive", "healthCheckEventsAdaptive", "dnsAnalyticsAdaptive"):
        for text, may in (
            ("{ viewer { zones { %s { datetime } settings { %s { enabled } } } } }", node in allowed or not zones),
            ("{ viewer { accounts { %s { datetime } settings { %s { enabled } } } } }", account and node in allowed),
        ):
            reply = ask(PlayedTraffic(TRAFFIC), text % (node, node), scopes=scopes)
            assert (reply["errors"] is None) is may, (node, text, reply)
            if not may:
                error = reply["errors"][0]
                assert error["extensions"]["code"] == "authz" and "does not have access to the path" in error["message"]


def test_zones_are_chosen_by_their_ids_and_what_is_not_there_is_not_told_apart_from_what_is_not_allowed() -> None:
    def zones(filter: str, scopes: str = "read") -> Any:
        reply = ask(PlayedTraffic({}), f"{{ viewer {{ zones{filter} {{ zoneTag }} }} }}", scopes=scopes)
        return reply["errors"] or [zone["zoneTag"] for zone in reply["data"]["viewer"]["zones"]]

    assert zones("") == zones("(filter: {})") == [ZONE, OTHER_ZONE]
    assert zones(f'(filter: {{zoneTag_in: ["{OTHER_ZONE}", "{ZONE}"]}})') == [ZONE, OTHER_ZONE]
    assert zones("(filter: {zoneTag_in: []})") == []
    assert zones(f'(filter: {{zoneTag_gt: "{ZONE}"}})') == [OTHER_ZONE]
    assert zones("(limit: 1)") == [ZONE] and zones("(orderBy: [zoneTag_DESC], limit: 1)") == [OTHER_ZONE]
    gone, hidden = "f" * 32, OTHER_ZONE
    for id, scopes in ((gone, "read"), (hidden, "zones:read:example.com")):
        (error,) = zones(f'(filter: {{zoneTag: "{id}"}})', scopes)
        assert error["message"] == f"zones [{id}] are not authorized: there are none, or the token may not read them"
        assert error["extensions"]["code"] == "authz"
    reply = ask(PlayedTraffic({}), '{ viewer { accounts(filter: {accountTag: "x"}) { accountTag } } }')
    assert "accounts [x] are not authorized" in reply["errors"][0]["message"]
    reply = ask(PlayedTraffic({}), f'{{ viewer {{ accounts(filter: {{accountTag: "{ACCOUNT}"}}) {{ accountTag }} }} }}')
    assert reply["data"] == {"viewer": {"accounts": [{"accountTag": ACCOUNT}]}}


def test_one_query_is_about_so_many_zones() -> None:
    again = " ".join(f"a{n}: zones {{ zoneTag }}" for n in range(ZONES_MAX // 2 + 1))
    assert f"more than {ZONES_MAX} zones" in refusal(f"{{ viewer {{ {again} }} }}")["message"]


@pytest.mark.parametrize(
    "text",
    [
        "mutation { a }",
        "subscription { viewer { zones { zoneTag } } }",
        "query A { viewer { zones { zoneTag } } } mutation B { a }",
    ],
)
def test_there_are_queries_alone(text: str) -> None:
    assert "expected a query" in refusal(text)["message"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Unexpected <EOF>"),
        ("{", "Expected Name"),
        ("{ viewer }", "must have a selection"),
        ("{ viewer { zones { zoneTag { a } } } }", "must not have a selection"),
        ("{ viewer { zones { nothing } } }", "nothing"),
        ("{ viewer { zones { ...Gone } } }", "Gone"),
        ("{ viewer { zones { ...A } } } fragment A on zone { ...A }", "itself"),
        ("{ viewer { zones { ... on account { accountTag } } } }", "account"),
        ("{ viewer { zones { zoneTag @gone } } }", "gone"),
        ("{ viewer { zones { zoneTag @include } } }", "if"),
        ("fragment A on zone { zoneTag }", "operation"),
        ("{ viewer { zones { zoneTag } } } { viewer { zones { zoneTag } } }", "anonymous"),
        (
            "{ viewer { zones { a: dnsAnalyticsAdaptive { queryName } a: healthCheckEventsAdaptive { fqdn } } } }",
            "conflict",
        ),
        ('{ viewer { zones(filter: {zoneTag: "a", zoneTag: "b"}) { zoneTag } } }', "only one"),
        ("type A { a: Int }", "executable"),
    ],
)
def test_what_is_no_query_of_this_schema_is_told(text: str, words: str) -> None:
    assert words in refusal(text)["message"]
