"""Cookies (RFC 7873) as far as a server without a secret goes: they are checked for their shape and not answered."""

from __future__ import annotations

from typing import NamedTuple

CLIENT_BYTES = 8
SERVER_BYTES_MIN, SERVER_BYTES_MAX = 8, 32


class Cookie(NamedTuple):
    """A query's option: the client's part, and the server's part that it was given earlier, empty where none was."""

    client: bytes
    server: bytes


def decode_cookie(data: bytes) -> Cookie | None:
    """Return the option, None where its length is neither 8 nor 16 to 40 bytes (section 5.2.2)."""
    client, server = data[:CLIENT_BYTES], data[CLIENT_BYTES:]
    if len(client) < CLIENT_BYTES or (server and not SERVER_BYTES_MIN <= len(server) <= SERVER_BYTES_MAX):
        return None
    return Cookie(client, server)
