"""The records by which a zone is signed: what a file says of them is another signer's work.

    at the apex    DNSKEY, and CDS and CDNSKEY beside it
    anywhere       RRSIG of an RRset that is there, NSEC, NSEC3, NSEC3PARAM

A key below the apex and a signature of nothing are data like any other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from lbdns.base.errors import Problem
from lbdns.dns.codes import (
    TYPE_CDNSKEY,
    TYPE_CDS,
    TYPE_DNSKEY,
    TYPE_NSEC,
    TYPE_NSEC3,
    TYPE_NSEC3PARAM,
    TYPE_RRSIG,
)
from lbdns.dns.master.draft import RRsetDraft, ZoneDraft, subject
from lbdns.dns.rdata.record_types import type_text

SIGNING_TYPES: Final = frozenset({TYPE_DNSKEY, TYPE_RRSIG, TYPE_NSEC, TYPE_NSEC3, TYPE_NSEC3PARAM})
_ASKING_PARENT: Final = frozenset({TYPE_CDS, TYPE_CDNSKEY})
"""What asks the zone above for a DS, and so goes with the keys."""

Found = tuple[bytes, RRsetDraft]


def is_of_signed_zone(draft: ZoneDraft, owner: bytes, rrset: RRsetDraft) -> bool:
    """Tell whether an RRset of one of SIGNING_TYPES signs something of its zone."""
    if rrset.type == TYPE_DNSKEY:
        return owner == draft.apex
    if rrset.type == TYPE_RRSIG:
        return any(draft.rrset(owner, int.from_bytes(rdata[:2], "big")) is not None for rdata in rrset.rdatas)
    return True


def counts_told(found: Iterable[Found]) -> str:
    """Return how many records of each type there are: `2 DNSKEY, 1 RRSIG`."""
    counts = Counter[str]()
    for _, rrset in found:
        counts[type_text(rrset.type)] += len(rrset.rdatas)
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())


def leave_out_signing(draft: ZoneDraft) -> None:
    """Take what another signer has put into a zone that is signed here out of it, and note that, once."""
    found = list(_to_leave_out(draft))
    if not found:
        return
    for owner, rrset in found:
        left = [one for one in draft.nodes[owner] if one is not rrset]
        if left:
            draft.nodes[owner] = left
        else:
            del draft.nodes[owner]
    owner, first = found[0]
    message = f"the zone is signed here, by keys of its own: {counts_told(found)} of the file are left out"
    path = subject(owner, first.type)
    draft.problems.append(Problem(first.file, first.line, path, message, "warning"))


def _to_leave_out(draft: ZoneDraft) -> Iterator[Found]:
    for owner, rrsets in draft.nodes.items():
        for rrset in rrsets:
            if rrset.type in SIGNING_TYPES:
                if is_of_signed_zone(draft, owner, rrset):
                    yield owner, rrset
            elif rrset.type in _ASKING_PARENT and owner == draft.apex:
                yield owner, rrset
