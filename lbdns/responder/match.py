"""Match a name and type against the zones: one of six kinds of outcome (RFC 1034 4.3.2, RFC 4592, RFC 6672).

| what stands at the name                                    | kind      |
|------------------------------------------------------------|-----------|
| no zone of ours above it                                   | REFUSED   |
| it is at or below a cut (but for DS at the cut)            | REFERRAL  |
| a load balancer that answers the type                      | STEERED   |
| records of the type (or of any type, for ANY)              | HIT       |
| a CNAME, asked for another type                            | CNAME     |
| it exists, with other types or none                        | NODATA    |
| nothing, but a DNAME above it                              | DNAME     |
| nothing, but a wildcard covers it                          | as at the wildcard, the name as asked |
| nothing                                                    | NXDOMAIN  |
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from lbdns.model import RRset
from lbdns.responder.view import View
from lbdns.snapshot.columns import NONE_32
from lbdns.snapshot.names import NO_NAME, Suffixes, find, hash_suffixes
from lbdns.snapshot.zones import LB_KINDS, NAME_CNAME, NAME_CUT, NAME_DNAME, NAME_OCCLUDED
from lbdns.steering.layout import FAMILY_A, FAMILY_AAAA, FAMILY_NAMED
from lbdns.wire.codes import TYPE_A, TYPE_AAAA, TYPE_ANY, TYPE_CNAME, TYPE_DNAME, TYPE_DS, TYPE_MX, TYPE_SRV


class Kind(Enum):
    """What a look-up came to."""

    OUT_OF_ZONE = "out of zone"
    REFERRAL = "referral"
    STEERED = "steered"
    HIT = "hit"
    CNAME = "cname"
    DNAME = "dname"
    NODATA = "nodata"
    NXDOMAIN = "nxdomain"


@dataclass(frozen=True, slots=True)
class Match:
    """A look-up's outcome. `entry`: the name that answers (the cut, the wildcard, the DNAME's owner, or the name
    itself);
    `rrsets`: what answers a HIT, CNAME or DNAME; `load_balancer` and `family`: what steers, where STEERED."""

    kind: Kind
    zone: int = 0
    entry: int = 0
    rrsets: tuple[RRset, ...] = ()
    load_balancer: int = 0
    family: int = 0


OUT_OF_ZONE = Match(Kind.OUT_OF_ZONE)

# Which load balancer at a name answers a type: its kind's place in LB_KINDS, and the address family asked for.
STEERED_TYPES = {
    TYPE_A: (LB_KINDS.index("A"), FAMILY_A),
    TYPE_AAAA: (LB_KINDS.index("A"), FAMILY_AAAA),
    TYPE_MX: (LB_KINDS.index("MX"), FAMILY_NAMED),
    TYPE_SRV: (LB_KINDS.index("SRV"), FAMILY_NAMED),
}


def match(view: View, name: bytes, qtype: int) -> Match:
    """Return what stands at `name` (lower-case wire form) for a type; the table above says what is what."""
    suffixes = Suffixes()
    hash_suffixes(name, suffixes)
    zone = view.find_zone(name, suffixes)
    if zone is None:
        return OUT_OF_ZONE
    if qtype == TYPE_DS:
        # The parent's side of a cut holds DS (RFC 4035 3.1.4.1): where both zones are ours, it answers.
        above = view.find_zone(name, suffixes, above_first=True)
        if above is not None and view.name(view.columns["zone_apex"][zone]) == name:
            zone = above
    for label in range(suffixes.count):
        entry = find(view.names, zone + 1, name, suffixes.starts[label], suffixes.hashes[label])
        if entry != NO_NAME:
            return _at_encloser(view, zone, entry, label == 0, qtype)
    raise AssertionError("a zone's apex is a name of the zone")


def _at_encloser(view: View, zone: int, entry: int, is_exact: bool, qtype: int) -> Match:
    flags = view.columns["name_flags"][entry]
    if flags & NAME_OCCLUDED:
        return Match(Kind.REFERRAL, zone, view.columns["name_link"][entry])
    if flags & NAME_CUT and not (is_exact and qtype == TYPE_DS):
        return Match(Kind.REFERRAL, zone, entry)
    if is_exact:
        return _at_name(view, zone, entry, qtype)
    if flags & NAME_DNAME:
        dname = view.rrset(entry, TYPE_DNAME)
        if dname is not None:
            return Match(Kind.DNAME, zone, entry, (dname,))
    wildcard = view.columns["name_wildcard"][entry]
    if wildcard != NO_NAME:
        return _at_name(view, zone, wildcard, qtype)
    return Match(Kind.NXDOMAIN, zone, entry)


def _at_name(view: View, zone: int, entry: int, qtype: int) -> Match:
    columns = view.columns
    steered = STEERED_TYPES.get(qtype)
    if steered is not None:
        position, family = steered
        load_balancer = columns["name_lb"][entry * len(LB_KINDS) + position]
        if load_balancer != NONE_32:
            return Match(Kind.STEERED, zone, entry, (), load_balancer, family)
    if columns["name_flags"][entry] & NAME_CNAME and qtype != TYPE_CNAME:
        cname = view.rrset(entry, TYPE_CNAME)
        if cname is not None:
            # ANY gets the CNAME as it is, unfollowed (RFC 8482 4.2).
            return Match(Kind.HIT if qtype == TYPE_ANY else Kind.CNAME, zone, entry, (cname,))
    if qtype == TYPE_ANY:
        rrsets = view.rrsets(entry)
        has_load_balancer = has_load_balancers(view, entry)
        return Match(Kind.HIT if rrsets or has_load_balancer else Kind.NODATA, zone, entry, rrsets)
    rrset = view.rrset(entry, qtype)
    return Match(Kind.NODATA, zone, entry) if rrset is None else Match(Kind.HIT, zone, entry, (rrset,))


def has_load_balancers(view: View, entry: int) -> bool:
    """Return whether any load balancer stands at a name."""
    first = entry * len(LB_KINDS)
    return any(view.columns["name_lb"][first + position] != NONE_32 for position in range(len(LB_KINDS)))
