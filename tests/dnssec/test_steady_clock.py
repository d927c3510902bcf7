"""A clock that jumps brings no step of a key early."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from lbdns.dnssec.signer.steady_clock import SteadyClock
from tests.dnssec.keys_desk import BEGIN_S, DAY_S, HOUR_S, Desk


class Machine:
    """The time of day and what has passed, as a test sets them."""

    def __init__(self) -> None:
        self.unix_s = BEGIN_S
        self.elapsed_s = 1000.0

    def clock(self) -> SteadyClock:
        return SteadyClock(lambda: self.unix_s, lambda: self.elapsed_s)

    def passes(self, seconds: float) -> None:
        self.unix_s += seconds
        self.elapsed_s += seconds


def test_what_passes_counts_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine()
    clock = machine.clock()
    machine.passes(100)
    assert clock() == BEGIN_S + 100
    machine.unix_s += 30  # kept right
    assert clock() == BEGIN_S + 100 and not caplog.records
    with caplog.at_level(logging.WARNING, "lbdns.dnssec"):
        machine.unix_s += 60 * DAY_S
        assert clock() == clock() == BEGIN_S + 100
    assert len(caplog.records) == 1 and "set forward by 5184030 s" in caplog.text
    machine.passes(50)
    assert clock() == BEGIN_S + 150
    machine.unix_s = BEGIN_S - HOUR_S
    assert clock() == BEGIN_S - HOUR_S
    machine.unix_s = BEGIN_S + 150
    assert clock() == BEGIN_S + 150


def test_a_roll_does_not_go_on_for_a_clock_that_is_set_forward(tmp_path: Path) -> None:
    """Who holds the DNSKEY RRset of before would find no key for what the new one signs."""
    desk = Desk(tmp_path / "dnssec", keys="split")
    desk.begin()
    first = desk.zone.zone_signers
    desk.ask("roll", role="zsk")
    machine = Machine()
    machine.unix_s = desk.now_s
    clock = machine.clock()
    machine.unix_s += 60 * DAY_S
    for _ in range(3):
        desk.now_s = clock()
        desk.take(desk.keeper.step(desk.now_s))
        assert desk.zone.zone_signers == first
    machine.passes(2 * DAY_S)
    for _ in range(3):
        desk.now_s = clock()
        desk.take(desk.keeper.step(desk.now_s))
    assert desk.zone.zone_signers != first
