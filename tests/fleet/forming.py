"""Machines become a fleet, by the commands that an operator runs."""

from __future__ import annotations

import re
from typing import Final

from lbdns.model.fleet_report import FleetReport
from tests.fleet.machines import Fleet, at_once
from tests.store.served import wait_until

TOKEN: Final = re.compile(r"lbdns-fleet-\S+")
LEAF_PORT: Final = 7422
JOINED_S: Final = 120.0


def form_fleet(fleet: Fleet, embedded_leaves: bool) -> None:
    """Make the first machine the hub, have the others join it, and wait until each hears all of them."""
    hub = fleet.hub
    leaf_port = ("--leaf-port", str(LEAF_PORT)) if embedded_leaves else ()
    said = hub.lbdns("fleet", "init", "--name", hub.name, "--address", hub.stand.address, *leaf_port)
    found = TOKEN.search(said)
    assert found is not None, said
    leaf = ("--leaf",) if embedded_leaves else ()
    others = fleet.machines[1:]
    at_once(lambda one: one.lbdns("fleet", "join", found[0], "--name", one.name, *leaf), others)
    wait_until(lambda: _hears_all(fleet), lambda: _told(fleet), JOINED_S)


def _hears_all(fleet: Fleet) -> bool:
    """Tell whether every machine hears every other, and all have the same revision."""
    reports = [FleetReport.from_json(one.ask("fleet")) for one in fleet.machines]
    if any(report.heard_count < len(fleet.machines) for report in reports):
        return False
    return len({row.status.revision for report in reports for row in report.machines}) == 1


def _told(fleet: Fleet) -> str:
    return "\n".join(f"{one.name}: {one.ask('fleet')}\n{one.log[-2000:]}" for one in fleet.machines)
