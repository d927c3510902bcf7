"""A virtual network that is down, in simulated time, with the real scheduler, plan and ledger; its way is played."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lbdns.health.events import HealthChange
from lbdns.health.forced import Forced
from lbdns.health.reasons import Reason
from lbdns.health.verdict import HEALTHY, UNHEALTHY
from lbdns.health.way_faults import WayFault
from lbdns.mapped.health_table import HealthTable
from lbdns.model.targets_document import NetworkTarget, Vantage
from lbdns.monitor import probe_check as checks
from lbdns.monitor import probe_plan
from lbdns.monitor.ledger.ledger import Ledger
from lbdns.monitor.probe_plan import ProbePlan
from lbdns.monitor.probes.result import Result, Target
from lbdns.monitor.schedule import Scheduler
from lbdns.monitor.ways.opener_client import Opening
from lbdns.monitor.ways.way import Way
from tests.monitor import documents, virtual
from tests.monitor.documents import parse_targets

GOOD = Result(True, Reason.NO_FAILURES, 200, 1000)
REFUSED = Result(False, Reason.TCP_FAILED)
SILENT = Result(False, Reason.TCP_TIMEOUT)
UNREACHABLE = Result(False, Reason.NETWORK_UNREACHABLE)
WEB = {"type": "http", "interval": 60, "timeout": 2, "retries": 0, "consecutive_up": 3, "consecutive_down": 3}


@dataclass
class Played:
    """Two endpoints in a network and three that are in none; what each does, by address."""

    table: HealthTable
    way: Way
    does: dict[str, Result] = field(default_factory=dict)
    changes: list[HealthChange] = field(default_factory=list)
    told: list[bool] = field(default_factory=list)
    probed: list[str] = field(default_factory=list)
    plan: ProbePlan | None = None
    ledger: Ledger | None = None

    async def run(self, target: Target, deadline_s: float) -> Result:
        self.probed.append(target.address)
        result = self.does.get(target.address, GOOD)
        await asyncio.sleep(deadline_s - asyncio.get_running_loop().time() if result is SILENT else 0.02)
        return result

    def break_way(self, fault: WayFault = WayFault.DEVICE_DOWN) -> None:
        self.way.fault = fault
        assert self.plan is not None
        self.plan.follow_way(self.way)

    def mend_way(self) -> None:
        self.break_way(WayFault.NONE)

    def states(self) -> list[tuple[int, int]]:
        columns = self.table.columns
        return list(zip(columns["endpoint_state"][:2], columns["endpoint_reason"][:2], strict=True))

    def of_endpoints(self) -> list[str]:
        return [change.text.partition(" (10")[2] for change in self.changes if change.kind == "endpoint"]


def play(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, story: Callable[[Played], Awaitable[None]], **more: Any
) -> Played:
    """Run `story` over a worker's core that has watched for a while; forget what was told until then."""
    table = HealthTable.create(tmp_path / "t", 8, 2, 1)
    inside = [documents.endpoint(one, one, network="far") for one in ("10.0.0.1", "10.0.0.2")]
    outside = [documents.endpoint(one, one) for one in ("127.0.1.1", "127.0.1.2", "127.0.1.3")]
    pools = documents.pool("in", *inside), documents.pool("out", *outside)
    targets = parse_targets(documents.document(table.path, *pools, monitors={"web": WEB | more}))

    async def main() -> Played:
        loop = asyncio.get_running_loop()
        played = Played(table, Way(NetworkTarget("far", 0, device="wg0"), Opening(tmp_path / "none")))

        async def look(way: Way) -> WayFault:
            return way.fault

        played.way.watcher = look
        monkeypatch.setattr(checks, "probe_of", lambda monitor: played)

        def tell(vantage: Vantage, cut_off: bool) -> None:
            played.told.append(cut_off)

        scheduler = Scheduler(seed=5)
        ledger = played.ledger = Ledger(table, loop.time, played.changes.append)
        plan = played.plan = ProbePlan(ledger, scheduler, tell, lambda name: played.way if name else None)
        ledger.adopt(targets.pools, targets.balancers, table)
        plan.adopt(targets, lambda spec: ())
        await asyncio.sleep(300)
        played.changes.clear()
        await story(played)
        await scheduler.close()
        return played

    return virtual.run(main())


def test_all_behind_it_are_down_at_once_and_nobody_is_told_of_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(played: Played) -> None:
        played.break_way()
        await asyncio.sleep(0.01)  # no threshold, no probe
        assert played.states() == [(UNHEALTHY, Reason.NETWORK_DOWN)] * 2
        played.probed.clear()
        await asyncio.sleep(200)
        assert not any(one.startswith("10.") for one in played.probed)  # nothing is sent into it

    played = play(tmp_path, monkeypatch, story)
    assert [(change.kind, change.before, change.after) for change in played.changes] == [
        ("pool", "healthy", "critical")
    ]
    assert played.told == []


def test_the_first_result_after_it_decides_and_is_taken_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(played: Played) -> None:
        played.break_way()
        await asyncio.sleep(130)
        played.does["10.0.0.2"] = REFUSED
        played.mend_way()
        await asyncio.sleep(0.1)
        assert played.states() == [(HEALTHY, Reason.NO_FAILURES), (UNHEALTHY, Reason.TCP_FAILED)]

    played = play(tmp_path, monkeypatch, story)
    (told,) = played.of_endpoints()
    assert told.startswith(".0.0.2 in far) is unhealthy: TCP connection failed; was healthy")


