"""A zone's records while a transfer builds or changes them, one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from lbdns.dns import record_bounds
from lbdns.dns.codes import TYPE_RRSIG, TYPE_SOA
from lbdns.dns.master.draft import Growth
from lbdns.dns.rdata.master_form import canonical_rdata
from lbdns.dns.zone import RRset

_NONE: Final[tuple[RRset, ...]] = ()


class ZoneRecords:
    """RRsets by owner, those of one owner together. A copy shares what was not changed since."""

    __slots__ = ("_nodes", "apex")

    def __init__(self, apex: bytes, rrsets: Iterable[RRset] = ()) -> None:
        """Begin with some RRsets, each type of a name once."""
        self.apex = apex
        self._nodes: dict[bytes, tuple[RRset, ...]] = {}
        nodes = self._nodes
        for rrset in rrsets:
            nodes[rrset.owner] = (*nodes.get(rrset.owner, _NONE), rrset)

    def copy(self) -> ZoneRecords:
        """Return one that is changed by itself."""
        made = ZoneRecords(self.apex)
        made._nodes = self._nodes.copy()
        return made

    def nodes(self) -> Iterator[tuple[bytes, tuple[RRset, ...]]]:
        """Yield the names with what stands at them."""
        yield from self._nodes.items()

    def rrsets(self) -> tuple[RRset, ...]:
        """Return all RRsets, those of one name one behind the other."""
        return tuple(chain.from_iterable(self._nodes.values()))

    def at(self, owner: bytes) -> tuple[RRset, ...]:
        """Return what stands at a name."""
        return self._nodes.get(owner, _NONE)

    def soa(self) -> RRset | None:
        """Return the SOA of the apex, None where there is none."""
        return next((one for one in self.at(self.apex) if one.type == TYPE_SOA), None)

    def add(self, owner: bytes, rtype: int, ttl: int, rdata: bytes, keeps_lowest: bool) -> Growth:
        """Add a record. One that is there already changes at most the TTL, which all of an RRset share (RFC 2181
        section 5.2): `keeps_lowest` says whether the lowest is kept, else the new one counts."""
        there = self._nodes.get(owner)
        if there is None:
            self._nodes[owner] = (RRset(owner, rtype, ttl, (rdata,)),)
            return Growth.TAKEN
        for place, rrset in enumerate(there):
            if rrset.type == rtype:
                return self._grow(place, rrset, ttl, rdata, keeps_lowest)
        if len(there) >= record_bounds.MAX_TYPES_PER_NAME:
            return Growth.FULL
        self._nodes[owner] = (*there, RRset(owner, rtype, ttl, (rdata,)))
        return Growth.TAKEN

    def _grow(self, place: int, rrset: RRset, ttl: int, rdata: bytes, keeps_lowest: bool) -> Growth:
        if rrset.type == TYPE_RRSIG:
            ttl = rrset.ttl  # each has that of what it signs, and is served with it
        elif keeps_lowest:
            ttl = min(ttl, rrset.ttl)
        is_there = _position(rrset, rdata) is not None
        if not is_there and len(rrset.rdatas) >= record_bounds.MAX_RECORDS_PER_RRSET:
            return Growth.FULL
        rdatas = rrset.rdatas if is_there else (*rrset.rdatas, rdata)
        if not is_there or ttl != rrset.ttl:
            self._put(place, RRset(rrset.owner, rrset.type, ttl, rdatas))
        return Growth.SAME if is_there else Growth.TAKEN

    def delete(self, owner: bytes, rtype: int, rdata: bytes) -> bool:
        """Take a record out; return whether it was there."""
        for place, rrset in enumerate(self._nodes.get(owner, _NONE)):
            if rrset.type == rtype:
                at = _position(rrset, rdata)
                if at is None:
                    return False
                left = rrset.rdatas[:at] + rrset.rdatas[at + 1 :]
                self._put(place, RRset(owner, rtype, rrset.ttl, left) if left else None, owner)
                return True
        return False

    def _put(self, place: int, rrset: RRset | None, owner: bytes = b"") -> None:
        """Have an RRset, or none, at a place of a name."""
        owner = owner if rrset is None else rrset.owner
        there = self._nodes[owner]
        now = (*there[:place], *(() if rrset is None else (rrset,)), *there[place + 1 :])
        if now:
            self._nodes[owner] = now
        else:
            del self._nodes[owner]


def _position(rrset: RRset, rdata: bytes) -> int | None:
    """Return which of an RRset's records has this data, names in it compared without case; None where none has."""
    if rdata in rrset.rdatas:
        return rrset.rdatas.index(rdata)
    canonical = canonical_rdata(rrset.type, rdata)
    for place, other in enumerate(rrset.rdatas):
        if canonical_rdata(rrset.type, other) == canonical:
            return place
    return None
