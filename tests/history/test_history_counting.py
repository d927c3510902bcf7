"""Whose counts are whose, in the minute in which they came: properties against what is obviously so."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbdns.mapped.counter_words import DATAGRAMS, LOAD_BALANCERS_FIRST
from lbdns.snapshot.slots import Slots, _reassign  # the rule by which slots fall free and are used again
from lbdns.telemetry.history import history_journal
from lbdns.telemetry.history.counter_sums import CounterSums, decode_sums, encode_sums
from lbdns.telemetry.history.history_block import HistoryBlock, decode_block, encode_block, merged
from lbdns.telemetry.history.history_bounds import HistoryBounds, prune
from lbdns.telemetry.history.history_journal import HistoryJournal
from lbdns.telemetry.history.history_reader import HistoryReader
from lbdns.telemetry.history.history_store import HistoryStore
from lbdns.telemetry.history.history_words import DAY_S, MINUTE_S, QUARTER_S, HistoryKind
from lbdns.telemetry.history.history_worker import HistoryOptions, HistoryWorker
from lbdns.telemetry.history.minute_counts import MinuteCounts, in_proportion, spread
from lbdns.telemetry.history.slot_counts import SlotHolders
from tests.history.filled import LOAD_BALANCER, POOLS, fill, minute, sample
from tests.history.recorded import eventually, recorded

NAMES: Final = [f"lb{number}.example.com" for number in range(6)]
NOON_S: Final = 1_700_000_000 // DAY_S * DAY_S + DAY_S // 2


def assigned(before: Slots, names: list[str]) -> Slots:
    """Return the slots of a generation with some load balancers."""
    keys, known = [(name, "A") for name in names], before.load_balancer
    held, count, freed = _reassign(known, known, keys, (), before.load_balancer_count, before.load_balancer_freed)
    return replace(before, load_balancer=held, load_balancer_count=count, load_balancer_freed=freed)


def sums_of(words: list[int], at_s: float) -> CounterSums:
    """Return the sums of load balancers' slots."""
    fixed = np.zeros(LOAD_BALANCERS_FIRST - DATAGRAMS, np.uint64)
    none = np.zeros(0, np.uint64)
    return CounterSums(1, at_s, (fixed, fixed, np.array(words, np.uint64), none, none, none))


@given(st.integers(0, 1 << 32))
def test_counts_are_of_who_was_asked_for(seed: int) -> None:
    """Load balancers come, go and come back, responders are a generation behind for a while, the reader looks when it
    likes, and is another process now and then: each name has what was asked of it."""
    chance = random.Random(seed)
    slots = assigned(Slots(), NAMES[:3])
    generations = [slots]
    holders, last = SlotHolders(), sums_of([], 0.0)
    words: list[int] = [0] * 32
    asked: Counter[str] = Counter()
    found: Counter[str] = Counter()
    read = 0

    def look() -> None:
        nonlocal read, last
        for one in generations[read:]:
            holders.adopt(one)
        read = len(generations)
        sums = sums_of(words[: holders.counts[0]], 1.0).not_below(last)
        named, unnamed = holders.named(sums.since(last)[2:])
        assert unnamed == 0
        for kind, name, count in named:
            assert kind is HistoryKind.LOAD_BALANCERS
            found[name[0]] += count
        last = sums

    for _ in range(chance.randrange(1, 60)):
        step = chance.random()
        if step < 0.6:
            answering = generations[-1] if chance.random() < 0.7 or len(generations) < 2 else generations[-2]
            name, slot = chance.choice(list(answering.load_balancer.items()))
            words[slot] += 1
            asked[name[0]] += 1
        elif step < 0.75:
            names = chance.sample(NAMES, chance.randrange(1, len(NAMES)))
            generations.append(assigned(generations[-1], names))
            if len(generations) - read > 2:
                look()  # it is woken by each generation
        elif step < 0.9:
            look()
        else:
            look()
            kept = decode_sums(encode_sums(last))
            assert kept is not None
            holders, last = SlotHolders(), kept
            for one in generations[-2:]:
                holders.adopt(one)
    look()
    assert +found == +asked


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 5), st.integers(1, 1 << 40)), max_size=50))
def test_blocks_are_sums_by_key_and_come_back(rows: list[tuple[int, int, int]]) -> None:
    """Whatever is put together, in whatever parts."""
    wanted: Counter[tuple[int, int]] = Counter()
    parts = []
    for first, second, count in rows:
        wanted[first, second] += count
        parts.append(HistoryBlock(np.array([[first, second]], np.uint32), np.array([[count]], np.uint64)))
    if not parts:
        return
    for block in (merged(parts), decode_block(encode_block(merged(parts)))):
        found = dict(zip(map(tuple, block.keys.tolist()), block.values[:, 0].tolist(), strict=True))
        assert found == wanted
        assert block.keys.tolist() == sorted(block.keys.tolist())


