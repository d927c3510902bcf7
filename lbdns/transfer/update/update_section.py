"""The update section of an UPDATE (RFC 2136 section 3.4): looked through as a whole, then done record by record.

    class  type  data     does
    IN     type  data     adds the record to its RRset
    ANY    type  none     deletes the RRset
    ANY    ANY   none     deletes all RRsets of the name
    NONE   type  data     deletes the record

Left undone without a word, as section 3.4.2 has it: a CNAME beside other data, and other data beside a CNAME; an SOA
that is not newer (RFC 1982), or where there is none; deleting the SOA, all NS of the apex, or the last of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from lbdns.dns import record_bounds
from lbdns.dns.codes import (
    CLASS_ANY,
    CLASS_IN,
    CLASS_NONE,
    FORMERR,
    NOERROR,
    NOTZONE,
    REFUSED,
    TYPE_ANY,
    TYPE_CNAME,
    TYPE_NS,
    TYPE_SOA,
)
from lbdns.dns.name import is_at_or_below, name_end, show_name
from lbdns.dns.rdata.record_types import type_text, types_where
from lbdns.dns.serial import is_newer
from lbdns.dns.update_message import UpdateRecord, is_meta
from lbdns.transfer.update.zone_now import RRsetNow, ZoneNow

_BESIDE_CNAME: Final = frozenset(types_where(lambda row: row.is_beside_cname))
_SINGLE: Final = frozenset({TYPE_SOA, *types_where(lambda row: row.is_single)})
"""Types of which a name has one record: another takes its place (section 3.4.2.2, RFC 6672 section 5.2)."""
_TYPE_WKS: Final = 11
_WKS_KEY_OCTETS: Final = 5
"""Address and protocol: of those a name has one WKS record (section 3.4.2.2)."""

Objects = Callable[[bytes, int, bool], str]
"""(name, type, whether a record is added) -> why whoever asks may not change that, "" where he may."""


class UpdateOutcome(NamedTuple):
    """What is said of an UPDATE: an RCODE, and why in words where the code does not say it all."""

    rcode: int = NOERROR
    why: str = ""


DONE: Final = UpdateOutcome()


def soa_serial(rdata: bytes) -> int:
    """Return the serial of an SOA's data."""
    at = name_end(rdata, name_end(rdata, 0))
    return int.from_bytes(rdata[at : at + 4])


def scan_updates(zone: ZoneNow, updates: Iterable[UpdateRecord]) -> int:
    """Return NOERROR, or the RCODE of the first record that cannot be meant (section 3.4.1)."""
    for one in updates:
        if not is_at_or_below(one.owner, zone.apex):
            return NOTZONE
        is_whole_name = one.rclass == CLASS_ANY and one.type == TYPE_ANY
        if one.rclass not in (CLASS_IN, CLASS_ANY, CLASS_NONE) or one.rdata is None:
            return FORMERR
        if is_meta(one.type) and not is_whole_name:
            return FORMERR
        if one.rclass != CLASS_IN and one.ttl:
            return FORMERR
    return NOERROR


def check_permissions(zone: ZoneNow, updates: Iterable[UpdateRecord], objects: Objects) -> UpdateOutcome:
    """Return REFUSED for the first record that whoever asks may not change (section 3.3); all of a name may be deleted
    by who may change every type that stands there."""
    for one in updates:
        types = [one.type] if one.type != TYPE_ANY else [*zone.node(one.owner)] or [TYPE_ANY]
        for rdtype in types:
            why = objects(one.owner, rdtype, one.rclass == CLASS_IN)
            if why:
                return UpdateOutcome(REFUSED, f"{show_name(one.owner)} {type_text(rdtype)}: {why}")
    return DONE


def check_forwarded(updates: Iterable[UpdateRecord], objects: Objects) -> UpdateOutcome | None:
    """Return REFUSED for the first record that whoever asks may not change in a zone of another server, None where he
    may change all: that one sees who forwards it, and perhaps nobody else. What stands at a name is not known here, so
    all of one may be deleted by who may change every type."""
    for one in updates:
        why = objects(one.owner, one.type, one.rclass == CLASS_IN)
        if why:
            return UpdateOutcome(REFUSED, f"{show_name(one.owner)} {type_text(one.type)}: {why}")
    return None


