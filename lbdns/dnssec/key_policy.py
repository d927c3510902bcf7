"""What the signer is told of the settings: how keys live. As JSON on the way, so that it needs no model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from lbdns.dnssec.token import TokenPlace

if TYPE_CHECKING:
    from lbdns.model.dnssec_settings import DnssecPolicy
    from lbdns.model.settings import Settings


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """How the keys of a zone live; lbdns.model.dnssec_settings.DnssecPolicy has what each field means."""

    denial: str
    algorithm: int
    is_split: bool
    zsk_lifetime_s: int
    ksk_lifetime_s: int
    is_double_ds: bool
    dnskey_ttl_s: int
    propagation_s: int
    unsigned_ttl_s: int | None
    parent: tuple[str, ...]
    parent_ds_ttl_s: int
    parent_propagation_s: int
    safety_s: int
    has_cds: bool


def key_policy(policy: DnssecPolicy) -> KeyPolicy:
    """Return what the signer is to know of a policy of the settings."""
    return KeyPolicy(
        policy.denial,
        policy.algorithm_code,
        policy.keys == "split",
        policy.zsk_lifetime,
        policy.ksk_lifetime,
        policy.ksk_roll == "double_ds",
        policy.dnskey_ttl,
        policy.propagation,
        policy.unsigned_ttl,
        policy.parent,
        policy.parent_ds_ttl,
        policy.parent_propagation,
        policy.safety,
        policy.cds,
    )


@dataclass(frozen=True, slots=True)
class KeyPolicies:
    """The policies of all zones: of those that have one of their own by name, and of the others. `resolvers`: who is
    asked for the name servers of parents, IP or IP:PORT; without them the system's. `token`: where keys are made, None:
    as files."""

    general: KeyPolicy
    zones: Mapping[str, KeyPolicy]
    resolvers: tuple[str, ...] = ()
    token: TokenPlace | None = None

    def of(self, zone: str) -> KeyPolicy:
        """Return a zone's policy; `zone`: its name as text, in lower case and without the final dot."""
        return self.zones.get(zone, self.general)

    def as_json(self) -> dict[str, Any]:
        """Return it as values that JSON has."""
        zones = {name: asdict(one) for name, one in self.zones.items()}
        return {
            "general": asdict(self.general),
            "zones": zones,
            "resolvers": list(self.resolvers),
            "token": self.token and asdict(self.token),
        }

    @staticmethod
    def from_json(said: Mapping[str, Any]) -> KeyPolicies:
        """Return what `as_json` made JSON of."""
        token = said["token"]
        zones = {name: _read(one) for name, one in said["zones"].items()}
        return KeyPolicies(_read(said["general"]), zones, tuple(said["resolvers"]), token and TokenPlace(**token))


def key_policies(settings: Settings) -> KeyPolicies:
    """Return the policies that a server's settings have."""
    own = {zone: key_policy(settings.dnssec.policy_of(zone)) for zone in settings.dnssec.zones}
    wanted = settings.dnssec.pkcs11
    token = None if wanted is None else TokenPlace(str(wanted.module), wanted.token, str(wanted.pin_file))
    return KeyPolicies(key_policy(settings.dnssec), own, settings.resolvers, token)


def _read(said: Mapping[str, Any]) -> KeyPolicy:
    return KeyPolicy(**{**said, "parent": tuple(said["parent"])})
