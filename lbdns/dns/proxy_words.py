"""The numbers of the PROXY protocol, version 2 (haproxy's proxy-protocol.txt, section 2.2)."""

from __future__ import annotations

from typing import Final

PROXY_HEAD_BYTES: Final = 16  # signature, version with command, family with transport, length of what follows
PROXY_SIGNATURE_BYTES: Final = 12
PROXY_SIGNATURE_HIGH: Final = 0x0D0A0D0A000D0A51
PROXY_SIGNATURE_LOW: Final = 0x5549540A
PROXY_LOCAL: Final = 0x20  # version 2: the proxy asks for itself
PROXY_ASKS: Final = 0x21  # for the client whose address follows
PROXY_FAMILY_4: Final = 1
PROXY_FAMILY_6: Final = 2
PROXY_BLOCK_4: Final = 12  # source, destination, their ports
PROXY_BLOCK_6: Final = 36
PROXY_BYTES_MAX: Final = 2048
"""Of a header with everything that proxies add to it (TLVs), which is passed by."""

PROXY_MAPPED: Final = 0xFFFF  # before an IPv4 address in IPv6's clothes
PROXY_LOW_32: Final = 0xFFFFFFFF

# What `read_proxy_header` returns in place of a header's length.
PROXY_NONE: Final = -1  # there is none
PROXY_BROKEN: Final = -2
PROXY_MORE: Final = -3  # the rest of it is yet to come
