"""Which vantage points probe a pool that has check regions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lbdns.fleet.observing.judging import Speaker
from lbdns.model.bounds import ALL_REGIONS


class AskedRegions:
    """Those of its regions; where nobody in the fleet stands in any of them, all do."""

    def __init__(self, speakers: Mapping[str, Speaker]) -> None:
        """`speakers`: all vantage points that are known, as they are at any time."""
        self._speakers = speakers
        self._regions: frozenset[str] = frozenset()
        self.follow()

    def follow(self) -> bool:
        """Take it that other vantage points are known than before; return whether regions came or went by that."""
        before, self._regions = self._regions, frozenset([one.region for one in self._speakers.values()])
        return before != self._regions

    def stands(self, regions: Sequence[str], region: str) -> bool:
        """Whether a vantage point of a region probes a pool with these check regions."""
        if not regions or ALL_REGIONS in regions or region in regions:
            return True
        return self._regions.isdisjoint(regions)
