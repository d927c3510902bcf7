"""What the signer is told of how long signatures hold: the part of the policies that it signs by. As JSON on the way,
so that it needs no model and is there again soon after it was killed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from lbdns.dns.name import show_name

if TYPE_CHECKING:
    from lbdns.dnssec.signature_times import SigningPolicy
    from lbdns.model.dnssec_settings import DnssecSettings


@dataclass(frozen=True, slots=True)
class SigningTerms:
    """The terms of a zone's signatures (signature_times.SigningPolicy), seconds."""

    denial: str
    nsec_ttl: int | None
    dnskey_ttl: int
    inception_s: int
    key_inception_s: int
    life_s: int
    renew_s: int


@dataclass(frozen=True, slots=True)
class TermsOfZones:
    """The terms of all zones: of those that have a policy of their own by name, and of the others."""

    general: SigningTerms
    zones: Mapping[str, SigningTerms]

    def of(self, apex: bytes) -> SigningTerms:
        """Return a zone's."""
        return self.zones.get(show_name(apex), self.general) if self.zones else self.general

    def as_json(self) -> dict[str, Any]:
        """Return them as values that JSON has."""
        return {"general": asdict(self.general), "zones": {name: asdict(one) for name, one in self.zones.items()}}

    @staticmethod
    def from_json(said: Mapping[str, Any]) -> TermsOfZones:
        """Return what `as_json` made JSON of."""
        return TermsOfZones(
            SigningTerms(**said["general"]), {name: SigningTerms(**one) for name, one in said["zones"].items()}
        )


def terms_of(policy: SigningPolicy) -> SigningTerms:
    """Return what the signer is to know of a policy."""
    return SigningTerms(**{name: getattr(policy, name) for name in SigningTerms.__slots__})


def terms_of_zones(settings: DnssecSettings) -> TermsOfZones:
    """Return the terms that the settings have."""
    return TermsOfZones(terms_of(settings), {zone: terms_of(settings.policy_of(zone)) for zone in settings.zones})
