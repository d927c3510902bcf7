"""Pools' round-trip times: the mean over healthy endpoints, by region, sampled where a good result came."""

from __future__ import annotations

from collections.abc import Mapping

from lbdns.health.verdict import HEALTHY
from lbdns.mapped.columns import REGION_COUNT
from lbdns.monitor import latency
from lbdns.monitor.ledger.agreement import mean_rtt_us
from lbdns.monitor.ledger.states import PoolHealth, Series
from lbdns.monitor.ledger.table_rows import TableRows


class PoolRtt:
    """The pools that had a good result since they were sampled last."""

    def __init__(self, rows: TableRows) -> None:
        """Begin with none; figures go to `rows`."""
        self._rows = rows
        self._due: dict[PoolHealth, None] = {}

    def note(self, pool: PoolHealth, region: str, now_s: float) -> None:
        """Take it that a good result came from a vantage point of `region`; a first figure is there at once."""
        self._due[pool] = None
        if not self._rows.pool_rtt[pool.spec.slot * REGION_COUNT + latency.regions_of(region)[0]]:
            self._sample(pool, now_s)

    def sample(self, now_s: float) -> None:
        """Put the round-trip times of the pools that are due into the table."""
        due, self._due = self._due, {}
        for pool in due:
            self._sample(pool, now_s)

    def keep_only(self, pools: Mapping[str, PoolHealth]) -> None:
        """Let go of pools that are not among these, by name."""
        self._due = {pool: None for pool in self._due if pools.get(pool.spec.name) is pool}

    def _sample(self, pool: PoolHealth, now_s: float) -> None:
        regions: dict[str, list[float]] = {}
        for endpoint in pool.endpoints:
            if endpoint.state != HEALTHY:
                continue
            by_region: dict[str, list[Series]] = {}
            for series in endpoint.series:
                by_region.setdefault(series.vantage.region, []).append(series)
            for region, heard in by_region.items():
                mean_us = mean_rtt_us(heard)
                if mean_us:
                    regions.setdefault(region, []).append(mean_us)
        columns = self._rows.table.columns
        for region, means in regions.items():
            latency.sample(columns, pool.spec.slot, region, sum(means) / len(means) / 1000.0, now_s)
