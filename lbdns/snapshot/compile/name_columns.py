"""The columns that zones fill, kept from one compile to the next while what they rest on is the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lbdns.base.memo import are_same
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


@dataclass(frozen=True, slots=True)
class NameBasis:
    """What the columns of zones rest on. `texts`: the offsets in the blob before the zones fill it."""

    zones: Sequence[Zone]
    placed: Sequence[Placed]
    directories: Sequence[DirectoryRow] | None
    texts: Mapping[bytes, int]
    flats: Mapping[int, Flat]

    def is_same(self, other: NameBasis) -> bool:
        """Whether nothing at all is another."""
        same_places = self.directories == other.directories and _is(self.placed, other.placed)
        same = are_same(self.zones, other.zones) and same_places
        return same and _is(self.texts, other.texts) and self.flats == other.flats


@dataclass(slots=True, eq=False)
class NameColumns:
    """The columns that zones fill, and what they were filled from."""

    basis: NameBasis
    columns: dict[str, memoryview]


def compile_names(blob: memoryview, basis: NameBasis, before: NameColumns | None) -> NameColumns:
    """Return the columns of zones: `before`, where they would be the same. `blob`: what stands in it already."""
    if before is not None and before.basis.is_same(basis):
        return before
    columns = empty_columns()
    columns["blob"].frombytes(blob)
    filling = Blob(columns["blob"], basis.texts)
    compile_zones(columns, filling, basis.zones, basis.placed, basis.directories, basis.flats)
    return NameColumns(basis, {name: memoryview(columns[name]).toreadonly() for name in NAME_COLUMNS})


def _is(one: object, other: object) -> bool:
    return one is other or one == other
