"""A look-up's outcome with its records: what snapshot/lookup/look_up.py found, as values that answers are made of."""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

from lbdns.answer.serving_view import ServingView
from lbdns.dns.codes import TYPE_ANY, TYPE_NSEC, TYPE_RRSIG
from lbdns.dns.zone import RRset
from lbdns.snapshot.lookup import name_rows as codes
from lbdns.snapshot.lookup.look_up import has_load_balancer, look_up
from lbdns.snapshot.lookup.name_table import set_name

MADE_TYPES: Final = frozenset({TYPE_RRSIG, TYPE_NSEC})
"""What a signed zone has beside whatever stands at a name, a CNAME too."""


class MatchKind(Enum):
    """What a look-up came to; the table in snapshot/lookup/look_up.py says which is when."""

    OUT_OF_ZONE = codes.KIND_OUT_OF_ZONE
    REFERRAL = codes.KIND_REFERRAL
    STEERED = codes.KIND_STEERED
    HIT = codes.KIND_HIT
    CNAME = codes.KIND_CNAME
    DNAME = codes.KIND_DNAME
    NODATA = codes.KIND_NODATA
    NXDOMAIN = codes.KIND_NXDOMAIN
    UNREADY = codes.KIND_UNREADY


class Match(NamedTuple):
    """A look-up's outcome. `entry`: the name that answers (cut, wildcard, the DNAME's owner, or the name itself);
    `rrsets`: what answers a HIT, CNAME or DNAME; `load_balancer` and `family`: what steers, where STEERED; `name`: what
    was looked up."""

    kind: MatchKind
    zone: int = 0
    entry: int = 0
    rrsets: tuple[RRset, ...] = ()
    load_balancer: int = 0
    family: int = 0
    name: bytes = b""


OUT_OF_ZONE = Match(MatchKind.OUT_OF_ZONE)
_KINDS = {kind.value: kind for kind in MatchKind}


def match(view: ServingView, directory: int, name: bytes, qtype: int) -> Match:
    """Return what stands at `name` (lower-case wire form) for a type, in the zones of a directory."""
    found = view.found
    set_name(view.suffixes, name)
    kind = look_up(view.steering, view.suffixes, qtype, directory, found)
    if qtype in MADE_TYPES and kind != codes.KIND_OUT_OF_ZONE and is_made(view, found.zone, qtype):
        kind = look_up(view.steering, view.suffixes, TYPE_ANY, directory, found)
    if kind == codes.KIND_OUT_OF_ZONE:
        return OUT_OF_ZONE
    rrsets: tuple[RRset, ...] = ()
    if kind in (codes.KIND_HIT, codes.KIND_CNAME, codes.KIND_DNAME):
        rrsets = view.rrsets(found.entry)
        if found.row != codes.NO_ROW:
            first, _ = view.rrset_rows(found.entry)
            rrsets = (rrsets[found.row - first],)
    return Match(_KINDS[kind], found.zone, found.entry, rrsets, found.load_balancer, found.family, name)


def is_made(view: ServingView, zone: int, qtype: int) -> bool:
    """Return whether a zone has records of a type, RRSIG or NSEC, at every name that has any: beside a CNAME too."""
    denial = view.denial(zone)
    return denial != codes.DENIAL_UNSIGNED and (qtype == TYPE_RRSIG or denial != codes.DENIAL_NSEC3)


def is_below_wildcard(view: ServingView, found: Match) -> bool:
    """Return whether a wildcard answers for the name that was looked up."""
    return found.kind in _AT_NAME and view.name(found.entry) != found.name


def is_signed_as_asked(view: ServingView, found: Match) -> bool:
    """Return whether what a wildcard gives is signed as if it stood at the name that was looked up.

    It is where a load balancer stands at the wildcard: caches that had it with proof of what is not there would give it
    for other names too (RFC 8198). And where a zone says nothing of other names than the one asked (RFC 9824).
    """
    if not is_below_wildcard(view, found):
        return False
    return has_load_balancer(view.steering, found.entry) or view.denial(found.zone) == codes.DENIAL_COMPACT


_AT_NAME = frozenset({MatchKind.STEERED, MatchKind.HIT, MatchKind.CNAME, MatchKind.NODATA})
