"""A vantage point that doubts itself, in simulated time, with the real scheduler, plan and ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lbdns.health.events import HealthChange
from lbdns.health.reasons import Reason
from lbdns.health.verdict import HEALTHY, UNHEALTHY
from lbdns.mapped.health_table import HealthTable
from lbdns.model.targets_document import Vantage
from lbdns.monitor import probe_check as checks
from lbdns.monitor.isolation import IsolationGate
from lbdns.monitor.ledger.ledger import Ledger
from lbdns.monitor.probe_plan import ProbePlan
from lbdns.monitor.probes.result import Result, Target
from lbdns.monitor.schedule import Scheduler
from tests.monitor import documents, virtual
from tests.monitor.documents import parse_targets

GOOD = Result(True, Reason.NO_FAILURES, 200, 1000)
REFUSED = Result(False, Reason.TCP_FAILED)
SILENT = Result(False, Reason.TCP_TIMEOUT)
UNREACHABLE = Result(False, Reason.NETWORK_UNREACHABLE)


@dataclass
class World:
    """Five addresses; what each does, by (source, address) or by address."""

    table: HealthTable
    does: dict[Any, Result] = field(default_factory=dict)
    probed: list[tuple[float, str]] = field(default_factory=list)
    told: list[tuple[float, bool]] = field(default_factory=list)
    changes: list[HealthChange] = field(default_factory=list)

    async def run(self, target: Target, deadline_s: float) -> Result:
        loop = asyncio.get_running_loop()
        self.probed.append((loop.time(), target.address))
        result = self.does.get((target.source, target.address), self.does.get(target.address, GOOD))
        await asyncio.sleep(deadline_s - loop.time() if result is SILENT else 0.02)
        return result

    def states(self) -> list[int]:
        return list(self.table.columns["endpoint_state"][:5])


ADDRESSES = [f"127.0.1.{number}" for number in range(5)]


def play(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, story: Callable[[World], Awaitable[None]], **more: Any
) -> World:
    """Run `story` over a worker's core that watches five endpoints every 60 s."""
    world = World(HealthTable.create(tmp_path / "t", 8, 2, 1))
    monkeypatch.setattr(checks, "probe_of", lambda monitor: world)
    pool = documents.pool("p", *(documents.endpoint(one, one) for one in ADDRESSES), **more.pop("pool", {}))
    web = {"type": "http", "interval": 60, "timeout": 2, "retries": 0}
    targets = parse_targets(documents.document(world.table.path, pool, monitors={"web": web}, **more))

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def tell(vantage: Vantage, cut_off: bool) -> None:
            world.told.append((loop.time(), cut_off))

        ledger = Ledger(world.table, loop.time, world.changes.append)
        scheduler = Scheduler(seed=5)
        plan = ProbePlan(ledger, scheduler, tell)
        ledger.adopt(targets.pools, targets.balancers, world.table)
        plan.adopt(targets, lambda name: ())
        await asyncio.sleep(300)
        await story(world)
        await scheduler.close()

    virtual.run(main())
    return world


@pytest.mark.parametrize("fault", [SILENT, UNREACHABLE])
def test_all_silent_at_once_changes_nothing_until_somebody_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Result
) -> None:
    async def story(world: World) -> None:
        world.does = dict.fromkeys(ADDRESSES, fault)
        await asyncio.sleep(600)
        assert world.states() == [HEALTHY] * 5
        assert [cut_off for _, cut_off in world.told] == [True]
        # The network is back, and one endpoint did go down meanwhile.
        world.does = {ADDRESSES[2]: REFUSED}
        await asyncio.sleep(61)
        assert world.states() == [HEALTHY, HEALTHY, UNHEALTHY, HEALTHY, HEALTHY]
        assert [cut_off for _, cut_off in world.told] == [True, False]
        back_s = world.told[1][0]
        # Everyone that was set aside was asked at once, not an interval later.
        assert len({address for at_s, address in world.probed if back_s <= at_s < back_s + 0.1}) >= 4

    play(tmp_path, monkeypatch, story)


def test_one_silent_endpoint_is_believed_after_a_witness_has_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(world: World) -> None:
        world.does = {ADDRESSES[0]: SILENT}
        await asyncio.sleep(65)
        assert world.states() == [UNHEALTHY] + [HEALTHY] * 4 and world.told == []
        flip = next(change for change in world.changes if change.after == "unhealthy")
        failed_s = max(at_s for at_s, address in world.probed if address == ADDRESSES[0] and at_s < flip.at_s) + 2.0
        assert flip.at_s - failed_s < 0.1

    play(tmp_path, monkeypatch, story)


@pytest.mark.parametrize("answer", [REFUSED, Result(False, Reason.HTTP_TIMEOUT)])
def test_a_refusal_comes_from_somewhere_and_so_does_a_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Result
) -> None:
    async def story(world: World) -> None:
        world.does = dict.fromkeys(ADDRESSES, answer)
        await asyncio.sleep(65)
        assert world.states() == [UNHEALTHY] * 5 and world.told == []

    play(tmp_path, monkeypatch, story)


