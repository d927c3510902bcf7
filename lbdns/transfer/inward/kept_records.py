"""The records of zones that were transferred lately, in memory, so that differences need no reading of the disk."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from lbdns.transfer.inward.zone_records import ZoneRecords

RRSETS_MAX: Final = 500_000
"""Of all zones together; one that has more alone is read anew each time."""


class KeptRecords:
    """Some zones by apex, those used longest ago are let go first."""

    def __init__(self, rrsets_max: int = RRSETS_MAX) -> None:
        """Keep at most so many RRsets."""
        self._max = rrsets_max
        self._zones: OrderedDict[bytes, tuple[int, int, ZoneRecords]] = OrderedDict()
        self._count = 0

    def find(self, apex: bytes, serial: int) -> ZoneRecords | None:
        """Return the records of a zone as of a serial, None where they are not kept."""
        found = self._zones.get(apex)
        if found is None or found[0] != serial:
            return None
        self._zones.move_to_end(apex)
        return found[2]

    def keep(self, serial: int, count: int, records: ZoneRecords) -> None:
        """Keep a zone's records of `count` RRsets, in place of those before."""
        self.drop(records.apex)
        if count > self._max:
            return
        self._zones[records.apex] = serial, count, records
        self._count += count
        while self._count > self._max:
            self.drop(next(iter(self._zones)))

    def drop(self, apex: bytes) -> None:
        """Let a zone go."""
        found = self._zones.pop(apex, None)
        if found is not None:
            self._count -= found[1]
