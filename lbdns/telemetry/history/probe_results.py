"""What the monitor worker measured: checks and their results since the last look, and the RTTs that steer, by name.

Of an endpoint that is new here the first look counts nothing: what its row says it may have from another's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from lbdns.mapped.columns import REGION_COUNT
from lbdns.mapped.health_table import HealthTable
from lbdns.places.regions import REGION_CODES
from lbdns.snapshot.slots import Slots
from lbdns.telemetry.history.history_words import HistoryKind
from lbdns.telemetry.history.name_book import Name

RTT_MAX_US: Final = 60_000_000

Measured = tuple[HistoryKind, Name, tuple[int, ...]]


class ProbeResults:
    """Follows a health table from look to look."""

    def __init__(self) -> None:
        """Begin without one."""
        self._slots: Slots | None = None
        self._table: HealthTable | None = None
        self._keys: list[Name] = []
        self._places = np.zeros(0, np.int64)
        self._before: dict[Name, tuple[int, int]] = {}

    def adopt(self, slots: Slots, table: HealthTable) -> None:
        """Go on with another generation."""
        self._slots, self._table = slots, table
        kept = {key: slot for key, slot in slots.endpoint.items() if slot < table.endpoint_capacity}
        self._keys = list(kept)
        self._places = np.fromiter(kept.values(), np.int64, len(kept))
        self._before = {key: counts for key, counts in self._before.items() if key in kept}

    def look(self) -> Iterator[Measured]:
        """Yield what came since the last look, and each RTT as it is now."""
        if self._table is not None and self._slots is not None:
            yield from self._checks(self._table)
            yield from self._round_trips(self._table, self._slots)

    def _checks(self, table: HealthTable) -> Iterator[Measured]:
        columns: tuple[np.ndarray[Any, Any], ...] = tuple(
            np.asarray(table.columns[name])[self._places]
            for name in ("endpoint_checks", "endpoint_passed", "endpoint_rtt_us")
        )
        for key, checks, passed, rtt_us in zip(self._keys, *(column.tolist() for column in columns), strict=True):
            before = self._before.get(key)
            if before is not None and checks != before[0]:
                since, well = (checks, passed) if checks < before[0] else (checks - before[0], passed - before[1])
                well = min(max(well, 0), since)
                times = min(rtt_us, RTT_MAX_US) * well
                yield HistoryKind.CHECKS, key, (since, well, times, well)
            self._before[key] = checks, passed

    def _round_trips(self, table: HealthTable, slots: Slots) -> Iterator[Measured]:
        figures = np.asarray(table.columns["pool_rtt"])
        for name, slot in slots.pool.items():
            own = figures[slot * REGION_COUNT : (slot + 1) * REGION_COUNT]
            for index in np.flatnonzero(own > 0).tolist():
                rtt_us = min(round(float(own[index]) * 1000), RTT_MAX_US)
                yield HistoryKind.ROUND_TRIPS, (name, REGION_CODES[index]), (rtt_us, 1)
