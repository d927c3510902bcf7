"""What signs the zones of one snapshot: keys, policies, the signer's hand and the time, put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Protocol

from lbdns.dns.name import show_name
from lbdns.dns.zone import Zone
from lbdns.dnssec.signature_times import SigningPolicy
from lbdns.dnssec.zone_keys import ZoneKeys
from lbdns.dnssec.zone_signing import ZoneSigning
from lbdns.model.dnssec_settings import DnssecSettings
from lbdns.snapshot.compile.signed_zones import BalancerStanding


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

    def _policy_of(self, apex: bytes) -> SigningPolicy:
        return self.settings.policy_of(show_name(apex))
