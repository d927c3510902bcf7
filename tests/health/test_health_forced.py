"""Forced states: matching, precedence, expiry, bounds, and the file."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbdns.base.errors import LbdnsError
from lbdns.base.words import FORCED_FILE
from lbdns.health import forced
from lbdns.health.forced import Forced, change, find
from lbdns.health.verdict import COUNTS, CRITICAL, HEALTHY, UNHEALTHY


def ordered(*orders: tuple[str, forced.State]) -> tuple[Forced, ...]:
    entries: tuple[Forced, ...] = ()
    for at_s, (pattern, state) in enumerate(orders):
        entries = change(entries, Forced(pattern, state, float(at_s)), float(at_s))
    return entries


def state_of(entries: tuple[Forced, ...], pool: str, endpoint: str = "", now_s: float = 50.0) -> str:
    found = find(entries, now_s, pool, endpoint)
    return found.state if found else "auto"


def test_patterns_name_pools_or_endpoints_and_the_last_one_wins() -> None:
    entries = ordered(("eu*", "down"), ("eu-1/a", "up"), ("*/[ab]", "down"))
    assert state_of(entries, "eu-1") == "down" and state_of(entries, "us") == "auto"
    assert state_of(entries, "eu-1", "a") == state_of(entries, "us", "b") == "down"
    assert state_of(entries, "us", "c") == "auto"


def test_auto_takes_back_the_whole_or_a_part() -> None:
    assert ordered(("eu", "down"), ("eu", "auto")) == ()
    assert ordered(("eu", "down"), ("us/a", "up"), ("*", "auto"), ("*/*", "auto")) == ()
    entries = ordered(("eu/*", "down"), ("eu/a", "auto"))
    assert state_of(entries, "eu", "a") == "auto" and state_of(entries, "eu", "b") == "down"


def test_orders_expire() -> None:
    entries = change((), Forced("eu", "down", 0.0, until_s=10.0), 0.0)
    assert state_of(entries, "eu", now_s=9.9) == "down" and state_of(entries, "eu", now_s=10.0) == "auto"
    assert forced.next_expiry_s(entries, 5.0) == 10.0 and forced.next_expiry_s(entries, 10.0) == math.inf
    assert change(entries, Forced("us", "up", 11.0), 11.0) == (Forced("us", "up", 11.0),)


NAMES = st.sampled_from(["eu", "eu-1", "us", "*", "e*", "eu*", "?u", "eu/a", "eu/*", "*/a", "*/*", "us/b", "e*/[ab]"])


@given(st.lists(st.tuples(NAMES, st.sampled_from(["up", "down", "auto"])), max_size=8))
def test_leaving_out_what_is_idle_changes_nothing(orders: list[tuple[str, forced.State]]) -> None:
    """The oracle keeps every order ever given, and lets the last that matches decide."""
    every = tuple(Forced(pattern, state, float(at_s)) for at_s, (pattern, state) in enumerate(orders))
    kept = ordered(*orders)
    for pool, endpoint in [("eu", ""), ("eu-1", ""), ("us", ""), ("eu", "a"), ("eu", "b"), ("us", "a"), ("us", "b")]:
        assert state_of(kept, pool, endpoint) == state_of(every, pool, endpoint)
    assert len(kept) <= len(every)


def test_what_cannot_be_forced_is_refused_in_words() -> None:
    for pattern in ("", "/a", "eu/", "x" * 600):
        with pytest.raises(LbdnsError, match="names nothing to force"):
            change((), Forced(pattern, "down", 0.0), 0.0)
    with pytest.raises(LbdnsError, match="expected up, down or auto"):
        change((), Forced("eu", "sideways", 0.0), 0.0)  # type: ignore[arg-type]
    with pytest.raises(LbdnsError, match="reason is too long"):
        change((), Forced("eu", "down", 0.0, None, "x" * 2000), 0.0)
    many = tuple(Forced(f"p{number}", "down", 0.0) for number in range(forced.ENTRIES_MAX))
    with pytest.raises(LbdnsError, match="more than 1000"):
        change(many, Forced("eu", "down", 0.0), 0.0)


def test_bytes() -> None:
    up, down = Forced("x", "up", 0.0), Forced("x", "down", 0.0)
    assert forced.endpoint_byte(HEALTHY, None) == HEALTHY
    assert forced.endpoint_byte(UNHEALTHY, up) == HEALTHY | COUNTS
    assert forced.endpoint_byte(HEALTHY, down) == UNHEALTHY | COUNTS
    assert forced.pool_byte(HEALTHY, down) == CRITICAL | COUNTS and forced.pool_byte(CRITICAL, up) == HEALTHY | COUNTS


def test_the_file_comes_back_whole_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    assert forced.load(tmp_path) == ()
    entries = (Forced("eu", "down", 1.5, 9.0, "drill é"), Forced("us/*", "up", 2.0))
    forced.save(tmp_path, entries)
    assert forced.load(tmp_path) == entries
    for damaged in (
        '{"forced": [{"pattern": 1, "what": 2}]}',
        '{"forced": [{"pattern": 1, "state": "up", "set_at_s": 1}]}',
    ):
        (tmp_path / FORCED_FILE).write_text(damaged)
        with pytest.raises(LbdnsError, match="not a list of forced states"):
            forced.load(tmp_path)
    with pytest.raises(LbdnsError, match="cannot write the forced states"):
        forced.save(tmp_path / "none", entries)
