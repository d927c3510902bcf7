"""A pool's state against the naive oracle, and what an operator's orders do to it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lbdns.health import verdict
from lbdns.health.forced import Forced
from lbdns.health.pool_state import effective_byte, pool_state
from lbdns.health.verdict import COUNTS, CRITICAL, DEGRADED, HEALTHY, STATE_MASK, UNHEALTHY, UNKNOWN

UP, DOWN = Forced("p", "up", 0.0), Forced("p", "down", 0.0)


def bytes_of(endpoints: list[str], monitored: bool) -> list[int]:
    """Return the bytes of endpoints of which each is up, down or unknown; unless monitored, what is down was forced."""
    down = UNHEALTHY if monitored else UNHEALTHY | COUNTS
    return [{"up": HEALTHY, "down": down, "unknown": UNKNOWN}[endpoint] for endpoint in endpoints]


def naive_pool(endpoints: list[str], minimum: int, monitored: bool) -> str:
    if not monitored:
        endpoints = ["down" if endpoint == "down" else "up" for endpoint in endpoints]
    if not endpoints:
        return "critical"
    up = endpoints.count("up")
    needed = 1 if minimum < 1 else minimum
    if up < needed:
        could_be = up + endpoints.count("unknown")
        return "unknown" if could_be >= needed else "critical"
    return "healthy" if "down" not in endpoints and "unknown" not in endpoints else "degraded"


@given(st.lists(st.sampled_from(["up", "down", "unknown"]), max_size=8), st.integers(0, 9), st.booleans())
def test_pool_states_agree_with_the_oracle(endpoints: list[str], minimum: int, monitored: bool) -> None:
    state = pool_state(bytes_of(endpoints, monitored), minimum, monitored=monitored)
    assert verdict.POOL_WORDS[state] == naive_pool(endpoints, minimum, monitored)
    assert bool(state & verdict.TAKES_TRAFFIC) == (verdict.POOL_WORDS[state] in ("healthy", "degraded"))


def test_a_pool_before_any_result() -> None:
    assert pool_state([UNKNOWN] * 2, 1, monitored=True) == UNKNOWN
    assert pool_state([UNKNOWN] * 2, 1, monitored=False) == HEALTHY
    assert pool_state([], 1, monitored=False) == CRITICAL
    assert pool_state([UNKNOWN], 2, monitored=True) == CRITICAL


def test_where_nobody_looks_only_what_was_forced_is_down() -> None:
    assert pool_state([UNHEALTHY, UNKNOWN], 1, monitored=False) == HEALTHY
    assert pool_state([UNHEALTHY | COUNTS, UNKNOWN], 1, monitored=False) == DEGRADED
    assert pool_state([UNHEALTHY | COUNTS, HEALTHY | COUNTS], 2, monitored=False) == CRITICAL


@given(
    st.lists(st.sampled_from([UNKNOWN, HEALTHY, UNHEALTHY, HEALTHY | COUNTS, UNHEALTHY | COUNTS]), max_size=6),
    st.integers(1, 4),
    st.booleans(),
)
def test_an_order_for_a_pool_hides_its_endpoints_whatever_they_are(
    endpoints: list[int], minimum: int, monitored: bool
) -> None:
    assert effective_byte(endpoints, minimum, monitored, UP) == HEALTHY | COUNTS
    assert effective_byte(endpoints, minimum, monitored, DOWN) == CRITICAL | COUNTS
    free = effective_byte(endpoints, minimum, monitored, None)
    assert free & STATE_MASK == pool_state(endpoints, minimum, monitored)
    assert bool(free & COUNTS) == (not monitored and any(byte & COUNTS for byte in endpoints))