def test_with_few_others_to_ask_results_are_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(world: World) -> None:
        world.does = dict.fromkeys(ADDRESSES[:3], REFUSED)
        await asyncio.sleep(120)
        world.does = {**world.does, **dict.fromkeys(ADDRESSES[3:], SILENT)}
        await asyncio.sleep(120)
        assert world.states() == [UNHEALTHY] * 5 and world.told == []

    play(tmp_path, monkeypatch, story)


def test_vantage_points_vote_and_one_that_is_cut_off_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = [
        {"name": "ams", "region": "WEU", "source": "127.0.9.1"},
        {"name": "nyc", "region": "ENAM", "source": "127.0.9.2"},
        {"name": "syd", "region": "OC", "source": "127.0.9.3"},
    ]

    async def story(world: World) -> None:
        world.does = {("127.0.9.1", ADDRESSES[0]): REFUSED}
        await asyncio.sleep(65)
        assert world.states()[0] == HEALTHY
        world.does[("127.0.9.2", ADDRESSES[0])] = REFUSED
        await asyncio.sleep(65)
        assert world.states() == [UNHEALTHY] + [HEALTHY] * 4
        # Sydney is cut off: its silence says nothing, and once it is stale the two others decide alone.
        world.does = {("127.0.9.3", address): SILENT for address in ADDRESSES}
        await asyncio.sleep(400)
        assert world.states() == [HEALTHY] * 5 and [cut_off for _, cut_off in world.told] == [True]
        world.does |= {(f"127.0.9.{number}", ADDRESSES[4]): REFUSED for number in (1, 2)}
        await asyncio.sleep(65)
        assert world.states() == [HEALTHY] * 4 + [UNHEALTHY]
        rtt = world.table.columns["pool_rtt"]
        assert [index for index in range(13) if rtt[index]] == [1, 6, 11]  # ENAM, OC, WEU

    play(tmp_path, monkeypatch, story, vantage_points=points)


def test_a_report_that_grows_stale_is_heard_no_more_though_nothing_else_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = [
        {"name": "ams", "region": "WEU", "source": "127.0.9.1"},
        {"name": "nyc", "region": "ENAM", "source": "127.0.9.2"},
    ]

    async def story(world: World) -> None:
        world.does = {("127.0.9.2", ADDRESSES[0]): REFUSED}
        await asyncio.sleep(65)
        assert world.states() == [UNHEALTHY] + [HEALTHY] * 4
        world.does = {("127.0.9.2", address): SILENT for address in ADDRESSES}
        await asyncio.sleep(65)
        assert world.states() == [UNHEALTHY] + [HEALTHY] * 4 and [cut_off for _, cut_off in world.told] == [True]
        await asyncio.sleep(240)
        assert world.states() == [HEALTHY] * 5

    play(tmp_path, monkeypatch, story, vantage_points=points)


def test_where_somebody_answers_all_the_time_no_witness_is_called() -> None:
    class Plain:
        def __init__(self, address: str) -> None:
            self.target = Target(address, 1)
            self.told: list[Result] = []

        def tell(self, result: Result) -> None:
            self.told.append(result)

        def set_aside(self) -> None:
            raise AssertionError("nothing is apart here")

    now_s = [100.0]
    hurried: list[Plain] = []
    gate: IsolationGate[Plain] = IsolationGate(
        Vantage(), hurried.append, lambda vantage, cut_off: None, lambda: now_s[0]
    )
    several = [Plain(address) for address in ADDRESSES]
    for check in several:
        gate.take(check, GOOD, 99.0)
    now_s[0] = 101.0
    gate.take(several[1], GOOD, 100.0)
    now_s[0] = 102.0
    gate.take(several[0], SILENT, 100.0)
    assert several[0].told == [GOOD, SILENT] and hurried == []
    # Nobody has answered since the next one began.
    gate.take(several[2], SILENT, 102.0)
    assert several[2].told == [GOOD] and len(hurried) == 3
    # A witness that is no more need not be waited for.
    for check in hurried:
        gate.forget(check)
    assert several[2].told == [GOOD, SILENT]


def test_a_pool_is_probed_from_the_regions_that_it_asks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        {"name": "ams", "region": "WEU", "source": "127.0.9.1"},
        {"name": "nyc", "region": "ENAM", "source": "127.0.9.2"},
    ]

    async def story(world: World) -> None:
        world.does = {("127.0.9.2", address): REFUSED for address in ADDRESSES}
        await asyncio.sleep(65)
        assert world.states() == [HEALTHY] * 5

    play(tmp_path, monkeypatch, story, vantage_points=points, pool={"check_regions": ["WEU"]})
