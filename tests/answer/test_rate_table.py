"""Response rate limiting by itself: what is whole, truncated, not sent, held to a plain count, in both forms."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from contextlib import ExitStack
from random import Random
from types import ModuleType
from typing import Any

import pytest

from lbdns.answer import rate_table
from lbdns.mapped.rate_room import fresh_rates
from lbdns.mapped.rate_words import (
    CLASS_ANSWER,
    CLASS_ERROR,
    CLASS_NODATA,
    CLASS_NXDOMAIN,
    CLASS_REFERRAL,
    LIMIT_BURST_US,
    LIMIT_COST_US,
    NO_ZONE,
    RATE_BEYOND_SHARE,
    RATE_CLASSES,
    RATE_DEBT_US,
    RATE_DROPPED,
    RATE_TRUNCATED,
    RATE_WITHIN,
)
from lbdns.snapshot.lookup.name_rows import (
    KIND_CNAME,
    KIND_DNAME,
    KIND_HIT,
    KIND_NODATA,
    KIND_NXDOMAIN,
    KIND_OUT_OF_ZONE,
    KIND_REFERRAL,
    KIND_STEERED,
    KIND_UNREADY,
    NO_KIND,
)
from tests.interpreted import standing_in

NET = 0xC0000200 << 32  # 192.0.2.0
NEXT_NET = 0xC0000300 << 32
S = 1_000_000
BEGIN_US = 5_000 * S
PER_SECOND, INSTANT = 50, 125


def limit(per_second: int = PER_SECOND, instant: int = INSTANT, slip: int = 1) -> memoryview:
    """Return the column of limits."""
    cost = S // per_second
    return memoryview(array("Q", [cost, (instant - 1) * cost, slip, 1]))


class Limiter:
    """One table, asked at times of its own."""

    def __init__(self, kernel: Any, limits: memoryview | None = None) -> None:
        self._kernel = kernel
        self._limits = limits if limits is not None else limit()
        self.table = kernel.RateTable(fresh_rates())

    def charge(
        self,
        now_us: int,
        high: int = NET,
        zone: int = 0,
        answer_class: int = CLASS_ANSWER,
        version: int = 4,
        draw: int = 1,
    ) -> int:
        """Count a reply."""
        said: int = self._kernel.charge(self.table, self._limits, version, high, zone, answer_class, now_us, draw)
        return said

    def whole_of(self, count: int, start_us: int, every_us: int, **kind: Any) -> int:
        """Return how many of so many replies, one each `every_us`, are whole."""
        return sum(self.charge(start_us + turn * every_us, **kind) == RATE_WITHIN for turn in range(count))


@pytest.fixture(params=["interpreted", "installed"])
def kernel(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    """Both forms of the module."""
    if request.param == "installed":
        yield rate_table
        return
    with ExitStack() as stack:
        stack.enter_context(standing_in("steering.kernel.hashing"))
        yield stack.enter_context(standing_in("answer.rate_table"))


def test_so_many_at_once_and_then_so_many_a_second(kernel: Any) -> None:
    limiter = Limiter(kernel)
    assert limiter.whole_of(INSTANT, BEGIN_US, 0) == INSTANT
    assert limiter.charge(BEGIN_US) == RATE_TRUNCATED
    later = BEGIN_US + 10 * S
    assert limiter.whole_of(10 * PER_SECOND, later, S // PER_SECOND) == 10 * PER_SECOND


def test_a_network_that_asks_a_little_more_has_its_share(kernel: Any) -> None:
    """60 a second where 50 are given: about 50 of them are whole."""
    limiter = Limiter(kernel)
    limiter.whole_of(1000, BEGIN_US, S // 60)
    whole = limiter.whole_of(60 * 60, BEGIN_US + 1000 * S // 60, S // 60)
    assert 48 * 60 <= whole <= 51 * 60


def test_a_flood_gets_nothing_whole_and_is_forgiven_soon(kernel: Any) -> None:
    limiter = Limiter(kernel)
    every_us = 5 * 10  # 20,000 a second
    assert limiter.whole_of(4_000, BEGIN_US, every_us) <= INSTANT + 1
    flooded = BEGIN_US + 4_000 * every_us
    assert limiter.whole_of(20_000, flooded, every_us) == 0
    over = flooded + 20_000 * every_us
    assert limiter.charge(over + RATE_DEBT_US - 50_000) != RATE_WITHIN
    assert limiter.charge(over + RATE_DEBT_US + 50_000) == RATE_WITHIN


@pytest.mark.parametrize(
    "other",
    [
        {"high": NEXT_NET},
        {"high": NET, "version": 6},
        {"zone": 1},
        {"answer_class": CLASS_NXDOMAIN},
        {"answer_class": CLASS_ERROR},
    ],
)
def test_others_have_a_limit_of_their_own(kernel: Any, other: dict[str, Any]) -> None:
    limiter = Limiter(kernel)
    limiter.whole_of(1_000, BEGIN_US, 0)
    assert limiter.charge(BEGIN_US) == RATE_TRUNCATED
    assert limiter.whole_of(INSTANT, BEGIN_US, 0, **other) == INSTANT


@pytest.mark.parametrize(
    ("version", "one", "other", "is_same"),
    [
        (4, 0xC0000201 << 32, 0xC00002FE << 32, True),
        (4, 0xC0000201 << 32, 0xC0000301 << 32, False),
        (6, 0x20010DB8_00000000, 0x20010DB8_000000FF, True),
        (6, 0x20010DB8_00000000, 0x20010DB8_00000100, False),
    ],
)
def test_networks_are_24_bits_or_56(kernel: Any, version: int, one: int, other: int, is_same: bool) -> None:
    limiter = Limiter(kernel)
    limiter.whole_of(1_000, BEGIN_US, 0, high=one, version=version)
    assert (limiter.charge(BEGIN_US, high=other, version=version) == RATE_TRUNCATED) is is_same


def test_errors_are_of_no_zone(kernel: Any) -> None:
    """Nobody has more of them for the number of zones that he asks for."""
    limiter = Limiter(kernel)
    limiter.whole_of(1_000, BEGIN_US, 0, answer_class=CLASS_ERROR, zone=3)
    assert limiter.charge(BEGIN_US, answer_class=CLASS_ERROR, zone=4) == RATE_TRUNCATED


@pytest.mark.parametrize(("slip", "share"), [(0, 0.0), (1, 1.0), (2, 0.5), (5, 0.2)])
def test_slip_says_which_are_truncated(kernel: Any, slip: int, share: float) -> None:
    limiter = Limiter(kernel, limit(slip=slip))
    limiter.whole_of(1_000, BEGIN_US, 0)
    chance = Random(slip)
    said = [limiter.charge(BEGIN_US, draw=chance.getrandbits(64)) for _ in range(4_000)]
    assert said.count(RATE_TRUNCATED) + said.count(RATE_DROPPED) == len(said)
    assert abs(said.count(RATE_TRUNCATED) / len(said) - share) < 0.04


def test_a_flood_of_forged_networks_limits_nobody_and_forgets_no_flood(kernel: Any) -> None:
    """The table has one size: what is forgotten is what owes least."""
    limiter = Limiter(kernel)
    chance = Random(7)
    before = len(limiter.table.words)
    limiter.whole_of(3_000, BEGIN_US, 0)
    limited = 0
    count = 300_000 if kernel is rate_table else 30_000
    for turn in range(count):
        limited += limiter.charge(BEGIN_US + turn, high=chance.getrandbits(32) << 32) != RATE_WITHIN
        if turn % 50 == 0:
            assert limiter.charge(BEGIN_US + turn) != RATE_WITHIN, "the flood has not ended, and is not forgotten"
    assert limited <= 2  # two networks of one tag in one set
    assert len(limiter.table.words) == before


def test_against_a_plain_count(kernel: Any) -> None:
    """Few networks, so that none gives way: the table says what one number for each would."""
    chance = Random(13)
    for _ in range(20):
        per_second, instant = chance.choice((1, 7, 50, 3_000)), chance.choice((1, 2, 125))
        limits = limit(per_second, instant)
        limiter = Limiter(kernel, limits)
        paid: dict[tuple[int, int, int], int] = {}
        now_us = BEGIN_US
        for _ in range(400):
            now_us += chance.choice((0, 0, 100, S // per_second, 3 * S))
            key = chance.choice((NET, NEXT_NET)), chance.randrange(2), chance.randrange(RATE_CLASSES)
            cost, burst = limits[LIMIT_COST_US], limits[LIMIT_BURST_US]
            zone = NO_ZONE if key[2] == CLASS_ERROR else key[1]
            owed = max(paid.get((key[0], zone, key[2]), 0) - now_us, 0)
            is_beyond = owed > burst
            owed = min(owed + (max(cost // RATE_BEYOND_SHARE, 1) if is_beyond else cost), burst + RATE_DEBT_US)
            paid[key[0], zone, key[2]] = now_us + owed
            said = limiter.charge(now_us, high=key[0], zone=key[1], answer_class=key[2])
            assert (said != RATE_WITHIN) is is_beyond


def test_a_clock_that_has_run_for_years(kernel: Any) -> None:
    """What was counted long ago is paid, also where the time's bits begin anew."""
    limiter = Limiter(kernel)
    for now_us in (0, 10 * S, (1 << 48) - 5 * S, (1 << 48) + 5 * S, (1 << 48) + 15 * S, 1 << 52):
        assert limiter.whole_of(3 * INSTANT, now_us, 0) == INSTANT


@pytest.mark.parametrize(
    ("kind", "is_none", "answer_class"),
    [
        (KIND_HIT, False, CLASS_ANSWER),
        (KIND_CNAME, False, CLASS_ANSWER),
        (KIND_DNAME, False, CLASS_ANSWER),
        (KIND_STEERED, False, CLASS_ANSWER),
        (KIND_STEERED, True, CLASS_NODATA),
        (KIND_NODATA, False, CLASS_NODATA),
        (KIND_NXDOMAIN, False, CLASS_NXDOMAIN),
        (KIND_REFERRAL, False, CLASS_REFERRAL),
        (KIND_OUT_OF_ZONE, False, CLASS_ERROR),
        (KIND_UNREADY, False, CLASS_ERROR),
        (NO_KIND, False, CLASS_ERROR),
    ],
)
def test_classes(kernel: Any, kind: int, is_none: bool, answer_class: int) -> None:
    assert kernel.class_of(kind, is_none) == answer_class
