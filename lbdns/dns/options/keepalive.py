"""TCP keepalive (RFC 7828): how long a connection may be idle before this server closes it."""

from __future__ import annotations

from typing import Final

from lbdns.dns.keepalive_words import KEEPALIVE_BYTES, KEEPALIVE_TENTHS, TENTHS_A_SECOND
from lbdns.dns.options.option import ReplyFacts

TCP_IDLE_S: Final = KEEPALIVE_TENTHS / TENTHS_A_SECOND


def decode_keepalive(data: bytes) -> bytes | None:
    """Return the option of a query, None where it is malformed: a client leaves the time-out out (section 3.2.1)."""
    return None if data else data


def encode_keepalive(_: bytes | None, reply: ReplyFacts) -> bytes | None:
    """Return our time-out; over UDP the option is ignored (section 3.3.1)."""
    return KEEPALIVE_TENTHS.to_bytes(KEEPALIVE_BYTES) if reply.is_stream else None