def make_updates(zone: ZoneNow, updates: Iterable[UpdateRecord]) -> UpdateOutcome:
    """Change a zone (section 3.4.2); REFUSED where it would have more records than one may have, and is then to be
    undone."""
    for one in updates:
        assert one.rdata is not None, "the section was looked through"
        if one.rclass == CLASS_IN:
            outcome = _add(zone, one, one.rdata)
            if outcome.rcode != NOERROR:
                return outcome
        elif one.rclass == CLASS_ANY:
            _delete_rrsets(zone, one)
        else:
            _delete_record(zone, one, one.rdata)
    if zone.record_count > record_bounds.MAX_UPDATED_ZONE_RECORDS and zone.has_grown:
        return UpdateOutcome(REFUSED, f"more than {record_bounds.MAX_UPDATED_ZONE_RECORDS:,} records in the zone")
    return DONE


def _add(zone: ZoneNow, one: UpdateRecord, rdata: bytes) -> UpdateOutcome:
    """Add a record, or put it in the place of the one that it is another form of; an RRset has the TTL that was given
    last."""
    node = zone.node(one.owner)
    if one.type == TYPE_CNAME:
        if not node.keys() <= {TYPE_CNAME, *_BESIDE_CNAME}:
            return DONE
    elif TYPE_CNAME in node and one.type not in _BESIDE_CNAME:
        return DONE
    held = node.get(one.type)
    if one.type == TYPE_SOA and (held is None or not is_newer(soa_serial(rdata), soa_serial(held.rdatas[0]))):
        return DONE
    if held is None and len(node) >= record_bounds.MAX_TYPES_PER_NAME:
        return _too_many(one, f"{record_bounds.MAX_TYPES_PER_NAME} record types at one name")
    rdatas = () if held is None or one.type in _SINGLE else held.rdatas
    same = None if held is None or not rdatas else _same(held, one.type, rdata)
    if same is not None:
        rdatas = (*rdatas[:same], rdata, *rdatas[same + 1 :])
    elif len(rdatas) >= record_bounds.MAX_RECORDS_PER_RRSET:
        return _too_many(one, f"{record_bounds.MAX_RECORDS_PER_RRSET} records of one name and type")
    else:
        rdatas = (*rdatas, rdata)
    zone.put(one.owner, one.type, RRsetNow(one.ttl, rdatas))
    return DONE


def _same(held: RRsetNow, rdtype: int, rdata: bytes) -> int | None:
    """Return the index of the record in whose place a new one stands, None where it stands beside all."""
    if rdtype != _TYPE_WKS:
        return held.find(rdtype, rdata)
    key = rdata[:_WKS_KEY_OCTETS]
    return next((at for at, one in enumerate(held.rdatas) if one[:_WKS_KEY_OCTETS] == key), None)


def _too_many(one: UpdateRecord, what: str) -> UpdateOutcome:
    return UpdateOutcome(REFUSED, f"{show_name(one.owner)} {type_text(one.type)}: more than {what}")


def _delete_rrsets(zone: ZoneNow, one: UpdateRecord) -> None:
    kept = (TYPE_SOA, TYPE_NS) if one.owner == zone.apex else ()
    for rdtype in [*zone.node(one.owner)] if one.type == TYPE_ANY else [one.type]:
        if rdtype not in kept and zone.held(one.owner, rdtype) is not None:
            zone.put(one.owner, rdtype, None)


def _delete_record(zone: ZoneNow, one: UpdateRecord, rdata: bytes) -> None:
    held = zone.held(one.owner, one.type)
    at = None if held is None or one.type == TYPE_SOA else held.find(one.type, rdata)
    if held is None or at is None:
        return
    rest = (*held.rdatas[:at], *held.rdatas[at + 1 :])
    if not rest and one.type == TYPE_NS and one.owner == zone.apex:
        return
    zone.put(one.owner, one.type, RRsetNow(held.ttl, rest) if rest else None)
