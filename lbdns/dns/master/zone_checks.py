"""What makes a zone's records fit together: the apex, CNAME and DNAME, delegations and glue, targets of NS, MX and SRV.

    what                                             verdict    source
    not exactly one SOA at the apex, no NS there     error      RFC 1035 section 5.2, RFC 2181 section 6.1
    CNAME beside other data, or two of them          error      RFC 2181 section 10.1
    two DNAMEs, data below a DNAME                   error      RFC 6672 section 2.4
    NS target in the zone without an address         error      RFC 1034 section 4.2.2
    NS, MX or SRV target that is a CNAME             warning    RFC 2181 section 10.3, RFC 2782
    data hidden below a delegation                   warning    RFC 1034 section 4.2.1
    names that end in the zone's name twice          warning    a forgotten dot
    keys, signatures or denials of DNSSEC            error      RFC 4035 section 2; signed here they are left out
    a text between two empty ones                    warning    quotes doubled by a program: TXT ""a b""
    more than an answer over UDP has                 warning    answer_sizes.py

A name that a load balancer answers counts as one with addresses.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Set
from typing import Final

from lbdns.base.errors import Clash, Problem
from lbdns.dns import record_bounds
from lbdns.dns.codes import TYPE_CNAME, TYPE_DNAME, TYPE_NS, TYPE_SOA
from lbdns.dns.master.answer_sizes import FEW, LARGE, check_size
from lbdns.dns.master.draft import RRsetDraft, ZoneDraft, subject
from lbdns.dns.master.signing_records import SIGNING_TYPES, counts_told, is_of_signed_zone
from lbdns.dns.name import ROOT, WILDCARD_LABEL, ancestors, is_at_or_below, show_name
from lbdns.dns.rdata.layouts import quoted, strings_of
from lbdns.dns.rdata.record_types import ADDRESS_TYPES, NAME_OFFSETS, type_text, types_where

_BESIDE_CNAME: Final = frozenset(types_where(lambda row: row.is_beside_cname))
_AT_CUT: Final = frozenset(types_where(lambda row: row.is_at_cut))
_TO_HOSTS: Final = frozenset(types_where(lambda row: row.points_to_host))
_SINGLE: Final = frozenset(types_where(lambda row: row.is_single))
_TEXTS: Final = frozenset(types_where(lambda row: row.has_texts_alone))
_LOOKED_AT: Final = frozenset({*NAME_OFFSETS, TYPE_SOA, *_TEXTS, *SIGNING_TYPES})
"""The types whose RRsets are looked at one by one."""


class ZoneIndex:
    """A drafted zone with what look-ups need: where it delegates and redirects, its wildcards, and what points to hosts
    (owners and RRsets)."""

    def __init__(self, draft: ZoneDraft, balanced: Set[bytes] = frozenset()) -> None:
        """`balanced` holds the names (wire, lower case) of enabled load balancers that answer with addresses."""
        self.draft = draft
        self.apex = draft.apex
        self.balanced = balanced
        self.cuts: dict[bytes, RRsetDraft] = {}
        self.redirects: dict[bytes, RRsetDraft] = {}
        self.pointing: list[tuple[bytes, RRsetDraft]] = []
        self.wildcards = [owner for owner in draft.nodes if owner.startswith(WILDCARD_LABEL)]
        for owner, drafts in draft.nodes.items():
            for rrset in drafts:
                if rrset.type == TYPE_NS and owner != draft.apex:
                    self.cuts[owner] = rrset
                elif rrset.type == TYPE_DNAME:
                    self.redirects[owner] = rrset
                if rrset.type in _TO_HOSTS:
                    self.pointing.append((owner, rrset))
        self._existing: set[bytes] | None = None

    def beside(self, balanced: Set[bytes]) -> ZoneIndex:
        """Return the index of the same draft beside other load balancers."""
        made = copy.copy(self)
        made.balanced, made._existing = balanced, None
        return made

    def cut_above(self, name: bytes) -> bytes | None:
        """Return the delegation that a name lies below, the highest where there are several; None where none does."""
        if not self.cuts:
            return None
        return next((above for above in reversed(ancestors(name, self.apex)) if above in self.cuts), None)

    def redirect_above(self, name: bytes) -> bytes | None:
        """Return the DNAME owner that a name lies below, or None."""
        if not self.redirects:
            return None
        return next((above for above in ancestors(name, self.apex) if above in self.redirects), None)

    def has(self, name: bytes, rdtypes: tuple[int, ...]) -> bool:
        """Tell whether records of one of these types stand at exactly this name."""
        return any(rrset.type in rdtypes for rrset in self.draft.nodes.get(name, ()))

    def covering(self, name: bytes) -> bytes:
        """Return the name whose records answer for a name: itself, or the wildcard that covers it (RFC 4592)."""
        if name in self.draft.nodes or name in self.balanced or name in self._names():
            return name
        closest = next((above for above in ancestors(name, self.apex) if above in self._names()), self.apex)
        return WILDCARD_LABEL + closest

    def _names(self) -> set[bytes]:
        """Return every name that exists, empty non-terminals included; worked out when first asked for."""
        if self._existing is None:
            self._existing = {self.apex}
            for name in (*self.draft.nodes, *self.balanced):
                if is_at_or_below(name, self.apex):
                    self._existing.update((name, *ancestors(name, self.apex)))
        return self._existing


def check_zone(index: ZoneIndex) -> Iterator[Problem]:
    """Yield what is wrong with a zone as a whole; the problems of its text are the draft's own. For one that another
    server sends, that answers."""
    yield from check_records(index)
    yield from check_hosts(index)


def check_hosts(index: ZoneIndex) -> Iterator[Problem]:
    """Yield what is wrong with names of the zone that its records point to, which load balancers have a part in."""
    draft = index.draft
    for owner, rrset in () if draft.is_received else index.pointing:
        for rdata in rrset.rdatas:
            target = rdata[NAME_OFFSETS[rrset.type] :].lower()
            if target != ROOT and is_at_or_below(target, draft.apex) and not target.endswith(_doubled(draft)):
                yield from _check_target(index, owner, rrset, target)


def _doubled(draft: ZoneDraft) -> bytes:
    """Return what a name ends with that has its zone's name twice."""
    return draft.apex[:-1] + draft.apex


