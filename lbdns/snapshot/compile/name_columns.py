"""The columns that zones fill, kept from one compile to the next while what they rest on is the same."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import eq
from typing import Final, NamedTuple

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


WASTE_SHARE: Final = 4
WASTE_MIN: Final = 1 << 16


def are_equal(some: Sequence[Placed], others: Sequence[Placed]) -> bool:
    """Whether load balancers stand where others do; of the very same sequence, nothing is looked at."""
    return some is others or (len(some) == len(others) and all(map(eq, some, others)))


def has_room(waste: int, octets: int) -> bool:
    """Whether what stands in so many octets may be altered once more, though nothing leads to `waste` of them any more:
    one in WASTE_SHARE, and WASTE_MIN in any case."""
    return waste <= max(WASTE_MIN, octets // WASTE_SHARE)


@dataclass(frozen=True, slots=True)
class NameBasis:
    """What the columns of zones rest on, beside what stands in the blob before."""

    zones: Sequence[Zone]
    placed: Sequence[Placed]
    directories: Sequence[DirectoryRow] | None
    flats: Mapping[int, Flat]

    def is_same(self, other: NameBasis) -> bool:
        """Whether nothing at all is another."""
        same_places = self.directories == other.directories and are_equal(self.placed, other.placed)
        return are_same(self.zones, other.zones) and same_places and self.flats == other.flats


class Stretch(NamedTuple):
    """Rows of names that are as they were: from `first` to before `last` once, from `now` on now; and their RRsets'."""

    first: int
    last: int
    now: int
    first_rrset: int
    last_rrset: int
    now_rrset: int


class NameStep(NamedTuple):
    """How columns came of others, those with this key: what stayed, the rows of the names that are others, and the
    zones that these are in."""

    of: object
    stayed: tuple[Stretch, ...]
    fresh: frozenset[int]
    zones: frozenset[int]


@dataclass(slots=True, eq=False)
class NameColumns:
    """The columns that zones fill, and what they were filled from.

    `hashes`: of the names, as the table has them. `texts`: octets in the blob before theirs; `waste`: octets there that
    alterations have added. `step`: how they came of others, None where they were compiled anew.
    """

    basis: NameBasis
    columns: dict[str, memoryview]
    hashes: array[int]
    texts: int
    waste: int = 0
    step: NameStep | None = None
    key: object = field(default_factory=object)
    before: memoryview | None = None
    """What stands in the blob before their texts, where it is mapped: so it is known without being read."""

    def stand_after(self, blob: memoryview) -> bool:
        """Whether they stand in a blob that begins like this."""
        if blob is self.before:
            return True
        return len(blob) == self.texts and bytes(self.columns["blob"][: self.texts]) == bytes(blob)

    def rows_of(self, zone: int) -> tuple[int, int]:
        """Return the first row of a zone's names and the one behind its last; each zone is in the public directory
        alone."""
        apexes = self.columns["zone_apex"]
        if zone + 1 < len(apexes):
            return apexes[zone], apexes[zone + 1]
        return apexes[zone], len(self.hashes) - len(apexes)


def compile_names(blob: memoryview, basis: NameBasis) -> NameColumns:
    """Return the columns of zones. `blob`: what stands in it already."""
    columns = empty_columns()
    columns["blob"].frombytes(blob)
    hashes = compile_zones(columns, Blob(columns["blob"]), basis.zones, basis.placed, basis.directories, basis.flats)
    return NameColumns(
        basis, {name: memoryview(columns[name]).toreadonly() for name in NAME_COLUMNS}, hashes, len(blob)
    )