@given(st.integers(0, 1 << 50), st.lists(st.floats(0, 1e6), max_size=20))
def test_shares_add_up(count: int, weights: list[float]) -> None:
    """To the exact count, each within one of its part."""
    shares = in_proportion(count, weights)
    assert sum(shares) == (count if sum(weights) else 0)
    for share, weight in zip(shares, weights, strict=True):
        assert share >= 0
        if sum(weights):
            assert abs(share - count * weight / sum(weights)) <= 1 + count * 1e-12


@given(st.integers(0, 1000), st.integers(1, 61))
def test_what_is_spread_adds_up(count: int, minutes: int) -> None:
    """Over as many minutes as there are."""
    whole = MinuteCounts(0)
    whole.add(HistoryKind.POOLS, ("eu",), count)
    parts = spread(whole, range(0, minutes * MINUTE_S, MINUTE_S))
    counts = [part.counts.get(HistoryKind.POOLS, {}).get(("eu",), [0])[0] for part in parts]
    assert sum(counts) == count
    assert max(counts) - min(counts) <= 1


def test_cells_add_up_to_the_exact_count() -> None:
    """Of each load balancer, also where no sample is of it, and of what none answered."""
    counts = minute(NOON_S, [sample(NOON_S, "eu", "DE"), sample(NOON_S, "us", "US"), sample(NOON_S, "")])
    counts.add(HistoryKind.LOAD_BALANCERS, ("quiet.example.com@office", "MX"), 9)
    counts.add(HistoryKind.SERVER, ("rcode", "NOERROR"), 9)
    cells = counts.scaled_cells()
    by_balancer: Counter[tuple[tuple[str, ...], ...]] = Counter()
    for key, (count, _) in cells.items():
        by_balancer[key[:3]] += count
    assert by_balancer == {
        ((LOAD_BALANCER,), ("A",), ()): 60,
        (("quiet.example.com",), ("MX",), ("office",)): 9,
        ((), (), ()): 40,
    }


def counted(state_dir: Path, since_s: int, until_s: int) -> dict[object, int]:
    """Return counts by pool."""
    rows = HistoryReader(state_dir).cells(since_s, until_s, ["pool"])
    return {row.dimensions["pool"]: row.count for row in rows}


@pytest.mark.slow
def test_roll_ups_have_what_minutes_had(tmp_path: Path) -> None:
    """A day of minutes, by the day, by quarter hours and by minutes."""
    midnight_s = NOON_S // DAY_S * DAY_S
    fill(tmp_path, midnight_s + DAY_S + 7 * MINUTE_S, minutes=24 * 60 + 7)
    reader = HistoryReader(tmp_path)
    assert set(reader.status()["steps"]) == {str(MINUTE_S), str(QUARTER_S), str(DAY_S)}
    assert counted(tmp_path, midnight_s, midnight_s + DAY_S) == {pool: count * 1440 for pool, count in POOLS.items()}
    far = reader.series("pools", midnight_s - 60 * DAY_S, midnight_s + DAY_S, points=90)
    assert sum(line.values[-1] or 0 for line in far.lines) == pytest.approx(1.0)


def test_a_time_of_day_that_is_set_back_loses_nothing(tmp_path: Path) -> None:
    """Minutes that come a second time are added up, in what is rolled up already too."""
    fill(tmp_path, NOON_S, minutes=60)
    store = HistoryStore(tmp_path)
    again_s = NOON_S - 60 * MINUTE_S
    for start_s in (again_s, again_s + MINUTE_S):
        current = minute(start_s)
        store.write(start_s, [current], {})
        store.write(start_s, [current], {})  # a minute is written many times while it lasts
        store.write(start_s + MINUTE_S, [current, MinuteCounts(start_s + MINUTE_S)], {})
    store.close()
    assert counted(tmp_path, again_s, NOON_S) == {pool: count * 62 for pool, count in POOLS.items()}
    quarter = HistoryReader(tmp_path).series("pools", again_s, again_s + QUARTER_S, points=1)
    assert {line.name: line.values[0] for line in quarter.lines} == pytest.approx(
        {pool: count * 17 / (17 * 60) for pool, count in POOLS.items()}
    )


