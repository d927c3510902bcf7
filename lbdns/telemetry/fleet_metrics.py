"""Metrics of the fleet, as the machine that is asked sees it: worked out of its report, and of nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from lbdns.telemetry.transfer_metrics import Samples

if TYPE_CHECKING:
    from lbdns.model.fleet_report import FleetReport

_MACHINE: Final = ("machine",)


def fleet_samples(fleet: FleetReport | None) -> Iterator[Samples]:
    """Yield the families; none has a sample where the server is in no fleet."""
    rows = () if fleet is None else fleet.machines
    own = None if fleet is None else fleet.own
    heard = [((row.status.name,), float(row.is_heard)) for row in rows]
    yield Samples("fleet_machine_heard", "1 while a machine of the fleet is heard by this one.", _MACHINE, heard)
    ages = [((row.status.name,), row.age_s) for row in rows]
    yield Samples("fleet_machine_age_seconds", "Since a machine was heard last.", _MACHINE, ages)
    lags = [((row.status.name,), float(row.status.lag)) for row in rows if row.is_heard]
    yield Samples("fleet_lag_revisions", "Revisions that a machine knows of and does not have.", _MACHINE, lags)
    lagging = [((row.status.name,), row.lags_s) for row in rows if row.is_heard]
    yield Samples("fleet_lag_seconds", "For how long it has lacked some.", _MACHINE, lagging)
    revisions = [
        ((row.status.name,), float(row.status.served)) for row in rows if row.is_heard and row.status.served is not None
    ]
    text = "The revision that a machine serves; absent where it serves files."
    yield Samples("fleet_served_revision", text, _MACHINE, revisions)
    refused = [((row.status.name,), float(bool(row.status.mistakes))) for row in rows if row.is_heard]
    yield Samples("fleet_revision_refused", "1 while a machine cannot serve what it stores.", _MACHINE, refused)
    text = "1 while this machine hears too few others to judge health by what they see."
    cut_off = [] if own is None else [((), float(own.cut_off_s is not None))]
    yield Samples("fleet_cut_off", text, (), cut_off)
    reached = [] if own is None else [((), float(not own.bus))]
    yield Samples("fleet_bus_up", "1 while the bus is reached, so that changes can be made.", (), reached)
    problems = [] if fleet is None else [((), float(len(fleet.problems)))]
    yield Samples("fleet_problems", "What somebody should look at: lbdns fleet says what.", (), problems)
