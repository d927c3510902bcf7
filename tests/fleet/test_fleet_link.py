"""How a machine says that it stands before its store is open."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lbdns.model.bus_access import BusAccess
from lbdns.model.fleet_report import revision_text
from lbdns.model.settings import Settings
from lbdns.processes.supervisor.fleet_link import FleetLink


@pytest.mark.parametrize("revision, told", [(24, "24"), (0, "0"), (None, "own files")])
def test_a_store_that_is_not_open_yet_is_not_taken_for_files(tmp_path: Path, revision: int | None, told: str) -> None:
    served = SimpleNamespace(configuration=SimpleNamespace(settings=Settings(), store_revision=revision))
    server = SimpleNamespace(
        state_dir=tmp_path,
        run=SimpleNamespace(path=tmp_path),
        in_force=lambda: served,
        signer=SimpleNamespace(statuses=(), counts=None),
    )
    link = FleetLink(cast(Any, server), BusAccess(machine="AMS-1", fleet_id="t", urls=()), 0.0)
    assert revision_text(link.status()) == told
