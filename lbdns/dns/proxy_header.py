"""The header by which a proxy says whom it asks for (PROXY protocol, version 2): before each datagram, or once before
all that comes over a connection. Version 1, which is text, is none of it.

    signature 12 | version, command | family, transport | length 2 | source, destination, ports | TLVs
                    LOCAL: for itself   IPv4, IPv6; others say nothing of where a client is

Runs interpreted and compiled (types in the `.pxd`); reads stay below `length`, which is compared before every field.
"""

from __future__ import annotations

from lbdns.dns.proxy_words import *


class ProxyHeader:
    """Whom a header names: `version` 4 or 6, or 0 where it is the proxy itself; the address's 128 bits, an IPv4 one in
    the top 32 of `high`; `port`."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self.version = 0
        self.high = 0
        self.low = 0
        self.port = 0


def read_proxy_header(header: ProxyHeader, data: memoryview, start: int, length: int) -> int:
    """Read the header at `data[start:start + length]`; return its length in bytes, or PROXY_*."""
    header.version = 0
    if length < PROXY_HEAD_BYTES:
        return PROXY_MORE if is_begun(data, start, length) else PROXY_NONE
    if not is_begun(data, start, PROXY_SIGNATURE_BYTES):
        return PROXY_NONE
    command = data[start + PROXY_SIGNATURE_BYTES]
    family = data[start + PROXY_SIGNATURE_BYTES + 1] >> 4
    block = number_at(data, start + PROXY_SIGNATURE_BYTES + 2, 2)
    size = PROXY_HEAD_BYTES + block
    if (command != PROXY_LOCAL and command != PROXY_ASKS) or size > PROXY_BYTES_MAX:
        return PROXY_BROKEN
    if size > length:
        return PROXY_MORE
    if command == PROXY_LOCAL or (family != PROXY_FAMILY_4 and family != PROXY_FAMILY_6):
        return size
    if block < (PROXY_BLOCK_4 if family == PROXY_FAMILY_4 else PROXY_BLOCK_6):
        return PROXY_BROKEN
    at = start + PROXY_HEAD_BYTES
    if family == PROXY_FAMILY_4:
        header.version = 4
        header.high = number_at(data, at, 4) << 32
        header.low = 0
        header.port = number_at(data, at + 8, 2)
    else:
        header.version = 6
        header.high = number_at(data, at, 8)
        header.low = number_at(data, at + 8, 8)
        header.port = number_at(data, at + 32, 2)
        if header.high == 0 and header.low >> 32 == PROXY_MAPPED:  # an IPv4 address in IPv6's clothes
            header.version = 4
            header.high = (header.low & PROXY_LOW_32) << 32
            header.low = 0
    return size


def is_begun(data: memoryview, start: int, length: int) -> bool:
    """Return whether as much of a signature as there is in `length` bytes begins a header."""
    for index in range(min(length, PROXY_SIGNATURE_BYTES)):
        if index < 8:
            octet = PROXY_SIGNATURE_HIGH >> (56 - 8 * index) & 0xFF
        else:
            octet = PROXY_SIGNATURE_LOW >> (88 - 8 * index) & 0xFF
        if data[start + index] != octet:
            return False
    return True


def number_at(data: memoryview, at: int, octets: int) -> int:
    """Return a number whose high octet comes first."""
    value = 0
    for index in range(octets):
        value = value << 8 | data[at + index]
    return value
