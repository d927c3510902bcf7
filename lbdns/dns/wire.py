"""What both roads of a query must know of the wire, told once: numbers in, numbers out, whatever buffer they stand in.

Runs interpreted and compiled (types in the `.pxd`); the slow path calls it from dns/options and answer, the fast path
from fastpath. That both write the same bytes is the test of it.
"""

from __future__ import annotations

from lbdns.dns.codes import *


def udp_limit(size: int) -> int:
    """Return the most bytes a datagram of ours may have for a client whose OPT record says `size` (RFC 6891 6.2.5)."""
    return min(max(size, UDP_BYTES_MIN), UDP_BYTES_MAX)


def reply_flags(asked: int, rcode: int) -> int:
    """Return a reply's flags as far as they follow the query's, with the RCODE's low bits: QR set, opcode kept, RD kept
    for a QUERY alone."""
    opcode = asked & OPCODE_MASK
    return FLAG_QR | opcode | (asked & FLAG_RD if opcode == 0 else 0) | (rcode & RCODE_MASK)


def is_client_subnet(family: int, source: int, scope: int, octets: int, last: int) -> bool:
    """Return whether a query's Client Subnet option is well-formed (RFC 7871, sections 6 and 7.1.2).

    `octets`: how many of ADDRESS there are, `last`: the last of them, 0 for none. Malformed: SCOPE not 0; family
    neither 0 (with SOURCE 0), 1 nor 2; SOURCE over 32 or 128; another number of octets than SOURCE needs; bits set
    beyond SOURCE.
    """
    if scope or source > (128 if family == 2 else 32 if family == 1 else 0) or family > 2:
        return False
    if octets != (source + 7) >> 3:
        return False
    return not (source & 7 and last & (0xFF >> (source & 7)))


def is_cookie(size: int) -> bool:
    """Return whether a COOKIE option may have `size` bytes: 8 of the client's, and none or 8 to 32 of the server's
    (RFC 7873, section 5.2.2)."""
    return size == 8 or 16 <= size <= 40


def named_head_bytes(rtype: int) -> int:
    """Return how many bytes stand before the name in the data of an MX or SRV record."""
    return 2 if rtype == TYPE_MX else 6


def named_head(rtype: int, priority: int, weight: int, port: int) -> int:
    """Return those bytes as one number: an endpoint's priority as MX's preference, or SRV's priority, weight (x 100)
    and port."""
    return priority if rtype == TYPE_MX else priority << 32 | weight << 16 | port
