"""All of a monitor worker between probes and verdicts, FleetPart among it, in a fleet in virtual time: held to the
naive oracle, which sees what is broken on purpose."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from lbdns.health.verdict import UNHEALTHY
from lbdns.monitor.isolation import IsolationGate
from lbdns.monitor.probe_plan import ProbePlan
from tests.fleet.simulation.fault_schedule import Fault
from tests.fleet.simulation.joined_fleet import JoinedFleet, live_joined
from tests.fleet.simulation.simulate import schedule
from tests.fleet.simulation.simulated_fleet import Shape

pytestmark = pytest.mark.slow

SHAPE: Final = Shape(machine_count=5, endpoint_count=6, star=True)
HOURS: Final = 0.075
NOT_HERE: Final = frozenset({"order", "write"})


@pytest.mark.parametrize("seed", [1, 2])
def test_no_verdict_of_a_worker_is_impossible(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shape = replace(SHAPE, endpoint_count=9, seed=seed, has_check_regions=True)
    faults = [one for one in schedule(shape, 0.25, 80.0) if one.kind not in NOT_HERE]
    fleet = live_joined(shape, faults, 0.25, tmp_path, monkeypatch)
    assert fleet.wrong == []
    assert len(fleet.published_all) > 5 * 9


ENDPOINT: Final = "pool-1/e0"
WITHOUT_HUB: Final = [
    Fault(60.0, 9_000.0, "regional", (f"{ENDPOINT}/{SHAPE.regions[0]}",)),
    Fault(150.0, 60.0, "unplug", ("M0000",)),
    Fault(170.0, 60.0, "isolate", ("M0001", "M0004")),
]


def late_downs(fleet: JoinedFleet) -> list[str]:
    """Return who took what down once all had settled."""
    return [f"{one.machine} {one.endpoint}" for one in fleet.published_all if one.at_s > 140 and one.state == UNHEALTHY]


def test_who_is_cut_off_takes_nothing_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = live_joined(SHAPE, WITHOUT_HUB, HOURS, tmp_path, monkeypatch)
    assert fleet.wrong == [] and late_downs(fleet) == []


BLIND: Final = [Fault(150.0, 60.0, "blind", ("M0000", "M0001", "M0003", "M0004"))]


def test_workers_that_see_nothing_doubt_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = live_joined(SHAPE, BLIND, HOURS, tmp_path, monkeypatch)
    assert fleet.wrong == [] and late_downs(fleet) == []


def test_a_plan_that_tells_no_doubt_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(IsolationGate, "_call_witnesses", lambda gate, address: False)
    fleet = live_joined(SHAPE, BLIND, HOURS, tmp_path, monkeypatch)
    assert late_downs(fleet), "all is down"


def test_a_plan_that_is_never_apart_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in test_health_simulation: what was refused while nobody was heard must not be said when they are."""
    _, there, other = SHAPE.regions
    refusing = "pool-0/e1"
    faults = [
        Fault(60.0, 9_000.0, "regional", (f"{refusing}/{other}",)),
        Fault(150.0, 60.0, "unplug", ("M0001", "M0004")),
        Fault(170.0, 39.5, "regional", (f"{refusing}/{there}",)),
    ]
    fleet = live_joined(SHAPE, faults, HOURS, tmp_path / "whole", monkeypatch)
    assert fleet.wrong == [] and late_downs(fleet) == []
    monkeypatch.setattr(ProbePlan, "be_apart", lambda plan, is_apart: None)
    assert late_downs(live_joined(SHAPE, faults, HOURS, tmp_path / "broken", monkeypatch))
