"""Cells by whole lists: each answer counts once, under the list of its endpoints in their order."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from lbdns.telemetry.history.history_reader import HistoryReader
from lbdns.telemetry.history.history_store import HistoryStore
from lbdns.telemetry.history.minute_counts import MinuteCounts
from lbdns.telemetry.samples import TrafficSample
from tests.history import filled

START_S = 1_800_000_000


def sample(number: int, *endpoints: str, rules: tuple[str, ...] = ()) -> TrafficSample:
    made = filled.sample(START_S + number, number=number)
    assert made.decision is not None
    keys = tuple(("eu", name, filled.ENDPOINT_ADDRESS) for name in endpoints)
    decision = replace(made.decision, endpoints=keys, endpoint_count=len(keys), rules=rules, rule_count=len(rules))
    return replace(made, decision=decision)


def test_answers_are_counted_by_the_lists_of_their_endpoints_and_rules(tmp_path: Path) -> None:
    samples = [sample(1, "eu2", "eu1"), sample(2, "eu1", "eu2", rules=("night", "beta")), sample(3, "eu2", "eu1")]
    samples.append(sample(4))
    with closing(HistoryStore(tmp_path)) as store:
        store.write(START_S + 60, [filled.minute(START_S, samples), MinuteCounts(START_S + 60)], {})
    reader = HistoryReader(tmp_path)

    def counts(by: str) -> dict[object, int]:
        rows = reader.cells(START_S, START_S + 60, ("load_balancer", by))
        return {row.dimensions[by]: row.count for row in rows if row.dimensions["load_balancer"]}

    total = sum(filled.POOLS.values())
    assert counts("endpoints") == {("eu2", "eu1"): total // 2, ("eu1", "eu2"): total // 4, (): total // 4}
    assert counts("endpoint") == {"eu1": total * 3 // 4, "eu2": total * 3 // 4, "": total // 4}
    assert counts("rules") == {(): total * 3 // 4, ("night", "beta"): total // 4}
