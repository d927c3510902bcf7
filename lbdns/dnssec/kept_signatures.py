"""Signatures that were made before and are good for longer: what did not change keeps its own.

They are found in what was signed last, or after a start in the snapshot that was served last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from lbdns.dns.canonical import RRSIG_HEAD
from lbdns.dns.codes import TYPE_DNSKEY
from lbdns.dns.name import read_name
from lbdns.dns.zone import RRset, Zone
from lbdns.dnssec.zone_keys import SigningKey
from lbdns.mapped.columns import NONE_32
from lbdns.mapped.snapshot_file import Snapshot
from lbdns.snapshot.lookup.name_rows import (
    NAME_ROW,
    ROW_FIRST_RRSET,
    ROW_OFFSET,
    ROW_RRSETS,
    ROW_ZONE,
    RRSETS_MASK,
)

Content = tuple[bytes, int, int, tuple[bytes, ...]]
"""What a signature is over: owner, type, TTL and data of an RRset."""


class KeptSignatures:
    """The signatures of a zone, of whatever instance, and the DNSKEY rdata that it had."""

    def __init__(self, apex: bytes, rrsets: Iterable[RRset] = ()) -> None:
        """Begin with those over some RRsets."""
        self._apex = apex
        self._by_content: dict[Content, tuple[bytes, ...]] = {}
        self._dnskeys: set[bytes] = set()
        self.add(rrsets)

    def add(self, rrsets: Iterable[RRset]) -> None:
        """Take those over some more."""
        for rrset in rrsets:
            if rrset.signatures:
                self._by_content[rrset.owner, rrset.type, rrset.ttl, rrset.rdatas] = rrset.signatures
                if rrset.type == TYPE_DNSKEY and rrset.owner == self._apex:
                    self._dnskeys.update(rrset.rdatas)

    def find(self, rrset: RRset, signer: SigningKey) -> bytes | None:
        """Return the signature that a key made over an RRset, None where it made none.

        Tags may be shared, so the key's DNSKEY must have stood in the zone that had the signature.
        """
        found = self._by_content.get((rrset.owner, rrset.type, rrset.ttl, rrset.rdatas))
        if found is None or signer.dnskey not in self._dnskeys:
            return None
        for signature in found:
            head = RRSIG_HEAD.unpack_from(signature)
            if (head[1], head[6]) == (signer.algorithm, signer.tag):
                return signature
        return None


def rrsets_of_zone(zone: Zone) -> Iterator[RRset]:
    """Yield every RRset of a signed zone."""
    yield from zone.rrsets
    if zone.signed is not None:
        yield from (rrset for _, rrset in zone.signed.nsec3)


def rrsets_of_snapshot(snapshot: Snapshot, apex: bytes) -> Iterator[RRset]:
    """Yield the signed RRsets of a zone, of all its instances, from a snapshot."""
    columns = snapshot.columns
    reader = _Rows(columns)
    for zone, denial in enumerate(columns["zone_signed"]):
        entry = columns["zone_apex"][zone]
        if not denial or reader.name(entry) != apex:
            continue
        while entry * NAME_ROW < len(columns["name_row"]) and reader.field(entry, ROW_ZONE) == zone + 1:
            first = reader.field(entry, ROW_FIRST_RRSET)
            owner = reader.name(entry)
            for row in range(first, first + (reader.field(entry, ROW_RRSETS) & RRSETS_MASK)):
                yield reader.rrset(owner, row)
            entry += 1
        start = columns["zone_nsec3_start"][zone]
        for at in range(start, start + columns["zone_nsec3_count"][zone]):
            owner = read_name(columns["blob"], columns["nsec3_owner"][at])
            yield reader.rrset(owner, columns["nsec3_rrset"][at])


class _Rows:
    def __init__(self, columns: Mapping[str, memoryview]) -> None:
        self._columns = columns

    def field(self, entry: int, at: int) -> int:
        """Return a field of a name's row."""
        return int(self._columns["name_row"][entry * NAME_ROW + at])

    def name(self, entry: int) -> bytes:
        """Return a name."""
        return read_name(self._columns["blob"], self.field(entry, ROW_OFFSET))

    def rrset(self, owner: bytes, row: int) -> RRset:
        """Return an RRset with its signatures."""
        columns = self._columns
        rdatas = self._texts("rdata", columns["rrset_rdata_start"][row], columns["rrset_rdata_count"][row])
        first = columns["rrset_signature"][row]
        count = 0 if first == NONE_32 else columns["rrset_signature_count"][row]
        signatures = self._texts("signature", first, count)
        return RRset(owner, columns["rrset_type"][row], columns["rrset_ttl"][row], rdatas, signatures=signatures)

    def _texts(self, column: str, first: int, count: int) -> tuple[bytes, ...]:
        offsets, lengths = self._columns[f"{column}_offset"], self._columns[f"{column}_length"]
        blob = self._columns["blob"]
        return tuple(bytes(blob[offsets[at] : offsets[at] + lengths[at]]) for at in range(first, first + count))
