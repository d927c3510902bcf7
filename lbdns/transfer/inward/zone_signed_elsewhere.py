"""A zone that its primary signs, as it is served: by its own signatures and denials, with no key here.

    NSEC                    RRSIG with what they sign; an NSEC RRset comes last at its name
    NSEC3                   the same, its RRsets by their hashes: without salt, iterations and opt-out (RFC 9276)
    anything else           `Unservable`, which says what would be

Nothing in it is made here, so that no load balancer may lie over it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.dns.canonical import NSEC3_PARAMETERS, nsec3_hash, nsec3_owner
from lbdns.dns.codes import TYPE_NS, TYPE_NSEC, TYPE_NSEC3, TYPE_NSEC3PARAM, TYPE_RRSIG
from lbdns.dns.name import ancestors, labels_of, show_name
from lbdns.dns.zone import RRset, Zone, ZoneSigned
from lbdns.dns.zone_copy import ZoneCopy
from lbdns.snapshot.lookup.name_rows import DENIAL_NSEC, DENIAL_NSEC3

NEVER_S: Final = 1 << 62
_SHOWN: Final = "0123456789abcdefghijklmnopqrstuv"


class Unservable(LbdnsError):
    """A signed zone whose denials this server cannot give."""


def signed_zone(copy: ZoneCopy, file: str) -> Zone:
    """Return the zone of a copy that its primary signed; raises Unservable. `file`: where it comes from, in words."""
    signatures = _signatures(copy.rrsets)
    covered = [one for one in copy.rrsets if one.type not in (TYPE_RRSIG, TYPE_NSEC3)]
    nsec3 = [one for one in copy.rrsets if one.type == TYPE_NSEC3]
    named = [_with(one, signatures) for one in covered if one.type != TYPE_NSEC]
    nsec = {one.owner: _with(one, signatures) for one in covered if one.type == TYPE_NSEC}
    hashed = _hashed(copy.apex, [_with(one, signatures) for one in nsec3]) if _uses_nsec3(copy) else ()
    if not hashed and copy.apex not in nsec:
        raise Unservable(f"{_elsewhere(copy.apex)} and has neither NSEC nor NSEC3 records of the whole zone; {_RIGHT}")
    if hashed:
        nsec = {}
        _check_whole(copy.apex, named, {key for key, _ in hashed})
    denial = DENIAL_NSEC3 if hashed else DENIAL_NSEC
    ttl_max_s = max(one.ttl for one in copy.rrsets)
    signed = ZoneSigned(denial, (), hashed, NEVER_S, 0, ttl_max_s, is_elsewhere=True)
    return Zone(copy.apex, (*named, *nsec.values()), file, signed=signed)


_RIGHT: Final = (
    "it may be signed with NSEC, or NSEC3 without salt, iterations and opt-out (RFC 9276), sent unsigned, or signed "
    "here (`lbdns dnssec enable`)"
)


def _elsewhere(apex: bytes) -> str:
    return f"the zone {show_name(apex)} is signed by its primary"


def _signatures(rrsets: Iterable[RRset]) -> dict[tuple[bytes, int], tuple[bytes, ...]]:
    """Return the signatures by owner and type covered."""
    found: dict[tuple[bytes, int], tuple[bytes, ...]] = defaultdict(tuple)
    for rrset in rrsets:
        if rrset.type == TYPE_RRSIG:
            for rdata in rrset.rdatas:
                found[rrset.owner, int.from_bytes(rdata[:2], "big")] += (rdata,)
    return found


def _with(rrset: RRset, signatures: dict[tuple[bytes, int], tuple[bytes, ...]]) -> RRset:
    own = signatures.get((rrset.owner, rrset.type), ())
    return RRset(rrset.owner, rrset.type, rrset.ttl, rrset.rdatas, 0, own) if own else rrset


def _uses_nsec3(copy: ZoneCopy) -> bool:
    """Return whether a zone denies by NSEC3; raises Unservable where it does so as this server cannot."""
    parameters = [one for one in copy.rrsets if one.type == TYPE_NSEC3PARAM and one.owner == copy.apex]
    if not parameters:
        return False
    if any(rdata != NSEC3_PARAMETERS for rdata in parameters[0].rdatas):
        raise Unservable(f"{_elsewhere(copy.apex)}, with NSEC3 that has a salt or iterations; {_RIGHT}")
    return True


def _hashed(apex: bytes, rrsets: Iterable[RRset]) -> tuple[tuple[bytes, RRset], ...]:
    """Return NSEC3 RRsets by their hashes, sorted; raises Unservable where one covers what is not signed."""
    found = {}
    for rrset in rrsets:
        if rrset.rdatas[0][1] & 1:
            raise Unservable(f"{_elsewhere(apex)}, with NSEC3 that opts out; {_RIGHT}")
        label = labels_of(rrset.owner)[0].decode("ascii", "replace").lower()
        number = 0
        for letter in label:
            number = number << 5 | max(_SHOWN.find(letter), 0)
        hashed = number.to_bytes(20, "big") if len(label) == 32 else b""
        if nsec3_owner(hashed, apex) != rrset.owner:
            raise Unservable(f"{_elsewhere(apex)}, and {show_name(rrset.owner)} is no NSEC3 record's name")
        found[hashed] = rrset
    return tuple(sorted(found.items()))


def _check_whole(apex: bytes, rrsets: Sequence[RRset], hashes: set[bytes]) -> None:
    """Raise Unservable where a name of a zone has no NSEC3 record: its owner opted out of it."""
    types: dict[bytes, set[int]] = defaultdict(set)
    for rrset in rrsets:
        types[rrset.owner].add(rrset.type)
    cuts = {owner for owner, of in types.items() if TYPE_NS in of and owner != apex}
    below = {owner for owner in types if any(above in cuts for above in ancestors(owner, apex))}
    names = {above for owner in types.keys() - below for above in chain((owner,), ancestors(owner, apex))}
    lacking = next((name for name in sorted(names) if nsec3_hash(name) not in hashes), None)
    if lacking is not None:
        raise Unservable(f"{_elsewhere(apex)}, and no NSEC3 record is of {show_name(lacking)}; {_RIGHT}")
