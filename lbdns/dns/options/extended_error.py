"""Extended errors (RFC 8914): why an answer is what it is, beyond its RCODE. In a query the option means nothing."""

from __future__ import annotations

from lbdns.dns.options.option import ReplyFacts


def encode_extended_error(_: None, reply: ReplyFacts) -> bytes | None:
    """Return the INFO-CODE and its text, where the reply has one (section 2)."""
    return None if reply.error is None else reply.error.to_bytes(2, "big") + reply.error_text.encode()
