"""A zone signed in this process, for tests: keys made of a number, a signer that has them, and views of what is signed.

    keys = SomeKeys.make("example.com")
    view = signed_view({"zones": {"example.com": ZONE}, ...}, keys, folder)

Signatures over the same bytes are the same (RFC 6979), so that what is made twice can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from hashlib import sha512
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from lbdns.answer.serving_view import ServingView
from lbdns.config.loading import parse
from lbdns.dns.codes import ECDSAP256SHA256, ED25519
from lbdns.dns.name import encode_canonical
from lbdns.dns.zone import RRset, Zone
from lbdns.dnssec.bulk_signing import BulkSigner
from lbdns.dnssec.key import CURVES, PrivateKey, PrivateNumbers, private_key
from lbdns.dnssec.sealing import seal
from lbdns.dnssec.signature_times import SignatureTimes
from lbdns.dnssec.zone_keys import ZoneKeys, ds_rdata
from lbdns.dnssec.zone_signing import ZoneSigning
from lbdns.fastpath.templates import add_templates
from lbdns.mapped.health_table import HealthTable
from lbdns.mapped.snapshot_file import Snapshot
from lbdns.model.configuration import Configuration
from lbdns.places.geodata import Geodata
from lbdns.snapshot.compile.compile_memo import CompileMemo
from lbdns.snapshot.compile.compiler import compile_snapshot
from lbdns.snapshot.compile.signed_zones import BalancerStanding
from lbdns.snapshot.slots import Slots

NOW_S: Final = 1_800_000_000
"""The time of day in these tests."""


@dataclass(frozen=True)
class Policy:
    """As DnssecPolicy, with what is asked of it when zones are signed."""

    denial: str = "nsec"
    nsec_ttl: int | None = None
    dnskey_ttl: int = 3600
    inception_s: int = 3600
    key_inception_s: int = 300
    life_s: int = 14 * 86_400
    renew_s: int = 7 * 86_400


def _numbers(seed: str, algorithm: int) -> PrivateNumbers:
    octets = sha512(seed.encode()).digest()
    if algorithm == ED25519:
        return ed25519.Ed25519PrivateKey.from_private_bytes(octets[:32])
    curve, _, size = CURVES[algorithm]
    return ec.derive_private_key(int.from_bytes(octets[:size], "big") >> 1, curve())


def sign(key: PrivateKey, data: bytes) -> bytes:
    """Return a signature in DNSSEC's wire form, always the same."""
    if not isinstance(key.numbers, ec.EllipticCurvePrivateKey):
        return key.sign(data)
    _, digest, size = CURVES[key.public.algorithm]
    made = key.numbers.sign(data, ec.ECDSA(digest(), deterministic_signing=True))
    return b"".join(part.to_bytes(size, "big") for part in decode_dss_signature(made))


@dataclass(frozen=True)
class SomeKeys:
    """The keys of one zone, with their private halves by id; `SigningHand` signs with some."""

    keys: ZoneKeys
    private: Mapping[int, PrivateKey]

    @staticmethod
    def make(zone: str, algorithm: int = ECDSAP256SHA256, split: bool = False, seed: str = "") -> SomeKeys:
        """Return the CSK of a zone, or a KSK and a ZSK; always the same of one seed."""
        apex = encode_canonical(zone)
        roles = (("ksk", True), ("zsk", False)) if split else (("csk", True),)
        made = [
            private_key(apex, algorithm, is_sep, _numbers(f"{seed} {role} {zone}", algorithm)) for role, is_sep in roles
        ]
        public = [key.public for key in made]
        keys = ZoneKeys(apex, tuple(one.dnskey for one in public), (public[0],), (public[-1],))
        return SomeKeys(keys, {key.public.id: key for key in made})

    def with_cds(self) -> SomeKeys:
        """Return the same, told to the parent: CDS (SHA-256) and CDNSKEY of the key that signs keys."""
        signer = self.keys.key_signers[0]
        cds = ds_rdata(self.keys.apex, signer.dnskey)
        return replace(self, keys=replace(self.keys, cds=(cds,), cdnskey=(signer.dnskey,)))


