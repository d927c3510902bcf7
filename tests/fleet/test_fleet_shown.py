"""What `lbdns status` and the metrics show of a fleet."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import cast

from lbdns.model.fleet_report import FleetMode, RosterRow
from lbdns.telemetry import metrics, standing
from lbdns.telemetry.server_facts import ServerFacts
from tests.fleet.played_fleet import AMS, FRA, PlayedFleet


def facts(fleet: PlayedFleet | None) -> ServerFacts:
    """Return a server's facts, of which only what the fleet shows is there."""
    return cast(ServerFacts, SimpleNamespace(fleet=None if fleet is None else fleet.report()))


def samples(fleet: PlayedFleet | None) -> dict[tuple[str, ...], float]:
    return {
        (sample.name.removeprefix("lbdns_fleet_"), *sample.labels.values()): sample.value
        for family in metrics._fleet(facts(fleet))
        for sample in family.samples
    }


def test_a_server_in_no_fleet_shows_no_row_and_no_sample() -> None:
    assert standing._fleet(facts(None)).text == "" and samples(None) == {}


def test_a_row_says_who_is_heard_and_what_is_wrong() -> None:
    fleet = PlayedFleet()
    assert standing._fleet(facts(fleet)) == ("fleet", "AMS-1, 3 of 3 machines heard, revision 7", ())
    fleet.lose("NYC-1", 125.0)
    fleet.own = dataclasses.replace(AMS, mode=FleetMode.FILES, revision=None)
    row = standing._fleet(facts(fleet))
    assert row.text == "AMS-1, 2 of 3 machines heard, health alone is shared"
    assert row.problems == ("NYC-1 has not been heard for 2 min 5 s",)


def test_metrics_have_each_machine_and_this_ones_own_state() -> None:
    fleet = PlayedFleet()
    fleet.lose("NYC-1", 125.0)
    fleet.rows[0] = RosterRow(dataclasses.replace(FRA, lag=2, mistakes=("pools.eu: no",)), 0.5, True, 60.0, 15.0)
    shown = samples(fleet)
    assert [shown["machine_heard", name] for name in ("AMS-1", "FRA-1", "NYC-1")] == [1, 1, 0]
    assert shown["machine_age_seconds", "NYC-1"] == 125
    assert (shown["lag_revisions", "FRA-1"], shown["lag_seconds", "FRA-1"]) == (2, 15)
    assert shown["revision_refused", "FRA-1"] == 1 and shown["served_revision", "FRA-1"] == 7
    assert ("served_revision", "NYC-1") not in shown, "nobody knows what it serves now"
    assert (shown[("cut_off",)], shown[("bus_up",)], shown[("problems",)]) == (0, 1, 3)
    fleet.own = dataclasses.replace(AMS, bus="no answer", cut_off_s=5.0)
    shown = samples(fleet)
    assert (shown[("cut_off",)], shown[("bus_up",)]) == (1, 0)
