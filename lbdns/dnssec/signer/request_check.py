"""Whether what a responder wants signed is what the configuration may answer; one that was taken over gets no more.

Health does not count, so that a responder that sees a flip first is not refused: what some health allows is granted.

| wanted                     | granted where                                                                     |
|----------------------------|-----------------------------------------------------------------------------------|
| A, AAAA, MX, SRV, CNAME    | a load balancer is asked there, and one of its rows and pools may give just that  |
| NSEC, less one type        | the same, and it may come to no records; under a literal `*`, with TTL 0          |
| NSEC of all types          | the name is below a load balancer's wildcard, or its zone denies compactly        |
| NSEC that says NXNAME      | the zone denies compactly, and the name is not there                              |
| NSEC3                      | its hash is of a load balancer's name, or of no name of a zone that has a load    |
|                            | balancer at a wildcard; its types are those of one                                |
| HINFO                      | it is what ANY gets, and a load balancer answers for the name                     |
| whatever else stands there | it is a wildcard's, with a load balancer, or of a zone that denies compactly      |

All of it as it would be answered: the TTL, the data, the next name. An NSEC3 record tells no name but its hash, so
below a wildcard what it denies cannot be told apart further.
"""

from __future__ import annotations

from base64 import b32hexdecode
from binascii import Error as NotBase32
from collections.abc import Iterator
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np

from lbdns.dns.canonical import NSEC3_MADE_PARAMETERS, nsec3_hash, nsec3_owner
from lbdns.dns.codes import TYPE_A, TYPE_AAAA, TYPE_ANY, TYPE_CNAME, TYPE_DS, TYPE_HINFO, TYPE_NSEC, TYPE_NSEC3
from lbdns.dns.name import WILDCARD_LABEL, checked_name_end
from lbdns.dnssec.compact_denial import denial_of, minimal_any, nodata, nxname, types_at, without_type
from lbdns.dnssec.signer.asked_lately import KINDS, NUMBERS, Subject
from lbdns.dnssec.signer.foresight import Verdict
from lbdns.dnssec.signer.pool_answers import SteeredKind
from lbdns.dnssec.signer.pool_bounds import PoolBounds
from lbdns.dnssec.signer.signed_content import Instance, SignedContent
from lbdns.dnssec.unsigned import Unsigned
from lbdns.snapshot.lookup.denial import find_nsec3
from lbdns.snapshot.lookup.look_up import Found, find_rrset, has_load_balancer
from lbdns.snapshot.lookup.name_rows import (
    DENIAL_COMPACT,
    DENIAL_NSEC3,
    KIND_CNAME,
    KIND_HIT,
    KIND_NODATA,
    KIND_NXDOMAIN,
    KIND_REFERRAL,
    KIND_STEERED,
    NAME_ROW,
    NO_ROW,
    NSEC3_HASH_BYTES,
    ROW_LOAD_BALANCER,
    ROW_ZONE,
)
from lbdns.snapshot.lookup.steered_data import SteeredData
from lbdns.steering.kernel.numbers import FAMILY_A, LB_FIXED, POOL_ENABLED

BY_CNAME: Final = SteeredKind(TYPE_CNAME, FAMILY_A, wants_cname=True)
STEERED_KINDS: Final = (*KINDS, BY_CNAME)
_AT_NAME: Final = frozenset((KIND_STEERED, KIND_HIT, KIND_CNAME, KIND_NODATA))


class RequestJudgement(NamedTuple):
    """What becomes of a request, and who is asked where it is for a load balancer's answer."""

    verdict: Verdict
    subject: Subject | None = None


REFUSED: Final = RequestJudgement(Verdict.REFUSED)


