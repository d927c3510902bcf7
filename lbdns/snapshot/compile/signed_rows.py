"""The columns of what is signed: signatures by RRset, zones by how they deny, their NSEC and NSEC3 records in order."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Final

from lbdns.dns.canonical import nsec3_hash, order_key, type_bitmap
from lbdns.dns.codes import TYPE_NSEC, TYPE_RRSIG
from lbdns.dns.name import name_end
from lbdns.dns.zone import RRset, Zone
from lbdns.mapped.blob import Blob
from lbdns.mapped.columns import NONE_32
from lbdns.snapshot.lookup.name_rows import DENIAL_NSEC3, DENIAL_UNSIGNED

Columns = dict[str, "array[int]"]

SIGNED_COLUMNS: Final = (
    "rrset_signature",
    "rrset_signature_count",
    "signature_offset",
    "signature_length",
    "zone_signed",
    "zone_key_start",
    "zone_key_count",
    "signing_key_id",
    "zone_nsec_start",
    "zone_nsec_count",
    "nsec_name",
    "nsec_order",
    "zone_nsec3_start",
    "zone_nsec3_count",
    "nsec3_hash",
    "nsec3_rrset",
    "nsec3_owner",
    "name_types",
)
"""What is filled here."""
_NSEC_HEAD_BYTES: Final = 5 + 1  # of NSEC3 rdata: hash, flags, iterations, salt's length; the hash's length
_OF_NOTHING: Final = type_bitmap((TYPE_RRSIG, TYPE_NSEC))
"""What a name is said to have in a zone with NSEC where nothing but other names stand there."""


class SignedRows:
    """Fills the columns beside those of names and RRsets, a row for each of theirs."""

    def __init__(self, columns: Columns, blob: Blob) -> None:
        """Begin before the first name."""
        self._columns = columns
        self._blob = blob
        self._zone: Zone | None = None
        self._types_by_hash: dict[bytes, bytes] = {}
        self._owning: list[tuple[bytes, int]] = []

    def begin_zone(self, zone: Zone) -> None:
        """Begin a zone: its names follow."""
        self._zone = zone
        self._owning = []
        self._types_by_hash = {}
        columns, signed = self._columns, zone.signed
        columns["zone_signed"].append(signed.denial if signed else DENIAL_UNSIGNED)
        columns["zone_key_start"].append(len(columns["signing_key_id"]))
        columns["zone_key_count"].append(len(signed.key_ids) if signed else 0)
        if signed:
            columns["signing_key_id"].extend(signed.key_ids)
            self._types_by_hash = {hashed: _types_of_nsec3(rrset.rdatas[0]) for hashed, rrset in signed.nsec3}

    def add_name(self, number: int, name: bytes, rrsets: Sequence[RRset], is_occluded: bool) -> None:
        """Append what a name may have, after its row."""
        types = None if self._zone is None or is_occluded else self._types(self._zone, number, name, rrsets)
        offset = NONE_32 if types is None else self._blob.add(_with_length(types))
        self._columns["name_types"].append(offset)

    def _types(self, zone: Zone, number: int, name: bytes, rrsets: Sequence[RRset]) -> bytes | None:
        if zone.signed is None:
            return None
        if zone.signed.denial == DENIAL_NSEC3:
            return self._types_by_hash[nsec3_hash(name)]
        if not rrsets or rrsets[-1].type != TYPE_NSEC:
            return _OF_NOTHING
        self._owning.append((order_key(name), number))
        rdata = rrsets[-1].rdatas[0]
        return rdata[name_end(rdata, 0) :]

    def add_rrset(self, rrset: RRset) -> None:
        """Append an RRset's signatures, after its row."""
        columns = self._columns
        columns["rrset_signature"].append(len(columns["signature_offset"]) if rrset.signatures else NONE_32)
        columns["rrset_signature_count"].append(len(rrset.signatures))
        for signature in rrset.signatures:
            columns["signature_offset"].append(self._blob.add(signature))
            columns["signature_length"].append(len(signature))

    def end_zone(self) -> None:
        """Append the names that own NSEC records, in canonical order."""
        columns = self._columns
        columns["zone_nsec_start"].append(len(columns["nsec_name"]))
        columns["zone_nsec_count"].append(len(self._owning))
        for key, number in sorted(self._owning):
            columns["nsec_name"].append(number)
            columns["nsec_order"].append(self._blob.add(_with_length(key)))
        self._zone, self._owning, self._types_by_hash = None, [], {}

    def add_nsec3(self, zone: Zone, rows: Sequence[int]) -> None:
        """Append a zone's NSEC3 records, whose RRsets have these rows; zones come in their order."""
        columns = self._columns
        columns["zone_nsec3_start"].append(len(columns["nsec3_rrset"]))
        columns["zone_nsec3_count"].append(len(rows))
        for (hashed, rrset), row in zip(zone.signed.nsec3 if zone.signed else (), rows, strict=True):
            columns["nsec3_hash"].frombytes(hashed)
            columns["nsec3_rrset"].append(row)
            columns["nsec3_owner"].append(self._blob.add(rrset.owner))


def _types_of_nsec3(rdata: bytes) -> bytes:
    """Return the bitmap in an NSEC3 record without salt."""
    return rdata[_NSEC_HEAD_BYTES + rdata[_NSEC_HEAD_BYTES - 1] :]


def _with_length(data: bytes) -> bytes:
    return len(data).to_bytes(2, "little") + data
