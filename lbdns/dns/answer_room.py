"""What fits into an answer over UDP: how large records are before anybody asks for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import BytesIO
from typing import Final

import dns.name
import dns.rdata
from dns.rdataclass import RdataClass
from dns.rdatatype import RdataType

from lbdns.dns.codes import (
    HEADER_BYTES,
    LABEL_BYTES_MAX,
    NAME_BYTES_MAX,
    OPT_BYTES,
    OPTION_HEAD_BYTES,
    QUESTION_TAIL_BYTES,
    RECORD_HEAD_BYTES,
    UDP_BYTES_MAX,
)
from lbdns.dns.name import WILDCARD_LABEL
from lbdns.dns.rdata.record_types import types_where

SUBNET_BYTES: Final = OPTION_HEAD_BYTES + 4 + 7
"""A Client Subnet option of 56 bits, the longest that resolvers send (RFC 7871 section 11.1)."""
POINTER_BYTES: Final = 2
_COMPRESSED: Final = types_where(lambda row: row.is_compressed)

Record = tuple[bytes, int, bytes]
"""Owner (wire; b"": the name that is asked for), type, and data."""


def asked_bytes(name: bytes) -> int:
    """Return the length of the names that are asked at a name: at a wildcard, with one label as long as a label may
    be."""
    longer = LABEL_BYTES_MAX - 1 if name.startswith(WILDCARD_LABEL) else 0
    return min(len(name) + longer, NAME_BYTES_MAX)


def frame_bytes(name_bytes: int) -> int:
    """Return what of an answer is no record of a zone: header, question, and an OPT record with a client subnet."""
    return HEADER_BYTES + name_bytes + QUESTION_TAIL_BYTES + OPT_BYTES + SUBNET_BYTES


ROOM_MIN: Final = UDP_BYTES_MAX - frame_bytes(NAME_BYTES_MAX)
"""What fits whatever is asked."""


def how_many_fit(sizes: Iterable[int], name_bytes: int) -> int:
    """Return how many records fit, whichever they are; `sizes`: of their data, which is not compressed."""
    left = UDP_BYTES_MAX - frame_bytes(name_bytes)
    count = 0
    for size in sorted(sizes, reverse=True):
        left -= RECORD_HEAD_BYTES + size
        if left < 0:
            break
        count += 1
    return count


def answer_bytes(apex: bytes, name_bytes: int, records: Sequence[Record]) -> int:
    """Return the size of an answer with these records of a zone, names compressed as the responder does."""
    size = frame_bytes(name_bytes) + sum(
        RECORD_HEAD_BYTES - POINTER_BYTES + (len(owner) or POINTER_BYTES) + len(rdata) for owner, _, rdata in records
    )
    if size <= UDP_BYTES_MAX or all(not owner and rtype not in _COMPRESSED for owner, rtype, _ in records):
        return size
    buffer = BytesIO()
    buffer.write(bytes(HEADER_BYTES + name_bytes - len(apex)))
    known: dict[dns.name.Name, int] = {}
    _name(apex).to_wire(buffer, known)
    buffer.write(bytes(frame_bytes(0) - HEADER_BYTES))
    for owner, rtype, rdata in records:
        if owner:
            _name(owner).to_wire(buffer, known)
        else:
            buffer.write(bytes(POINTER_BYTES))
        buffer.write(bytes(RECORD_HEAD_BYTES - POINTER_BYTES))
        if rtype in _COMPRESSED:
            decoded = dns.rdata.from_wire(RdataClass.IN, RdataType(rtype), rdata, 0, len(rdata))
            decoded.to_wire(buffer, known)
        else:
            buffer.write(rdata)
    return buffer.tell()


def _name(wire: bytes) -> dns.name.Name:
    return dns.name.from_wire(wire, 0)[0]