class RequestCheck:
    """Judges requests by one snapshot."""

    def __init__(self, content: SignedContent) -> None:
        """Judge by what stands in a snapshot's signed zones."""
        self._content = content
        self._columns = content.columns
        self._bounds = PoolBounds(content.view, content.columns)
        self._hashed_denials: dict[int, _HashedDenials] = {}

    def judge(self, wanted: Unsigned) -> RequestJudgement:
        """Return what becomes of a request. Total: requests are values, whatever is in them."""
        if checked_name_end(wanted.owner, 0) != len(wanted.owner):
            return REFUSED  # a look-up reads names to their end
        for instance in self._content.instances.get(wanted.apex, ()):
            judgement = self._judge_in(instance, wanted)
            if judgement.verdict is not Verdict.REFUSED:
                return judgement
        return REFUSED

    def _judge_in(self, instance: Instance, wanted: Unsigned) -> RequestJudgement:
        if wanted.rtype == TYPE_NSEC3:
            return self._judge_hashed(instance, wanted)
        if wanted.rtype == TYPE_NSEC:
            return self._judge_denial(instance, wanted)
        if self._is_minimal_any(instance, wanted):
            return self._granted(instance, wanted)
        for subject in self._steered(instance, wanted.owner, wanted.rtype):
            if self._may_give(subject, SteeredData(wanted.rtype, wanted.rdatas), wanted.ttl):
                return self._granted(instance, wanted, subject)
        return self._granted(instance, wanted) if self._stands(instance, wanted) else REFUSED

    def _granted(self, instance: Instance, wanted: Unsigned, subject: Subject | None = None) -> RequestJudgement:
        """Grant a request: lastingly where the name is one of the zone, and no client made it up."""
        found = self._found_at(instance, wanted.owner)
        is_own = found is not None and self._content.name(found.entry) == wanted.owner
        return RequestJudgement(Verdict.LASTING if is_own else Verdict.PASSING, subject)

    def _found_at(self, instance: Instance, owner: bytes) -> Found | None:
        """Return what stands at a name. The apex of another zone that is served here is this one's for DS alone (RFC
        4035 section 3.1.4.1)."""
        return self._content.look_up(instance, owner, TYPE_ANY) or self._content.look_up(instance, owner, TYPE_DS)

    # --- what is steered ---

    def _steered(self, instance: Instance, owner: bytes, rtype: int) -> Iterator[Subject]:
        """Yield who may be asked at a name and be answered with records of a type."""
        kinds = [kind for kind in STEERED_KINDS if kind.qtype == rtype]
        if rtype == TYPE_CNAME:
            kinds = [KINDS[NUMBERS[TYPE_A]], KINDS[NUMBERS[TYPE_AAAA]], BY_CNAME]
        for kind in kinds if not owner.startswith(WILDCARD_LABEL) else ():
            found = self._content.look_up(instance, owner, kind.qtype)
            if found is not None and found.kind == KIND_STEERED:
                yield Subject(owner, instance.zone, found.entry, kind, found.load_balancer)

    def _may_give(self, subject: Subject, data: SteeredData, ttl: int) -> bool:
        return any(
            self._bounds.may_give(pool, self._content.rows.number_of(row), subject.kind, data)
            for row in self._content.rows_of(subject)
            if row.ttl == ttl and not row.flags & LB_FIXED
            for pool in {*self._content.sets.pools_of((row,)), row.fallback}
            if self._columns["pool_flags"][pool] & POOL_ENABLED
        )

    def _may_be_empty(self, subject: Subject) -> Iterator[int]:
        """Yield the TTLs of the rows that may come to no records: by a rule, or as nobody of a pool that gets queries
        answers them, being of another family, or down while the pool is not."""
        columns = self._columns
        for row in self._content.rows_of(subject):
            candidates = self._content.sets.pools_of((row,))
            number = self._content.rows.number_of(row)
            if (
                row.flags & LB_FIXED
                or not columns["pool_flags"][row.fallback] & POOL_ENABLED
                or any(self._content.health.counts(pool) for pool in candidates)
                or any(self._bounds.may_be_without(pool, number, subject.kind) for pool in {*candidates, row.fallback})
            ):
                yield row.ttl

    # --- denials ---

    def _judge_denial(self, instance: Instance, wanted: Unsigned) -> RequestJudgement:
        columns, zone = self._columns, instance.zone
        of_chain, of_soa = self._content.denied(zone)
        for kind in STEERED_KINDS:
            found = self._content.look_up(instance, wanted.owner, kind.qtype)
            if found is None or found.kind != KIND_STEERED:
                continue
            subject = Subject(wanted.owner, zone, found.entry, kind, found.load_balancer)
            if wanted.owner.startswith(WILDCARD_LABEL):
                if wanted == nodata(columns, zone, found.entry, wanted.owner, kind.qtype, 0):
                    return self._granted(instance, wanted)
            elif wanted == self._content.denial(subject, wanted.ttl) and wanted.ttl in {
                min(of_chain, of_soa, ttl) for ttl in self._may_be_empty(subject)
            }:
                return self._granted(instance, wanted, subject)
        if wanted.ttl not in (of_chain, min(of_chain, of_soa)):
            return REFUSED
        return self._granted(instance, wanted) if self._is_whole_denial(instance, wanted) else REFUSED

    def _is_whole_denial(self, instance: Instance, wanted: Unsigned) -> bool:
        """Return whether it says all that there is at a name, in a zone or below a wildcard where that is signed as it
        is asked for."""
        columns, zone = self._columns, instance.zone
        found = self._found_at(instance, wanted.owner)
        if found is None or denial_of(columns, zone) == DENIAL_NSEC3:
            return False
        is_compact = denial_of(columns, zone) == DENIAL_COMPACT
        if found.kind == KIND_NXDOMAIN:
            return is_compact and wanted == nxname(columns, zone, wanted.owner, wanted.ttl)
        if found.kind == KIND_REFERRAL:
            is_made = is_compact and self._content.name(found.entry) == wanted.owner
        else:
            is_made = found.kind in _AT_NAME and (is_compact or self._is_below_balancer(found, wanted.owner))
        return is_made and wanted == nodata(columns, zone, found.entry, wanted.owner, None, wanted.ttl)

    def _is_below_balancer(self, found: Found, owner: bytes) -> bool:
        """Return whether a load balancer's wildcard answers for a name."""
        return has_load_balancer(self._content.view, found.entry) and self._content.name(found.entry) != owner

    # --- what stands in the zone, under another name ---

    def _is_minimal_any(self, instance: Instance, wanted: Unsigned) -> bool:
        if wanted.rtype != TYPE_HINFO or wanted != minimal_any(self._columns, instance.zone, wanted.owner):
            return False
        found = self._content.look_up(instance, wanted.owner, TYPE_ANY)
        return found is not None and found.kind in _AT_NAME and has_load_balancer(self._content.view, found.entry)

    def _stands(self, instance: Instance, wanted: Unsigned) -> bool:
        """Return whether a wildcard has just these records, and answers with them under the name."""
        found = self._content.look_up(instance, wanted.owner, wanted.rtype)
        if found is None or found.kind not in (KIND_HIT, KIND_CNAME):
            return False
        is_compact = denial_of(self._columns, instance.zone) == DENIAL_COMPACT
        if self._content.name(found.entry) == wanted.owner or not (
            is_compact or has_load_balancer(self._content.view, found.entry)
        ):
            return False
        row = find_rrset(self._content.view, found.entry, wanted.rtype)
        if row == NO_ROW:
            return False
        standing = self._content.standing(row, wanted.apex, wanted.owner)
        return standing.ttl == wanted.ttl and sorted(standing.rdatas) == sorted(wanted.rdatas)

    # --- NSEC3 ---

    def _judge_hashed(self, instance: Instance, wanted: Unsigned) -> RequestJudgement:
        zone = instance.zone
        if denial_of(self._columns, zone) != DENIAL_NSEC3 or len(wanted.rdatas) != 1:
            return REFUSED
        hashed = _hash_of(wanted.owner, wanted.apex)
        if hashed is None:
            return REFUSED
        behind = ((int.from_bytes(hashed, "big") + 1) % (1 << 8 * NSEC3_HASH_BYTES)).to_bytes(NSEC3_HASH_BYTES, "big")
        head = NSEC3_MADE_PARAMETERS + bytes((NSEC3_HASH_BYTES,)) + behind
        if not wanted.rdatas[0].startswith(head) or wanted.ttl > min(self._content.denied(zone)):
            return REFUSED
        types = wanted.rdatas[0][len(head) :]
        denials = self._hashed_denials.get(zone)
        if denials is None:
            denials = self._hashed_denials[zone] = _HashedDenials(self._content, zone)
        return RequestJudgement(denials.verdict(hashed, types))


