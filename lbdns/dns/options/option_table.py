"""Every EDNS option that lbdns understands, a row each, in the order in which replies carry them.

Any other is ignored and not echoed (RFC 6891, section 6.1.2).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from lbdns.dns.codes import OPTION_COOKIE, OPTION_ECS, OPTION_EDE, OPTION_EXPIRE, OPTION_KEEPALIVE, OPTION_NSID
from lbdns.dns.options.client_subnet import decode_client_subnet, encode_client_subnet
from lbdns.dns.options.cookie import decode_cookie, encode_cookie
from lbdns.dns.options.expire import decode_expire, encode_expire
from lbdns.dns.options.extended_error import encode_extended_error
from lbdns.dns.options.keepalive import decode_keepalive, encode_keepalive
from lbdns.dns.options.nsid import decode_nsid, encode_nsid
from lbdns.dns.options.option import Decode, Encode, Option

ROWS: Final = (
    Option(OPTION_ECS, decode_client_subnet, encode_client_subnet),
    Option(OPTION_NSID, decode_nsid, encode_nsid),
    Option(OPTION_EXPIRE, decode_expire, encode_expire),
    Option(OPTION_KEEPALIVE, decode_keepalive, encode_keepalive),
    Option(OPTION_COOKIE, decode_cookie, encode_cookie, is_first_alone=True),  # RFC 7873 section 5.2
    Option(OPTION_EDE, encode=encode_extended_error, is_unasked=True),
)


def decoders(rows: Iterable[Option]) -> dict[int, Decode]:
    """Return how the data of options in a query are read, by code."""
    return {row.code: row.decode for row in rows if row.decode is not None}


def encoders(rows: Iterable[Option]) -> tuple[tuple[int, Encode, bool], ...]:
    """Return code, how its data in a reply are written, and whether unasked, of each option that replies carry."""
    return tuple((row.code, row.encode, row.is_unasked) for row in rows if row.encode is not None)
