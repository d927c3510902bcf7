"""What a type's data may not lack: the key, digest, certificate or signature that all before it is about.

dnspython reads such data from the wire where that is empty, though no text says it and other servers refuse it: BIND
ends the transfer of a zone that has it. So whoever makes a record may not leave it out; a record that is there already
is served, shown and deleted as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from lbdns.dns.codes import TYPE_CDNSKEY, TYPE_CDS, TYPE_DNSKEY, TYPE_DS, TYPE_RRSIG
from lbdns.dns.name import name_end

_NO_KEY: Final = 0xC0
"""The flags of a KEY that says that there is none (RFC 2535 section 3.1.2)."""
_GATEWAY_OCTETS: Final = {0: 0, 1: 4, 2: 16}
_NAME_GATEWAY: Final = 3
"""IPSECKEY's types of gateway (RFC 4025 section 2.3)."""


def _ends_at(offset: int) -> Callable[[bytes], bool]:
    return lambda rdata: len(rdata) <= offset


def _lacks_key(rdata: bytes) -> bool:
    """Tell whether a key is missing, or there though the flags say that there is none: it then has no field."""
    return (len(rdata) <= 4) != (rdata[0] & _NO_KEY == _NO_KEY)


def _lacks_signature(rdata: bytes) -> bool:
    return name_end(rdata, 18) == len(rdata)


def _lacks_ipsec_key(rdata: bytes) -> bool:
    kind = rdata[1]
    end = name_end(rdata, 3) if kind == _NAME_GATEWAY else 3 + _GATEWAY_OCTETS.get(kind, 0)
    return len(rdata) <= end


def _lacks_host_identity(rdata: bytes) -> bool:
    return not rdata[0] or not int.from_bytes(rdata[2:4], "big")


_MISSING: Final[Mapping[int, tuple[str, Callable[[bytes], bool]]]] = {
    22: ("address", _ends_at(0)),  # NSAP: RFC 1706
    24: ("signature", _lacks_signature),  # SIG: RFC 2535
    25: ("key", _lacks_key),  # KEY: RFC 2535
    37: ("certificate", _ends_at(5)),  # CERT: RFC 4398
    TYPE_DS: ("digest", _ends_at(4)),  # RFC 4034
    44: ("fingerprint", _ends_at(2)),  # SSHFP: RFC 4255
    45: ("key", _lacks_ipsec_key),  # IPSECKEY: RFC 4025
    TYPE_RRSIG: ("signature", _lacks_signature),  # RFC 4034
    TYPE_DNSKEY: ("key", _ends_at(4)),  # RFC 4034
    49: ("data", _ends_at(0)),  # DHCID: RFC 4701
    52: ("certificate association data", _ends_at(3)),  # TLSA: RFC 6698
    53: ("certificate association data", _ends_at(3)),  # SMIMEA: RFC 8162
    55: ("host identity", _lacks_host_identity),  # HIP: RFC 8005
    TYPE_CDS: ("digest", _ends_at(4)),  # RFC 7344
    TYPE_CDNSKEY: ("key", _ends_at(4)),  # RFC 7344
    61: ("key", _ends_at(0)),  # OPENPGPKEY: RFC 7929
    32769: ("digest", _ends_at(4)),  # DLV: RFC 4431
}


def missing_field(rdtype: int, rdata: bytes) -> str | None:
    """Return the name of the field that data lacks, None where it lacks none. The rest of `rdata` is sound."""
    found = _MISSING.get(rdtype)
    return found[0] if found is not None and found[1](rdata) else None
