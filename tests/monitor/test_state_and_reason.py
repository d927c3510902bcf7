"""A state and its reason belong together: what is shown of an endpoint is why it is as it is, at one moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lbdns.health.forced import Forced
from lbdns.health.reasons import Reason
from lbdns.health.verdict import HEALTHY, STATE_MASK, TAKES_TRAFFIC, UNHEALTHY
from lbdns.mapped import endpoint_rows
from lbdns.mapped.endpoint_rows import EndpointRow, RowWrite, read_endpoint
from lbdns.mapped.health_table import HealthTable
from lbdns.model.targets_document import Vantage
from lbdns.monitor.ledger.ledger import Ledger
from lbdns.monitor.ledger.states import Series
from lbdns.monitor.probes.result import Result
from tests.monitor.documents import document, endpoint, parse_targets, pool

PASS = Result(True, Reason.NO_FAILURES, 200, 1000)
FAIL = Result(False, Reason.CODE_MISMATCH, 503, 500)
SILENT = Result(False, Reason.HTTP_TIMEOUT, 0, 500)


class Scene:
    """A ledger with one endpoint, whose series are one a vantage point; time passes by hand."""

    def __init__(self, path: Path, *regions: str, **monitor: Any) -> None:
        web = {"type": "http", "interval": 5, "timeout": 1, "retries": 0, **monitor}
        targets = parse_targets(document(path, pool("p", endpoint("e", "192.0.2.1")), monitors={"web": web}))
        self.now_s = 100.0
        self.path = path / "t"
        self.table = HealthTable.create(self.path, 4, 4, 1)
        self.changes: list[Any] = []
        self.ledger = Ledger(self.table, lambda: self.now_s, self.changes.append)
        self.ledger.adopt(targets.pools, targets.balancers, self.table)
        self.endpoint = self.ledger.pools["p"].endpoints[0]
        (self.member,) = targets.pools[0].members
        self.series = [self.series_at(str(number), region) for number, region in enumerate(regions)]

    def series_at(self, name: str, region: str, address: str = "192.0.2.1") -> Series:
        return self.ledger.begin_series(self.endpoint, self.member, address, Vantage(name, region))

    def take(self, which: int, *results: Result) -> None:
        for result in results:
            self.now_s += 1
            self.series[which].take(result)

    def shown(self) -> tuple[int, int, int]:
        row = read_endpoint(self.table.columns, 0)
        return row.state, row.reason, row.code


UP = (HEALTHY, Reason.NO_FAILURES, 200)
DOWN = (UNHEALTHY, Reason.CODE_MISMATCH, 503)


def test_thresholds_let_a_state_stand_with_its_reason(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "WEU", consecutive_down=3, consecutive_up=2)
    scene.take(0, PASS, FAIL, SILENT)
    assert scene.shown() == UP
    scene.take(0, FAIL)
    assert scene.shown() == DOWN
    scene.take(0, PASS)
    assert scene.shown() == DOWN
    scene.take(0, SILENT)
    assert scene.shown() == (UNHEALTHY, Reason.HTTP_TIMEOUT, 0)
    scene.take(0, PASS, PASS)
    assert scene.shown() == UP
    row = read_endpoint(scene.table.columns, 0)
    assert (row.checks, row.passed, row.streak) == (8, 4, 2)


def test_a_minority_that_fails_is_not_the_reason_of_a_healthy_endpoint(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "WEU", "ENAM", "OC")
    for which in range(3):
        scene.take(which, PASS)
    scene.take(0, FAIL)
    assert scene.shown() == UP
    scene.take(1, SILENT)
    assert scene.shown() == (UNHEALTHY, Reason.HTTP_TIMEOUT, 0)
    scene.take(2, PASS)
    assert scene.shown() == (UNHEALTHY, Reason.HTTP_TIMEOUT, 0)
    scene.take(0, PASS)
    assert scene.shown() == UP


def test_who_is_left_tells_the_reason_when_a_series_ends(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.series = [scene.series_at("local", "", f"192.0.2.{last}") for last in (1, 2)]
    scene.take(0, PASS)
    scene.take(1, FAIL)
    assert scene.shown() == UP  # one address of a name is enough
    scene.ledger.end_series(scene.endpoint, scene.series[0])
    assert scene.shown() == DOWN
    (change,) = [change for change in scene.changes[-2:] if change.kind == "endpoint"]
    assert (change.after, change.reason, change.code) == ("unhealthy", "Response code mismatch error", 503)


def test_an_event_names_the_result_that_speaks_for_the_new_state(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "WEU", "ENAM", consecutive_down=2)
    scene.take(0, PASS)
    scene.take(1, FAIL, FAIL)
    assert scene.shown()[0] == UNHEALTHY
    scene.now_s += 100  # the second vantage point has been silent for too long
    scene.take(0, FAIL)
    healthy = [change for change in scene.changes if (change.kind, change.after) == ("endpoint", "healthy")]
    assert scene.shown() == UP and all(change.reason == "" for change in healthy)


def test_a_new_worker_that_knows_no_result_yet_leaves_no_failure_beside_healthy(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "WEU", "ENAM", consecutive_down=5)
    scene.take(0, PASS)
    scene.take(1, PASS)
    columns = scene.table.columns
    columns["endpoint_reason"][0], columns["endpoint_code"][0] = FAIL.reason, FAIL.code  # a former release's
    scene.series[0].shown = scene.series[1].shown = None
    scene.take(0, FAIL)
    assert scene.shown() == (HEALTHY, Reason.NO_FAILURES, 0)


def reading(scene: Scene, change: Callable[[int], None], rounds: int) -> set[tuple[int, int, int, bool]]:
    """Read the row all the time, by a mapping of its own, while it changes `rounds` times."""
    done = threading.Event()
    seen: set[tuple[int, int, int, bool]] = set()

    def read() -> None:
        table = HealthTable.attach(scene.path)
        while not done.is_set():
            row = read_endpoint(table.columns, 0)
            seen.add((row.state, row.reason, row.code, row.passed <= row.checks))
        table.close()

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(rounds):
        change(number)
    done.set()
    reader.join()
    return seen


def test_readers_see_whole_rows_while_an_endpoint_flips(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "WEU")
    scene.take(0, PASS)
    seen = reading(scene, lambda number: scene.take(0, (FAIL, PASS)[number % 2]), 3000)
    assert seen <= {(*UP, True), (*DOWN, True)} and seen


class Slow(dict[str, Any]):
    """Columns in which something happens between the reads of two of them."""

    def __init__(self, columns: Any, between: Callable[[str], None]) -> None:
        super().__init__(columns)
        self._between = between

    def __getitem__(self, name: str) -> Any:
        self._between(name)
        return super().__getitem__(name)


def test_a_flip_between_two_columns_makes_a_reader_look_again(tmp_path: Path) -> None:
    for name in EndpointRow._fields:
        scene = Scene(tmp_path, "WEU")
        scene.take(0, PASS)
        flips = [FAIL]

        def between(
            column: str, at: str = f"endpoint_{name}", scene: Scene = scene, flips: list[Result] = flips
        ) -> None:
            if column == at and flips:
                scene.take(0, flips.pop())

        row = read_endpoint(Slow(scene.table.columns, between), 0)
        assert (row.state, row.measured, row.reason, row.code, row.streak) == (*DOWN[:1], *DOWN, -1), name


def test_a_writer_killed_midway_hangs_no_reader_and_the_next_goes_on(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "WEU")
    version = scene.table.columns["endpoint_version"]
    RowWrite(version, 0).__enter__()
    assert version[0] & 1
    assert read_endpoint(scene.table.columns, 0).state == 0
    assert endpoint_rows.PAUSES * endpoint_rows.PAUSE_S < 0.1
    scene.take(0, FAIL)
    assert not version[0] & 1 and scene.shown() == DOWN


def test_an_order_over_it_and_its_end_are_whole_too(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "WEU")
    scene.take(0, FAIL)
    order = Forced("p/e", "up", 0.0, None, "")
    seen = reading(scene, lambda number: scene.ledger.force(() if number % 2 else (order,)), 2000)
    assert all(reason == Reason.CODE_MISMATCH for _, reason, _, _ in seen)
    scene.ledger.force(())
    row = read_endpoint(scene.table.columns, 0)
    assert (row.state, row.measured & STATE_MASK) == (UNHEALTHY, UNHEALTHY)


class PoolWatch:
    """The column of endpoints' bytes; at each write, a pool that takes traffic must have an endpoint that is up."""

    def __init__(self, scene: Scene) -> None:
        self.column, self.pools = scene.table.columns["endpoint_state"], scene.table.columns["pool_state"]
        self.pool = scene.endpoint.pool
        self.writes = 0

    def __getitem__(self, slot: int) -> int:
        return int(self.column[slot])

    def __setitem__(self, slot: int, byte: int) -> None:
        self.column[slot] = byte
        self.writes += 1
        up = [one for one in self.pool.endpoints if self.column[one.spec.slot] & STATE_MASK == HEALTHY]
        assert up or not self.pools[self.pool.spec.slot] & TAKES_TRAFFIC


