"""RFC 2136 sections 3.2 and 3.4, word by word, on a list of records: slow, and plain to see. What updates are held to.

Beyond the RFC: an RRset has the TTL that an update gave last (RFC 2181 section 5.2).
"""

from __future__ import annotations

from typing import NamedTuple

IN, NONE, ANY = 1, 254, 255
SOA, NS, CNAME, DNAME = 6, 2, 5, 39
NOERROR, FORMERR, NXDOMAIN, YXDOMAIN, YXRRSET, NXRRSET, NOTZONE = 0, 1, 3, 6, 7, 8, 10
META = {0, 41, *range(128, 256)}


class Record(NamedTuple):
    """A record of a zone."""

    name: tuple[str, ...]
    type: int
    ttl: int
    data: bytes


class Asked(NamedTuple):
    """A record of an UPDATE; `data`: b"" for none."""

    name: tuple[str, ...]
    type: int
    rclass: int
    ttl: int
    data: bytes


def serial(data: bytes) -> int:
    """Return the serial of an SOA."""
    return int.from_bytes(data[-20:-16])


def is_in(name: tuple[str, ...], apex: tuple[str, ...]) -> bool:
    """Tell whether a name is in a zone."""
    return name[len(name) - len(apex) :] == apex if len(name) >= len(apex) else False


def update(
    zone: list[Record], apex: tuple[str, ...], prerequisites: list[Asked], updates: list[Asked]
) -> tuple[int, list[Record]]:
    """Return the RCODE, and the zone as it is then."""
    rcode = _prerequisites(zone, apex, prerequisites) or _prescan(apex, updates)
    return (rcode, zone) if rcode else (NOERROR, _updated(list(zone), apex, updates))


def _prerequisites(zone: list[Record], apex: tuple[str, ...], asked: list[Asked]) -> int:
    temp: dict[tuple[tuple[str, ...], int], set[bytes]] = {}
    for rr in asked:
        if rr.ttl != 0:
            return FORMERR
        if not is_in(rr.name, apex):
            return NOTZONE
        if rr.rclass == ANY:
            if rr.data or (rr.type in META and rr.type != ANY):
                return FORMERR
            if rr.type == ANY:
                if not [one for one in zone if one.name == rr.name]:
                    return NXDOMAIN
            elif not [one for one in zone if (one.name, one.type) == (rr.name, rr.type)]:
                return NXRRSET
        elif rr.rclass == NONE:
            if rr.data or (rr.type in META and rr.type != ANY):
                return FORMERR
            if rr.type == ANY:
                if [one for one in zone if one.name == rr.name]:
                    return YXDOMAIN
            elif [one for one in zone if (one.name, one.type) == (rr.name, rr.type)]:
                return YXRRSET
        elif rr.rclass == IN:
            if rr.type in META:
                return FORMERR
            temp.setdefault((rr.name, rr.type), set()).add(rr.data)
        else:
            return FORMERR
    for (name, rdtype), datas in temp.items():
        if {one.data for one in zone if (one.name, one.type) == (name, rdtype)} != datas:
            return NXRRSET
    return NOERROR


def _prescan(apex: tuple[str, ...], updates: list[Asked]) -> int:
    for rr in updates:
        if not is_in(rr.name, apex):
            return NOTZONE
        if rr.rclass == IN:
            if rr.type in META:
                return FORMERR
        elif rr.rclass == ANY:
            if rr.ttl != 0 or rr.data or (rr.type in META and rr.type != ANY):
                return FORMERR
        elif rr.rclass == NONE:
            if rr.ttl != 0 or rr.type in META:
                return FORMERR
        else:
            return FORMERR
    return NOERROR


def _updated(zone: list[Record], apex: tuple[str, ...], updates: list[Asked]) -> list[Record]:
    for rr in updates:
        there = [one for one in zone if one.name == rr.name]
        same_set = [one for one in there if one.type == rr.type]
        if rr.rclass == IN:
            if rr.type == CNAME:
                if [one for one in there if one.type != CNAME]:
                    continue
            elif [one for one in there if one.type == CNAME]:
                continue
            if rr.type == SOA:
                if not same_set:
                    continue
                step = (serial(rr.data) - serial(same_set[0].data)) % 2**32
                if step == 0 or step >= 2**31:
                    continue
            kept = [one for one in same_set if rr.type not in (CNAME, SOA, DNAME) and one.data != rr.data]
            zone = [one for one in zone if one not in same_set]
            zone += [one._replace(ttl=rr.ttl) for one in kept] + [Record(rr.name, rr.type, rr.ttl, rr.data)]
        elif rr.rclass == ANY:
            gone = there if rr.type == ANY else same_set
            zone = [one for one in zone if one not in gone or (rr.name == apex and one.type in (SOA, NS))]
        else:
            gone = [one for one in same_set if one.data == rr.data]
            is_last_ns = rr.name == apex and rr.type == NS and len(same_set) == len(gone)
            if rr.type != SOA and not is_last_ns:
                zone = [one for one in zone if one not in gone]
    return zone
