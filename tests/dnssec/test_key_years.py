"""Years of a zone's keys in virtual time: few seeds here, more by `python -m tests.dnssec.key_years`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dnssec.key_years import Year

SEEDS = (1, 6, 11)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_no_minute_of_a_year_is_bogus(seed: int, tmp_path: Path) -> None:
    """Whatever a resolver may hold is a valid chain; and left alone, with a parent that answers, every roll ends."""
    year = Year(seed, tmp_path)
    year.run()
    assert year.faults == []
    assert year.is_settled()
    assert year.world.checks > 20 and len(year.events) > 40
