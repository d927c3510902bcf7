"""NSID (RFC 5001): which of the servers behind one address answers."""

from __future__ import annotations

from lbdns.dns.options.option import ReplyFacts


def decode_nsid(data: bytes) -> bytes:
    """Return what stands in a query's option, where nothing should and anything is let pass (section 2)."""
    return data


def encode_nsid(_: bytes | None, reply: ReplyFacts) -> bytes | None:
    """Return this server's identifier, None where it has none."""
    return reply.nsid or None
