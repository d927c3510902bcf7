"""What compiling a configuration leaves for the next time: most of it is the same then.

Kept is what rests on unchanged inputs alone, and only as long as each compile asks for it. A snapshot that was compiled
with a memo is the same, byte for byte, as one compiled without.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import is_
from typing import Final

from lbdns.base.memo import ByObject
from lbdns.dns.zone import Zone
from lbdns.mapped.snapshot_file import Snapshot
from lbdns.snapshot.compile.balancer_rows import BalancerRow
from lbdns.snapshot.compile.flat_rows import Flat
from lbdns.snapshot.compile.place_classes import PlaceIndex
from lbdns.snapshot.compile.pool_rows import PoolRow
from lbdns.snapshot.compile.rule_memo import RuleMemo
from lbdns.snapshot.compile.tries import Tries
from lbdns.snapshot.compile.view_zones import DirectoryRow, ViewedMemo
from lbdns.snapshot.compile.zone_columns import Placed
from lbdns.steering.policies.context import PlanParts, Site

ROWS_BYTES_MAX: Final = 128_000_000
"""Rows of load balancers, and what their plans share, beyond so many bytes are made anew each time."""


class NameColumns:
    """The columns that zones fill, and what they were filled from."""

    def __init__(
        self,
        zones: Sequence[Zone],
        placed: Sequence[Placed],
        directories: Sequence[DirectoryRow] | None,
        texts: dict[bytes, int],
        flats: Mapping[int, Flat],
        columns: dict[str, memoryview],
    ) -> None:
        """Keep columns by what they rest on; `texts`: the offsets in the blob before the zones filled it."""
        self._zones = zones
        self._placed = placed
        self._directories = directories
        self._texts = texts
        self._flats = flats
        self.columns = columns

    def rests_on(
        self,
        zones: Sequence[Zone],
        placed: Sequence[Placed],
        directories: Sequence[DirectoryRow] | None,
        texts: dict[bytes, int],
        flats: Mapping[int, Flat],
    ) -> bool:
        """Return whether the columns are what these would give."""
        same_zones = len(zones) == len(self._zones) and all(map(is_, zones, self._zones))
        same_places = same_zones and directories == self._directories and placed == self._placed
        return same_places and texts == self._texts and flats == self._flats


class CompileMemo:
    """Kept by whoever compiles again and again, one compile at a time."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.pools: ByObject[PoolRow] = ByObject()
        self.balancers: ByObject[BalancerRow] = ByObject()
        self.rules = RuleMemo()
        self.views = ViewedMemo()
        self.tries = Tries()
        self.parts = PlanParts(self._has_room)
        self.names: NameColumns | None = None
        self._rows_bytes = 0
        self._place: tuple[Site, PlaceIndex] | None = None

    @contextmanager
    def compiling(self, site: Site, index: PlaceIndex) -> Iterator[Tries]:
        """Yield where this compile's tries go; what it does not use is dropped at its end."""
        if self._place is None or self._place[0] != site or self._place[1] is not index:
            self._place = (site, index)
            self.balancers.clear()
            self.parts.clear()
            self.tries = Tries()
        self._rows_bytes = 0
        tries = Tries(self.tries)
        with self.pools.round(), self.balancers.round(), self.parts.round(), self.rules.round():
            yield tries
        self.tries = tries

    def take_mapped(self, snapshot: Snapshot) -> None:
        """Have the name columns of the last compile where its snapshot has them mapped, not in this process's memory as
        well."""
        if self.names is not None:
            self.names.columns = {name: snapshot.columns[name] for name in self.names.columns}

    def keep_row(self, balancer: object, row: BalancerRow) -> None:
        """Keep a load balancer's row, as long as there is room."""
        if self._has_room(row.size):
            self.balancers.keep(balancer, row)

    def _has_room(self, size: int) -> bool:
        """Return whether so many bytes more may be kept of what this compile makes."""
        self._rows_bytes += size
        return self._rows_bytes <= ROWS_BYTES_MAX
