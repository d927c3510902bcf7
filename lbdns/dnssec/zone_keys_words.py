"""The public side of a zone's keys as JSON, on its way from the signer to the supervisor."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from typing import Any

from lbdns.dnssec.zone_keys import ZoneKeys, signing_key


def encode_zone_keys(keys: ZoneKeys) -> dict[str, Any]:
    """Return it as values that JSON has."""
    return {
        "apex": _texts([keys.apex])[0],
        "dnskeys": _texts(keys.dnskeys),
        "key_signers": _texts(key.dnskey for key in keys.key_signers),
        "zone_signers": _texts(key.dnskey for key in keys.zone_signers),
        "cds": _texts(keys.cds),
        "cdnskey": _texts(keys.cdnskey),
    }


def decode_zone_keys(said: Mapping[str, Any]) -> ZoneKeys:
    """Return what `encode_zone_keys` was given."""
    apex = b64decode(said["apex"])
    key_signers, zone_signers = (
        tuple(signing_key(apex, dnskey) for dnskey in _octets(said[name])) for name in ("key_signers", "zone_signers")
    )
    dnskeys, cds, cdnskey = (_octets(said[name]) for name in ("dnskeys", "cds", "cdnskey"))
    return ZoneKeys(apex, dnskeys, key_signers, zone_signers, cds, cdnskey)


def _texts(several: Iterable[bytes]) -> list[str]:
    return [b64encode(one).decode() for one in several]


def _octets(texts: Iterable[str]) -> tuple[bytes, ...]:
    return tuple(b64decode(text) for text in texts)
