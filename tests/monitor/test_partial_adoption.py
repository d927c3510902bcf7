"""A generation is adopted as far as it is another one, and comes to the same as one that is adopted whole."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from lbdns.health.reasons import Reason
from lbdns.mapped.health_table import HealthTable
from lbdns.model.targets_document import NetworkTarget, Vantage
from lbdns.monitor.ledger.ledger import Ledger
from lbdns.monitor.ledger.states import PoolHealth
from lbdns.monitor.listed_parts import PartsReading
from lbdns.monitor.probe_plan import ProbePlan
from lbdns.monitor.probes.result import Result
from lbdns.monitor.schedule import Scheduler
from lbdns.monitor.targets import Targets
from tests.monitor.documents import document, endpoint, parse_targets, pool

RESULTS = (Result(True, Reason.NO_FAILURES, 200, 1000), Result(False, Reason.CODE_MISMATCH, 503, 500))
SIZE = 64
GENERATIONS = 60


class Configured:
    """A configuration that changes at random; slots stay with their owners, and are given to others later."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.pools: dict[str, dict[str, Any]] = {}
        self.balancers: dict[str, dict[str, Any]] = {}
        self.slots: dict[str, dict[tuple[str, ...], int]] = {}
        self.generation = 0
        for number in range(8):
            self.bring_pool(f"p{number}")
        for number in range(60):
            self.bring_balancer(f"b{number}")

    def bring_pool(self, name: str) -> None:
        addresses = self.random.sample(range(1, 9), self.random.randint(1, 3))
        self.pools[name] = {
            "endpoints": [(f"e{last}", f"192.0.2.{last}", self.random.random() < 0.9) for last in addresses],
            "enabled": self.random.random() < 0.9,
            "monitor": self.random.choice(("web", "web", None)),
        }

    def bring_balancer(self, name: str) -> None:
        pools = [f"p{number}" for number in self.random.sample(range(10), self.random.randint(1, 4))]
        self.balancers[name] = {"name": name, "pools": pools, "fallback": pools[0]}

    def change(self) -> None:
        for _ in range(self.random.choice((1, 1, 1, 3))):
            kind = self.random.choice(("pool", "pool", "balancer", "balancer", "no pool", "no balancer", "nothing"))
            if kind == "pool":
                self.bring_pool(f"p{self.random.randrange(10)}")
            elif kind == "balancer":
                self.bring_balancer(f"b{self.random.randrange(70)}")
            elif kind == "no pool":
                self.pools.pop(f"p{self.random.randrange(10)}", None)
            elif kind == "no balancer":
                self.balancers.pop(f"b{self.random.randrange(70)}", None)

    def number(self, kind: str, keys: Sequence[tuple[str, ...]]) -> dict[tuple[str, ...], int]:
        """The slots of all that are there: those that had one keep it, what others left is given away again."""
        had = self.slots.get(kind, {})
        slots = {key: had[key] for key in keys if key in had}
        free = iter(sorted({*range(SIZE)} - {*slots.values()}))
        slots |= {key: next(free) for key in keys if key not in slots}
        self.slots[kind] = slots
        return slots

    def targets(self, table: Path) -> Targets:
        self.generation += 1
        made = [
            pool(name, *(endpoint(one, address, enabled=enabled) for one, address, enabled in spec["endpoints"]))
            | {"enabled": spec["enabled"], "monitor": spec["monitor"], "id": name}
            for name, spec in self.pools.items()
        ]
        document_ = document(table, *made, generation=self.generation, load_balancers=[*self.balancers.values()])
        slots = self.number("pool", [(each["name"],) for each in made])
        keys = [(one["pool"], one["address"]) for each in made for one in each["endpoints"]]
        of_endpoints = self.number("endpoint", keys)
        for each in made:
            each["slot"] = slots[(each["name"],)]
            for one in each["endpoints"]:
                one["slot"] = of_endpoints[one["pool"], one["address"]]
        return parse_targets(document_)


class Side:
    """A worker's ledger and plan."""

    def __init__(self, path: Path) -> None:
        self.now_s = 100.0
        self.table = HealthTable.create(path, SIZE, SIZE, 1)
        self.changes: list[Any] = []
        self.ledger = Ledger(self.table, lambda: self.now_s, self.changes.append)
        self.scheduler = Scheduler(10)
        self.plan = ProbePlan(self.ledger, self.scheduler, lambda vantage, is_cut_off: None)

    def adopt(self, targets: Targets) -> None:
        self.now_s += 1
        self.ledger.adopt(targets.pools, targets.balancers, self.table, targets.vantages)
        self.plan.adopt(targets, lambda spec: ())

    def take(self, chosen: Mapping[int, Result]) -> None:
        for identity, result in chosen.items():
            for series in self.ledger.endpoints[identity].series:
                series.take(result)
        self.ledger.sample()

    def said(self) -> Iterator[object]:
        """All that is known, without what happens to be in which object."""
        columns = self.table.columns.items()
        yield {name: bytes(column) for name, column in columns if name != "endpoint_version"}  # of how many writes
        yield [vars_of(one) for one in self.ledger.pools.values()]
        yield [(one.spec, one.word, [each.spec.name for each in one.pools]) for one in self.ledger.balancers]
        yield sorted(map(repr, self.changes))
        checks = self.plan.checks.items()
        yield {key: sorted(listener.pool_id for listener in each.listeners) for key, each in checks}


def vars_of(one: PoolHealth) -> tuple[object, ...]:
    endpoints = [(each.spec, each.state, each.effective, len(each.series)) for each in one.endpoints]
    return one.spec, one.effective, one.word, endpoints, sorted(each.spec.name for each in one.balancers)


