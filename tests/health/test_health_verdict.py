"""Verdicts against the naive oracle: written again, slowly, from the words of the specification."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbdns.health import verdict
from lbdns.health.reasons import REASONS, Reason, reason_text
from lbdns.health.verdict import CRITICAL, DEGRADED, HEALTHY, UNHEALTHY, UNKNOWN


def naive_state(results: list[bool], consecutive_up: int, consecutive_down: int) -> str:
    """Replay all the results from the start, looking back from each for a long enough run."""
    state = "unknown"
    for end in range(1, len(results) + 1):
        seen = results[:end]
        if state == "unknown":
            state = "healthy" if seen[-1] else "unhealthy"
        elif all(seen[-max(consecutive_up, 1) :]) and len(seen) >= max(consecutive_up, 1):
            state = "healthy"
        elif not any(seen[-max(consecutive_down, 1) :]) and len(seen) >= max(consecutive_down, 1):
            state = "unhealthy"
    return state


@given(st.lists(st.booleans(), max_size=40), st.integers(0, 5), st.integers(0, 5))
def test_thresholds_agree_with_the_oracle(results: list[bool], up: int, down: int) -> None:
    state, streak = UNKNOWN, 0
    for passed in results:
        state, streak = verdict.advance(state, streak, passed, up, down)
    assert verdict.ENDPOINT_WORDS[state] == naive_state(results, up, down)
    if results:
        run = 0
        for passed in reversed(results):
            if passed != results[-1]:
                break
            run += 1
        assert streak == (run if results[-1] else -run)


def test_a_streak_stays_within_its_column() -> None:
    assert verdict.advance(HEALTHY, verdict.STREAK_MAX, True, 1, 1)[1] == verdict.STREAK_MAX
    assert verdict.advance(UNHEALTHY, -verdict.STREAK_MAX, False, 1, 1)[1] == -verdict.STREAK_MAX


@pytest.mark.parametrize(
    ("pools", "word"),
    [
        ([HEALTHY, DEGRADED], "healthy"),
        ([HEALTHY, CRITICAL], "degraded"),
        ([HEALTHY, UNKNOWN], "healthy"),
        ([CRITICAL, CRITICAL], "critical"),
        ([CRITICAL, UNKNOWN], "critical"),
        ([UNKNOWN, UNKNOWN], "unknown"),
        ([HEALTHY | verdict.COUNTS], "healthy"),
        ([], "critical"),
    ],
)
def test_load_balancer_words(pools: list[int], word: str) -> None:
    assert verdict.load_balancer_word(pools) == word


def test_reasons_are_the_specified_words_in_the_order_of_their_bytes() -> None:
    assert REASONS[0] == "No failures"
    assert [reason_text(reason) for reason in Reason] == list(REASONS)
    assert REASONS[17:] == (
        "Other failure",
        "UDP port unreachable",
        "Virtual network is down",
    )  # appended, never inserted
    assert reason_text(200) == "Other failure"
    assert UNHEALTHY == CRITICAL == 2
