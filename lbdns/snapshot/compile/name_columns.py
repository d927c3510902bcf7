"""The columns that zones fill, kept from one compile to the next while what they rest on is the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import is_
from typing import Final

from lbdns.dns.zone import Zone
from lbdns.mapped.blob import Blob
from lbdns.mapped.columns import empty_columns
from lbdns.snapshot.compile.flat_rows import FLAT_COLUMNS, Flat
from lbdns.snapshot.compile.signed_rows import SIGNED_COLUMNS
from lbdns.snapshot.compile.view_zones import DirectoryRow
from lbdns.snapshot.compile.zone_columns import Placed, compile_zones

NAME_COLUMNS: Final = (
    "table",
    "name_row",
    "rrset_type",
    "rrset_ttl",
    "rrset_rdata_start",
    "rrset_rdata_count",
    "rdata_offset",
    "rdata_length",
    "zone_apex",
    "public_zones",
    *SIGNED_COLUMNS,
    *FLAT_COLUMNS,
    "blob",
)
"""What the zones fill, the blob among it: they come last."""


class NameColumns:
    """The columns that zones fill, and what they were filled from."""

    def __init__(
        self,
        zones: Sequence[Zone],
        placed: Sequence[Placed],
        directories: Sequence[DirectoryRow] | None,
        texts: Mapping[bytes, int],
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
        texts: Mapping[bytes, int],
        flats: Mapping[int, Flat],
    ) -> bool:
        """Return whether the columns are what these would give."""
        same_zones = len(zones) == len(self._zones) and all(map(is_, zones, self._zones))
        same_places = same_zones and directories == self._directories and _is(placed, self._placed)
        return same_places and _is(texts, self._texts) and flats == self._flats


def compile_names(
    blob: memoryview,
    texts: Mapping[bytes, int],
    zones: Sequence[Zone],
    placed: Sequence[Placed],
    directories: Sequence[DirectoryRow] | None,
    flats: Mapping[int, Flat],
    before: NameColumns | None,
) -> NameColumns:
    """Return the columns of zones: `before`, where they would be the same. `blob`, `texts`: what stands in the blob
    already, and where."""
    if before is not None and before.rests_on(zones, placed, directories, texts, flats):
        return before
    columns = empty_columns()
    columns["blob"].frombytes(blob)
    compile_zones(columns, Blob(columns["blob"], texts), zones, placed, directories, flats)
    filled = {name: memoryview(columns[name]).toreadonly() for name in NAME_COLUMNS}
    return NameColumns(zones, placed, directories, texts, flats, filled)


def _is(one: object, other: object) -> bool:
    return one is other or one == other
