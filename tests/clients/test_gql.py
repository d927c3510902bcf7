"""gql, the client of GraphQL for Python: with the schema that it fetches and checks queries against, and without."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.client_site import ClientSite, run_steps

pytestmark = pytest.mark.process


def ask(site: ClientSite, text: str, variables: dict[str, Any] | None = None, **named: Any) -> Any:
    """Let the client ask one thing; returns what it made of the answer."""
    (result,) = run_steps(site, "gql_driver.py", ["ask", [text, variables], named])
    return result


def test_queries_are_checked_against_the_schema_and_answered(site: ClientSite, zone: str) -> None:
    text = """query ($zone: string!, $start: Time) { viewer { zones(filter: {zoneTag: $zone}) { zoneTag
      settings { loadBalancingRequestsAdaptiveGroups { enabled maxPageSize } }
      loadBalancingRequestsAdaptiveGroups(limit: 10, filter: {datetime_geq: $start}, orderBy: [count_DESC]) {
        count dimensions { lbName selectedPoolName } } } } }"""
    (found,) = ask(site, text, {"zone": zone})["viewer"]["zones"]
    assert found["zoneTag"] == zone
    assert found["settings"]["loadBalancingRequestsAdaptiveGroups"] == {"enabled": True, "maxPageSize": 10_000}
    assert isinstance(found["loadBalancingRequestsAdaptiveGroups"], list)


def test_types_under_their_widespread_names_are_taken_where_the_client_does_not_check(
    site: ClientSite, zone: str
) -> None:
    text = """query ($zones: [String!]!, $limit: Int!) { viewer { zones(filter: {zoneTag_in: $zones}) { zoneTag
      dnsAnalyticsAdaptive(limit: $limit) { queryName } } } }"""
    reply = ask(site, text, {"zones": [zone], "limit": 9999}, with_schema=False)
    assert [one["zoneTag"] for one in reply["viewer"]["zones"]] == [zone]


def test_what_is_wrong_is_an_error_that_the_client_raises(site: ClientSite) -> None:
    text = "{ viewer { accounts { dnsAnalyticsAdaptive(limit: 0) { queryName } } } }"
    (error,) = ask(site, text, with_schema=False)["raised"]
    assert error["message"] == "limit must be a positive number and not greater than 10000"
