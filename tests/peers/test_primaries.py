"""NSD, Knot and BIND as primaries: a small share of scripts/transfer-soak --inward."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.answer.unbound import program
from tests.peers.feeding import Feeding
from tests.peers.run import soak_inward
from tests.transfer.real_primaries import PRIMARIES

CHANGES = 6


@pytest.mark.parametrize("kind", PRIMARIES)
def test_its_zone_is_the_primarys_whatever_happens(starts_processes: None, kind: str, tmp_path: Path) -> None:
    program("ldns-compare-zones")
    with Feeding(tmp_path, kind, seed=14).running() as feeding:
        soak_inward(feeding, CHANGES)
        feeding.restart_server()
        feeding.restart_primary()
        soak_inward(feeding, 2)
