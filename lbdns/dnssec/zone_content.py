"""What a zone consists of before anything is signed: its records, its keys', and every name with its types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Final

from lbdns.dns.canonical import NSEC3_PARAMETERS
from lbdns.dns.codes import (
    TYPE_CDNSKEY,
    TYPE_CDS,
    TYPE_DNSKEY,
    TYPE_DS,
    TYPE_NS,
    TYPE_NSEC,
    TYPE_NSEC3,
    TYPE_NSEC3PARAM,
    TYPE_RRSIG,
    TYPE_SOA,
)
from lbdns.dns.name import parent
from lbdns.dns.rdata.record_types import HIDDEN_TYPES
from lbdns.dns.zone import RRset, Zone
from lbdns.dnssec.zone_keys import ZoneKeys
from lbdns.snapshot.compile.signed_zones import BalancerStanding

KEY_TYPES: Final = frozenset({TYPE_DNSKEY, TYPE_CDS, TYPE_CDNSKEY})
"""What the keys of keys sign (RFC 4035 section 2.2, RFC 7344 section 4.1)."""
_MADE_TYPES: Final = frozenset({TYPE_RRSIG, TYPE_NSEC, TYPE_NSEC3, TYPE_NSEC3PARAM})
"""What signing makes; what a zone brings of it says nothing here."""
_AT_CUT: Final = frozenset({TYPE_NS, TYPE_DS})
_SIGNED_AT_CUT: Final = frozenset({TYPE_DS, TYPE_NSEC})


@dataclass(frozen=True, slots=True)
class ZoneContent:
    """An instance of a zone: `rrsets` in the order of its file, those hidden by load balancers left out and those of
    its keys added; `types`: those that each name can have for which the zone speaks, cuts among them; `cuts`: the
    owners of NS records but the apex."""

    apex: bytes
    rrsets: tuple[RRset, ...]
    types: Mapping[bytes, Set[int]]
    cuts: Set[bytes]

    def is_own(self, rrset: RRset) -> bool:
        """Whether the zone speaks for an RRset, and signs it: not for what stands below a cut, and of the records at
        one for DS and NSEC alone (RFC 4035 section 2.2)."""
        if not self.cuts:
            return True
        if rrset.owner in self.cuts:
            return rrset.type in _SIGNED_AT_CUT and rrset.owner in self.types
        return rrset.owner in self.types

    def negative_ttl(self) -> int:
        """Return how long a denial holds, in seconds (RFC 2308 section 5, RFC 9077)."""
        soa = next(rrset for rrset in self.rrsets if rrset.type == TYPE_SOA and rrset.owner == self.apex)
        return min(soa.ttl, int.from_bytes(soa.rdatas[0][-4:], "big"))

    def empty_names(self) -> set[bytes]:
        """Return the names that have nothing but names below them (RFC 8020)."""
        found: set[bytes] = set()
        for name in self.types:
            above = name
            while above != self.apex:
                above = parent(above)
                if above in self.types or above in found:
                    break
                found.add(above)
        return found


def content_of(
    zone: Zone,
    standing: Sequence[BalancerStanding],
    below: Sequence[RRset],
    keys: ZoneKeys,
    dnskey_ttl: int,
    with_nsec3: bool,
) -> ZoneContent:
    """Return what a zone consists of with its keys and the load balancers that stand in it.

    `below`: NS records of zones that are served here, at their apexes: cuts, where the zone has none there.
    """
    rrsets = (*_visible(zone, standing), *_key_rrsets(zone, keys, dnskey_ttl, with_nsec3))
    if below:
        delegated = {rrset.owner for rrset in rrsets if rrset.type == TYPE_NS}
        rrsets += tuple(
            [RRset(one.owner, one.type, one.ttl, one.rdatas) for one in below if one.owner not in delegated]
        )
    cuts = {rrset.owner for rrset in rrsets if rrset.type == TYPE_NS and rrset.owner != zone.apex}
    types: dict[bytes, set[int]] = {}
    for rrset in rrsets:
        owner = rrset.owner
        if cuts and ((owner in cuts and rrset.type not in _AT_CUT) or is_below(owner, zone.apex, cuts)):
            continue
        types.setdefault(owner, set()).add(rrset.type)
    for one in standing:
        if not (cuts and is_below(one.owner, zone.apex, cuts)):
            types.setdefault(one.owner, set()).update(one.types)
    return ZoneContent(zone.apex, rrsets, types, cuts)


def is_below(name: bytes, apex: bytes, cuts: Set[bytes]) -> bool:
    """Return whether a name lies below a cut."""
    while name != apex:
        name = parent(name)
        if name in cuts:
            return True
    return False


def _visible(zone: Zone, standing: Sequence[BalancerStanding]) -> Iterator[RRset]:
    """Yield a zone's records that are answered from: not those in whose place a load balancer stands."""
    hidden: dict[bytes, frozenset[int]] = {}
    for one in standing:
        hidden[one.owner] = hidden.get(one.owner, frozenset()) | HIDDEN_TYPES[one.kind]
    nothing: frozenset[int] = frozenset()
    for rrset in zone.rrsets:
        if rrset.type in _MADE_TYPES or rrset.type in hidden.get(rrset.owner, nothing):
            continue
        if rrset.owner == zone.apex and rrset.type in KEY_TYPES:
            continue
        yield rrset


def _key_rrsets(zone: Zone, keys: ZoneKeys, ttl: int, with_nsec3: bool) -> Iterator[RRset]:
    """Yield the records of keys at the apex: what the zone's own have of other signers (RFC 8901) goes along."""
    own = {rrset.type: rrset for rrset in zone.rrsets if rrset.owner == zone.apex and rrset.type in KEY_TYPES}
    for rtype, rdatas in ((TYPE_DNSKEY, keys.dnskeys), (TYPE_CDS, keys.cds), (TYPE_CDNSKEY, keys.cdnskey)):
        brought = own.get(rtype)
        if brought is not None:
            yield replace(brought, rdatas=tuple(dict.fromkeys((*rdatas, *brought.rdatas))), ttl=ttl)
        elif rdatas:
            yield RRset(zone.apex, rtype, ttl, rdatas)
    if with_nsec3:
        yield RRset(zone.apex, TYPE_NSEC3PARAM, 0, (NSEC3_PARAMETERS,))
