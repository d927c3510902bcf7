"""What signs the zones of one snapshot: keys, policies, the signer's hand and the time, put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Final, Protocol

from lbdns.base.errors import LbdnsError
from lbdns.dns.codes import ECDSAP256SHA256, ECDSAP384SHA384, ED25519
from lbdns.dns.name import show_name
from lbdns.dns.zone import RRset, Zone
from lbdns.dnssec.sealing import seal
from lbdns.dnssec.signature_times import SignatureTimes, SigningPolicy
from lbdns.dnssec.zone_keys import DNSKEY_HEAD_BYTES, SigningKey, ZoneKeys
from lbdns.dnssec.zone_signing import ZoneSigning
from lbdns.model.dnssec_settings import DnssecSettings
from lbdns.snapshot.compile.signed_zones import BalancerStanding

SIGNATURE_BYTES: Final = {ECDSAP256SHA256: 64, ECDSAP384SHA384: 96, ED25519: 64}
"""Of algorithms whose signatures are as long whatever the key (RFC 6605 section 4, RFC 8080 section 4)."""


class ZoneSigner(Protocol):
    """The signer, as who publishes sees it; its calls may block, and are made in any thread, one at a time."""

    def zone_keys(self) -> Mapping[bytes, ZoneKeys]:
        """Return the keys of every zone that is to be published signed, by apex.

        Raises LbdnsError where it is not known which zones these are: nothing may be published then.
        """

    def key_problems(self) -> Mapping[bytes, str]:
        """Return the zones that are signed and whose keys cannot be read, with the reason."""

    def sign_in_bulk(self, wanted: Sequence[tuple[int, bytes]]) -> Sequence[bytes]:
        """Return signatures, as a BulkSigner does."""


@dataclass(frozen=True)
class SnapshotSigner:
    """Signs one snapshot's zones; `zone_signing` keeps what is the same the next time."""

    zone_signing: ZoneSigning
    keys: Mapping[bytes, ZoneKeys]
    settings: DnssecSettings
    signer: ZoneSigner
    now_s: int

    @property
    def apexes(self) -> Set[bytes]:
        """The zones that are signed."""
        return self.keys.keys() | self.signer.key_problems().keys()

    @property
    def signature_bytes(self) -> int:
        """The length of the longest signature that the zones' keys make."""
        return max((signature_bytes(key) for keys in self.keys.values() for key in keys.zone_signers), default=0)

    def sign(self, zones: Sequence[Zone], standing: Sequence[Sequence[BalancerStanding]]) -> tuple[Zone, ...]:
        """Return the zones, signed where they are to be; raises LbdnsError where one cannot be: none that is to be
        signed comes back unsigned."""
        return self.zone_signing.sign(
            zones,
            standing,
            self.keys,
            self._policy_of,
            self.signer.sign_in_bulk,
            self.now_s,
            self.signer.key_problems(),
        )

    def seal(self, zones: Sequence[Zone], at: int, rrsets: Sequence[RRset], kept: Sequence[RRset]) -> Sequence[RRset]:
        """Return RRsets of the zone at a place, with signatures where it is signed; `kept` as of the same keys. Raises
        LbdnsError where that cannot be."""
        zone = zones[at]
        if zone.signed is None:
            return rrsets
        keys = self.keys.get(zone.apex)
        if keys is None:
            return self._as_signed_before(zone.apex, rrsets, kept)
        times = SignatureTimes(self._policy_of(zone.apex), self.now_s)
        return seal(zone.apex, rrsets, kept, keys.zone_signers, times, self.signer.sign_in_bulk)

    def _as_signed_before(self, apex: bytes, rrsets: Sequence[RRset], kept: Sequence[RRset]) -> Sequence[RRset]:
        """Return RRsets of a zone whose keys are gone as they were signed when they were there; raises LbdnsError where
        one was not."""
        known = {(one.owner, one.type, one.ttl, one.rdatas): one for one in kept if one.signatures}
        found = [known.get((one.owner, one.type, one.ttl, one.rdatas)) for one in rrsets]
        signed = [one for one in found if one is not None]
        if len(signed) != len(rrsets):
            problem = self.signer.key_problems().get(apex, "its keys cannot be had")
            raise LbdnsError(f"zone {show_name(apex)} cannot be signed: {problem}")
        return signed

    def _policy_of(self, apex: bytes) -> SigningPolicy:
        return self.settings.policy_of(show_name(apex))


def signature_bytes(key: SigningKey) -> int:
    """Return the length of a key's signatures: an RSA key's are as long as its modulus (RFC 3110 section 2)."""
    fixed = SIGNATURE_BYTES.get(key.algorithm)
    if fixed is not None:
        return fixed
    public = key.dnskey[DNSKEY_HEAD_BYTES:]
    exponent, head = (public[0], 1) if public[0] else (int.from_bytes(public[1:3], "big"), 3)
    return len(public) - head - exponent
