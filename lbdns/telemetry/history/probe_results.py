"""What the monitor worker measured: checks and their results since the last look, and the RTTs that steer, by name.

Of an endpoint that is new here the first look counts nothing: what its row says it may have from another's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from lbdns.mapped.columns import REGION_COUNT
from lbdns.mapped.health_table import HealthTable
from lbdns.places.regions import REGION_CODES
from lbdns.snapshot.slots import Slots
from lbdns.telemetry.history.history_words import HistoryKind
from lbdns.telemetry.history.name_book import Name

RTT_MAX_US: Final = 60_000_000
UNSEEN: Final = -1

Measured = tuple[HistoryKind, Name, tuple[int, ...]]


class ProbeResults:
    """Follows a health table from look to look."""

    def __init__(self) -> None:
        """Begin without one."""
        self._table: HealthTable | None = None
        self._keys: list[Name] = []
        self._places = np.zeros(0, np.int64)
        self._before = np.zeros((0, 2), np.int64)  # checks and those passed, of each key; UNSEEN: not looked at yet
        self._pools: list[str] = []
        self._pool_places = np.zeros(0, np.int64)

    def adopt(self, slots: Slots, table: HealthTable) -> None:
        """Go on with another generation."""
        self._table = table
        kept = {key: slot for key, slot in slots.endpoint.items() if slot < table.endpoint_capacity}
        before = dict(zip(self._keys, self._before.tolist(), strict=True))
        self._keys = list(kept)
        self._places = np.fromiter(kept.values(), np.int64, len(kept))
        counts = [before.get(key, (UNSEEN, UNSEEN)) for key in self._keys]
        self._before = np.array(counts, np.int64).reshape(len(counts), 2)
        pools = {name: slot for name, slot in slots.pool.items() if slot < table.pool_capacity}
        self._pools = list(pools)
        self._pool_places = np.fromiter(pools.values(), np.int64, len(pools))

    def look(self) -> Iterator[Measured]:
        """Yield what came since the last look, and each RTT as it is now."""
        if self._table is not None:
            yield from self._checks(self._table)
            yield from self._round_trips(self._table)

    def _checks(self, table: HealthTable) -> Iterator[Measured]:
        checks, passed, rtts_us = (
            np.asarray(table.columns[name])[self._places].astype(np.int64)
            for name in ("endpoint_checks", "endpoint_passed", "endpoint_rtt_us")
        )
        before, self._before = self._before, np.stack((checks, passed), axis=1)
        came = np.flatnonzero((before[:, 0] != UNSEEN) & (before[:, 0] != checks))
        rows = zip(
            came.tolist(), before[came].tolist(), self._before[came].tolist(), rtts_us[came].tolist(), strict=True
        )
        for place, then, now, rtt_us in rows:
            # A row that has fewer than before has begun anew.
            since, well = now if now[0] < then[0] else (now[0] - then[0], now[1] - then[1])
            well = min(max(well, 0), since)
            yield HistoryKind.CHECKS, self._keys[place], (since, well, min(rtt_us, RTT_MAX_US) * well, well)

    def _round_trips(self, table: HealthTable) -> Iterator[Measured]:
        figures = np.asarray(table.columns["pool_rtt"]).reshape(-1, REGION_COUNT)[self._pool_places]
        for place, region in zip(*(found.tolist() for found in np.nonzero(figures > 0)), strict=True):
            rtt_us = min(round(float(figures[place, region]) * 1000), RTT_MAX_US)
            yield HistoryKind.ROUND_TRIPS, (self._pools[place], REGION_CODES[region]), (rtt_us, 1)
