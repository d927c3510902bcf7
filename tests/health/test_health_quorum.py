"""Vantage points, groups and addresses put together, against oracles written from the specification's words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbdns.health.quorum import Report, agree, any_address, group_state
from lbdns.health.verdict import ENDPOINT_WORDS, HEALTHY, UNHEALTHY, UNKNOWN

STATES = st.sampled_from([UNKNOWN, HEALTHY, UNHEALTHY])
REPORTS = st.lists(
    st.tuples(st.sampled_from(["WEU", "ENAM", "OC", ""]), STATES, st.floats(0, 100)).map(
        lambda given: (given[0], given[1], given[2])
    ),
    max_size=12,
)


def naive_agreement(reports: list[Report], now_s: float) -> str:
    """Count heads, region by region."""
    heard = [report for report in reports if report.state in (HEALTHY, UNHEALTHY)]
    recent = [report for report in heard if report.at_s + report.good_for_s >= now_s]
    if recent:
        heard = recent
    if not heard:
        return "unknown"
    regions_up = regions_down = 0
    for region in {report.region for report in heard}:
        probers = sorted((report for report in heard if report.region == region), key=lambda one: one.vantage)[:3]
        up = len([one for one in probers if one.state == HEALTHY])
        if up > len(probers) - up:
            regions_up += 1
        else:
            regions_down += 1
    return "healthy" if regions_up > regions_down else "unhealthy"


@given(REPORTS, st.randoms(use_true_random=False))
def test_vantage_points_agree_as_the_oracle_counts(rows: list[tuple[str, int, float]], shuffled: object) -> None:
    reports = [Report(f"v{number:02}", region, state, at_s, 30.0) for number, (region, state, at_s) in enumerate(rows)]
    expected = naive_agreement(reports, 100.0)
    shuffled.shuffle(reports)  # type: ignore[attr-defined]
    assert ENDPOINT_WORDS[agree(reports, 100.0)] == expected


@pytest.mark.parametrize(
    ("rows", "state"),
    [
        ([("WEU", HEALTHY)], HEALTHY),
        ([("WEU", HEALTHY), ("WEU", UNHEALTHY)], UNHEALTHY),
        ([("WEU", HEALTHY), ("WEU", HEALTHY), ("WEU", UNHEALTHY)], HEALTHY),
        ([("WEU", HEALTHY), ("OC", UNHEALTHY)], UNHEALTHY),
        ([("WEU", HEALTHY), ("OC", HEALTHY), ("ME", UNHEALTHY)], HEALTHY),
        ([("WEU", UNKNOWN), ("OC", HEALTHY)], HEALTHY),
        # Three speak for a region; the fourth and fifth are spare.
        ([("WEU", UNHEALTHY), ("WEU", UNHEALTHY), ("WEU", HEALTHY), ("WEU", HEALTHY), ("WEU", HEALTHY)], UNHEALTHY),
    ],
)
def test_majorities(rows: list[tuple[str, int]], state: int) -> None:
    assert agree([Report(f"v{i}", region, one, 0.0, 10.0) for i, (region, one) in enumerate(rows)], 5.0) == state


def test_stale_reports_are_not_heard_unless_all_are() -> None:
    old_up, new_down = Report("a", "WEU", HEALTHY, 0.0, 10.0), Report("b", "OC", UNHEALTHY, 50.0, 10.0)
    assert agree([old_up, new_down], 5.0) == UNHEALTHY
    assert agree([old_up, new_down], 55.0) == UNHEALTHY
    assert agree([old_up], 500.0) == HEALTHY


def naive_group(members: list[tuple[int, bool]]) -> str:
    """Try every way in which the unknown members could turn out."""
    outcomes: list[list[tuple[int, bool]]] = [[]]
    for state, must in members:
        choices = [HEALTHY, UNHEALTHY] if state == UNKNOWN else [state]
        outcomes = [[*outcome, (choice, must)] for outcome in outcomes for choice in choices]
    verdicts = set()
    for outcome in outcomes:
        failing = [must for state, must in outcome if state == UNHEALTHY]
        verdicts.add("unhealthy" if any(failing) or len(failing) > len(outcome) / 2 else "healthy")
    return verdicts.pop() if len(verdicts) == 1 else "unknown"


@given(st.lists(st.tuples(STATES, st.booleans()), max_size=6))
def test_groups_decide_as_soon_as_the_rest_cannot_matter(members: list[tuple[int, bool]]) -> None:
    assert ENDPOINT_WORDS[group_state(members)] == naive_group(members)


@pytest.mark.parametrize(
    ("states", "state"),
    [
        ([HEALTHY, UNHEALTHY], HEALTHY),
        ([UNKNOWN, UNHEALTHY], UNKNOWN),
        ([UNHEALTHY, UNHEALTHY], UNHEALTHY),
        ([], UNKNOWN),
    ],
)
def test_one_healthy_address_is_enough(states: list[int], state: int) -> None:
    assert any_address(states) == state
