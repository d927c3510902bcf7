"""When primaries are asked, and when a zone expires: time passes as the test says."""

from __future__ import annotations

import pytest

from lbdns.transfer.inward.zone_timers import (
    EXPIRE_MAX_S,
    FIRST_RETRY_MAX_S,
    FIRST_RETRY_S,
    NOTIFY_PAUSE_S,
    REFRESH_MAX_S,
    REFRESH_MIN_S,
    RETRY_MIN_S,
    SoaTimes,
    ZoneTimers,
)
from tests.transfer.transfer_records import soa_data

TIMES = SoaTimes.of(soa_data(1, 3600, 600, 86_400))


def test_an_soa_says_the_times_and_is_bounded() -> None:
    assert SoaTimes(3600, 600, 86_400) == TIMES
    least = SoaTimes.of(soa_data(1, 0, 0, 0))
    assert least == (REFRESH_MIN_S, RETRY_MIN_S, REFRESH_MIN_S + RETRY_MIN_S)
    most = SoaTimes.of(soa_data(1, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF))
    assert most.refresh_s == REFRESH_MAX_S and most.expire_s == EXPIRE_MAX_S


def test_refresh_then_retry_then_expiry_then_back() -> None:
    timers = ZoneTimers(1000.0)
    assert timers.wakes_s(1000.0) == 1000.0 and timers.expires_s is None
    timers.succeeded(1000.0, TIMES, draw=0.0)
    assert timers.wakes_s(1000.0) == 4600.0 and timers.expires_s == 87_400.0
    now_s = 4600.0
    while not timers.is_expired(now_s):
        timers.failed(now_s, draw=0.0)
        step_s = timers.wakes_s(now_s) - now_s
        assert 0 < step_s <= 600.0
        now_s += step_s
    assert now_s == 87_400.0
    timers.failed(now_s, draw=0.0)
    assert timers.wakes_s(now_s) > now_s  # expired already: no reason to wake for that
    timers.succeeded(now_s + 5, TIMES, draw=1.0)
    assert not timers.is_expired(now_s + 5) and timers.next_s == pytest.approx(now_s + 5 + 3240.0)


def test_without_a_copy_tries_come_ever_less_often() -> None:
    timers = ZoneTimers(0.0)
    waits, now_s = [], 0.0
    for _ in range(12):
        timers.failed(now_s, draw=0.0)
        waits.append(timers.next_s - now_s)
        now_s = timers.next_s
    assert waits[:3] == [FIRST_RETRY_S, 2 * FIRST_RETRY_S, 4 * FIRST_RETRY_S] and waits[-1] == FIRST_RETRY_MAX_S


def test_a_notify_has_primaries_asked_at_once_and_many_ask_no_more_often() -> None:
    timers = ZoneTimers(0.0)
    timers.begun(10.0)
    timers.succeeded(10.0, TIMES, draw=0.0)
    timers.ask_soon(100.0)
    assert timers.next_s == 100.0
    timers.begun(100.0)
    timers.succeeded(100.0, TIMES, draw=0.0)
    for _ in range(1000):
        timers.ask_soon(100.0)
    assert timers.next_s == 100.0 + NOTIFY_PAUSE_S


def test_a_copy_keeps_its_age_over_a_start() -> None:
    timers = ZoneTimers(100_000.0)
    timers.hold(TIMES, 100_000.0 - 90_000.0)
    assert timers.is_expired(100_000.0)
    timers.hold(TIMES, 100_000.0 - 80_000.0)
    assert not timers.is_expired(100_000.0) and timers.is_expired(106_400.0)
