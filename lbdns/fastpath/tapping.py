"""What is told of by dnstap of datagrams that the fast path answers or drops: copied into a ring where it is on."""

from __future__ import annotations

from lbdns.fastpath.read import Server
from lbdns.fastpath.write import target_bytes
from lbdns.mapped.tap_ring import Tap, put_exchange
from lbdns.mapped.tap_words import *
from lbdns.snapshot.lookup.name_rows import *
from lbdns.steering.kernel.hashing import mix64


def is_tapped(tap: Tap, draw: int) -> bool:
    """Return whether an exchange is among those that are told of; `draw`: its 64 random bits."""
    return tap.share != 0 and mix64(draw ^ TAP_SALT) <= tap.share


def tap_served(tap: Tap, server: Server, start: int, length: int, base: int, size: int) -> None:
    """Copy the datagram `server.incoming[start:start + length]`, and the `size` octets that `serve` made of it at
    `server.outgoing[base:]`, 0 for none; who asked when is set."""
    zone = 0
    zone_bytes = 0
    if server.kind != NO_KIND and server.kind != KIND_OUT_OF_ZONE:
        zone = server.name_row[server.zone_apex[server.asked_zone] * NAME_ROW + ROW_OFFSET]
        zone_bytes = target_bytes(server, zone)
    put_exchange(
        tap,
        server.blob,
        zone,
        zone_bytes,
        server.incoming,
        start,
        length,
        server.outgoing,
        base,
        size if size > 0 else 0,
    )
