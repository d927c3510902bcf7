"""The prerequisites of an UPDATE (RFC 2136 section 3.2): what must be so, or the update is not made.

    class  type  data   says                           where it is not so
    ANY    ANY   none   the name is in use             NXDOMAIN
    ANY    type  none   there is such an RRset         NXRRSET
    NONE   ANY   none   the name is not in use         YXDOMAIN
    NONE   type  none   there is no such RRset         YXRRSET
    IN     type  data   the RRset has just these data  NXRRSET, after all others

A name is in use where a record stands at it: names above others are not, for that alone (section 2.4.4).
"""

from __future__ import annotations

from collections.abc import Iterable

from lbdns.dns.codes import (
    CLASS_ANY,
    CLASS_IN,
    CLASS_NONE,
    FORMERR,
    NOERROR,
    NOTZONE,
    NXDOMAIN,
    NXRRSET,
    TYPE_ANY,
    YXDOMAIN,
    YXRRSET,
)
from lbdns.dns.name import is_at_or_below
from lbdns.dns.rdata.master_form import canonical_rdata
from lbdns.dns.update_message import UpdateRecord, is_meta
from lbdns.transfer.update.zone_now import RRsetKey, ZoneNow


def check_prerequisites(zone: ZoneNow, prerequisites: Iterable[UpdateRecord]) -> int:
    """Return NOERROR where all hold, or the RCODE of the first that does not."""
    wanted: dict[RRsetKey, set[bytes]] = {}
    for one in prerequisites:
        if one.ttl:
            return FORMERR
        if not is_at_or_below(one.owner, zone.apex):
            return NOTZONE
        if one.rdata is None:
            return FORMERR
        if one.rclass == CLASS_IN:
            wanted.setdefault((one.owner, one.type), set()).add(canonical_rdata(one.type, one.rdata))
            continue
        rcode = _check_one(zone, one)
        if rcode != NOERROR:
            return rcode
    for (owner, rdtype), rdatas in wanted.items():
        held = zone.held(owner, rdtype)
        if held is None or {canonical_rdata(rdtype, rdata) for rdata in held.rdatas} != rdatas:
            return NXRRSET
    return NOERROR


def _check_one(zone: ZoneNow, one: UpdateRecord) -> int:
    """Return what is said of a prerequisite without data."""
    if one.rdata or one.rclass not in (CLASS_ANY, CLASS_NONE):
        return FORMERR
    if one.type == TYPE_ANY:
        is_in_use = bool(zone.node(one.owner))
        if one.rclass == CLASS_ANY:
            return NOERROR if is_in_use else NXDOMAIN
        return YXDOMAIN if is_in_use else NOERROR
    if is_meta(one.type):
        return FORMERR
    is_there = zone.held(one.owner, one.type) is not None
    if one.rclass == CLASS_ANY:
        return NOERROR if is_there else NXRRSET
    return YXRRSET if is_there else NOERROR