def test_no_moment_has_a_pool_that_takes_traffic_and_nobody_to_answer(tmp_path: Path) -> None:
    """Whoever asked in that moment got an empty answer, which resolvers keep; the monitor worker may be held up or
    killed in it."""
    scene = Scene(tmp_path, "WEU")
    rows = scene.ledger._rows
    rows.endpoint_state = watch = PoolWatch(scene)  # type: ignore[assignment]
    slot = scene.endpoint.pool.spec.slot
    scene.take(0, PASS)
    assert watch.pools[slot] & TAKES_TRAFFIC
    scene.take(0, FAIL, FAIL, FAIL)
    assert not watch.pools[slot] & TAKES_TRAFFIC
    scene.take(0, PASS, PASS, PASS)
    scene.ledger.force((Forced("p/e", "down", 0.0),))
    assert not watch.pools[slot] & TAKES_TRAFFIC
    scene.ledger.force(())
    assert watch.pools[slot] & TAKES_TRAFFIC
    assert watch.writes > 4


def test_a_pool_that_no_monitor_looks_after_any_more_is_told_as_status_words_it(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "")
    scene.take(0, FAIL)
    told = [(one.before, one.after) for one in scene.changes if one.kind == "pool"]
    assert told == [("unknown", "critical")]
    alone = pool("p", endpoint("e", "192.0.2.1"), monitor=None)
    targets = parse_targets(document(tmp_path, alone))
    scene.ledger.adopt(targets.pools, targets.balancers, scene.table)
    told = [(one.before, one.after) for one in scene.changes if one.kind == "pool"]
    assert told[1:] == [("critical", "no monitor")]


def test_a_pool_that_no_monitor_ever_looked_after_is_no_event(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "")
    seen = len(scene.changes)
    before = pool("p", endpoint("e", "192.0.2.1")), pool("q", endpoint("f", "192.0.2.2"), monitor=None)
    for pools in before, before[::-1]:
        targets = parse_targets(document(tmp_path, *pools))
        scene.ledger.adopt(targets.pools, targets.balancers, scene.table)
    assert [one for one in scene.changes[seen:] if one.name == "q"] == []