def with_known(targets: Targets, before: Targets | None) -> Targets:
    """The same, of the very objects that the generation before had where they are equal."""
    if before is None:
        return targets
    pools = {one: one for one in before.pools}
    balancers = {one: one for one in before.balancers}
    same = tuple(balancers.get(one, one) for one in targets.balancers)
    return replace(
        targets,
        pools=tuple(pools.get(one, one) for one in targets.pools),
        balancers=before.balancers if same == before.balancers else same,
    )


@pytest.mark.parametrize("seed", range(6))
def test_what_differs_is_adopted_and_comes_to_the_same(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    configured = Configured(random)
    kept = 0

    async def play() -> None:
        nonlocal kept
        partly, wholly = Side(tmp_path / "partly"), Side(tmp_path / "wholly")
        before: Targets | None = None
        for _ in range(GENERATIONS):
            configured.change()
            targets = configured.targets(tmp_path)
            before = with_known(targets, before)
            partly.adopt(before)
            wholly.adopt(anew(targets))
            assert [*partly.said()] == [*wholly.said()]
            kept += len(partly.ledger.pools) - len(partly.ledger.begun)
            probed = [identity for identity, one in wholly.ledger.endpoints.items() if one.series]
            chosen = {identity: random.choice(RESULTS) for identity in random.sample(probed, len(probed) // 2)}
            partly.take(chosen)
            wholly.take(chosen)
            assert [*partly.said()] == [*wholly.said()]
        for side in (partly, wholly):
            await side.scheduler.close()

    asyncio.run(play())
    assert kept > 5 * GENERATIONS


def anew(targets: Targets) -> Targets:
    """The same, of no object that any generation had, and with other networks, which nobody stands in."""
    return replace(
        targets,
        pools=tuple(replace(one) for one in targets.pools),
        balancers=tuple(replace(one) for one in targets.balancers),
        networks=(NetworkTarget("none", 0),) * targets.generation,
    )


def test_a_change_touches_the_pool_that_it_is_about(tmp_path: Path) -> None:
    """What is not another goes on as the very object, with its series and its load balancers."""
    configured = Configured(Random(1))

    async def play() -> None:
        side = Side(tmp_path / "table")
        first = configured.targets(tmp_path)
        side.adopt(first)
        before = dict(side.ledger.pools)
        configured.pools["p3"] |= {"endpoints": [("e9", "192.0.2.9", True)]}
        side.adopt(with_known(configured.targets(tmp_path), first))
        assert [one.spec.name for one in side.ledger.begun] == ["p3"] and side.ledger.begun_balancers == 0
        after = side.ledger.pools
        assert [name for name, one in after.items() if one is not before[name]] == ["p3"]
        assert after["p3"].balancers == before["p3"].balancers
        assert all(after["p3"] in one.pools and before["p3"] not in one.pools for one in after["p3"].balancers)
        await side.scheduler.close()

    asyncio.run(play())


def test_pools_that_are_gone_count_as_what_is_to_be_let_go(tmp_path: Path) -> None:
    """Nobody else stands in their place, and each is a cycle with its endpoints."""
    configured = Configured(Random(4))

    async def play() -> None:
        side = Side(tmp_path / "table")
        first = configured.targets(tmp_path)
        side.adopt(first)
        assert side.ledger.gone == 0
        for name in ("p1", "p2", "p3"):
            del configured.pools[name]
        side.adopt(with_known(configured.targets(tmp_path), first))
        assert side.ledger.gone == 3 and not side.ledger.begun
        await side.scheduler.close()

    asyncio.run(play())


def test_rows_that_others_have_had_are_taken_back(tmp_path: Path) -> None:
    """Generations may be passed over: then a row may be another's, though the pool is as it was."""
    configured = Configured(Random(3))

    async def play() -> None:
        side = Side(tmp_path / "table")
        first = configured.targets(tmp_path)
        side.adopt(first)
        (pool,) = (one for one in first.pools if one.name == "p2")
        owners = side.table.columns["endpoint_identity"]
        owners[pool.endpoints[0].slot] += 1
        side.adopt(replace(first, generation=9))
        assert [one.spec for one in side.ledger.begun] == [pool]
        assert owners[pool.endpoints[0].slot] == pool.endpoints[0].identity
        await side.scheduler.close()

    asyncio.run(play())


def test_vantage_points_that_are_others_have_all_planned_anew(tmp_path: Path) -> None:
    configured = Configured(Random(2))

    async def play() -> None:
        side = Side(tmp_path / "table")
        first = configured.targets(tmp_path)
        side.adopt(first)
        side.adopt(replace(first, vantages=(Vantage("else", "WEU"),)))
        assert not side.ledger.begun
        assert {check.vantage.name for check in side.plan.checks.values()} == {"else"}
        assert {one.name for one in side.plan.vantages} == {"else"}
        await side.scheduler.close()

    asyncio.run(play())


def test_parts_that_were_read_are_not_read_again() -> None:
    first: PartsReading[str] = PartsReading(b'"a",\n"b",\n"c"', None)
    assert first.new == b'"a",\n"b",\n"c"'
    known = first.whole(["A", "B", "C"])
    second = PartsReading(b'"c",\n"d",\n"a"', known)
    assert second.new == b'"d"'
    assert second.whole(["D"]).specs == ("C", "D", "A")
    assert PartsReading(b"", known).new == b"" and PartsReading(b"", known).whole([]).specs == ()


def test_a_list_on_one_line_is_read_whole() -> None:
    """As an earlier release has written it."""
    first: PartsReading[str] = PartsReading(b'"a","b"', None)
    known = first.whole(["A", "B"])
    assert known.specs == ("A", "B")
    assert PartsReading(b'"a","b"', known).new == b'"a","b"'
