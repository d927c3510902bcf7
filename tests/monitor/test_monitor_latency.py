"""Round-trip times that steer: the weighted mean, and what is kept on disk."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbdns.base.errors import LbdnsError
from lbdns.base.words import LATENCY_FILE
from lbdns.mapped.columns import REGION_COUNT
from lbdns.mapped.health_table import HealthTable
from lbdns.monitor import latency
from lbdns.places.regions import REGION_CODES


def test_the_table_has_a_column_for_every_region() -> None:
    assert len(REGION_CODES) == REGION_COUNT and list(REGION_CODES) == sorted(REGION_CODES)


def test_the_mean_forgets_with_a_time_constant_of_200_s() -> None:
    assert latency.ewma(0.0, 50.0, 0.0) == 50.0
    assert latency.ewma(100.0, 50.0, 200.0) == pytest.approx(50 + 50 / math.e)
    assert latency.ewma(100.0, 50.0, 0.0) == 100.0
    assert latency.ewma(100.0, 50.0, -5.0) == 100.0


@given(st.floats(1, 1e4), st.floats(1, 1e4), st.floats(0, 1e4), st.integers(1, 5))
def test_the_mean_does_not_depend_on_how_often_it_is_sampled(
    first: float, then: float, dt_s: float, parts: int
) -> None:
    value = first
    for _ in range(parts):
        value = latency.ewma(value, then, dt_s / parts)
    assert value == pytest.approx(latency.ewma(first, then, dt_s))


def test_figures_are_kept_by_name_and_old_ones_are_not_believed(tmp_path: Path) -> None:
    table = HealthTable.create(tmp_path / "t", 1, 3, 1)
    latency.sample(table.columns, 1, "WEU", 20.0, 1000.0)
    latency.sample(table.columns, 2, "", 30.0, 2000.0)
    latency.save(tmp_path, table.columns, [("a", 1), ("b", 2)])
    kept = latency.load(tmp_path, 2100.0)
    assert kept["a"] == {11: (20.0, 1000.0)} and len(kept["b"]) == 13
    other = HealthTable.create(tmp_path / "u", 1, 3, 1)
    latency.sample(other.columns, 0, "OC", 5.0, 1.0)
    latency.restore(other.columns, 0, kept["a"])
    latency.restore(other.columns, 0, {6: (9.0, 9.0)})
    assert (other.columns["pool_rtt"][11], other.columns["pool_rtt"][6]) == (20.0, 5.0)
    assert latency.load(tmp_path, 1500.0 + latency.KEPT_S)["a"] == {}
    assert latency.load(tmp_path / "none", 0.0) == {}
    (tmp_path / LATENCY_FILE).write_text('{"a": [1]}')
    assert latency.load(tmp_path, 0.0) == {}
    with pytest.raises(LbdnsError, match="cannot write the round-trip times"):
        latency.save(tmp_path / "none", table.columns, [])
