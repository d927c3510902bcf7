"""The zones that are listed -> a catalog zone of them (RFC 9432 section 4), as other servers take it.

The label of a member follows from its name, so that the same list makes the same zone. Its serial rises as that of
every zone does that is followed, when what it holds is another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from struct import Struct
from typing import Final

from lbdns.dns.codes import TYPE_NS, TYPE_PTR, TYPE_SOA, TYPE_TXT
from lbdns.dns.name import encode_canonical
from lbdns.dns.zone import RRset, Zone
from lbdns.transfer.catalog.catalog_reading import VERSION

NOBODY: Final = encode_canonical("invalid")
"""The name server of a zone that nobody asks (section 4.1)."""
TTL_S: Final = 0
"""TTLs mean nothing in a catalog (section 4)."""
_UNIQUE_OCTETS: Final = 10
_TIMES: Final = Struct("!5I").pack(1, 3600, 600, 2_147_483_646, 0)
"""Serial, refresh, retry, expire and minimum, those of RFC 9432's example: a list of zones does not expire."""


def make_catalog(
    apex: bytes, members: Iterable[bytes], groups: Mapping[bytes, str], successors: Mapping[bytes, bytes], file: str
) -> Zone:
    """Return the catalog of some zones, all by their apexes; `groups`: of those that are in one; `successors`: the
    catalogs that may take some over; `file`: where it comes from, in words."""
    rrsets = [
        RRset(apex, TYPE_SOA, TTL_S, (NOBODY + NOBODY + _TIMES,)),
        RRset(apex, TYPE_NS, TTL_S, (NOBODY,)),
        RRset(_below(apex, b"version"), TYPE_TXT, TTL_S, (_string(VERSION),)),
    ]
    listed = _below(apex, b"zones")
    for member in sorted(set(members)):
        owner = _below(listed, blake2b(member, digest_size=_UNIQUE_OCTETS).hexdigest().encode())
        rrsets.append(RRset(owner, TYPE_PTR, TTL_S, (member,)))
        if group := groups.get(member):
            rrsets.append(RRset(_below(owner, b"group"), TYPE_TXT, TTL_S, (_string(group.encode()),)))
        if successor := successors.get(member):
            rrsets.append(RRset(_below(owner, b"coo"), TYPE_PTR, TTL_S, (successor,)))
    return Zone(apex, tuple(rrsets), file)


def _below(name: bytes, label: bytes) -> bytes:
    return bytes((len(label),)) + label + name


def _string(octets: bytes) -> bytes:
    return bytes((len(octets),)) + octets