def check_records(index: ZoneIndex) -> Iterator[Problem]:
    """Yield all that is wrong with a zone but what `check_hosts` finds: the same of one draft always."""
    draft = index.draft
    if draft.is_received:
        return
    yield from _check_apex(draft)
    doubled = _doubled(draft)
    is_plain = not index.cuts and not index.redirects
    signing: list[tuple[bytes, RRsetDraft]] = []
    for owner, drafts in draft.nodes.items():
        if owner.endswith(doubled):
            yield _problem(
                owner,
                drafts[0],
                f'the name ends in "{show_name(draft.apex)}" twice; a dot is missing after it in the file',
                True,
                "name",
            )
        if len(drafts) > 1:
            yield from _check_company(draft, owner, drafts)
        if not is_plain:
            yield from _check_hidden(index, owner, drafts)
        for rrset in drafts:
            if len(rrset.rdatas) > FEW or len(rrset.rdatas[0]) > LARGE:
                yield from check_size(draft, owner, rrset)
            if rrset.type not in _LOOKED_AT:
                continue
            if rrset.type in SIGNING_TYPES:
                signing.append((owner, rrset))
            elif rrset.type in _TEXTS:
                yield from _check_texts(owner, rrset)
            else:
                yield from _check_rrset(draft, owner, rrset, doubled)
    yield from _check_unsigned(draft, signing)


def _check_unsigned(draft: ZoneDraft, signing: list[tuple[bytes, RRsetDraft]]) -> Iterator[Problem]:
    """Refuse a zone that another has signed, once: its signatures would stand beside answers that nobody signed."""
    found = [(owner, rrset) for owner, rrset in signing if is_of_signed_zone(draft, owner, rrset)]
    if not found:
        return
    name = show_name(draft.apex)
    message = (
        f"the zone is signed elsewhere ({counts_told(found)}), and lbdns makes the signatures of its answers itself; "
        f"take its keys over first (`lbdns dnssec import {name} DIRECTORY`), and these records are left out, or give "
        "the zone without them, once its DS records are out of the zone above"
    )
    yield _problem(*found[0], message, at="type")


def _check_texts(owner: bytes, rrset: RRsetDraft) -> Iterator[Problem]:
    for rdata in rrset.rdatas:
        if rdata[0] == 0 and rdata[-1] == 0 and len(rdata) > 2:
            texts = list(strings_of(rdata))
            if len(texts) > 2 and not texts[-1] and any(texts):
                meant = b" ".join(texts[1:-1])
                message = 'an empty text stands before and behind the others, as doubled quotes ""..."" make them'
                yield _problem(owner, rrset, f"{message}; if it is meant as one, write {quoted(meant)}", True)


def _check_apex(draft: ZoneDraft) -> Iterator[Problem]:
    for rdtype, form in ((TYPE_SOA, "@ IN SOA ns1 admin 1 3600 600 86400 300"), (TYPE_NS, "@ IN NS ns1")):
        if draft.rrset(draft.apex, rdtype) is None and not draft.may_have_lost(draft.apex, (rdtype,)):
            name = type_text(rdtype)
            path = subject(draft.apex, rdtype)
            yield Problem(draft.file, 0, path, f"the zone has no {name} record; expected one such as {form}")


