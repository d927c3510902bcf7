"""Denials that are signed when they are asked for (RFC 9824), and what else of an answer no configuration has.

They say of one name what it has, and nothing of any other: NSEC from the name to what comes right behind it, or in a
zone with NSEC3 the record that matches the name's hash, to the hash behind that. Who answers, who signs ahead and who
checks what is to be signed ask here. `columns`: a snapshot's, by name.

A name that a wildcard answers for is a node to whoever keeps the NSEC3 record that matches it: the closest encloser of
all names below it, which the zone's chain then denies. So these records have Opt-Out set (RFC 5155 section 6). That
says nothing of the name itself, and no hash lies between the two that it could say something of; but the caches that
answer by themselves out of NSEC3 records (RFC 8198) keep none that has it, PowerDNS Recursor's and Knot Resolver's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lbdns.dns.canonical import NSEC3_MADE_PARAMETERS, nsec3_hash, nsec3_owner, type_bitmap
from lbdns.dns.codes import LABEL_BYTES_MAX, NAME_BYTES_MAX, TYPE_NSEC, TYPE_NSEC3, TYPE_NXNAME, TYPE_RRSIG
from lbdns.dns.minimal_any import ANY_RDATA, ANY_TTL_S, ANY_TYPE
from lbdns.dns.name import parent, read_name
from lbdns.dnssec.unsigned import Unsigned
from lbdns.mapped.columns import NONE_32
from lbdns.snapshot.lookup.name_rows import (
    DENIAL_NSEC3,
    DENIAL_UNSIGNED,
    NAME_ROW,
    NSEC3_HASH_BYTES,
    ROW_FIRST_RRSET,
    ROW_OFFSET,
    ROW_RRSETS,
    RRSETS_MASK,
)

Columns = Mapping[str, memoryview]

_NXNAME_TYPES: Final = type_bitmap((TYPE_RRSIG, TYPE_NSEC, TYPE_NXNAME))
_BEFORE_UPPER_CASE, _BEHIND_UPPER_CASE = ord("A") - 1, ord("Z") + 1
_OCTET_MAX = 0xFF


def denial_of(columns: Columns, zone: int) -> int:
    """Return how a zone says that something is not there: DENIAL_* of lbdns/snapshot/lookup/name_rows.py."""
    signed = columns["zone_signed"]
    return int(signed[zone]) if len(signed) else DENIAL_UNSIGNED


def denial_ttl(columns: Columns, zone: int) -> int:
    """Return the TTL of a signed zone's denials, in seconds: that of its chain."""
    if denial_of(columns, zone) == DENIAL_NSEC3:
        row = columns["nsec3_rrset"][columns["zone_nsec3_start"][zone]]
    else:
        # The NSEC record is the last RRset of the name that has it.
        name = columns["nsec_name"][columns["zone_nsec_start"][zone]] * NAME_ROW
        count = columns["name_row"][name + ROW_RRSETS] & RRSETS_MASK
        row = columns["name_row"][name + ROW_FIRST_RRSET] + count - 1
    return int(columns["rrset_ttl"][row])


def nodata(columns: Columns, zone: int, entry: int, owner: bytes, rtype: int | None, ttl: int) -> Unsigned:
    """Return the denial at a name that exists: it has what `entry` (itself, or the wildcard that it is below) may have,
    but nothing of `rtype`, where one is said.

    `owner`: in lower case.
    """
    types = types_at(columns, entry)
    return _at(columns, zone, owner, types if rtype is None else without_type(types, rtype), ttl)


def nxname(columns: Columns, zone: int, owner: bytes, ttl: int) -> Unsigned:
    """Return the denial of a name that does not exist, in a zone that denies compactly (RFC 9824 section 3.3)."""
    return _at(columns, zone, owner, _NXNAME_TYPES, ttl)


def minimal_any(columns: Columns, zone: int, owner: bytes) -> Unsigned:
    """Return what ANY gets at the name of a load balancer."""
    return Unsigned(_apex(columns, zone), owner, ANY_TYPE, ANY_TTL_S, (ANY_RDATA,))


def types_at(columns: Columns, entry: int) -> bytes:
    """Return every type that a name of a signed zone may have, as a bitmap; nothing where the zone does not speak for
    it."""
    at = columns["name_types"][entry]
    if at == NONE_32:
        return b""
    blob = columns["blob"]
    return bytes(blob[at + 2 : at + 2 + (blob[at] | blob[at + 1] << 8)])


def without_type(bitmap: bytes, rtype: int) -> bytes:
    """Return a bitmap without one type: no window without types, none with empty octets behind (RFC 4034 section
    4.1.2)."""
    found = b""
    at = 0
    while at < len(bitmap):
        window, size = bitmap[at], bitmap[at + 1]
        octets = bytearray(bitmap[at + 2 : at + 2 + size])
        octet = (rtype & 0xFF) >> 3
        if window == rtype >> 8 and octet < size:
            octets[octet] &= ~(0x80 >> (rtype & 7))
            octets = octets.rstrip(b"\0")
        if octets:
            found += bytes((window, len(octets))) + octets
        at += 2 + size
    return found


def successor(name: bytes, apex: bytes) -> bytes:
    """Return the name that comes right behind another of a zone in canonical order, or as near to it as a name of at
    most 255 octets can be; behind the last one comes the apex (RFC 4471 section 3.1.2).

    `name` is in lower case.
    """
    if len(name) + 2 <= NAME_BYTES_MAX:
        return b"\1\0" + name
    while name != apex:
        label, above = name[1 : 1 + name[0]], parent(name)
        if len(label) < LABEL_BYTES_MAX and len(name) < NAME_BYTES_MAX:
            return bytes((len(label) + 1,)) + label + b"\0" + above
        label = label.rstrip(bytes((_OCTET_MAX,)))
        if label:
            last = _BEHIND_UPPER_CASE if label[-1] == _BEFORE_UPPER_CASE else label[-1] + 1
            return bytes((len(label),)) + label[:-1] + bytes((last,)) + above
        name = above
    return apex


def _at(columns: Columns, zone: int, owner: bytes, types: bytes, ttl: int) -> Unsigned:
    apex = _apex(columns, zone)
    if denial_of(columns, zone) != DENIAL_NSEC3:
        return Unsigned(apex, owner, TYPE_NSEC, ttl, (successor(owner, apex) + types,))
    hashed = nsec3_hash(owner)
    behind = (int.from_bytes(hashed, "big") + 1) % (1 << 8 * NSEC3_HASH_BYTES)
    rdata = NSEC3_MADE_PARAMETERS + bytes((NSEC3_HASH_BYTES,)) + behind.to_bytes(NSEC3_HASH_BYTES, "big") + types
    return Unsigned(apex, nsec3_owner(hashed, apex), TYPE_NSEC3, ttl, (rdata,))


def _apex(columns: Columns, zone: int) -> bytes:
    return read_name(columns["blob"], columns["name_row"][columns["zone_apex"][zone] * NAME_ROW + ROW_OFFSET])
