"""Sign the zones of a snapshot: the stage of a publication between slots and columns.

    zone, load balancers, keys -> content (names and types) -> chain -> signatures: kept ones, then those of the signer

What did not change keeps its signature until that is to be made anew: a zone as a whole where nothing of it changed,
and RRset by RRset where something did. The serial of the SOA is the zone's own: signing does not raise it, as nobody
transfers the zone from here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

from lbdns.base.progress import STEP, report
from lbdns.dns.canonical import RRSIG_HEAD, signed_data, signed_labels
from lbdns.dns.codes import TYPE_NSEC3
from lbdns.dns.zone import RRset, Zone, ZoneSigned
from lbdns.dnssec.bulk_signing import BulkSigner, BulkSigning, WantedSignature
from lbdns.dnssec.chains import nsec3_chain, nsec_chain
from lbdns.dnssec.kept_signatures import KeptSignatures, rrsets_of_snapshot, rrsets_of_zone
from lbdns.dnssec.signature_times import SignatureTimes, SigningPolicy
from lbdns.dnssec.zone_content import KEY_TYPES, ZoneContent, content_of
from lbdns.dnssec.zone_keys import SigningKey, ZoneKeys
from lbdns.mapped.snapshot_file import Snapshot
from lbdns.snapshot.compile.signed_zones import BalancerStanding
from lbdns.snapshot.lookup.name_rows import DENIAL_COMPACT, DENIAL_NSEC, DENIAL_NSEC3

NSEC_TTL_MAX_S: Final = 60
"""Of a zone with load balancers, unless the policy says otherwise: one that was just added stays unseen so long behind
resolvers that make denials of their own from NSEC records (RFC 8198)."""
STAGE: Final = "signing records"
DENIALS: Final = {"nsec": DENIAL_NSEC, "nsec3": DENIAL_NSEC3, "compact": DENIAL_COMPACT}
NEVER_S: Final = 1 << 62
_FIELD_MODULUS: Final = 1 << 32


@dataclass(frozen=True, slots=True)
class _Signed:
    """A zone as it was signed at `now_s`, and of what."""

    zone: Zone
    standing: tuple[BalancerStanding, ...]
    keys: ZoneKeys
    policy: SigningPolicy
    now_s: int
    signed: Zone

    def stays(self, keys: ZoneKeys, policy: SigningPolicy, now_s: int) -> bool:
        """Return whether it would be the same, signed anew now: with the same keys, and nothing of it due."""
        if self.signed.signed is None or keys != self.keys or policy != self.policy:
            return False
        return self.now_s <= now_s < self.signed.signed.renewal_s


class ZoneSigning:
    """Signs zones again and again and keeps what it made, for one caller at a time."""

    def __init__(self) -> None:
        """Begin with nothing signed."""
        # By the zone's identity, as it is held, and what stands in it: views may see one zone with other balancers.
        self._signed: dict[tuple[int, tuple[BalancerStanding, ...]], _Signed] = {}
        self._seed: Snapshot | None = None
        self.made = 0
        """Signatures that the last round made."""

    def seed(self, snapshot: Snapshot) -> None:
        """Take over the signatures of a snapshot that was served, as far as they hold, for the next round."""
        self._seed = snapshot

    def sign(
        self,
        zones: Sequence[Zone],
        standing: Sequence[Sequence[BalancerStanding]],
        keys: Mapping[bytes, ZoneKeys],
        policy_of: Callable[[bytes], SigningPolicy],
        bulk: BulkSigner,
        now_s: int,
    ) -> tuple[Zone, ...]:
        """Return the zones, those with keys (by apex) signed; `standing`: what load balancers stand in each.

        `policy_of`: gives a zone's policy by its apex; `now_s`: unix. Raises what `bulk` raises.
        """
        self.made = 0
        signed: dict[tuple[int, tuple[BalancerStanding, ...]], _Signed] = {}
        kept: dict[bytes, KeptSignatures] = {}
        found = []
        for zone, balancers in zip(zones, map(tuple, standing), strict=True):
            own = keys.get(zone.apex)
            if own is None or not zone.rrsets:
                found.append(zone)
                continue
            policy = policy_of(zone.apex)
            one = self._signed.get((id(zone), balancers))
            if one is None or not one.stays(own, policy, now_s):
                if zone.apex not in kept:
                    kept[zone.apex] = self._kept(zone.apex)
                work = _ZoneWork(zone, balancers, own, SignatureTimes(policy, now_s), kept[zone.apex])
                one = _Signed(zone, balancers, own, policy, now_s, work.signed(bulk))
                self.made += work.made
            signed[id(zone), balancers] = one
            found.append(one.signed)
        self._signed, self._seed = signed, None
        return tuple(found)

    def _kept(self, apex: bytes) -> KeptSignatures:
        """Return the signatures that a zone has, in whatever instance."""
        last = [one.signed for one in self._signed.values() if one.signed.apex == apex]
        rrsets: Iterable[RRset] = chain.from_iterable(map(rrsets_of_zone, last))
        if not last and self._seed is not None:
            rrsets = rrsets_of_snapshot(self._seed, apex)
        return KeptSignatures.of(apex, rrsets)


class _ZoneWork:
    """One zone, while it is signed."""

    def __init__(
        self,
        zone: Zone,
        standing: Sequence[BalancerStanding],
        keys: ZoneKeys,
        times: SignatureTimes,
        kept: KeptSignatures,
    ) -> None:
        self._zone = zone
        self._keys = keys
        self._times = times
        self._kept = kept
        self._renewal_s = NEVER_S
        self._denial = DENIALS[times.policy.denial]
        self._content = content_of(zone, standing, keys, times.policy.dnskey_ttl, self._denial == DENIAL_NSEC3)
        self._nsec_ttl = _nsec_ttl(self._content, bool(standing), times.policy.nsec_ttl)
        self.made = 0

    def signed(self, bulk: BulkSigner) -> Zone:
        """Return the zone with its chain and all signatures."""
        with_hashes = self._denial == DENIAL_NSEC3
        hashed = nsec3_chain(self._content, self._nsec_ttl) if with_hashes else []
        named = [] if with_hashes else nsec_chain(self._content, self._nsec_ttl)
        rrsets = [*self._content.rrsets, *named, *(rrset for _, rrset in hashed)]
        signatures = self._signatures(rrsets, bulk)
        made = [
            replace(rrset, signatures=tuple(those)) if those else rrset
            for rrset, those in zip(rrsets, signatures, strict=True)
        ]
        own = len(rrsets) - len(hashed)
        nsec3 = tuple([(key, rrset) for (key, _), rrset in zip(hashed, made[own:], strict=True)])
        result = ZoneSigned(self._denial, tuple(key.id for key in self._keys.zone_signers), nsec3, self._renewal_s)
        return replace(self._zone, rrsets=tuple(made[:own]), signed=result)

    def _signatures(self, rrsets: Sequence[RRset], bulk: BulkSigner) -> list[list[bytes]]:
        """Return the signatures of each RRset, none of what the zone does not speak for."""
        total = len(rrsets)
        signatures: list[list[bytes]] = [[] for _ in rrsets]
        signing = BulkSigning(bulk)
        try:
            for number, (rrset, those) in enumerate(zip(rrsets, signatures, strict=True)):
                if number % STEP == 0:
                    report(STAGE, number, total)
                if rrset.type == TYPE_NSEC3 or self._content.is_own(rrset):
                    self._sign(rrset, those, signing)
            signing.finish()
        finally:
            signing.close()
        report(STAGE, total, total)
        self.made = signing.made
        if signing.kept:
            self._renewal_s = min(self._renewal_s, self._times.now_s)
        return signatures

    def _sign(self, rrset: RRset, those: list[bytes], signing: BulkSigning) -> None:
        """Put the signatures of one RRset into `those`, as they come."""
        before = self._kept.by_content.get((rrset.owner, rrset.type, rrset.ttl, rrset.rdatas), ())
        is_of_keys = rrset.type in KEY_TYPES
        for signer in self._keys.key_signers if is_of_keys else self._keys.zone_signers:
            kept = self._kept_by(signer, before)
            if kept is not None:
                expiration, inception = _times_of(kept)
                if not self._times.is_due(expiration, inception):
                    those.append(kept)
                    self._note(expiration)
                    continue
                if not self._times.holds(expiration, inception):
                    kept = None
            self._want(rrset, signer, is_of_keys, kept, those, signing)

    def _want(
        self,
        rrset: RRset,
        signer: SigningKey,
        is_of_keys: bool,
        kept: bytes | None,
        those: list[bytes],
        signing: BulkSigning,
    ) -> None:
        expiration_s = self._times.expiration_s(rrset.owner)
        before = RRSIG_HEAD.pack(
            rrset.type,
            signer.algorithm,
            signed_labels(rrset.owner),
            rrset.ttl,
            expiration_s % _FIELD_MODULUS,
            self._times.inception_s(is_of_keys) % _FIELD_MODULUS,
            signer.tag,
        )
        before += self._zone.apex
        data = signed_data(before, rrset.owner, rrset.type, rrset.ttl, rrset.rdatas)
        signing.want(WantedSignature(signer.id, data, before, those.append, kept))
        self._note(expiration_s)

    def _kept_by(self, signer: SigningKey, signatures: Sequence[bytes]) -> bytes | None:
        """Return the signature that a key made, None where it made none: tags may be shared, so its DNSKEY must have
        stood in the zone that had the signature."""
        if not signatures or signer.dnskey not in self._kept.dnskeys:
            return None
        for signature in signatures:
            if signature[2] == signer.algorithm and int.from_bytes(signature[16:18], "big") == signer.tag:
                return signature
        return None

    def _note(self, expiration: int) -> None:
        """Take note of when a signature is to be made anew."""
        left_s = self._times.left_s(expiration) - self._times.policy.renew_s
        self._renewal_s = min(self._renewal_s, self._times.now_s + left_s)


def _times_of(signature: bytes) -> tuple[int, int]:
    """Return the fields expiration and inception of an RRSIG's rdata."""
    head = RRSIG_HEAD.unpack_from(signature)
    return head[4], head[5]


def _nsec_ttl(content: ZoneContent, has_balancers: bool, wanted_s: int | None) -> int:
    """Return the TTL of the records that deny: never more than a denial holds (RFC 9077)."""
    most_s = content.negative_ttl()
    if wanted_s is None:
        return min(most_s, NSEC_TTL_MAX_S) if has_balancers else most_s
    return min(most_s, wanted_s)