def _check_company(draft: ZoneDraft, owner: bytes, drafts: list[RRsetDraft]) -> Iterator[Problem]:
    """Check which types stand beside one another at one name."""
    by_type = {rrset.type: rrset for rrset in drafts}
    cname = by_type.get(TYPE_CNAME)
    others = [type_text(rdtype) for rdtype in by_type if rdtype not in _BESIDE_CNAME]
    if cname is not None and others:
        message = f"a CNAME stands alone at its name, but here is {', '.join(others)} as well (RFC 2181)"
        yield _problem(owner, cname, message, at="name", clash="host")
    if owner == draft.apex:
        return
    cut = by_type.get(TYPE_NS)
    if cut is None:
        return
    if TYPE_DNAME in by_type:
        message = "a delegated name has no DNAME; its NS records exclude it (RFC 6672)"
        yield _problem(owner, by_type[TYPE_DNAME], message, at="name")
    hidden = [
        type_text(rdtype) for rdtype in by_type if rdtype not in _AT_CUT and rdtype not in (TYPE_CNAME, TYPE_DNAME)
    ]
    if hidden:
        message = f"the name is delegated, so its {', '.join(hidden)} will never be answered"
        yield _problem(owner, cut, message, True, "name")


def _check_hidden(index: ZoneIndex, owner: bytes, drafts: list[RRsetDraft]) -> Iterator[Problem]:
    """Check for data below a delegation or a DNAME, where no query finds it."""
    redirect = index.redirect_above(owner)
    if redirect is not None:
        message = f'nothing may stand below the DNAME of "{show_name(redirect)}" (RFC 6672)'
        yield _problem(owner, drafts[0], message, at="name")
        return
    cut = index.cut_above(owner)
    if cut is None:
        return
    for rrset in drafts:
        if rrset.type not in ADDRESS_TYPES:
            message = f'the name is below the delegation of "{show_name(cut)}", so this will never be answered'
            yield _problem(owner, rrset, message, True, "name")


def _check_rrset(draft: ZoneDraft, owner: bytes, rrset: RRsetDraft, doubled: bytes) -> Iterator[Problem]:
    if rrset.type == TYPE_SOA:
        if owner != draft.apex:
            yield _problem(owner, rrset, f'an SOA record stands at the apex "{show_name(draft.apex)}" only')
        if len(rrset.rdatas) > 1:
            yield _problem(owner, rrset, f"{len(rrset.rdatas)} SOA records; a zone has exactly one")
        return
    if rrset.type in _SINGLE and len(rrset.rdatas) > 1:
        name = type_text(rrset.type)
        message = f"{len(rrset.rdatas)} {name} records; a name has at most one"
        yield _problem(owner, rrset, message, clash="host" if rrset.type == TYPE_CNAME else "")
    if rrset.type == TYPE_NS and owner != draft.apex and len(rrset.rdatas) > record_bounds.MAX_NS_PER_DELEGATION:
        message = f"{len(rrset.rdatas)} NS records; a delegation has at most {record_bounds.MAX_NS_PER_DELEGATION}"
        yield _problem(owner, rrset, message)
    for rdata in rrset.rdatas:
        target = rdata[NAME_OFFSETS[rrset.type] :].lower()
        if target.endswith(doubled):
            message = (
                f'the target "{show_name(target)}" ends in "{show_name(draft.apex)}" twice; '
                "a dot is missing after it in the file"
            )
            yield _problem(owner, rrset, message, True)


def _check_target(index: ZoneIndex, owner: bytes, rrset: RRsetDraft, target: bytes) -> Iterator[Problem]:
    """Check a name inside the zone that a record points to: NS, MX and SRV want addresses there, not an alias."""
    draft = index.draft
    if index.redirect_above(target) is not None:
        return
    name = type_text(rrset.type)
    if index.has(target, (TYPE_CNAME,)) and target not in index.balanced:
        message = f'the target "{show_name(target)}" is a CNAME; {name} points to names with addresses (RFC 2181)'
        yield _problem(owner, rrset, message, True)
        return
    if _has_address(index, target) or draft.may_have_lost(target, ADDRESS_TYPES):
        return
    cut = target if target in index.cuts else index.cut_above(target)
    if rrset.type != TYPE_NS or (cut is not None and not is_at_or_below(target, owner)):
        if cut is None:
            message = f'the target "{show_name(target)}" has no address in this zone; add an A or AAAA record'
            yield _problem(owner, rrset, message, True)
        return
    kind = "glue" if cut is not None else "address"
    message = f'the name server "{show_name(target)}" has no {kind}; add an A or AAAA record for it'
    yield _problem(owner, rrset, message)


def _has_address(index: ZoneIndex, target: bytes) -> bool:
    if index.has(target, ADDRESS_TYPES) or target in index.balanced:
        return True
    if target in index.cuts or index.cut_above(target) is not None:
        return False
    covering = index.covering(target)
    return covering in index.balanced or index.has(covering, (*ADDRESS_TYPES, TYPE_CNAME))


def _problem(
    owner: bytes, rrset: RRsetDraft, message: str, is_warning: bool = False, at: str = "content", clash: Clash = ""
) -> Problem:
    """Return a problem of an RRset; `at` is the field of its first record that it is about."""
    path = subject(owner, rrset.type)
    return Problem(rrset.file, rrset.line, path, message, "warning" if is_warning else "error", (at,), clash=clash)
