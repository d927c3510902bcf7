"""Whether a signature is a key's: the public half of it tells."""

from __future__ import annotations

from lbdns.dnssec.zone_keys import SigningKey


def verifies(key: SigningKey, data: bytes, signature: bytes) -> bool:
    """Return whether a key made a signature (in DNSSEC's wire form) over some bytes."""
    from cryptography.exceptions import InvalidSignature
    from dns.dnssecalgs import get_algorithm_cls_from_dnskey
    from dns.rdata import from_wire
    from dns.rdtypes.ANY.DNSKEY import DNSKEY

    public = from_wire("IN", "DNSKEY", key.dnskey, 0, len(key.dnskey))
    assert isinstance(public, DNSKEY)
    try:
        get_algorithm_cls_from_dnskey(public).public_cls.from_dnskey(public).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True
