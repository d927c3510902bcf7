"""Zones that are signed before they become columns: what the compiler asks of whoever signs, and how it says what load
balancers may answer. Signing itself is lbdns/dnssec's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Final, NamedTuple, Protocol

from lbdns.dns.codes import TYPE_A, TYPE_AAAA
from lbdns.dns.name import longest_match
from lbdns.dns.rdata.record_types import STEERED_TYPES
from lbdns.dns.zone import RRset, Zone
from lbdns.model.balancer import LoadBalancer
from lbdns.model.rule import Overrides
from lbdns.snapshot.compile.zone_columns import BY_NAME, Placed
from lbdns.steering.kernel.numbers import FAMILY_A, FAMILY_AAAA

_FAMILY_OF_TYPE: Final = {TYPE_A: FAMILY_A, TYPE_AAAA: FAMILY_AAAA}


class BalancerStanding(NamedTuple):
    """A load balancer at a name of a zone: its kind (BALANCER_TYPES), and every type that it can ever answer, and its
    longest TTL in seconds, whatever rules, pool sets and health say."""

    owner: bytes
    kind: str
    types: tuple[int, ...]
    ttl: int


class SnapshotSigning(Protocol):
    """Signs the zones of a snapshot."""

    @property
    def apexes(self) -> Set[bytes]:
        """The zones that are signed."""

    @property
    def signature_bytes(self) -> int:
        """The length of the longest signature that its keys make."""

    def sign(self, zones: Sequence[Zone], standing: Sequence[Sequence[BalancerStanding]]) -> tuple[Zone, ...]:
        """Return the zones, those signed that are to be; `standing`: for each what load balancers stand in it.

        Raises LbdnsError where something cannot be signed.
        """

    def seal(self, zones: Sequence[Zone], at: int, rrsets: Sequence[RRset], kept: Sequence[RRset]) -> Sequence[RRset]:
        """Return RRsets that the zone at a place of `zones`, as `sign` gave them, has beside or in place of its own,
        with signatures where it is signed: those of equal ones among `kept` as far as they hold. Raises as `sign`."""


def balancer_types(load_balancer: LoadBalancer, families: Mapping[str, int]) -> tuple[int, ...]:
    """Return every type that a load balancer can ever answer, of the families (bits) that its pools have.

    An endpoint that is answered as a CNAME counts for both families of addresses, and never as a CNAME: with that bit
    set, no proof that the name lacks a type holds (RFC 6840 section 4.3).
    """
    bits = 0
    for name in load_balancer.pool_names():
        bits |= families[name]
    return tuple(
        rtype
        for rtype in STEERED_TYPES[load_balancer.type]
        if rtype not in _FAMILY_OF_TYPE or bits >> _FAMILY_OF_TYPE[rtype] & 1
    )


def longest_ttl(load_balancer: LoadBalancer) -> int:
    """Return the longest TTL that a load balancer answers with, in seconds."""
    ttls: list[int] = [load_balancer.ttl]
    for _, overrides in load_balancer.overriding():
        if isinstance(overrides, Overrides) and overrides.ttl is not None:
            ttls.append(overrides.ttl)
    return max(ttls)


def stand(
    zones: Sequence[Zone],
    placed: Sequence[Placed],
    balancers: Sequence[LoadBalancer],
    families: Mapping[str, int],
    apexes: Set[bytes],
) -> list[list[BalancerStanding]]:
    """Return what load balancers stand in each zone, where it is one of `apexes`; `balancers`: those of the rows."""
    by_apex = {zone.apex: index for index, zone in enumerate(zones)}
    standing: list[list[BalancerStanding]] = [[] for _ in zones]
    for at, owner, kind, row in placed:
        index = longest_match(owner, by_apex) if at == BY_NAME else at
        if index is not None and zones[index].apex in apexes:
            one = balancers[row]
            standing[index].append(BalancerStanding(owner, kind, balancer_types(one, families), longest_ttl(one)))
    return standing
