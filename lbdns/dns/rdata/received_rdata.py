"""Record data as another's message has it: checked, and uncompressed, as lbdns holds it.

The types of most updates are read here; all others by dnspython, which is imported when the first one comes. Names may
be compressed in the data of types that were known before RFC 3597 (section 4), and are followed in all.
"""

from __future__ import annotations

from typing import Final

from lbdns.dns.codes import TYPE_A, TYPE_AAAA
from lbdns.dns.name import expand_name, skip_name
from lbdns.dns.rdata.record_types import NAME_OFFSETS, record_type

_ADDRESS_OCTETS: Final = {TYPE_A: 4, TYPE_AAAA: 16}


def received_rdata(message: bytes, rdtype: int, start: int, end: int) -> bytes | None:
    """Return the data of a record that stands in a message from `start` to `end`, None where it is malformed."""
    size = _ADDRESS_OCTETS.get(rdtype)
    if size is not None:
        return message[start:end] if end - start == size else None
    offset = NAME_OFFSETS.get(rdtype)
    if offset is not None:
        return _before_name(message, start, end, offset)
    if record_type(rdtype).has_texts_alone:
        return message[start:end] if _are_strings(message, start, end) else None
    return _by_library(message, rdtype, start, end)


def _before_name(message: bytes, start: int, end: int, offset: int) -> bytes | None:
    at = start + offset
    if at >= end or skip_name(message, at) != end:
        return None
    name = expand_name(message, at)
    return None if name is None else message[start:at] + name


def _are_strings(message: bytes, start: int, end: int) -> bool:
    """Tell whether character strings stand there, at least one (RFC 1035 section 3.3.14)."""
    at = start
    while at < end:
        at += 1 + message[at]
    return start < at == end


def _by_library(message: bytes, rdtype: int, start: int, end: int) -> bytes | None:
    import struct

    import dns.exception
    import dns.rdata
    import dns.rdataclass
    from dns.rdatatype import RdataType

    try:
        rdata = dns.rdata.from_wire(dns.rdataclass.IN, RdataType.make(rdtype), message, start, end - start)
        return rdata.to_wire() or b""
    except (dns.exception.DNSException, ValueError, LookupError, TypeError, struct.error):
        return None
