"""What makes a zone that came from another server one that can be served: little, as its primary answers for the rest.

    what                                        source
    one SOA at the apex, and NS there           RFC 1035 section 5.2
    a CNAME alone at its name, and one of it    RFC 2181 section 10.1
    one DNAME at a name                         RFC 6672 section 2.4
    an RRset that a message can hold            RFC 1035 section 4.2.2
    name servers of a delegation                record_bounds.py

Records per RRset and types per name are bounded while it comes (zone_records.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lbdns.dns import record_bounds
from lbdns.dns.codes import TCP_BYTES_MAX, TYPE_CNAME, TYPE_NS, TYPE_SOA
from lbdns.dns.master.draft import subject
from lbdns.dns.name import show_name
from lbdns.dns.rdata.record_types import type_text, types_where
from lbdns.dns.zone import RRset
from lbdns.transfer.inward.incoming import TransferError
from lbdns.transfer.inward.zone_records import ZoneRecords

_BESIDE_CNAME: Final = frozenset(types_where(lambda row: row.is_beside_cname))
_SINGLE: Final = frozenset(types_where(lambda row: row.is_single))
_FEW: Final = 20
_LARGE: Final = 2_000
_HEAD_OCTETS: Final = 12
"""Of a record in an answer, its owner compressed."""
_ROOM: Final = TCP_BYTES_MAX - 1_000
"""For an RRset in a message, beside question, OPT and signature."""
_TOLD: Final = 5


def check_received(records: ZoneRecords) -> None:
    """Raise TransferError with the first things that keep a zone from being served."""
    found = []
    for problem in _problems(records):
        found.append(problem)
        if len(found) > _TOLD:
            found[-1] = "and more"
            break
    if found:
        raise TransferError("; ".join(found))


def _problems(records: ZoneRecords) -> Iterator[str]:
    types = {rrset.type: rrset for rrset in records.at(records.apex)}
    for wanted in (TYPE_SOA, TYPE_NS):
        if wanted not in types:
            yield f"the zone {show_name(records.apex)} has no {type_text(wanted)} record"
    if TYPE_SOA in types and len(types[TYPE_SOA].rdatas) > 1:
        yield f"the zone {show_name(records.apex)} has {len(types[TYPE_SOA].rdatas)} SOA records"
    for owner, rrsets in records.nodes():
        if len(rrsets) > 1:
            yield from _check_company(owner, rrsets)
        for rrset in rrsets:
            count = len(rrset.rdatas)
            if count > 1 and rrset.type in _SINGLE:
                yield f"{subject(owner, rrset.type)} has {count} records, where a name has at most one"
            if count > _FEW or len(rrset.rdatas[0]) > _LARGE:
                yield from _check_size(records.apex, rrset)


def _check_company(owner: bytes, rrsets: tuple[RRset, ...]) -> Iterator[str]:
    if any(rrset.type == TYPE_CNAME for rrset in rrsets):
        others = [type_text(rrset.type) for rrset in rrsets if rrset.type not in _BESIDE_CNAME]
        if others:
            yield f"{show_name(owner)} has a CNAME, which stands alone (RFC 2181), and {', '.join(others)} beside it"


def _check_size(apex: bytes, rrset: RRset) -> Iterator[str]:
    octets = sum(map(len, rrset.rdatas)) + _HEAD_OCTETS * len(rrset.rdatas)
    if octets > _ROOM:
        yield f"{subject(rrset.owner, rrset.type)} has {octets:,} octets, and no message holds as many"
    count = len(rrset.rdatas)
    if rrset.type == TYPE_NS and rrset.owner != apex and count > record_bounds.MAX_NS_PER_DELEGATION:
        most = record_bounds.MAX_NS_PER_DELEGATION
        yield f"{subject(rrset.owner, rrset.type)} has {count} records; a delegation has at most {most}"
