"""What is told of a fleet: who is lost, cut off, behind; in what machines differ."""

from __future__ import annotations

import dataclasses
import json

import pytest

from lbdns.fleet.fleet_problems import LAGS_S, fleet_report, heard_text, minors_apart
from lbdns.model.fleet_report import NO_FLEET, FleetMode, FleetReport, MachineStatus, RosterRow, revision_text

AMS = MachineStatus("AMS-1", "0.2.0", "WEU", "AMS", revision=7, served=7, up_s=60.0, heard=("FRA-1",), known=1)
FRA = dataclasses.replace(AMS, name="FRA-1", pop="FRA", heard=("AMS-1",))


def row(status: MachineStatus = FRA, age_s: float = 0.4, lags_s: float = 0.0) -> RosterRow:
    return RosterRow(status, age_s, age_s < 3, 60.0, lags_s)


def problems(own: MachineStatus, *rows: RosterRow) -> list[str]:
    return list(fleet_report(own, rows).problems)


def test_a_fleet_that_is_well_says_nothing() -> None:
    found = fleet_report(AMS, [row(), row(dataclasses.replace(AMS, revision=6))])
    assert found.problems == () and found.heard_count == 2 and found.own == AMS, "of itself a machine knows better"
    assert [one.status.name for one in found.machines] == ["AMS-1", "FRA-1"]
    assert FleetReport.from_json(json.loads(json.dumps(found.as_json()))) == found
    assert NO_FLEET.own is None


def test_who_is_lost_is_told_and_not_twice() -> None:
    assert problems(AMS, row(age_s=125.0)) == ["FRA-1 has not been heard for 2 min 5 s"]
    away = dataclasses.replace(AMS, bus="nats://192.0.2.1:4222: no answer", cut_off_s=40.0, agreed_by=2, heard=())
    assert problems(away, row(age_s=125.0)) == [
        "the bus is not reached, so that nothing can be changed here: nats://192.0.2.1:4222: no answer",
        "this machine is cut off: it has heard 0 of 1 for 40 s; health as agreed 40 s ago by 2 of 2",
    ]
    assert heard_text(AMS) == "1 of 1"


def test_what_is_wrong_elsewhere_is_told_here() -> None:
    elsewhere = dataclasses.replace(
        FRA, cut_off_s=5.0, bus="no answer", mistakes=("pools.eu: a", "pools.us: b"), revision=8, lag=2
    )
    assert problems(AMS, row(elsewhere, lags_s=LAGS_S + 2)) == [
        "FRA-1 says that it is cut off: it has heard 1 of 1 for 5 s",
        "FRA-1 does not reach the bus: no answer",
        "FRA-1 serves what it served before, not revision 8: pools.eu: a (and 1 more)",
        "FRA-1 has lacked 2 revisions for 12 s",
    ]
    assert problems(AMS, row(dataclasses.replace(FRA, lag=2), lags_s=LAGS_S - 1)) == [], "revisions take a moment"
    assert revision_text(elsewhere) == "8, not served" and revision_text(FRA) == "7"
    assert revision_text(MachineStatus("A", mode=FleetMode.FILES)) == "own files"
    assert revision_text(MachineStatus("A")) == "not known"


def test_machines_that_sign_otherwise_are_told() -> None:
    signing = dataclasses.replace(FRA, signed="0123", signed_count=2)
    [told] = problems(AMS, row(signing))
    assert told.startswith("machines sign other zones, or with other keys: AMS-1 none, FRA-1 2 zones; ")
    assert not problems(dataclasses.replace(AMS, signed="0123", signed_count=2), row(signing))


def test_a_name_that_two_have_is_told_by_a_third() -> None:
    rows = [RosterRow(MachineStatus("FRA-1"), 0.1, True, 60.0, is_doubled=True)]
    assert fleet_report(MachineStatus("AMS-1"), rows).problems == (
        "two machines are called FRA-1: each needs a name of its own (`fleet: {name: ...}`)",
    )


def test_a_name_is_one_machines() -> None:
    [told] = fleet_report(AMS, [row()], is_name_taken=True).problems
    assert told.startswith("another machine is called AMS-1 too")


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ("0.2.0", "0.2.9", 0),
        ("0.2.0", "0.3.0", 1),
        ("0.3.1", "0.1.0", 2),
        ("1.0.0", "2.0.0", float("inf")),
        ("0.2.0", "", 0),
        ("0.2.0", "next", 0),
    ],
)
def test_releases_far_apart_are_told(one: str, other: str, apart: float) -> None:
    assert minors_apart(one, other) == apart
    told = problems(dataclasses.replace(AMS, version=one), row(dataclasses.replace(FRA, version=other)))
    assert bool(told) is (apart > 1)
