"""Proofs of what is not there (RFC 4035 section 3.1.3, RFC 5155 section 7.2, RFC 9824), for each match on the way to
an answer.

| match | NSEC | NSEC3 | compact |
|---|---|---|---|
| NXDOMAIN | covers the name; covers the wildcard | encloser; next closer; covers the wildcard | at the name, NXNAME |
| NODATA | matches or covers the name | matches the name | at the name |
| NODATA by a wildcard | covers the name; matches it | encloser; next closer; matches the wildcard | at the name |
| HIT, CNAME by a wildcard | covers the name | covers the next closer name | none: signed as asked |
| REFERRAL | DS, or matches the cut | DS, or matches the cut | DS, or at the cut |
| STEERED, without records | at the name | at the name | at the name |
| HIT below a wildcard with a load balancer | none: signed as asked | none | none |
| NODATA below one | at the name | at the name | at the name |

"At the name": signed as it is asked for (lbdns/dnssec/compact_denial.py). Where the road falls back, what has no such
signature yet is proved by the chain, as far as that can prove it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from lbdns.answer.answer import Road, find_signatures
from lbdns.answer.match import Match, MatchKind, is_below_wildcard, is_signed_as_asked
from lbdns.answer.reply import ASKED, Answer, Records
from lbdns.answer.serving_view import ServingView
from lbdns.answer.sign import unsigned_of
from lbdns.dns.codes import NOERROR, TYPE_DS, TYPE_SOA
from lbdns.dns.name import WILDCARD_LABEL, parent
from lbdns.dns.zone import RRset
from lbdns.dnssec.compact_denial import denial_ttl, nodata, nxname
from lbdns.dnssec.unsigned import Unsigned
from lbdns.snapshot.lookup.name_rows import DENIAL_COMPACT, DENIAL_NSEC3


def prove(view: ServingView, reply: Answer, road: Road, qtype: int) -> None:
    """Add to the authority section what proves that the answer says all there is."""
    if not reply.is_signed:
        return
    proof = _Proof(view, reply, road, qtype)
    for found in road.matches:
        proof.add_for(found)


@dataclass
class _Proof:
    """What is added to one answer."""

    view: ServingView
    reply: Answer
    road: Road
    qtype: int

    @property
    def _zone(self) -> int:
        return self.road.matches[0].zone

    @cached_property
    def _denial(self) -> int:
        return self.view.denial(self._zone)

    @cached_property
    def _ttl(self) -> int:
        """The TTL of denials, which the SOA record's may have been lowered below."""
        return min([denial_ttl(self.view.columns, self._zone), *self._soa_ttls])

    @cached_property
    def _soa_ttls(self) -> list[int]:
        """The TTL of the SOA record where the answer is negative: it is the first of the section then."""
        return [records.ttl for records in self.reply.authority[:1] if self.reply.apex == records.owner]

    def add_for(self, found: Match) -> None:
        """Add what one match needs."""
        kind = found.kind
        if kind is MatchKind.REFERRAL:
            self._prove_cut(found)
        elif kind in (MatchKind.HIT, MatchKind.CNAME):
            if is_below_wildcard(self.view, found) and not self._stays_as_asked(found):
                self._prove_no_closer(found.name, parent(self.view.name(found.entry)))
        elif not self.reply.authority:
            return  # what is there is there; aliases that lead out of the zone prove nothing
        elif kind is MatchKind.STEERED:
            if found is self.road.matches[-1] and self._soa_ttls:
                self._prove_steered(found)
        elif kind is MatchKind.NODATA:
            self._prove_nodata(found)
        elif kind is MatchKind.NXDOMAIN:
            self._prove_nxdomain(found)

    def _prove_cut(self, found: Match) -> None:
        cut = self.view.name(found.entry)
        ds = self.view.rrset(found.entry, TYPE_DS)
        if ds is not None:
            self._add(ds)
        elif self._denial != DENIAL_COMPACT or not self._may_make(self._nodata(found.entry, cut)):
            self._match(cut)

    def _prove_steered(self, found: Match) -> None:
        made = nodata(self.view.columns, found.zone, found.entry, found.name, self.qtype, self._ttl)
        if self._is_taken(made):
            # No two records of one name can say two things: who follows the aliases asks for their end again.
            self.reply.authority = [records for records in self.reply.authority if records.type != TYPE_SOA]
        else:
            self._add_made(made)

    def _prove_nodata(self, found: Match) -> None:
        is_made = self._denial == DENIAL_COMPACT or is_signed_as_asked(self.view, found)
        if not is_made or not self._may_make(self._nodata(found.entry, found.name)):
            self._prove_by_chain(found)

    def _prove_by_chain(self, found: Match) -> None:
        if is_below_wildcard(self.view, found):
            wildcard = self.view.name(found.entry)
            encloser = parent(wildcard)
            if self._denial == DENIAL_NSEC3:
                self._match(encloser)
            self._prove_no_closer(found.name, encloser)
            self._match(wildcard)
        else:
            self._match(found.name)

    def _prove_nxdomain(self, found: Match) -> None:
        if self._denial == DENIAL_COMPACT and self._may_make(
            nxname(self.view.columns, found.zone, found.name, self._ttl)
        ):
            if not self.road.compact_ok:
                self.reply.rcode = NOERROR
            return
        encloser = self.view.name(found.entry)
        if self._denial == DENIAL_NSEC3:
            self._match(encloser)
        self._prove_no_closer(found.name, encloser)
        self._match(WILDCARD_LABEL + encloser)

    def _prove_no_closer(self, name: bytes, encloser: bytes) -> None:
        """Prove that no name stands between a name and its closest encloser."""
        self._match(name if self._denial != DENIAL_NSEC3 else _next_closer(name, encloser))

    def _match(self, name: bytes) -> None:
        """Add the record of the chain that matches or covers a name."""
        if self._denial == DENIAL_NSEC3:
            self._add(self.view.nsec3(self._zone, name))
        else:
            self._add(self.view.nsec(self._zone, name))

    def _nodata(self, entry: int, name: bytes) -> Unsigned:
        return nodata(self.view.columns, self._zone, entry, name, None, self._ttl)

    def _stays_as_asked(self, found: Match) -> bool:
        """Return whether what a wildcard gives is signed as the name that was asked for. Where that falls back, its own
        signatures are."""
        if not is_signed_as_asked(self.view, found):
            return False
        stays = True
        for index, records in enumerate(self.reply.answer):
            unsigned = unsigned_of(self.reply, records, self.road)
            if records.signatures and unsigned.owner == found.name and self._falls_back(unsigned):
                self.reply.answer[index] = records._replace(signed_ttl=None)
                stays = False
        return stays

    def _falls_back(self, unsigned: Unsigned) -> bool:
        if not self.road.falls_back:
            return False
        return find_signatures(self.view, self._zone, self.road, unsigned) is None

    def _may_make(self, unsigned: Unsigned) -> bool:
        """Add what is signed as it is asked for, and return True; unless this falls back to the chain."""
        if self._is_taken(unsigned) or self._falls_back(unsigned):
            return False
        self._add_made(unsigned)
        return True

    def _is_taken(self, made: Unsigned) -> bool:
        """Return whether the chain's record of the same name stands there already, for an alias of a wildcard."""
        return any(records.type == made.rtype and records.owner == made.owner for records in self.reply.authority)

    def _add_made(self, unsigned: Unsigned) -> None:
        self._append(
            Records(
                unsigned.owner, unsigned.rtype, unsigned.ttl, unsigned.rdatas, is_apart=True, signed_ttl=unsigned.ttl
            )
        )

    def _add(self, rrset: RRset) -> None:
        self._append(
            Records(rrset.owner, rrset.type, rrset.ttl, rrset.rdatas, is_apart=True, signatures=rrset.signatures)
        )

    def _append(self, added: Records) -> None:
        """Add records, once; apart, so that they have the same bytes beside whatever they stand."""
        first = self.road.matches[0]
        if added.owner == first.name and first.kind is not MatchKind.REFERRAL:
            added = added._replace(owner=ASKED)
        if all(records.owner != added.owner or records.type != added.type for records in self.reply.authority):
            self.reply.authority.append(added)


def _next_closer(name: bytes, encloser: bytes) -> bytes:
    """Return the name that is one label longer than the closest encloser (RFC 5155 section 1.3)."""
    while len(parent(name)) > len(encloser):
        name = parent(name)
    return name
