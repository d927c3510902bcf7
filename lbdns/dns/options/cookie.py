"""Cookies (RFC 7873): by which a client knows our replies, and we know that he is where he says (RFC 9018)."""

from __future__ import annotations

from typing import NamedTuple

from lbdns.dns.cookie_words import CLIENT_COOKIE_BYTES, SERVER_COOKIE_BYTES
from lbdns.dns.options.option import ReplyFacts
from lbdns.dns.server_cookie import ServerCookie
from lbdns.dns.wire import is_cookie

_STAMP = 4  # where in the server's part the timestamp stands
_HASH = 8


class Cookie(NamedTuple):
    """A query's option: the client's part, and the server's part that it was given earlier, empty where none was."""

    client: bytes
    server: bytes

    def parts(self) -> ServerCookie:
        """Return it as what is to be settled."""
        made = ServerCookie()
        made.client = int.from_bytes(self.client, "little")
        made.is_given = len(self.server) == SERVER_COOKIE_BYTES
        if made.is_given:
            made.head = int.from_bytes(self.server[:_STAMP], "little")
            made.stamp = int.from_bytes(self.server[_STAMP:_HASH], "big")
            made.hash = int.from_bytes(self.server[_HASH:], "little")
        return made


def decode_cookie(data: bytes) -> Cookie | None:
    """Return the option, None where its length is neither 8 nor 16 to 40 bytes (section 5.2.2)."""
    return Cookie(data[:CLIENT_COOKIE_BYTES], data[CLIENT_COOKIE_BYTES:]) if is_cookie(len(data)) else None


def cookie_octets(settled: ServerCookie) -> bytes:
    """Return the option's data for a reply."""
    head, stamp = settled.head.to_bytes(_STAMP, "little"), settled.stamp.to_bytes(_HASH - _STAMP, "big")
    return settled.client.to_bytes(CLIENT_COOKIE_BYTES, "little") + head + stamp + settled.hash.to_bytes(8, "little")


def encode_cookie(_: Cookie | None, reply: ReplyFacts) -> bytes | None:
    """Return the option of a reply, None where this server gives no cookies."""
    return reply.cookie or None
