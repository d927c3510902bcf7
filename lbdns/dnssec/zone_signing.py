"""Sign the zones of a snapshot: the stage of a publication between slots and columns.

    zone, load balancers, keys -> content (names and types) -> chain -> signatures: kept ones, then those of the signer

What did not change keeps its signature until that is to be made anew: a zone as a whole where nothing of it changed,
and RRset by RRset where something did. The serial of the SOA is the zone's own: signing does not raise it, as nobody
transfers the zone from here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from types import MappingProxyType
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.base.progress import STEP, report
from lbdns.dns.canonical import RRSIG_HEAD, signed_data, signed_labels
from lbdns.dns.codes import TYPE_NSEC3
from lbdns.dns.name import show_name
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
NO_PROBLEMS: Final[Mapping[bytes, str]] = MappingProxyType({})
_FIELD_MASK: Final = 0xFFFFFFFF


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
        keyless: Mapping[bytes, str] = NO_PROBLEMS,
    ) -> tuple[Zone, ...]:
        """Return the zones, those with keys (by apex) signed; `standing`: what load balancers stand in each.

        `policy_of`: gives a zone's policy by its apex; `now_s`: unix. `keyless`: zones that are to be signed and whose
        keys cannot be had, with the reason: they come back as they were signed last. Raises LbdnsError where they were
        not, or are no longer what they were; and what `bulk` raises.
        """
        self.made = 0
        signed: dict[tuple[int, tuple[BalancerStanding, ...]], _Signed] = {}
        kept: dict[bytes, tuple[KeptSignatures, KeptSignatures]] = {}  # of this round, and of the last
        several = {apex for apex, count in Counter(zone.apex for zone in zones).items() if count > 1}
        found = []
        for zone, balancers in zip(zones, map(tuple, standing), strict=True):
            own = keys.get(zone.apex)
            problem = keyless.get(zone.apex)
            if (own is None and problem is None) or not zone.rrsets:
                found.append(zone)
                continue
            policy = policy_of(zone.apex)
            one = self._signed.get((id(zone), balancers))
            if own is None or problem is not None:
                if one is None:
                    raise LbdnsError(f"zone {show_name(zone.apex)} cannot be signed: {problem}")
            elif one is None or not one.stays(own, policy, now_s):
                if zone.apex not in kept:
                    kept[zone.apex] = KeptSignatures(zone.apex), self._kept(zone.apex)
                work = _ZoneWork(zone, balancers, own, SignatureTimes(policy, now_s), kept[zone.apex])
                one = _Signed(zone, balancers, own, policy, now_s, work.signed(bulk))
                self.made += work.made
                if zone.apex in several:
                    kept[zone.apex][0].add(rrsets_of_zone(one.signed))
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
        return KeptSignatures(apex, rrsets)


class _ZoneWork:
    """One zone, while it is signed."""

    def __init__(
        self,
        zone: Zone,
        standing: Sequence[BalancerStanding],
        keys: ZoneKeys,
        times: SignatureTimes,
        kept: Sequence[KeptSignatures],
    ) -> None:
        self._zone = zone
        self._standing = standing
        self._keys = keys
        self._times = times
        self._kept = kept
        self._renewal_s = self._soonest_s = NEVER_S
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
            RRset(one.owner, one.type, one.ttl, one.rdatas, one.line, those) if those else one
            for one, those in zip(rrsets, signatures, strict=True)
        ]
        own = len(rrsets) - len(hashed)
        nsec3 = tuple([(key, rrset) for (key, _), rrset in zip(hashed, made[own:], strict=True)])
        key_ids = tuple(key.id for key in self._keys.zone_signers)
        result = ZoneSigned(self._denial, key_ids, nsec3, self._renewal_s, self._keys.digest, self._ttl_max_s())
        return replace(self._zone, rrsets=tuple(made[:own]), signed=result)

    def _ttl_max_s(self) -> int:
        """Return how long a cache may keep anything of the zone."""
        return max(*(rrset.ttl for rrset in self._content.rrsets), *(one.ttl for one in self._standing))

    def _signatures(self, rrsets: Sequence[RRset], bulk: BulkSigner) -> list[tuple[bytes, ...]]:
        """Return the signatures of each RRset, none of what the zone does not speak for."""
        total = len(rrsets)
        signing = BulkSigning(bulk, total)
        is_own = self._content.is_own
        try:
            for place, rrset in enumerate(rrsets):
                if place % STEP == 0:
                    report(STAGE, place, total)
                if rrset.type == TYPE_NSEC3 or is_own(rrset):
                    self._sign(rrset, place, signing)
            signing.finish()
        finally:
            signing.close()
        report(STAGE, total, total)
        self.made = signing.made
        if signing.kept:
            self._renewal_s = min(self._renewal_s, self._times.now_s)
        return signing.found

    def _sign(self, rrset: RRset, place: int, signing: BulkSigning) -> None:
        """Have an RRset signed by each key that is to, where what that made before does not hold for longer."""
        owner, rtype, ttl, rdatas = rrset.owner, rrset.type, rrset.ttl, rrset.rdatas
        is_of_keys = rtype in KEY_TYPES
        expiration_s = self._times.expiration_s(owner)
        for signer in self._keys.key_signers if is_of_keys else self._keys.zone_signers:
            kept = self._kept_by(signer, rrset)
            if kept is not None:
                fields = RRSIG_HEAD.unpack_from(kept)
                if not self._times.is_due(*fields[4:6]):
                    signing.found[place] += (kept,)
                    self._note(self._times.now_s + self._times.left_s(fields[4]))
                    continue
                if not self._times.holds(*fields[4:6]):
                    kept = None
            head = RRSIG_HEAD.pack(
                rtype,
                signer.algorithm,
                signed_labels(owner),
                ttl,
                expiration_s & _FIELD_MASK,
                self._times.inception_s(is_of_keys) & _FIELD_MASK,
                signer.tag,
            )
            head += self._zone.apex
            signing.want(signer.id, signed_data(head, owner, rtype, ttl, rdatas), WantedSignature(place, head, kept))
            self._note(expiration_s)

    def _kept_by(self, signer: SigningKey, rrset: RRset) -> bytes | None:
        """Return the signature of a key over an RRset, the newest first; None where it made none."""
        for kept in self._kept:
            found = kept.find(rrset, signer)
            if found is not None:
                return found
        return None

    def _note(self, expiration_s: int) -> None:
        """Take note of when a signature that ends then (unix) is to be made anew."""
        if expiration_s < self._soonest_s:
            self._soonest_s = expiration_s
            self._renewal_s = expiration_s - self._times.policy.renew_s


def _nsec_ttl(content: ZoneContent, has_balancers: bool, wanted_s: int | None) -> int:
    """Return the TTL of the records that deny: never more than a denial holds (RFC 9077)."""
    most_s = content.negative_ttl()
    if wanted_s is None:
        return min(most_s, NSEC_TTL_MAX_S) if has_balancers else most_s
    return min(most_s, wanted_s)
