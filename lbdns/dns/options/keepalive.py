"""TCP keepalive (RFC 7828): how long a connection may be idle before this server closes it."""

from __future__ import annotations

from typing import Final

from lbdns.dns.options.option import ReplyFacts

TCP_IDLE_S: Final = 10.0
TENTHS_A_SECOND: Final = 10  # the option counts in units of 100 ms


def decode_keepalive(data: bytes) -> bytes | None:
    """Return the option of a query, None where it is malformed: a client leaves the time-out out (section 3.2.1)."""
    return None if data else data


def encode_keepalive(_: bytes | None, reply: ReplyFacts) -> bytes | None:
    """Return our time-out; over UDP the option is ignored (section 3.3.1)."""
    return round(TCP_IDLE_S * TENTHS_A_SECOND).to_bytes(2, "big") if reply.is_stream else None
