"""The columns of what is in transfers alone: RRsets of load balancers' answers, and what else differs there."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from lbdns.dns.codes import TYPE_NSEC3
from lbdns.dns.zone import RRset, Zone
from lbdns.mapped.blob import Blob
from lbdns.snapshot.lookup.name_rows import TRANSFER_FLAT, TRANSFER_PLAIN, TRANSFER_STEERED

Columns = dict[str, "array[int]"]
Flat = Sequence[RRset]
"""What a transfer of a zone has beside, or in the place of, the zone's own RRsets of the same owner and type."""

NO_FLATS: Final[Mapping[int, Flat]] = MappingProxyType({})
FLAT_COLUMNS: Final = (
    "zone_transfer",
    "zone_flat_start",
    "zone_flat_count",
    "flat_rrset",
    "flat_owner",
    "flat_hides",
)
"""What is filled here."""


class FlatRows:
    """Fills them: `find` while a zone's names are appended, `append` when all zones are there."""

    def __init__(self, columns: Columns, blob: Blob, flats: Mapping[int, Flat]) -> None:
        """Begin before the first zone; `flats`: of zones by their indices, where that is known."""
        self._columns = columns
        self._blob = blob
        self._flats = flats
        self._hiding: dict[int, list[tuple[int, RRset]]] = {}

    def find(self, index: int, has_balancers: bool, row_of: Callable[[bytes, int], int]) -> None:
        """Note a zone, with what its RRsets there hide; `row_of`: gives the row of a name's RRset of a type, NONE_32
        where it has none."""
        flat = self._flats.get(index)
        transfer = TRANSFER_PLAIN if not has_balancers else TRANSFER_STEERED if flat is None else TRANSFER_FLAT
        self._columns["zone_transfer"].append(transfer)
        if flat:
            self._hiding[index] = [(row_of(rrset.owner, rrset.type), rrset) for rrset in flat]

    def append(self, zones: Sequence[Zone], append_rrset: Callable[[RRset], None]) -> None:
        """Append them, behind the RRsets of all names and of NSEC3 records; `append_rrset` appends a row of rrset_*."""
        if not self._hiding:
            return
        columns = self._columns
        for index, zone in enumerate(zones):
            columns["zone_flat_start"].append(len(columns["flat_rrset"]))
            hiding = self._hiding.get(index, [])
            hashed = self._nsec3_rows(index, zone) if any(rrset.type == TYPE_NSEC3 for _, rrset in hiding) else {}
            rows = [(hashed.get(one.owner, row) if one.type == TYPE_NSEC3 else row, one) for row, one in hiding]
            columns["zone_flat_count"].append(len(rows))
            for row, rrset in sorted(rows, key=lambda one: one[0]):
                columns["flat_rrset"].append(len(columns["rrset_type"]))
                columns["flat_owner"].append(self._blob.add(rrset.owner))
                columns["flat_hides"].append(row)
                append_rrset(rrset)

    def _nsec3_rows(self, index: int, zone: Zone) -> dict[bytes, int]:
        """Return the rows of a zone's NSEC3 records by their owners."""
        rows = self._columns["nsec3_rrset"]
        start = self._columns["zone_nsec3_start"][index]
        nsec3 = zone.signed.nsec3 if zone.signed else ()
        return {rrset.owner: rows[start + at] for at, (_, rrset) in enumerate(nsec3)}
