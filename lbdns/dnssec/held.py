"""What resolvers may hold of a zone's chain of trust, and whether every mixture of it is valid.

A resolver takes three things at different times and keeps each for its TTL: the DS from the zone above, the DNSKEY
RRset, and signed data. So it may hold any version of one beside any version of another, as long as each may still be
cached:

    DS at the parent           {A} ------------------|~~~~~~~~~ TTL ~~~~~~~~|
                                                     {B} -----------------------------------------------------
    DNSKEY, and who signs it   {A} --|~~~ TTL ~~~|                                {B} ------------------------
                                     {A, B} --------------------------------------|~~~~ TTL ~~~~|
    who signs the zone         {A} ------------------|~~~~~ the longest TTL ~~~~~|
                                                     {B} -----------------------------------------------------
                                     --- in force    ~~~ may be cached

A step puts one more version beside the others. It is safe where each mixture that it becomes part of is valid, which
is what lbdns.dnssec.key_states asks before each one. No roll needs more of a rule than that: the timelines of RFC 7583
and RFC 6781 section 4.1 are what comes out of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product

Ids = frozenset[int]


@dataclass(frozen=True, slots=True)
class Version:
    """One version of the DS, of the DNSKEY RRset, or of who signs the zone.

    `keys`: ids of the keys that are named, published, or that sign the zone. `signers`: of a DNSKEY RRset, those that
    sign it. `ttl_s`: the longest that a cache may keep it. `until_s`: since when another one is in force in its place;
    None while it may be served. `has_others`: of a DS, whether it names keys that are not this zone's.
    """

    keys: Ids
    signers: Ids = frozenset()
    ttl_s: int = 0
    until_s: float | None = None
    has_others: bool = False

    def is_same(self, other: Version) -> bool:
        """Tell whether two versions say the same."""
        return (self.keys, self.signers, self.has_others) == (other.keys, other.signers, other.has_others)

    def gone_s(self, margin_s: int) -> float | None:
        """Return when no cache holds it any more, None while it is served; `margin_s`: what is waited beyond its
        TTL."""
        return None if self.until_s is None else self.until_s + self.ttl_s + margin_s


@dataclass(frozen=True, slots=True)
class Held:
    """What may be held of each of the three; `algorithms`: of each key by its id."""

    delegations: tuple[Version, ...]
    keysets: tuple[Version, ...]
    signings: tuple[Version, ...]
    algorithms: Mapping[int, int]

    def takes_keyset(self, new: Version) -> bool:
        """Tell whether a DNSKEY RRset is safe to publish."""
        return self._are_valid(self.delegations, (new,), self.signings)

    def takes_signing(self, new: Version) -> bool:
        """Tell whether it is safe to sign the zone by some keys."""
        return self._are_valid(self.delegations, self.keysets, (new,))

    def takes_delegation(self, new: Version) -> bool:
        """Tell whether the parent may have a DS."""
        return self._are_valid((new,), self.keysets, self.signings)

    def _are_valid(
        self, delegations: Iterable[Version], keysets: Iterable[Version], signings: Iterable[Version]
    ) -> bool:
        return all(self.is_valid(*mixture) for mixture in product(delegations, keysets, signings))

    def is_valid(self, delegation: Version, keyset: Version, signing: Version) -> bool:
        """Tell whether a validator that holds these accepts the zone; without a DS it takes it for unsigned.

        By the strictest reading (RFC 4035 section 2.2, RFC 6840 section 5.11): each algorithm of the DS has a key that
        the DS names and that signs the DNSKEY RRset, and each algorithm in that RRset signs the zone.
        """
        if not delegation.keys:
            return not delegation.has_others
        entries = delegation.keys & keyset.keys & keyset.signers
        signers = signing.keys & keyset.keys
        return self._algorithms(delegation.keys) <= self._algorithms(entries) and self._algorithms(
            keyset.keys
        ) <= self._algorithms(signers)

    def _algorithms(self, keys: Ids) -> set[int]:
        return {self.algorithms[key] for key in keys}
