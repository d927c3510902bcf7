"""A share of scripts/update-soak: random updates while the supervisor is killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.transfer.killed_updates import run_killed

pytestmark = pytest.mark.process


def test_nothing_is_lost_and_nothing_half_applied_over_kills(starts_processes: None, tmp_path: Path) -> None:
    counted = run_killed(tmp_path, updates=60, clients=4, seed=2136, pause_s=(0.1, 0.3), kills_max=1)
    assert counted["kills"] >= 1
    assert counted["made"] > 15
