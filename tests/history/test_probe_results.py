"""What the history says of checks: what came since the last look, whoever has which row meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbdns.mapped.columns import REGION_COUNT
from lbdns.mapped.health_table import HealthTable
from lbdns.places.regions import REGION_CODES
from lbdns.snapshot.slots import Slots
from lbdns.telemetry.history.history_words import HistoryKind
from lbdns.telemetry.history.probe_results import RTT_MAX_US, ProbeResults

CAPACITY = 4
A, B, C = ("pool", "192.0.2.1"), ("pool", "192.0.2.2"), ("pool", "192.0.2.3")


@pytest.fixture
def table(tmp_path: Path) -> HealthTable:
    return HealthTable.create(tmp_path / "health.bin", CAPACITY, CAPACITY, 1)


def checked(table: HealthTable, slot: int, checks: int, passed: int, rtt_us: int = 100) -> None:
    table.columns["endpoint_checks"][slot] = checks
    table.columns["endpoint_passed"][slot] = passed
    table.columns["endpoint_rtt_us"][slot] = rtt_us


def checks_of(results: ProbeResults) -> dict[tuple[str, ...], tuple[int, ...]]:
    return {name: numbers for kind, name, numbers in results.look() if kind is HistoryKind.CHECKS}


def test_what_a_row_had_before_the_first_look_is_not_counted(table: HealthTable) -> None:
    results = ProbeResults()
    results.adopt(Slots(endpoint={A: 0, B: 2}), table)
    checked(table, 0, 7, 5)
    assert checks_of(results) == {}
    checked(table, 0, 10, 7, 250)
    assert checks_of(results) == {A: (3, 2, 500, 2)}
    assert checks_of(results) == {}


def test_a_row_that_has_fewer_than_before_has_begun_anew(table: HealthTable) -> None:
    results = ProbeResults()
    results.adopt(Slots(endpoint={A: 0}), table)
    checked(table, 0, 7, 5)
    checks_of(results)
    checked(table, 0, 2, 1)
    assert checks_of(results) == {A: (2, 1, 100, 1)}


def test_passed_is_never_more_than_checks_nor_less_than_none(table: HealthTable) -> None:
    results = ProbeResults()
    results.adopt(Slots(endpoint={A: 0, B: 1}), table)
    checked(table, 0, 7, 5)
    checked(table, 1, 7, 5)
    checks_of(results)
    checked(table, 0, 8, 9)
    checked(table, 1, 8, 2)
    assert checks_of(results) == {A: (1, 1, 100, 1), B: (1, 0, 0, 0)}


def test_an_rtt_that_is_no_rtt_is_bounded(table: HealthTable) -> None:
    results = ProbeResults()
    results.adopt(Slots(endpoint={A: 0}), table)
    checks_of(results)
    checked(table, 0, 1, 1, 2**32 - 1)
    assert checks_of(results) == {A: (1, 1, RTT_MAX_US, 1)}


def test_counts_go_with_their_endpoint_to_other_rows_and_those_that_come_begin_unseen(table: HealthTable) -> None:
    results = ProbeResults()
    results.adopt(Slots(endpoint={A: 0, B: 1}), table)
    checked(table, 0, 5, 5)
    checked(table, 1, 20, 10)
    checks_of(results)
    results.adopt(Slots(endpoint={B: 3, C: 0}), table)
    checked(table, 3, 21, 11)
    checked(table, 0, 6, 6)
    assert checks_of(results) == {B: (1, 1, 100, 1)}
    checked(table, 0, 8, 7)
    assert checks_of(results) == {C: (2, 1, 100, 1)}


def test_who_has_no_row_in_the_table_is_passed_over(table: HealthTable) -> None:
    results = ProbeResults()
    results.adopt(Slots(endpoint={A: CAPACITY}, pool={"far": CAPACITY}), table)
    assert [*results.look()] == []


def test_rtts_that_steer_are_told_by_pool_and_region(table: HealthTable) -> None:
    results = ProbeResults()
    results.adopt(Slots(pool={"east": 1, "west": 3}), table)
    table.columns["pool_rtt"][1 * REGION_COUNT + 2] = 12.5
    table.columns["pool_rtt"][3 * REGION_COUNT] = 1e9
    table.columns["pool_rtt"][2 * REGION_COUNT] = 5.0  # nobody's
    assert [*results.look()] == [
        (HistoryKind.ROUND_TRIPS, ("east", REGION_CODES[2]), (12_500, 1)),
        (HistoryKind.ROUND_TRIPS, ("west", REGION_CODES[0]), (RTT_MAX_US, 1)),
    ]
