"""Health in a simulated fleet: the product's verdicts against the naive oracle, which is held against judges that are
broken on purpose."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import pytest

from lbdns.fleet.observing import observer
from lbdns.health.verdict import HEALTHY, UNHEALTHY
from lbdns.monitor.isolation import IsolationGate
from tests.fleet.simulation.fault_schedule import Fault, parse, show, smaller
from tests.fleet.simulation.plain_judge import Broken, PlainJudge
from tests.fleet.simulation.simulate import product_judges, schedule, simulate, simulate_sampled
from tests.fleet.simulation.simulated_fleet import Shape, SimulatedFleet
from tests.fleet.simulation.simulated_machine import MakeJudge

pytestmark = pytest.mark.slow

HOURS = 0.3
SHAPE = Shape(machine_count=5, endpoint_count=9)
UNEVEN = replace(SHAPE, machine_count=4)
"""Two machines in the first region, one in each of the others."""
DARK = "pool-0/e1"
"""Down everywhere."""
SPLIT = "pool-1/e0"
"""Down in one region."""
HALVED = "pool-1/e1"
"""Down in two of three."""


UNPLUGGED = Fault(300.0, 120.0, "unplug", ("M0000",))
SEEN_DOWN = Fault(320.0, 200.0, "regional", (f"{SPLIT}/{SHAPE.regions[0]}",))
"""What is down where the unplugged machine is, and up elsewhere."""


def plain_judges(shape: Shape, broken: Broken) -> MakeJudge:
    """Return what makes plain judges, broken or not."""
    regions = shape.machines

    def make(name: str, disk: object, now_s: float, wall_s: float) -> PlainJudge:
        return PlainJudge(name, regions, shape.endpoints, 3, disk, now_s, broken)

    return make


@pytest.mark.parametrize(("seed", "machine_count", "star"), [(1, 5, True), (2, 3, False), (3, 7, True), (4, 4, False)])
def test_no_verdict_is_impossible(seed: int, machine_count: int, star: bool) -> None:
    shape = Shape(machine_count, 12, star=star, seed=seed, has_check_regions=True)
    outcome = simulate(shape, schedule(shape, HOURS, 40.0), HOURS, on_wire=seed == 1)
    assert outcome.wrong == []
    assert outcome.published_count > 40


def test_a_large_fleet_is_judged_by_a_sample() -> None:
    shape = Shape(machine_count=40, endpoint_count=60, region_count=4, seed=1, has_check_regions=True)
    outcome = simulate_sampled(shape, schedule(shape, HOURS, 60.0), HOURS, judge_count=2)
    assert outcome.wrong == []
    assert outcome.published_count > 120, "each of them more than once, at both"


OF_TWO: Final = "pool-2/e0"
"""Probed from two of three regions alone."""


def test_regions_that_are_not_asked_have_no_vote() -> None:
    shape = replace(SHAPE, has_check_regions=True)
    asked = shape.check_regions[OF_TWO]
    (other,) = set(shape.regions) - set(asked)
    faults = [
        Fault(100.0, 9_000.0, "regional", (f"{OF_TWO}/{asked[0]}", f"{HALVED}/{asked[0]}")),
        Fault(300.0, 9_000.0, "regional", (f"{SPLIT}/{other},{asked[0]}",)),
    ]
    fleet = SimulatedFleet(shape, product_judges(shape, on_wire=False))
    assert fleet.run(faults, 0.2).wrong == []
    for life in fleet.lives.values():
        down = {name for name, state in life.published.items() if state == UNHEALTHY}
        assert down == {OF_TWO, SPLIT}, "one of two that are asked is no majority; one of three is outvoted"


def test_a_seed_says_everything() -> None:
    shape = replace(SHAPE, seed=5, star=True)
    faults = schedule(shape, HOURS, 30.0)
    assert faults == parse(show(faults)) == schedule(shape, HOURS, 30.0)
    first, again = (simulate(shape, faults, HOURS) for _ in range(2))
    assert first == again
    assert first.published_count


def settled_fleet(make_judge: Callable[[Shape], MakeJudge], isolated: tuple[str, ...]) -> SimulatedFleet:
    """Return a fleet that has seen some endpoints fail, then some machines isolated, then healed."""
    fleet = SimulatedFleet(SHAPE, make_judge(SHAPE))
    regions = SHAPE.regions
    faults = [
        Fault(60.0, 9_000.0, "down", (DARK,)),
        Fault(60.0, 9_000.0, "regional", (f"{SPLIT}/{regions[0]}",)),
        Fault(60.0, 9_000.0, "regional", (f"{HALVED}/{regions[1]},{regions[2]}",)),
        Fault(300.0, 120.0, "isolate", isolated),
    ]
    fleet.run(faults, 0.2)
    return fleet


MINORITIES = [names for count in (1, 2) for names in itertools.combinations(sorted(SHAPE.machines), count)]


@pytest.mark.parametrize("isolated", MINORITIES, ids="+".join)
def test_isolation_of_a_minority_changes_no_answer(isolated: tuple[str, ...]) -> None:
    fleet = settled_fleet(lambda shape: product_judges(shape, on_wire=False), isolated)
    assert fleet.outcome.wrong == []
    late = [one for one in fleet.outcome.published if one.at_s > 200.0]
    there = {one.machine for one in late}
    assert there <= set(isolated), "elsewhere nothing changes, nor when they come back"
    assert {one.endpoint for one in late} <= {HALVED}, "nor there, but by the word of own probes, which say up"
    for one in late:
        since_cut_s, since_back_s = one.at_s - 300.0, one.at_s - 420.0
        assert 0.0 < since_cut_s < 6.0 or 0.0 < since_back_s < 6.0, "until they are doubted, and the others are heard"
    for life in fleet.lives.values():
        assert {name for name, state in life.published.items() if state == UNHEALTHY} == {DARK, HALVED}
        assert {state for name, state in life.published.items()} == {HEALTHY, UNHEALTHY}


def test_plain_rules_can_be_kept() -> None:
    outcome = SimulatedFleet(UNEVEN, plain_judges(UNEVEN, Broken())).run(schedule(UNEVEN, HOURS, 40.0), HOURS)
    assert [wrong for wrong in outcome.wrong if "order" not in wrong] == []


@pytest.mark.parametrize("broken", [Broken(cut_off=True), Broken(regions=True), Broken(news=True)], ids=str)
def test_the_oracle_sees_what_is_broken(broken: Broken) -> None:
    faults = [
        UNPLUGGED,
        SEEN_DOWN,
        Fault(600.0, 300.0, "down", (DARK,)),
        Fault(600.0, 300.0, "regional", (f"{HALVED}/{SHAPE.regions[0]}",)),
    ]
    outcome = SimulatedFleet(UNEVEN, plain_judges(UNEVEN, broken)).run(faults, HOURS)
    assert any("possible" in wrong for wrong in outcome.wrong)


def without_cut_off(count: object, sees_up: bool, has_begun: bool) -> bool:
    """Never be cut off."""
    return False


def test_a_machine_that_hears_nobody_downs_nothing() -> None:
    outcome = simulate(SHAPE, [UNPLUGGED, SEEN_DOWN], 0.2)
    assert outcome.wrong == []
    assert [one for one in outcome.published if one.at_s > 200.0] == []


def test_the_oracle_sees_a_product_that_downs_the_world(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observer, "cut_off", without_cut_off)
    wrong = simulate(SHAPE, [UNPLUGGED, SEEN_DOWN], 0.2).wrong
    assert any(f"M0000 (cut off) has {SPLIT} unhealthy; possible: healthy" in one for one in wrong)


def test_a_schedule_becomes_as_small_as_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observer, "cut_off", without_cut_off)
    idle = [Fault(100.0 + 10 * number, 5.0, "clock", ("M0002",), 60.0) for number in range(6)]
    assert smaller([*idle, UNPLUGGED, SEEN_DOWN], lambda faults: bool(simulate(SHAPE, faults, 0.15).wrong)) == [
        UNPLUGGED,
        SEEN_DOWN,
    ]


BLIND: Final = Fault(300.0, 120.0, "blind", ("M0000", "M0001", "M0003", "M0004"))
"""All that two of three regions have see nothing, and are heard."""


def late_verdicts(faults: list[Fault]) -> list[tuple[str, int]]:
    """Return what a fleet publishes once it has settled."""
    outcome = simulate(SHAPE, faults, 0.2)
    return [(one.endpoint, one.state) for one in outcome.published if one.at_s > 200.0]


def test_who_sees_nothing_doubts_itself() -> None:
    assert late_verdicts([BLIND]) == []


def no_witnesses(gate: object, address: str) -> bool:
    """Ask nobody."""
    return False


def test_a_gate_that_asks_no_witnesses_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(IsolationGate, "_call_witnesses", no_witnesses)
    assert len(late_verdicts([BLIND])) >= 2 * len(SHAPE.endpoints), "all is down, and up again"


REFUSING: Final = "pool-0/e1"


def never_apart(gate: object, is_apart: bool) -> None:
    """Take failures for what they are, whoever is heard."""


def test_a_gate_that_is_never_apart_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some refuse connections: no reason to doubt. What was so while nobody else was heard is not so any more when they
    are, and would make two regions of three with the one where it still is."""
    _, there, other = SHAPE.regions
    faults = [
        Fault(100.0, 9_000.0, "regional", (f"{REFUSING}/{other}",)),
        Fault(300.0, 60.0, "unplug", ("M0001", "M0004")),
        Fault(320.0, 39.5, "regional", (f"{REFUSING}/{there}",)),
    ]
    assert late_verdicts(faults) == []
    monkeypatch.setattr(IsolationGate, "be_apart", never_apart)
    assert late_verdicts(faults)