@pytest.mark.slow
def test_bounds_hold(tmp_path: Path) -> None:
    """What is older than its days goes; of too much the finest and oldest goes, and the rest still counts."""
    end_s = NOON_S // DAY_S * DAY_S + 3 * DAY_S
    fill(tmp_path, end_s, minutes=3 * 24 * 60)
    store = HistoryStore(tmp_path)
    before = store.path.stat().st_size
    prune(store, HistoryBounds(32_000_000, 90), end_s)
    assert counted(tmp_path, end_s - 3 * DAY_S, end_s) == {pool: count * 4320 for pool, count in POOLS.items()}
    prune(store, HistoryBounds(4_900_000, 90), end_s)
    store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    assert store.path.stat().st_size < before / 2
    steps = HistoryReader(tmp_path).status()["steps"]
    assert steps["60"] > end_s - DAY_S
    assert steps["900"] < steps["60"]
    assert steps["86400"] == end_s - 3 * DAY_S
    assert counted(tmp_path, end_s - 3 * DAY_S, end_s) == {pool: count * 4320 for pool, count in POOLS.items()}
    prune(store, HistoryBounds(32_000_000, 1), end_s, is_steady=False)
    assert HistoryReader(tmp_path).status()["steps"]["86400"] == end_s - 3 * DAY_S
    prune(store, HistoryBounds(32_000_000, 1), end_s)
    assert min(HistoryReader(tmp_path).status()["steps"].values()) >= end_s - DAY_S
    assert HistoryReader(tmp_path).status()["samples"]["since"] > end_s - DAY_S
    store.close()


def test_the_number_of_rows_is_kept(tmp_path: Path) -> None:
    """Metrics ask for it often."""
    fill(tmp_path, NOON_S, minutes=40)
    store = HistoryStore(tmp_path)
    rows = store.connection.execute("SELECT sum(rows) FROM blocks").fetchone()[0]
    assert store.fact("rows") == rows == HistoryReader(tmp_path).status()["rows"]
    store.close()


def test_a_damaged_block_is_passed_over(tmp_path: Path) -> None:
    """It is no reason to lose the rest."""
    fill(tmp_path, NOON_S, minutes=3, roll_up=False)
    store = HistoryStore(tmp_path)
    with store.transaction() as connection:
        connection.execute(
            "UPDATE blocks SET data = ? WHERE kind = ? AND start_s = ?",
            (b"\x01\x01\x05\x00\x00\x00no block", HistoryKind.POOLS, NOON_S - MINUTE_S),
        )
    store.close()
    assert counted(tmp_path, NOON_S - 3 * MINUTE_S, NOON_S) == {pool: count * 2 for pool, count in POOLS.items()}


def test_the_time_of_day_is_set_while_it_counts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Back by half an hour, ahead by a day: each query counts once, under the time that it was then."""
    with recorded(tmp_path) as site:
        ahead_s = [0.0]
        worker = HistoryWorker(
            HistoryOptions(site.state_dir, HistoryBounds(100_000_000, 90), write_s=0.05),
            lambda: time.time() + ahead_s[-1],
        )
        began_s = time.time()
        thread = threading.Thread(target=worker.run)
        thread.start()
        try:
            sent = 0
            for step_s in (0.0, -1800.0, 86_400.0, 3.0):
                ahead_s.append(step_s)
                site.count("www.example.com", 5)
                sent += 5
                eventually(lambda sent=sent: _all(site.state_dir, began_s) == sent, "not all is counted")  # type: ignore[misc]
        finally:
            worker.stop()
            thread.join()
        tomorrow = HistoryReader(site.state_dir).cells(began_s + DAY_S - 3600, began_s + DAY_S + 3600)
        assert [row.count for row in tomorrow] == [5]
        assert "the time of day jumped by -1800 s" in caplog.text


def _all(state_dir: Path, began_s: float) -> int:
    rows = HistoryReader(state_dir).cells(began_s - 3600, began_s + 2 * DAY_S)
    return sum(row.count for row in rows)


def test_minutes_that_wait_for_long_are_one_and_none_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that takes nothing for long: what waits in memory is bounded, and all of it is written in the end."""
    monkeypatch.setattr(history_journal, "WAITING_ROWS_MAX", 50)
    journal = HistoryJournal(tmp_path, HistoryBounds(100_000_000, 90))

    def count(start_s: int) -> None:
        current = journal.minute(start_s)
        current.add_all(minute(start_s))
        journal.minute(start_s + MINUTE_S)

    count(NOON_S)
    assert journal.write(NOON_S + 60, b"")
    path = tmp_path / "history.db"
    kept = path.rename(tmp_path / "kept")
    path.mkdir()
    for number in range(1, 20):
        count(NOON_S + number * MINUTE_S)
        assert not journal.write(NOON_S + number * MINUTE_S + 60, b"")
    path.rmdir()
    kept.rename(path)
    assert journal.write(NOON_S + 20 * MINUTE_S, b"")
    journal.close()
    assert counted(tmp_path, NOON_S, NOON_S + 20 * MINUTE_S) == {pool: count * 20 for pool, count in POOLS.items()}
    assert HistoryReader(tmp_path).status()["lost"] == {}
