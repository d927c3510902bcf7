"""The time of day jumps, years ahead and back: nothing expires, nobody is down, and no order ends for that."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lbdns.base import clocks
from lbdns.base.words import FORCED_FILE
from lbdns.health import forced
from lbdns.health.forced import Forced
from lbdns.health.reasons import Reason
from lbdns.health.verdict import COUNTS, HEALTHY, STATE_MASK, UNHEALTHY
from lbdns.mapped.health_table import HealthTable
from lbdns.model.targets_document import Vantage
from lbdns.monitor import resolving
from lbdns.monitor.ledger.ledger import Ledger
from lbdns.monitor.probes.result import Result
from lbdns.monitor.resolving import HostNames, NameSources, Outcome, Resolved
from tests.monitor.documents import document, endpoint, parse_targets, pool
from tests.monitor.stage import Stage, until

YEARS_S = 3 * 365 * 86400.0
JUMPS = pytest.mark.parametrize("jump_s", [YEARS_S, -YEARS_S])


class TimeOfDay:
    """The process's time of day, which a test sets ahead or back."""

    def __init__(self) -> None:
        self.jump_s = 0.0
        self._real = time.time

    def __call__(self) -> float:
        return self._real() + self.jump_s


@pytest.fixture
def time_of_day(monkeypatch: pytest.MonkeyPatch) -> Iterator[TimeOfDay]:
    made = TimeOfDay()
    monkeypatch.setattr(time, "time", made)
    yield made


@JUMPS
def test_vantage_points_are_believed_on(tmp_path: Path, jump_s: float) -> None:
    wall_s, clock_s = 1_000_000_000.0, 50.0
    table = HealthTable.create(tmp_path / "t", 4, 4, 1)
    ledger = Ledger(table, lambda: wall_s, lambda change: None, clock=lambda: clock_s)
    targets = parse_targets(document(table.path, pool("p", endpoint("e"))))
    ledger.adopt(targets.pools, targets.balancers, table)
    (one,) = ledger.endpoints.values()
    (member,) = one.pool.spec.members
    points = [Vantage(name, region) for name, region in (("a", "WEU"), ("b", "ENAM"), ("c", "SEAS"))]
    series = [ledger.begin_series(one, member, "127.0.0.1", point) for point in points]
    for each in series:
        each.take(Result(True, Reason.NO_FAILURES, 200, 1000))
    wall_s, clock_s = wall_s + jump_s, clock_s + 1
    series[0].take(Result(False, Reason.TCP_FAILED))
    assert table.columns["endpoint_state"][one.spec.slot] & STATE_MASK == HEALTHY, "two of three still say so"


@JUMPS
def test_an_order_lasts_as_long_as_it_was_given_for(tmp_path: Path, time_of_day: TimeOfDay, jump_s: float) -> None:
    forced.order(tmp_path, [("p", "")], "p", "down", time.time(), for_s=3600.0)
    time_of_day.jump_s = jump_s
    (order,) = forced.load(tmp_path)
    assert order.until_s == pytest.approx(time.time() + 3600.0, abs=5.0) and order.holds(time.time())
    forced.order(tmp_path, [("q", "")], "q", "down", time.time())
    time_of_day.jump_s = 0.0
    again = {one.pattern: one for one in forced.load(tmp_path)}
    assert again["p"].until_s == pytest.approx(time.time() + 3600.0, abs=5.0) and again["q"].until_s is None


def test_after_a_boot_the_time_of_day_counts(
    tmp_path: Path, time_of_day: TimeOfDay, monkeypatch: pytest.MonkeyPatch
) -> None:
    until_s = time.time() + 3600.0
    forced.save(tmp_path, [Forced("p", "down", time.time(), until_s)])
    time_of_day.jump_s = 7200.0
    monkeypatch.setattr(forced, "boot_id", lambda: "another")
    (order,) = forced.load(tmp_path)
    assert order.until_s == until_s and not order.holds(time.time())
    path = tmp_path / FORCED_FILE
    path.write_text(json.dumps({key: value for key, value in json.loads(path.read_text()).items() if key != "clock"}))
    assert forced.load(tmp_path) == (order,), "as an earlier release wrote it"


@pytest.mark.slow
@JUMPS
def test_a_worker_keeps_an_order_and_ends_it(tmp_path: Path, time_of_day: TimeOfDay, jump_s: float) -> None:
    stage = Stage(tmp_path)

    async def scenario() -> None:
        stage.publish(pool("p", endpoint("e"), monitor=None))
        async with stage.running():
            forced.order(tmp_path, [("p", "e")], "p/e", "down", time.time(), for_s=4.0)
            stage.control.set("forced_version", 1)
            await until(lambda: stage["endpoint_state"][0] == UNHEALTHY | COUNTS)
            time_of_day.jump_s = jump_s
            await asyncio.sleep(1.0)
            assert stage["endpoint_state"][0] == UNHEALTHY | COUNTS
            await until(lambda: not stage["endpoint_state"][0] & COUNTS)

    asyncio.run(scenario())


@JUMPS
def test_names_stay_good_and_are_asked_again_in_time(
    time_of_day: TimeOfDay, monkeypatch: pytest.MonkeyPatch, jump_s: float
) -> None:
    monkeypatch.setattr(resolving, "RETRY_FIRST_S", 0.05)
    monkeypatch.setattr(resolving, "RETRY_MAX_S", 0.05)
    asked: list[float] = []

    async def look_up(self: NameSources, name: str, now_s: float, known: Resolved | None = None) -> Outcome:
        asked.append(now_s)
        if len(asked) == 1:
            return Outcome(Resolved(("192.0.2.1",), (), now_s + 60, now_s + 1))
        return Outcome(None, "no resolver answers")

    monkeypatch.setattr(NameSources, "look_up", look_up)

    async def scenario() -> None:
        names = HostNames(lambda name: None, lambda name, problem: None)
        names.adopt(["app.example"], ())
        await until(lambda: len(asked) == 3)
        time_of_day.jump_s = jump_s
        await until(lambda: len(asked) == 6)
        found = names.found("app.example")
        assert found.addresses == ("192.0.2.1",)
        assert 0 < found.expiry_s - time.monotonic() <= resolving.STALE_TTL_S
        with contextlib.suppress(asyncio.CancelledError):
            await names.close()

    asyncio.run(scenario())
    assert asked == sorted(asked) and asked[-1] - asked[0] < 10


def test_the_clock_is_one_for_all_processes_and_does_not_follow_the_time_of_day(time_of_day: TimeOfDay) -> None:
    before = clocks.elapsed_s()
    time_of_day.jump_s = YEARS_S
    assert 0 <= clocks.elapsed_s() - before < 1
    assert clocks.boot_id() == clocks.boot_id() != ""
    assert clocks.wall_offset_s() == pytest.approx(time.time() - clocks.elapsed_s(), abs=0.1)
