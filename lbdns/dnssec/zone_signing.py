"""Sign the zones of a snapshot: the stage of a publication between slots and columns.

    zone, load balancers, keys -> content (names and types) -> chain -> signatures: kept ones, then those of the signer

What did not change keeps its signature until that is to be made anew: a zone as a whole where nothing of it changed,
and RRset by RRset where something did. The serial of the SOA is the zone's own: signing does not raise it, as nobody
transfers the zone from here.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from types import MappingProxyType
from typing import Final, NamedTuple

from lbdns.base.errors import LbdnsError
from lbdns.base.progress import STEP, report
from lbdns.dns.canonical import RRSIG_HEAD, signed_data, signed_labels
from lbdns.dns.codes import TYPE_NS, TYPE_NSEC3
from lbdns.dns.name import ROOT, longest_match, parent, show_name
from lbdns.dns.zone import RRset, Zone, ZoneSigned
from lbdns.dnssec.bulk_signing import BulkSigner, BulkSigning, WantedSignature
from lbdns.dnssec.chains import nsec3_chain, nsec_chain
from lbdns.dnssec.kept_signatures import KeptSignatures, rrsets_of_snapshot, rrsets_of_zone
from lbdns.dnssec.signature_times import SignatureTimes, SigningPolicy, denial_ttl_s
from lbdns.dnssec.zone_content import KEY_TYPES, ZoneContent, content_of
from lbdns.dnssec.zone_keys import SigningKey, ZoneKeys
from lbdns.mapped.snapshot_file import Snapshot
from lbdns.snapshot.compile.signed_zones import BalancerStanding
from lbdns.snapshot.lookup.name_rows import DENIAL_COMPACT, DENIAL_NSEC, DENIAL_NSEC3

STAGE: Final = "signing records"
DENIALS: Final = {"nsec": DENIAL_NSEC, "nsec3": DENIAL_NSEC3, "compact": DENIAL_COMPACT}
NEVER_S: Final = 1 << 62
NO_PROBLEMS: Final[Mapping[bytes, str]] = MappingProxyType({})
_FIELD_MASK: Final = 0xFFFFFFFF

log = logging.getLogger("lbdns.dnssec")


class _Inputs(NamedTuple):
    """What a zone is signed from: `below`, the cuts to zones that are served here."""

    zone: Zone
    standing: tuple[BalancerStanding, ...]
    below: tuple[RRset, ...]
    keys: ZoneKeys
    policy: SigningPolicy


class _Signed(NamedTuple):
    """A zone as it was signed at `now_s`, and from what."""

    inputs: _Inputs
    now_s: int
    zone: Zone

    def stays(self, inputs: _Inputs, now_s: int) -> bool:
        """Return whether it would be the same, signed anew now: from the same, and nothing of it due."""
        if self.zone.signed is None or inputs.zone is not self.inputs.zone or inputs[1:] != self.inputs[1:]:
            return False
        return self.now_s <= now_s < self.zone.signed.renewal_s


_Kept = dict[bytes, tuple[KeptSignatures, KeptSignatures]]
"""The signatures of zones by apex: of the round that is under way, and of the one before."""


class ZoneSigning:
    """Signs zones again and again and keeps what it made, for one caller at a time."""

    def __init__(self) -> None:
        """Begin with nothing signed."""
        # By the zone's identity, as it is held, and what stands in it: views may see one zone with other balancers.
        self._signed: dict[tuple[int, tuple[BalancerStanding, ...]], _Signed] = {}
        self._seed: Snapshot | None = None

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
        signed: dict[tuple[int, tuple[BalancerStanding, ...]], _Signed] = {}
        kept: _Kept = {}
        several = {apex for apex, count in Counter(zone.apex for zone in zones).items() if count > 1}
        below = cuts_to_zones(zones, keys)
        found = []
        for zone, balancers in zip(zones, map(tuple, standing), strict=True):
            apex = zone.apex
            if not zone.rrsets or (apex not in keys and apex not in keyless):
                found.append(zone)
                continue
            one = self._signed.get((id(zone), balancers))
            if apex in keys:
                cuts = tuple(cut for view, cut in below.get(apex, ()) if view in ("", zone.view))
                inputs = _Inputs(zone, balancers, cuts, keys[apex], policy_of(apex))
                if one is None or not one.stays(inputs, now_s):
                    one = self._make(inputs, now_s, bulk, kept)
                    if apex in several:
                        kept[apex][0].add(rrsets_of_zone(one.zone))
            elif one is None:
                raise LbdnsError(f"zone {show_name(apex)} cannot be signed: {keyless[apex]}")
            signed[id(zone), balancers] = one
            found.append(one.zone)
        self._signed, self._seed = signed, None
        return tuple(found)

    def _make(self, inputs: _Inputs, now_s: int, bulk: BulkSigner, kept: _Kept) -> _Signed:
        apex = inputs.zone.apex
        if apex not in kept:
            kept[apex] = KeptSignatures(apex), self._kept(apex)
        zone = _ZoneWork(inputs, SignatureTimes(inputs.policy, now_s), kept[apex]).signed(bulk)
        _tell_long_ttl(zone, inputs.policy)
        return _Signed(inputs, now_s, zone)

    def _kept(self, apex: bytes) -> KeptSignatures:
        """Return the signatures that a zone has, in whatever instance."""
        last = [one.zone for one in self._signed.values() if one.zone.apex == apex]
        rrsets: Iterable[RRset] = chain.from_iterable(map(rrsets_of_zone, last))
        if not last and self._seed is not None:
            rrsets = rrsets_of_snapshot(self._seed, apex)
        return KeptSignatures(apex, rrsets)


class _ZoneWork:
    """One zone, while it is signed."""

    def __init__(self, inputs: _Inputs, times: SignatureTimes, kept: Sequence[KeptSignatures]) -> None:
        policy = inputs.policy
        self._zone = inputs.zone
        self._standing = inputs.standing
        self._keys = inputs.keys
        self._times = times
        self._kept = kept
        self._renewal_s = self._soonest_s = NEVER_S
        self._denial = DENIALS[policy.denial]
        with_nsec3 = self._denial == DENIAL_NSEC3
        self._content = content_of(*inputs[:4], policy.dnskey_ttl, with_nsec3)
        self._nsec_ttl = _nsec_ttl(self._content, bool(inputs.standing), policy.nsec_ttl)

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
        """Return how long a cache may keep anything of the zone but its keys, whose TTL the policy says."""
        ttls = [rrset.ttl for rrset in self._content.rrsets if rrset.type not in KEY_TYPES]
        return max([*ttls, *(one.ttl for one in self._standing)])

    def _signatures(self, rrsets: Sequence[RRset], bulk: BulkSigner) -> list[tuple[bytes, ...]]:
        """Return the signatures of each RRset, none of what the zone does not speak for."""
        total = len(rrsets)
        signers = {key.id: key for key in (*self._keys.key_signers, *self._keys.zone_signers)}
        signing = BulkSigning(bulk, signers, total)
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


def _tell_long_ttl(zone: Zone, policy: SigningPolicy) -> None:
    """Warn of records that a cache may keep for longer than their signatures hold: not every one looks (RFC 4035
    section 5.3.3)."""
    if zone.signed is not None and zone.signed.ttl_max_s > policy.renew_s:
        told = "zone %s has a TTL of %d s, and signatures hold for %d s at least: caches may keep what has ended"
        log.warning(told, show_name(zone.apex), zone.signed.ttl_max_s, policy.renew_s)


def _nsec_ttl(content: ZoneContent, has_balancers: bool, wanted_s: int | None) -> int:
    """Return the TTL of the records that deny."""
    return denial_ttl_s(content.negative_ttl(), has_balancers, wanted_s)


def cuts_to_zones(zones: Sequence[Zone], signed: Container[bytes]) -> dict[bytes, list[tuple[str, RRset]]]:
    """Return for signed zones, by apex, the NS records of zones here that lie right below, each with the view that it
    is of: where its own file does not delegate to them, what they answer could not be told from a forgery."""
    apexes = {zone.apex: zone.apex for zone in zones}
    found: dict[bytes, list[tuple[str, RRset]]] = {}
    for zone in zones:
        above = longest_match(parent(zone.apex), apexes) if zone.apex != ROOT else None
        if above is not None and above in signed:
            servers = next((one for one in zone.rrsets if one.type == TYPE_NS and one.owner == zone.apex), None)
            if servers is not None and (zone.view, servers) not in found.get(above, ()):
                found.setdefault(above, []).append((zone.view, servers))
    return found