async def in_flight(played: Played) -> None:
    """Have a probe of the first endpoint be under way that nobody answers."""
    played.does["10.0.0.1"] = SILENT
    played.probed.clear()
    while "10.0.0.1" not in played.probed:
        await asyncio.sleep(0.1)


def test_pools_change_once_however_many_stand_behind_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_plan, "CUTS_PER_TURN", 1)

    async def story(played: Played) -> None:
        played.break_way()
        await asyncio.sleep(1)
        assert played.states() == [(UNHEALTHY, Reason.NETWORK_DOWN)] * 2

    played = play(tmp_path, monkeypatch, story)
    assert [(change.kind, change.after) for change in played.changes] == [("pool", "critical")]


def test_what_was_under_way_when_it_went_down_is_not_the_endpoints_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(played: Played) -> None:
        await in_flight(played)
        played.break_way()
        await asyncio.sleep(5)
        assert played.states() == [(UNHEALTHY, Reason.NETWORK_DOWN)] * 2

    assert play(tmp_path, monkeypatch, story, consecutive_down=1).of_endpoints() == []


def test_what_was_under_way_while_it_was_down_for_a_moment_is_asked_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(played: Played) -> None:
        await in_flight(played)
        del played.does["10.0.0.1"]
        played.break_way()
        await asyncio.sleep(0.5)
        played.mend_way()
        await asyncio.sleep(0.1)
        assert played.states() == [(HEALTHY, Reason.NO_FAILURES)] * 2
        await asyncio.sleep(5)
        assert played.states() == [(HEALTHY, Reason.NO_FAILURES)] * 2

    assert play(tmp_path, monkeypatch, story, consecutive_down=1).of_endpoints() == []


def test_one_that_was_down_by_itself_is_told_to_be_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(played: Played) -> None:
        played.does["10.0.0.1"] = REFUSED
        await asyncio.sleep(300)
        assert played.states()[0] == (UNHEALTHY, Reason.TCP_FAILED)
        played.changes.clear()
        played.break_way()
        await asyncio.sleep(130)
        assert played.states()[0] == (UNHEALTHY, Reason.NETWORK_DOWN)
        del played.does["10.0.0.1"]
        played.mend_way()
        await asyncio.sleep(0.1)

    (told,) = play(tmp_path, monkeypatch, story).of_endpoints()
    assert told.startswith(".0.0.1 in far) is healthy; was unhealthy")


def test_thresholds_hold_again_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(played: Played) -> None:
        played.break_way()
        await asyncio.sleep(10)
        played.mend_way()
        await asyncio.sleep(0.1)
        played.does["10.0.0.1"] = REFUSED
        await asyncio.sleep(70)
        assert played.states()[0][0] == HEALTHY  # one failure of three
        await asyncio.sleep(120)
        assert played.states()[0] == (UNHEALTHY, Reason.TCP_FAILED)

    play(tmp_path, monkeypatch, story)


def test_an_order_lies_over_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(played: Played) -> None:
        assert played.ledger is not None
        played.ledger.force((Forced("in/10.0.0.1", "up", 0.0),))
        played.break_way()
        await asyncio.sleep(1)
        assert [state & 3 for state, _ in played.states()] == [HEALTHY, UNHEALTHY]
        played.mend_way()
        await asyncio.sleep(1)

    assert play(tmp_path, monkeypatch, story).of_endpoints() == []


def test_a_vantage_point_does_not_doubt_itself_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All in the network are silent: the others answer, and are asked; the network's are believed."""

    async def story(played: Played) -> None:
        played.does |= {"10.0.0.1": SILENT, "10.0.0.2": SILENT}
        await asyncio.sleep(250)
        assert [state for state, _ in played.states()] == [UNHEALTHY] * 2

    assert play(tmp_path, monkeypatch, story).told == []


def test_who_is_cut_off_hides_no_fault_of_a_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(played: Played) -> None:
        played.does = dict.fromkeys(("127.0.1.1", "127.0.1.2", "127.0.1.3", "10.0.0.1"), SILENT)
        await asyncio.sleep(250)
        assert played.told == [True]
        assert [state for state, _ in played.states()] == [HEALTHY] * 2  # what silence there is proves nothing
        played.break_way()
        await asyncio.sleep(1)
        assert played.states() == [(UNHEALTHY, Reason.NETWORK_DOWN)] * 2

    play(tmp_path, monkeypatch, story)


def test_an_address_without_a_route_is_the_endpoints_while_the_way_is_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(played: Played) -> None:
        played.does["10.0.0.1"] = UNREACHABLE
        await asyncio.sleep(250)
        assert played.states() == [(UNHEALTHY, Reason.NETWORK_UNREACHABLE), (HEALTHY, Reason.NO_FAILURES)]

    play(tmp_path, monkeypatch, story)


def test_a_worker_that_begins_while_it_is_down_lets_the_first_result_decide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(played: Played) -> None:
        played.break_way()
        await asyncio.sleep(1)

    before = play(tmp_path, monkeypatch, down).table
    monkeypatch.setattr(HealthTable, "create", lambda *_: before)

    async def story(played: Played) -> None:
        assert played.states() == [(HEALTHY, Reason.NO_FAILURES)] * 2  # at once, by one pass of three

    play(tmp_path, monkeypatch, story)
