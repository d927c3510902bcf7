"""Private keys: made, and signed with. The signer alone imports this.

| algorithm | number | key | signature on the wire |
|---|---|---|---|
| RSASHA256 (RFC 5702) | 8 | exponent's length, exponent, modulus (RFC 3110) | as long as the modulus |
| ECDSAP256SHA256 (RFC 6605) | 13 | x, y: 64 octets | r, s: 64 octets |
| ECDSAP384SHA384 (RFC 6605) | 14 | x, y: 96 octets | r, s: 96 octets |
| ED25519 (RFC 8080) | 15 | 32 octets | 64 octets |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lbdns.base.errors import LbdnsError
from lbdns.dns.codes import (
    ALGORITHM_NAMES,
    CREATED_ALGORITHMS,
    ECDSAP256SHA256,
    ECDSAP384SHA384,
    ED25519,
    KEY_FLAG_SEP,
    KEY_FLAG_ZONE,
    RSASHA256,
)
from lbdns.dnssec.zone_keys import SigningKey, dnskey_rdata, signing_key

PrivateNumbers = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey

CURVES: Final[dict[int, tuple[type[ec.EllipticCurve], type[hashes.HashAlgorithm], int]]] = {
    ECDSAP256SHA256: (ec.SECP256R1, hashes.SHA256, 32),
    ECDSAP384SHA384: (ec.SECP384R1, hashes.SHA384, 48),
}
"""By algorithm: curve, hash, and the octets of a coordinate."""


class Signs(Protocol):
    """Whatever signs as a key of a zone: a private key here, or one in a device."""

    @property
    def public(self) -> SigningKey:
        """The key's public half."""

    def sign(self, data: bytes) -> bytes:
        """Return the signature of some data, as RRSIG records have it."""


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A key with its private half, whose content no text of it shows."""

    public: SigningKey
    numbers: PrivateNumbers

    def __repr__(self) -> str:
        """Return which key it is, and nothing of it."""
        return f"<private key {self.public.algorithm} {self.public.tag:05}>"

    def sign(self, data: bytes) -> bytes:
        """Return the signature of some data, as RRSIG records have it (see the table above)."""
        match self.numbers:
            case ec.EllipticCurvePrivateKey():
                _, hashed, octets = CURVES[self.public.algorithm]
                r, s = decode_dss_signature(self.numbers.sign(data, ec.ECDSA(hashed())))
                return r.to_bytes(octets, "big") + s.to_bytes(octets, "big")
            case ed25519.Ed25519PrivateKey():
                return self.numbers.sign(data)
            case _:
                return self.numbers.sign(data, padding.PKCS1v15(), hashes.SHA256())


def generate_key(apex: bytes, algorithm: int, is_entry_point: bool) -> PrivateKey:
    """Return a new key of a zone. `apex`: wire format, lower case; `is_entry_point`: a KSK or CSK. Raises LbdnsError
    for algorithms that keys are not made with."""
    if algorithm not in CREATED_ALGORITHMS:
        words = ", ".join(f"{ALGORITHM_NAMES[one]} ({one})" for one in CREATED_ALGORITHMS)
        raise LbdnsError(f"no keys of algorithm {algorithm} are made; expected one of {words}")
    if algorithm == ED25519:
        return private_key(apex, algorithm, is_entry_point, ed25519.Ed25519PrivateKey.generate())
    return private_key(apex, algorithm, is_entry_point, ec.generate_private_key(CURVES[algorithm][0]()))


def private_key(apex: bytes, algorithm: int, is_entry_point: bool, numbers: PrivateNumbers) -> PrivateKey:
    """Return a key of a zone that there is already."""
    flags = KEY_FLAG_ZONE | (KEY_FLAG_SEP if is_entry_point else 0)
    return PrivateKey(signing_key(apex, dnskey_rdata(flags, algorithm, _public_octets(algorithm, numbers))), numbers)


def _public_octets(algorithm: int, numbers: PrivateNumbers) -> bytes:
    public = numbers.public_key()
    match public:
        case ec.EllipticCurvePublicKey():
            return public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]
        case ed25519.Ed25519PublicKey():
            return public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        case _:
            assert algorithm == RSASHA256
            numbers_e, numbers_n = public.public_numbers().e, public.public_numbers().n
            exponent = numbers_e.to_bytes((numbers_e.bit_length() + 7) // 8, "big")
            length = bytes((len(exponent),)) if len(exponent) < 256 else b"\0" + len(exponent).to_bytes(2, "big")
            return length + exponent + numbers_n.to_bytes((numbers_n.bit_length() + 7) // 8, "big")