def _hash_of(owner: bytes, apex: bytes) -> bytes | None:
    """Return the hash that an NSEC3 record's owner stands for, None where it is no such name."""
    try:
        hashed = b32hexdecode(owner[1 : 1 + owner[0]].upper())
    except NotBase32:
        return None
    return hashed if len(hashed) == NSEC3_HASH_BYTES and owner == nsec3_owner(hashed, apex) else None


class _HashedDenials:
    """What the NSEC3 records may say that are made for the load balancers of a zone."""

    def __init__(self, content: SignedContent, zone: int) -> None:
        self._content = content
        self._zone = zone
        rows = np.frombuffer(content.columns["name_row"], np.uint32).reshape(-1, NAME_ROW)
        stands = (rows[:, ROW_LOAD_BALANCER : ROW_LOAD_BALANCER + 3] != NO_ROW).any(axis=1)
        self._entries = np.flatnonzero(stands & (rows[:, ROW_ZONE] == zone + 1)).tolist()

    @cached_property
    def _own(self) -> dict[bytes, int]:
        """The names of load balancers, by their hashes."""
        return {nsec3_hash(self._content.name(entry)): entry for entry in self._entries}

    @cached_property
    def _below(self) -> frozenset[bytes]:
        """The types that names below wildcards are said to have."""
        wildcards = [one for one in self._entries if self._content.name(one).startswith(WILDCARD_LABEL)]
        return frozenset(types for entry in wildcards for types in self._types(entry))

    def verdict(self, hashed: bytes, types: bytes) -> Verdict:
        """Return what becomes of a record that says of a hash's name that it has these types."""
        own = self._own.get(hashed)
        if own is not None:
            return Verdict.LASTING if types in self._types(own) else Verdict.REFUSED
        row = find_nsec3(self._content.view, self._zone, hashed)
        at = row * NSEC3_HASH_BYTES
        if bytes(self._content.columns["nsec3_hash"][at : at + NSEC3_HASH_BYTES]) == hashed:
            return Verdict.REFUSED  # a name of the zone, which says what it has by itself
        return Verdict.PASSING if types in self._below else Verdict.REFUSED

    def _types(self, entry: int) -> set[bytes]:
        types = types_at(self._content.columns, entry)
        return {types, *(without_type(types, kind.qtype) for kind in STEERED_KINDS)}
