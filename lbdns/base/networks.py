"""What counts as one network of clients, where turns, queues or places are taken by network: told once.

Who may send from one address of a network may often send from all; so a network has one share, however many ask.
"""

from __future__ import annotations

import socket
from typing import Final

NETWORK_BITS_V4: Final = 24
NETWORK_BITS_V6: Final = 56
"""Of an address that make a network that has turns: what one customer of an access network is given (RFC 6177)."""
LINK_BITS_V6: Final = 64
"""Of an address that make a network that holds places: one link, and so one host."""
BLOCK_BITS_V4: Final = 16
BLOCK_BITS_V6: Final = 48
"""Of an address that make what one site may have many networks of."""
_IPV4_BYTES: Final = 4
_MAPPED: Final = bytes(10) + b"\xff\xff"


def packed_address(host: str) -> bytes:
    """Return an address of text as 4 or 16 bytes, without a zone; an IPv4 address in IPv6's clothes as 4."""
    host = host.partition("%")[0]
    packed = socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
    return packed.removeprefix(_MAPPED) if len(packed) > _IPV4_BYTES else packed


def network_of(packed: bytes) -> bytes:
    """Return the network of an address, which has turns: the first bytes of it."""
    return packed[: (NETWORK_BITS_V4 if len(packed) == _IPV4_BYTES else NETWORK_BITS_V6) // 8]


def link_of(packed: bytes) -> bytes:
    """Return the network of an address, which holds places."""
    return packed[: (NETWORK_BITS_V4 if len(packed) == _IPV4_BYTES else LINK_BITS_V6) // 8]


def block_of(network: bytes) -> bytes:
    """Return what a network, or a link, is one of many of; what is none is its own."""
    if len(network) == NETWORK_BITS_V4 // 8:
        return network[: BLOCK_BITS_V4 // 8]
    return network[: BLOCK_BITS_V6 // 8]
