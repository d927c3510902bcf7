"""Cookies (RFC 7873) as far as a server without a secret goes: they are checked for their shape and not answered."""

from __future__ import annotations

from typing import NamedTuple

from lbdns.dns.wire import is_cookie

CLIENT_BYTES = 8


class Cookie(NamedTuple):
    """A query's option: the client's part, and the server's part that it was given earlier, empty where none was."""

    client: bytes
    server: bytes


def decode_cookie(data: bytes) -> Cookie | None:
    """Return the option, None where its length is neither 8 nor 16 to 40 bytes (section 5.2.2)."""
    return Cookie(data[:CLIENT_BYTES], data[CLIENT_BYTES:]) if is_cookie(len(data)) else None
