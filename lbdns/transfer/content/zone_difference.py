"""What came and went from one content of a zone to the next, record by record, and a digest of the whole.

A content is sums of records: those of the zone without its SOA, less what load balancers hide, and what transfers have
in their place. So a difference costs what changed, not what there is: RRsets that both contents share are passed by as
the objects that they are.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain
from operator import is_
from typing import Final

from lbdns.dns.codes import CLASS_IN, TYPE_RRSIG, TYPE_SOA
from lbdns.dns.zone import RRset, Zone

_HEAD: Final = struct.Struct("!HHIH")
DIGEST_BYTES: Final = 16
_MODULUS: Final = 1 << (8 * DIGEST_BYTES)


@dataclass(frozen=True, slots=True)
class Content:
    """What is transferred of a zone, but for its SOA. `hidden`: of the zone's own RRsets those that are not; `flat`:
    what is beside them."""

    zone: Zone
    hidden: tuple[RRset, ...] = ()
    flat: tuple[RRset, ...] = ()

    def rrsets(self) -> Iterator[RRset]:
        """Yield every RRset of the zone, hidden ones too, those of `flat` not."""
        yield from self.zone.rrsets
        for _, rrset in self.zone.signed.nsec3 if self.zone.signed else ():
            yield rrset


@dataclass(frozen=True, slots=True)
class ContentSum:
    """What a content comes to: a digest that does not hang on the order of its records, and their octets."""

    digest: int
    octets: int


def records_of(rrset: RRset) -> Iterator[bytes]:
    """Yield the records of an RRset and of its signatures, uncompressed, in wire form."""
    for rdata in rrset.rdatas:
        yield rrset.owner + _HEAD.pack(rrset.type, CLASS_IN, rrset.ttl, len(rdata)) + rdata
    for rdata in rrset.signatures:
        yield rrset.owner + _HEAD.pack(TYPE_RRSIG, CLASS_IN, rrset.ttl, len(rdata)) + rdata


def soa_of(zone: Zone) -> tuple[int, RRset]:
    """Return a zone's SOA RRset and its place among the RRsets."""
    for at, rrset in enumerate(zone.rrsets):
        if rrset.type == TYPE_SOA and rrset.owner == zone.apex:
            return at, rrset
    raise ValueError("a zone without an SOA is not served")


def sum_of(content: Content) -> ContentSum:
    """Return what a content comes to, as a whole."""
    own = _records(_but_soa(content.rrsets()))
    return _less(_plus(ContentSum(0, 0), chain(own, _records(content.flat))), _records(content.hidden))


def changed_sum(before: ContentSum, deleted: Iterable[bytes], added: Iterable[bytes]) -> ContentSum:
    """Return what a content comes to after some records went and others came."""
    return _plus(_less(before, deleted), added)


def difference(before: Content, after: Content) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """Return the records that went and those that came."""
    counts: dict[bytes, int] = {}
    gone, come = _unshared(before.zone.rrsets, after.zone.rrsets)
    if before.zone.signed is not after.zone.signed:
        hashed_gone, hashed_come = _unshared(_nsec3(before.zone), _nsec3(after.zone))
        gone, come = [*gone, *hashed_gone], [*come, *hashed_come]
    if before.hidden != after.hidden:
        gone, come = [*gone, *after.hidden], [*come, *before.hidden]
    if before.flat != after.flat:
        gone, come = [*gone, *before.flat], [*come, *after.flat]
    for record in _records(_but_soa(come)):
        counts[record] = counts.get(record, 0) + 1
    for record in _records(_but_soa(gone)):
        counts[record] = counts.get(record, 0) - 1
    deleted = tuple([record for record, count in counts.items() if count < 0])
    return deleted, tuple([record for record, count in counts.items() if count > 0])


def _unshared(before: Sequence[RRset], after: Sequence[RRset]) -> tuple[list[RRset], list[RRset]]:
    """Return what one sequence has and the other has not, and the other way round; what both have in the same places
    from the beginning or the end on is passed by, and so is the rest of what is the same."""
    if before is after:
        return [], []
    least = min(len(before), len(after))
    head = next((at for at, same in enumerate(map(is_, before, after)) if not same), least)
    tail = next((at for at, same in enumerate(map(is_, reversed(before), reversed(after))) if not same), least)
    tail = min(tail, least - head)
    gone = {_key(one): one for one in before[head : len(before) - tail]}
    come = []
    for one in after[head : len(after) - tail]:
        key = _key(one)
        other = gone.get(key)
        if other is not None and (other is one or _is_same(other, one)):
            del gone[key]
        else:
            come.append(one)
    return list(gone.values()), come


def _key(rrset: RRset) -> tuple[bytes, int]:
    return rrset.owner, rrset.type


def _is_same(some: RRset, other: RRset) -> bool:
    return some.ttl == other.ttl and some.rdatas == other.rdatas and some.signatures == other.signatures


def _nsec3(zone: Zone) -> list[RRset]:
    return [rrset for _, rrset in zone.signed.nsec3] if zone.signed else []


def _but_soa(rrsets: Iterable[RRset]) -> Iterator[RRset]:
    return (rrset for rrset in rrsets if rrset.type != TYPE_SOA)


def _records(rrsets: Iterable[RRset]) -> Iterator[bytes]:
    for rrset in rrsets:
        yield from records_of(rrset)


def _plus(before: ContentSum, records: Iterable[bytes]) -> ContentSum:
    digest, octets = before.digest, before.octets
    for record in records:
        digest += int.from_bytes(blake2b(record, digest_size=DIGEST_BYTES).digest(), "little")
        octets += len(record)
    return ContentSum(digest % _MODULUS, octets)


def _less(before: ContentSum, records: Iterable[bytes]) -> ContentSum:
    taken = _plus(ContentSum(0, 0), records)
    return ContentSum((before.digest - taken.digest) % _MODULUS, before.octets - taken.octets)
