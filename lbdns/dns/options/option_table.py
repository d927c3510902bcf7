"""Every EDNS option that lbdns understands, a row each, in the order in which replies carry them.

Any other is ignored and not echoed (RFC 6891, section 6.1.2).
"""

from __future__ import annotations

from typing import Final

from lbdns.dns.codes import OPTION_COOKIE, OPTION_ECS, OPTION_EDE, OPTION_KEEPALIVE, OPTION_NSID
from lbdns.dns.options.client_subnet import decode_client_subnet, encode_client_subnet
from lbdns.dns.options.cookie import decode_cookie
from lbdns.dns.options.extended_error import encode_extended_error
from lbdns.dns.options.keepalive import decode_keepalive, encode_keepalive
from lbdns.dns.options.nsid import decode_nsid, encode_nsid
from lbdns.dns.options.option import Option

ROWS: Final = (
    Option(OPTION_ECS, decode_client_subnet, encode_client_subnet),
    Option(OPTION_NSID, decode_nsid, encode_nsid),
    Option(OPTION_KEEPALIVE, decode_keepalive, encode_keepalive),
    Option(OPTION_COOKIE, decode_cookie),
    Option(OPTION_EDE, encode=encode_extended_error, is_unasked=True),
)
OPTIONS: Final = {row.code: row for row in ROWS}
