"""What denies in a transfer of a signed zone: at a load balancer's name it lists the types that are there as records.

To who asks this server, the same record lists every type that the load balancer may ever answer, lest a resolver denies
one of them. A zone that others serve has records, and its NSEC and NSEC3 records say which (RFC 4034 section 4.1.2, RFC
5155 section 3.2.1). A name whose load balancer answers nothing now, and that has nothing else, is in no chain (RFC 4035
section 2.3): the record before it leads past it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace

from lbdns.dns.canonical import NSEC3_PARAMETERS, nsec3_hash, type_bitmap
from lbdns.dns.codes import TYPE_NSEC, TYPE_RRSIG
from lbdns.dns.name import name_end, parent
from lbdns.dns.zone import RRset, Zone, ZoneSigned
from lbdns.snapshot.lookup.name_rows import NSEC3_HASH_BYTES

_NSEC3_HEAD_BYTES = len(NSEC3_PARAMETERS) + 1

_Types = Mapping[bytes, Set[int] | None]
"""The types that owners of NSEC or NSEC3 records have in a transfer: None at a name that is only above others."""


def denying(zone: Zone, owners: Iterable[bytes], flat: Sequence[RRset]) -> list[tuple[RRset, RRset]]:
    """Return the NSEC or NSEC3 records of a signed zone that differ in a transfer, each with what takes its place, not
    signed yet: an RRset without records where nothing does. `owners`: the names of load balancers."""
    assert zone.signed is not None, "asked of signed zones alone"
    types: dict[bytes, set[int]] = {owner: set() for owner in owners}
    chain: list[RRset] = []
    for rrset in zone.rrsets:
        if rrset.type == TYPE_NSEC:
            chain.append(rrset)
        elif rrset.owner in types:
            types[rrset.owner].add(rrset.type)
    for rrset in flat:
        types[rrset.owner].add(rrset.type)
    if chain:
        return _changed(chain, types)
    return _changed([rrset for _, rrset in zone.signed.nsec3], _by_hash(zone, zone.signed, types, flat))


def _by_hash(
    zone: Zone, signed: ZoneSigned, types: Mapping[bytes, Set[int]], flat: Sequence[RRset]
) -> dict[bytes, Set[int] | None]:
    """Return the types of names by the owners of their NSEC3 records."""
    there = set() if all(types.values()) else _existing(zone, flat)
    names: dict[bytes, Set[int] | None] = {}
    for owner, those in types.items():
        names[owner] = those if those or owner not in there else None
        above = owner
        while not those and above != zone.apex and above not in there:
            names[above] = those
            above = parent(above)
    owner_of = {hashed: rrset.owner for hashed, rrset in signed.nsec3}
    found = {owner_of.get(nsec3_hash(name)): those for name, those in names.items()}
    return {owner: those for owner, those in found.items() if owner is not None}


def _existing(zone: Zone, flat: Sequence[RRset]) -> set[bytes]:
    """Return every name that has records, and those above."""
    there: set[bytes] = {zone.apex}
    for rrset in (*zone.rrsets, *flat):
        name = rrset.owner
        while name not in there:
            there.add(name)
            name = parent(name)
    return there


def _changed(chain: Sequence[RRset], types: _Types) -> list[tuple[RRset, RRset]]:
    """Return the records of a chain, in its order, that are others where owners have these types."""
    gone = {owner for owner, those in types.items() if those is not None and not those}
    found = []
    for place, record in enumerate(chain):
        if record.owner in gone:
            rdatas: tuple[bytes, ...] = ()
        elif record.owner in types or chain[place + 1 - len(chain)].owner in gone:
            leads_to = _last(chain, place, gone).rdatas[0]
            rdatas = (_next_name(record, leads_to) + _bitmap(record, types),)
        else:
            continue
        if rdatas != record.rdatas:
            found.append((record, replace(record, rdatas=rdatas, signatures=())))
    return found


def _last(chain: Sequence[RRset], place: int, gone: Set[bytes]) -> RRset:
    """Return the last record of those that a record stands for: itself, or one of those behind it that are gone."""
    last = chain[place]
    for follower in _followers(chain, place):
        if follower.owner not in gone:
            break
        last = follower
    return last


def _followers(chain: Sequence[RRset], place: int) -> Iterator[RRset]:
    """Yield the records of a chain behind a place, round to it."""
    for at in range(place + 1 - len(chain), place):
        yield chain[at]


def _next_name(record: RRset, rdata: bytes) -> bytes:
    """Return what stands before the bitmap in NSEC or NSEC3 rdata."""
    end = name_end(rdata, 0) if record.type == TYPE_NSEC else _NSEC3_HEAD_BYTES + NSEC3_HASH_BYTES
    return rdata[:end]


def _bitmap(record: RRset, types: _Types) -> bytes:
    """Return a record's bitmap, its own where its owner's types are not among those."""
    if record.owner not in types:
        return record.rdatas[0][len(_next_name(record, record.rdatas[0])) :]
    those = types[record.owner] or ()
    if record.type == TYPE_NSEC:
        return type_bitmap((*those, TYPE_RRSIG, TYPE_NSEC))
    return type_bitmap((*those, TYPE_RRSIG)) if those else b""
