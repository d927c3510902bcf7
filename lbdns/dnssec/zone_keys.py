"""The public side of a zone's keys: what is published, and who signs what. No private key is here.

The signer says which keys a zone has (lbdns.dnssec.key_keeper); who signs and publishes the zone takes it from there.
Rdata is in wire format, uncompressed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from lbdns.dns.codes import DIGEST_SHA256, DIGEST_SHA384, KEY_FLAG_SEP

DNSKEY_PROTOCOL: Final = 3
"""RFC 4034 section 2.1.2: every other value is invalid."""
DNSKEY_HEAD_BYTES: Final = 4
"""Flags, protocol and algorithm, before the key."""
CDS_DELETE: Final = bytes(5)
"""The CDS by which a parent is asked to remove every DS: `0 0 0 00` (RFC 8078 section 4)."""
CDNSKEY_DELETE: Final = bytes((0, 0, DNSKEY_PROTOCOL, 0, 0))
"""The CDNSKEY that says the same: `0 3 0 AA==`."""
_KEY_FLAG_REVOKE: Final = 0x0080
_DIGESTS: Final = {DIGEST_SHA256: "sha256", DIGEST_SHA384: "sha384"}


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that signs, by its public half.

    `id`: the first 8 octets of the SHA-256 of apex and `dnskey`, the rdata: 64 bits that tell keys of all zones apart.
    `tag`: the key tag of RRSIG and DS.
    """

    id: int
    algorithm: int
    tag: int
    dnskey: bytes

    @property
    def flags(self) -> int:
        """The flags of its DNSKEY: 257 with the secure entry point's, 256 without."""
        return int.from_bytes(self.dnskey[:2], "big")

    @property
    def is_entry_point(self) -> bool:
        """Whether a DS may name it: it is a KSK or CSK."""
        return bool(self.flags & KEY_FLAG_SEP)

    @property
    def tags(self) -> frozenset[int]:
        """Its key tag, and the one that it has once it is revoked (RFC 5011 section 7)."""
        flags = (self.flags | _KEY_FLAG_REVOKE).to_bytes(2, "big")
        return frozenset((self.tag, key_tag(flags + self.dnskey[2:])))


@dataclass(frozen=True, slots=True)
class ZoneKeys:
    """What a zone says of its keys, and by which keys it is signed.

    `apex`: wire format, lower case. `dnskeys`, `cds`, `cdnskey`: the rdata of these RRsets at the apex; they are signed
    by `key_signers`. Everything else is signed by each of `zone_signers`: by one, or by two of different algorithms
    while the zone rolls from one to the other.
    """

    apex: bytes
    dnskeys: tuple[bytes, ...]
    key_signers: tuple[SigningKey, ...]
    zone_signers: tuple[SigningKey, ...]
    cds: tuple[bytes, ...] = ()
    cdnskey: tuple[bytes, ...] = ()

    @property
    def digest(self) -> int:
        """64 bits that tell it from what the zone said at other times: who published it says by them what."""
        hashed = hashlib.sha256(self.apex)
        signers = [[key.dnskey for key in keys] for keys in (self.key_signers, self.zone_signers)]
        for rdatas in (self.dnskeys, *signers, self.cds, self.cdnskey):
            hashed.update(len(rdatas).to_bytes(2, "big"))
            for rdata in rdatas:
                hashed.update(len(rdata).to_bytes(2, "big") + rdata)
        return int.from_bytes(hashed.digest()[:8], "big")


def signing_key(apex: bytes, dnskey: bytes) -> SigningKey:
    """Return the key that a DNSKEY of a zone publishes. `apex`: wire format, lower case."""
    number = int.from_bytes(hashlib.sha256(apex + dnskey).digest()[:8], "big")
    return SigningKey(number, dnskey[DNSKEY_HEAD_BYTES - 1], key_tag(dnskey), dnskey)


def key_tag(dnskey: bytes) -> int:
    """Return the key tag of a DNSKEY's rdata (RFC 4034 appendix B)."""
    total = (sum(dnskey[::2]) << 8) + sum(dnskey[1::2])
    return (total + (total >> 16)) & 0xFFFF


def dnskey_rdata(flags: int, algorithm: int, public_key: bytes) -> bytes:
    """Return a DNSKEY's rdata (RFC 4034 section 2.1)."""
    return flags.to_bytes(2, "big") + bytes((DNSKEY_PROTOCOL, algorithm)) + public_key


@lru_cache(maxsize=1024)
def ds_rdata(apex: bytes, dnskey: bytes, digest_type: int = DIGEST_SHA256) -> bytes:
    """Return the rdata of the DS, and of the CDS, that names a DNSKEY (RFC 4034 section 5.1).

    `apex`: wire format, lower case. `digest_type`: SHA-256 or SHA-384.
    """
    digest = hashlib.new(_DIGESTS[digest_type], apex + dnskey).digest()
    algorithm = dnskey[DNSKEY_HEAD_BYTES - 1]
    return key_tag(dnskey).to_bytes(2, "big") + bytes((algorithm, digest_type)) + digest


def ds_names(ds: bytes, apex: bytes, key: SigningKey) -> bool:
    """Tell whether a DS's rdata names a key of a zone, by a digest that is known here."""
    return len(ds) > DNSKEY_HEAD_BYTES and ds[3] in _DIGESTS and ds == ds_rdata(apex, key.dnskey, ds[3])


def ds_text(rdata: bytes) -> str:
    """Return a DS's rdata as master files have it: `12345 13 2 49FD46...`."""
    return f"{int.from_bytes(rdata[:2], 'big')} {rdata[2]} {rdata[3]} {rdata[4:].hex().upper()}"
