"""The forms in which names and records are ordered and signed (RFC 4034 section 6), and what a signature says.

order_key        a name as bytes whose order is the canonical one
canonical_rdata  rdata with the names in it in lower case, of the types that RFC 4034 names
signed_data      what a signature is over: the RRSIG without it, then the records
type_bitmap      types as NSEC and NSEC3 list them
"""

from __future__ import annotations

import struct
from base64 import b32hexencode
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import sha1
from typing import Final

from lbdns.dns.codes import (
    CLASS_IN,
    TYPE_CNAME,
    TYPE_DNAME,
    TYPE_MX,
    TYPE_NS,
    TYPE_PTR,
    TYPE_RRSIG,
    TYPE_SOA,
    TYPE_SRV,
)
from lbdns.dns.name import WILDCARD_LABEL, labels_of, name_end

_TYPE_MD: Final = 3
_TYPE_MF: Final = 4
_TYPE_MB: Final = 7
_TYPE_MG: Final = 8
_TYPE_MR: Final = 9
_TYPE_MINFO: Final = 14
_TYPE_RP: Final = 17
_TYPE_AFSDB: Final = 18
_TYPE_RT: Final = 21
_TYPE_SIG: Final = 24
_TYPE_PX: Final = 26
_TYPE_NXT: Final = 30
_TYPE_NAPTR: Final = 35
_TYPE_KX: Final = 36

RRSIG_HEAD: Final = struct.Struct("!HBBIIIH")
"""An RRSIG before the signer's name: type covered, algorithm, labels, original TTL, expiration, inception, key tag
(RFC 4034 section 3.1)."""
NSEC3_PARAMETERS: Final = b"\1\0\0\0\0"
"""SHA-1, no flags, no iterations, no salt (RFC 9276 section 3.1)."""
NSEC3_MADE_PARAMETERS: Final = b"\1\1\0\0\0"
"""The same with Opt-Out (RFC 5155 section 6): of a record that is made for one name; compact_denial.py says why."""
_RECORD: Final = struct.Struct("!HHI")
_LENGTH: Final = struct.Struct("!H")
_STRINGS_OF_NAPTR: Final = 3
_ONE_NAME: Final = (0, 1)
# Octets before the first name, and how many names follow (RFC 4034 section 6.2, RFC 6840 section 5.1; A6 is historic).
_NAMES: Final = {
    **dict.fromkeys(
        (
            TYPE_NS,
            TYPE_CNAME,
            TYPE_PTR,
            TYPE_DNAME,
            _TYPE_MD,
            _TYPE_MF,
            _TYPE_MB,
            _TYPE_MG,
            _TYPE_MR,
            _TYPE_NXT,
        ),
        _ONE_NAME,
    ),
    **dict.fromkeys((TYPE_SOA, _TYPE_MINFO, _TYPE_RP), (0, 2)),
    **dict.fromkeys((TYPE_MX, _TYPE_AFSDB, _TYPE_RT, _TYPE_KX), (2, 1)),
    _TYPE_PX: (2, 2),
    TYPE_SRV: (6, 1),
    _TYPE_NAPTR: (4, 1),
    **dict.fromkeys((_TYPE_SIG, TYPE_RRSIG), (RRSIG_HEAD.size, 1)),
}


def order_key(name: bytes) -> bytes:
    """Return a lower-case wire name as bytes that compare as names do in canonical order (RFC 4034 section 6.1).

    Labels from the root on, each ended by 00; in them 00 is 01 01 and 01 is 01 02, so that what is shorter comes first.
    """
    labels = labels_of(name)
    labels.reverse()
    if b"\0" in name[:-1] or b"\1" in name:
        labels = [label.replace(b"\1", b"\1\2").replace(b"\0", b"\1\1") for label in labels]
    labels.append(b"")
    return b"\0".join(labels)


def canonical_rdata(rtype: int, rdata: bytes) -> bytes:
    """Return uncompressed rdata with names in lower case where the type is one of those that have them so."""
    shape = _NAMES.get(rtype)
    if shape is None:
        return rdata
    start, count = shape
    if rtype == _TYPE_NAPTR:
        for _ in range(_STRINGS_OF_NAPTR):
            start += 1 + rdata[start]
    end = start
    for _ in range(count):
        end = name_end(rdata, end)
    return rdata[:start] + rdata[start:end].lower() + rdata[end:]


def signed_labels(owner: bytes) -> int:
    """Return the Labels field of a signature over records at `owner`: without the root, and a wildcard's asterisk (RFC
    4034 section 3.1.3)."""
    labels = -1 if owner.startswith(WILDCARD_LABEL) else 0
    at = 0
    while owner[at]:
        at += 1 + owner[at]
        labels += 1
    return labels


def signed_data(head: bytes, owner: bytes, rtype: int, ttl: int, rdatas: Sequence[bytes]) -> bytes:
    """Return what a signature is over (RFC 4034 section 3.1.8.1): `head`, which is the RRSIG's rdata up to the
    signature, then the records in canonical order, each once.

    `owner` in lower case, `ttl` the original one, `rdatas` uncompressed, in any order.
    """
    begin = owner + _RECORD.pack(rtype, CLASS_IN, ttl)
    if rtype in _NAMES:
        rdatas = [canonical_rdata(rtype, rdata) for rdata in rdatas]
    if len(rdatas) == 1:
        return b"".join((head, begin, _LENGTH.pack(len(rdatas[0])), rdatas[0]))
    parts = [head]
    for rdata in sorted(set(rdatas)):
        parts += (begin, _LENGTH.pack(len(rdata)), rdata)
    return b"".join(parts)


def type_bitmap(types: Iterable[int]) -> bytes:
    """Return types as NSEC and NSEC3 list them (RFC 4034 section 4.1.2): nothing for none."""
    return _bitmap(tuple(sorted(set(types))))


@lru_cache(4096)
def _bitmap(types: tuple[int, ...]) -> bytes:
    windows: dict[int, bytearray] = {}
    for number in types:
        octets = windows.setdefault(number >> 8, bytearray())
        at = (number & 0xFF) >> 3
        octets.extend(bytes(at + 1 - len(octets)))
        octets[at] |= 0x80 >> (number & 7)
    return b"".join(bytes((window, len(octets))) + octets for window, octets in windows.items())


def nsec3_hash(name: bytes) -> bytes:
    """Return the hash of a lower-case wire name (RFC 5155 section 5), without iterations or salt (RFC 9276)."""
    return sha1(name, usedforsecurity=False).digest()


def nsec3_owner(hashed: bytes, apex: bytes) -> bytes:
    """Return the owner of the NSEC3 record that matches a hash (RFC 5155 section 3)."""
    label = b32hexencode(hashed).lower()
    return bytes((len(label),)) + label + apex
