"""EXPIRE (RFC 7314): how long a zone still holds, which a secondary of a secondary cannot tell by its SOA."""

from __future__ import annotations

from lbdns.dns.options.option import ReplyFacts


def decode_expire(data: bytes) -> bytes:
    """Return what stands in a query's option, where nothing should and anything is let pass (section 2)."""
    return data


def encode_expire(_: bytes | None, reply: ReplyFacts) -> bytes | None:
    """Return the seconds, None where the reply is about no zone's SOA or content."""
    return None if reply.expire_s is None else reply.expire_s.to_bytes(4)
