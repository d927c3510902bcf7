"""Queries for RRSIG and NSEC, which a signed zone has at every name: a NODATA to them would be bogus.

| asked at | NSEC | RRSIG |
|---|---|---|
| a name of the chain | its NSEC | the signatures of one of its RRsets |
| what an ordinary wildcard answers for | the wildcard's NSEC | the same of the wildcard |
| a name that is denied compactly, or signed as it is asked for | its compact NSEC | the signature of that |
| a load balancer's, or below it, in a zone with NSEC3 | denied | the signature of what ANY gets |
| any other | denied | denied |
"""

from __future__ import annotations

from collections.abc import Callable

from lbdns.answer.match import Match, MatchKind, is_signed_as_asked
from lbdns.answer.reply import Answer, Records
from lbdns.answer.serving_view import ServingView
from lbdns.dns.codes import TYPE_NSEC, TYPE_RRSIG
from lbdns.dns.zone import RRset
from lbdns.dnssec.compact_denial import denial_ttl, minimal_any, nodata, nxname
from lbdns.dnssec.unsigned import Unsigned
from lbdns.snapshot.lookup.name_rows import DENIAL_COMPACT, DENIAL_NSEC3

FindSignatures = Callable[[Unsigned], "tuple[bytes, ...]"]


def take_made(
    view: ServingView, found: Match, owner: bytes, qtype: int, reply: Answer, signatures_of: FindSignatures
) -> bool:
    """Put what a query for RRSIG or NSEC gets into the answer; return whether it gets anything here.

    `owner` is what the records stand under; `signatures_of` gives the signatures that are made when they are asked for,
    none where they are not there yet.
    """
    if found.kind not in (MatchKind.HIT, MatchKind.NODATA, MatchKind.NXDOMAIN) or not view.is_signed(found.zone):
        return False
    rrset = _standing(view, found, qtype)
    if rrset is not None:
        if qtype == TYPE_RRSIG:
            reply.answer.append(Records(owner, TYPE_RRSIG, rrset.ttl, rrset.signatures))
        else:
            signatures = rrset.signatures if reply.is_signed else ()
            reply.answer.append(Records(owner, TYPE_NSEC, rrset.ttl, rrset.rdatas, signatures=signatures))
        return True
    made = _made(view, found)
    if made is None or (qtype == TYPE_NSEC and made.rtype != TYPE_NSEC):
        return False
    if qtype == TYPE_RRSIG:
        reply.answer.append(Records(owner, TYPE_RRSIG, made.ttl, signatures_of(made)))
    else:
        reply.answer.append(Records(owner, TYPE_NSEC, made.ttl, made.rdatas, signed_ttl=made.ttl))
    return True


def _standing(view: ServingView, found: Match, qtype: int) -> RRset | None:
    """Return the RRset that answers by itself or by its signatures, None where none does."""
    if found.kind is not MatchKind.HIT or is_signed_as_asked(view, found):
        return None
    is_compact = view.denial(found.zone) == DENIAL_COMPACT
    for rrset in view.rrsets(found.entry):
        if rrset.type == TYPE_NSEC and is_compact:
            continue  # it says what comes behind, which nobody is told here
        if rrset.signatures and qtype in (TYPE_RRSIG, rrset.type):
            return rrset
    return None


def _made(view: ServingView, found: Match) -> Unsigned | None:
    """Return what is signed as it is asked for at a name that no RRset answers for, None where nothing is."""
    columns, zone = view.columns, found.zone
    denial, ttl = view.denial(zone), denial_ttl(columns, zone)
    if found.kind is not MatchKind.HIT and denial != DENIAL_COMPACT and not is_signed_as_asked(view, found):
        return None
    if found.kind is MatchKind.NXDOMAIN:
        return nxname(columns, zone, found.name, ttl)
    if denial == DENIAL_NSEC3:
        return minimal_any(columns, zone, found.name)
    return nodata(columns, zone, found.entry, found.name, None, ttl)
