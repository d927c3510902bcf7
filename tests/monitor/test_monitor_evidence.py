"""The evidence that a record keeps: results in a row that tipped a state, bounded, and nothing while all is well."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lbdns.health.events import PROBES_MAX, HealthChange
from lbdns.health.forced import Forced
from lbdns.health.reasons import Reason
from lbdns.health.verdict import COUNTS, CRITICAL, HEALTHY, UNHEALTHY
from lbdns.mapped.health_table import HealthTable
from lbdns.model.targets_document import Vantage
from lbdns.monitor.ledger.ledger import Ledger
from lbdns.monitor.ledger.states import RUN_MAX
from lbdns.monitor.probes.result import Result
from tests.monitor.documents import document, endpoint, parse_targets, pool

PASS = Result(True, Reason.NO_FAILURES, 200, 1000)
FAIL = Result(False, Reason.TCP_FAILED, 0, 500)


class Setup:
    """A ledger with one endpoint, watched from `vantages`, whose clock the test moves."""

    def __init__(self, path: Path, consecutive_down: int, *vantages: str) -> None:
        web = {"type": "http", "interval": 5, "timeout": 1, "consecutive_down": consecutive_down}
        targets = parse_targets(document(path, pool("p", endpoint("e", "192.0.2.1")), monitors={"web": web}))
        self.now_s = 100.0
        self.changes: list[HealthChange] = []
        self.listener: Callable[[HealthChange], None] = self.changes.append
        table = HealthTable.create(path / "t", 4, 4, 1)
        self.ledger = Ledger(table, lambda: self.now_s, lambda change: self.listener(change))
        self.ledger.adopt(targets.pools, targets.balancers, self.ledger.table)
        one = self.ledger.pools["p"].endpoints[0]
        (member,) = targets.pools[0].members
        self.series = [self.ledger.begin_series(one, member, "192.0.2.1", Vantage(name, "WEU")) for name in vantages]

    def take(self, result: Result, which: int = 0) -> None:
        self.now_s += 1
        self.series[which].take(result)


def test_the_results_in_a_row_that_decided(tmp_path: Path) -> None:
    setup = Setup(tmp_path, 3, "ams")
    for result in (PASS, PASS, FAIL, PASS, FAIL, FAIL, FAIL):
        setup.take(result)
    assert setup.series[0].state == UNHEALTHY
    flip = setup.changes[-1]
    assert [(seen.at_s, seen.vantage, seen.healthy, seen.rtt_us) for seen in flip.probes] == [
        (105.0, "ams", False, 500),
        (106.0, "ams", False, 500),
        (107.0, "ams", False, 500),
    ]
    setup.take(FAIL)
    assert setup.series[0].run == ()


def test_what_is_kept_is_bounded(tmp_path: Path) -> None:
    setup = Setup(tmp_path, 100, *(f"v{number:02}" for number in range(30)))
    for number in range(30):
        setup.take(PASS, number)
    for _ in range(60):
        setup.take(FAIL)
    assert setup.series[0].state == HEALTHY and len(setup.series[0].run) == RUN_MAX
    # Three speak for a region; the evidence names no more probes than a record may hold.
    for number in (0, 1):
        for _ in range(100):
            setup.take(FAIL, number)
    assert setup.changes[-1].after == "unhealthy" and len(setup.changes[-1].probes) == PROBES_MAX


def test_each_members_last_word_is_kept_before_any_other(tmp_path: Path) -> None:
    names = [f"m{number:02}" for number in range(PROBES_MAX)]
    monitors = {name: {"type": "http", "interval": 5, "timeout": 1} for name in names}
    group = {"app": {"members": [{"monitor": name, "must_be_healthy": name == "m19"} for name in names]}}
    one = pool("p", endpoint("e", "192.0.2.1"), monitor=None, monitor_group="app")
    targets = parse_targets(document(tmp_path, one, monitors=monitors, monitor_groups=group))
    now_s, changes = [100.0], list[HealthChange]()
    ledger = Ledger(HealthTable.create(tmp_path / "t", 4, 4, 1), lambda: now_s[0], changes.append)
    ledger.adopt(targets.pools, targets.balancers, ledger.table)
    watched = ledger.pools["p"].endpoints[0]
    series = [
        ledger.begin_series(watched, member, "192.0.2.1", Vantage(place, "WEU"))
        for member in targets.pools[0].members
        for place in ("ams", "lhr")
    ]
    for result in (PASS, FAIL):
        for each in series:
            now_s[0] += 1
            each.take(result)
    flip = [change for change in changes if change.kind == "endpoint"][-1]
    assert flip.after == "unhealthy" and len(flip.probes) == PROBES_MAX
    assert [seen.at_s for seen in flip.probes] == sorted(seen.at_s for seen in flip.probes)
    assert {seen.monitor for seen in flip.probes} == set(names)


def test_answers_follow_before_anybody_is_told(tmp_path: Path) -> None:
    setup = Setup(tmp_path, 1, "ams")
    columns, told = setup.ledger.table.columns, []

    def report(change: HealthChange) -> None:
        told.append((change.kind, columns["endpoint_state"][0], columns["pool_state"][0]))

    setup.listener = report
    setup.take(PASS)
    setup.take(FAIL)
    setup.ledger.force((Forced("p/e", "up", 0.0),))
    up, down, forced = (HEALTHY, HEALTHY), (UNHEALTHY, CRITICAL), HEALTHY | COUNTS
    assert told == [
        ("pool", *up),
        ("endpoint", *up),
        ("pool", *down),
        ("endpoint", *down),
        ("endpoint", forced, CRITICAL),
        ("pool", forced, HEALTHY),
    ]