class SigningHand:
    """A `BulkSigner` that has keys; `asked` holds what it was asked to sign. Raises `fault` where that is set."""

    def __init__(self, *several: SomeKeys) -> None:
        self.private = {number: key for one in several for number, key in one.private.items()}
        self.asked: list[tuple[int, bytes]] = []
        self.fault: Exception | None = None

    def __call__(self, wanted: Sequence[tuple[int, bytes]]) -> list[bytes]:
        """Sign."""
        if self.fault is not None:
            raise self.fault
        self.asked += wanted
        return [sign(self.private[number], data) for number, data in wanted]


@dataclass
class InProcessSigning:
    """What `compile_snapshot` takes as `signing`: zones of `several` keys under one policy, at `now_s`."""

    several: Sequence[SomeKeys]
    policy: Policy
    hand: BulkSigner
    zone_signing: ZoneSigning
    now_s: int = NOW_S

    @property
    def apexes(self) -> Set[bytes]:
        """The zones that are signed."""
        return {one.keys.apex for one in self.several}

    @property
    def signature_bytes(self) -> int:
        """The length of ECDSA's and Ed25519's signatures."""
        return 64

    def sign(self, zones: Sequence[Zone], standing: Sequence[Sequence[BalancerStanding]]) -> tuple[Zone, ...]:
        """Sign."""
        keys = {one.keys.apex: one.keys for one in self.several}
        return self.zone_signing.sign(zones, standing, keys, lambda apex: self.policy, self.hand, self.now_s)

    def seal(self, zones: Sequence[Zone], at: int, rrsets: Sequence[RRset], kept: Sequence[RRset]) -> Sequence[RRset]:
        """Sign single RRsets of a zone."""
        zone = zones[at]
        if zone.signed is None:
            return rrsets
        [keys] = [one.keys for one in self.several if one.keys.apex == zone.apex]
        return seal(zone.apex, rrsets, kept, keys.zone_signers, SignatureTimes(self.policy, self.now_s), self.hand)


def signs(*several: SomeKeys, policy: Policy = Policy(), now_s: int = NOW_S) -> InProcessSigning:
    """Return what signs zones with some keys."""
    return InProcessSigning(several, policy, SigningHand(*several), ZoneSigning(), now_s)


def signed_snapshot(
    configuration: Configuration,
    signing: InProcessSigning,
    table: HealthTable,
    slots: Slots,
    memo: CompileMemo | None = None,
) -> Snapshot:
    """Return a configuration compiled, its zones signed."""
    geodata = Geodata.open(configuration.settings.geodata.city, configuration.settings.geodata.asn)
    return compile_snapshot(configuration, geodata, slots, 1, table.layout_id, memo, signing)


def signed_view(
    tree: Mapping[str, Any], folder: Path, *several: SomeKeys, policy: Policy = Policy(), now_s: int = NOW_S
) -> ServingView:
    """Return the view of a configuration (as a tree) whose zones that have keys here are signed, with templates."""
    folder.mkdir(parents=True, exist_ok=True)
    return view_of_configuration(
        parse(dict(tree), folder).configuration, folder, signs(*several, policy=policy, now_s=now_s)
    )


def view_of_configuration(configuration: Configuration, folder: Path, signing: InProcessSigning) -> ServingView:
    """Return the view of a configuration signed by `signing`, with templates; nobody's health is known."""
    slots = Slots().assign(configuration)
    table = HealthTable.create(folder / "health.bin", slots.endpoint_count + 1, slots.pool_count + 1, 1)
    snapshot = signed_snapshot(configuration, signing, table, slots)
    view = ServingView(snapshot, table)
    return ServingView(add_templates(snapshot, view), table)
