"""The OPT record of a reply on the fast path, with the options that are due; dns/options/option_table.py has their
order.

Bounds: who writes a record has compared its end, with `opt_bytes` behind it, with the reply's limit.
"""

from __future__ import annotations

from lbdns.dns.codes import *
from lbdns.dns.cookie_words import *
from lbdns.dns.keepalive_words import *
from lbdns.dns.server_cookie import settle
from lbdns.fastpath.layout import *
from lbdns.fastpath.read import Server
from lbdns.mapped.octets import *


def opt_bytes(server: Server, ede: int) -> int:
    """Return the length of the reply's OPT record."""
    if not server.has_edns:
        return 0
    size = OPT_BYTES + (EDE_BYTES if ede else 0) + (nsid_bytes(server) if server.has_nsid else 0)
    if server.has_keepalive:
        size += OPTION_HEAD_BYTES + KEEPALIVE_BYTES
    if server.cookie_bytes and server.has_cookies:
        size += OPTION_HEAD_BYTES + COOKIE_BYTES
    return size + OPTION_HEAD_BYTES + server.ecs_bytes if server.ecs_bytes else size


def nsid_bytes(server: Server) -> int:
    """Return the length of the NSID option, 0 where this server has no identifier."""
    return OPTION_HEAD_BYTES + len(server.nsid) if len(server.nsid) else 0


def write_opt(server: Server, position: int, scope: int, ede: int) -> int:
    """Write the OPT record, with ECS, NSID, keepalive and cookie where the query had them; return the position after
    it."""
    server.opt_start = position
    if not server.has_edns:
        return position
    server.outgoing[position] = 0
    put_number(server, position + 1, TYPE_OPT, 2)
    put_number(server, position + 3, UDP_BYTES_MAX, 2)
    put_number(server, position + 5, server.extended << 8, 2)
    put_number(server, position + 7, server.edns_flags & FLAG_DO, 2)
    put_number(server, position + 9, opt_bytes(server, ede) - OPT_BYTES, 2)
    position += OPT_BYTES
    if server.ecs_bytes:
        put_number(server, position, OPTION_ECS, 2)
        put_number(server, position + 2, server.ecs_bytes, 2)
        position += OPTION_HEAD_BYTES
        copy_octets(server.incoming, server.ecs_start, server.outgoing, position, server.ecs_bytes)
        server.outgoing[position + 3] = scope if server.ecs_source else 0
        position += server.ecs_bytes
    if server.has_nsid and len(server.nsid):
        position = write_nsid(server, position)
    if server.has_keepalive:
        put_number(server, position, OPTION_KEEPALIVE, 2)
        put_number(server, position + 2, KEEPALIVE_BYTES, 2)
        put_number(server, position + 4, KEEPALIVE_TENTHS, KEEPALIVE_BYTES)
        position += OPTION_HEAD_BYTES + KEEPALIVE_BYTES
    if server.cookie_bytes and server.has_cookies:
        position = write_cookie(server, position)
    if ede:
        put_number(server, position, OPTION_EDE, 2)
        put_number(server, position + 2, 2, 2)
        put_number(server, position + 4, ede, 2)
        position += EDE_BYTES
    return position


def write_nsid(server: Server, position: int) -> int:
    """Write the NSID option and return the position after it."""
    size = len(server.nsid)
    put_number(server, position, OPTION_NSID, 2)
    put_number(server, position + 2, size, 2)
    position += OPTION_HEAD_BYTES
    for index in range(size):
        server.outgoing[position + index] = server.nsid[index]
    return position + size


def write_cookie(server: Server, position: int) -> int:
    """Write the Cookie option and return the position after it."""
    settle(
        server.cookie,
        server.cookie_secret,
        server.query.resolver_version,
        server.query.resolver_high,
        server.query.resolver_low,
        server.unix_s,
    )
    put_number(server, position, OPTION_COOKIE, 2)
    put_number(server, position + 2, COOKIE_BYTES, 2)
    position += OPTION_HEAD_BYTES
    put_low_first(server, position, server.cookie.client, 8)
    put_low_first(server, position + 8, server.cookie.head, 4)
    put_number(server, position + 12, server.cookie.stamp, 4)
    put_low_first(server, position + 16, server.cookie.hash, 8)
    return position + COOKIE_BYTES


def put_low_first(server: Server, position: int, value: int, octets: int) -> None:
    """Write a number, its low octet first."""
    for index in range(octets):
        server.outgoing[position + index] = (value >> (8 * index)) & 0xFF


def put_number(server: Server, position: int, value: int, octets: int) -> None:
    """Write a number, its high octet first."""
    for index in range(octets):
        server.outgoing[position + index] = (value >> (8 * (octets - 1 - index))) & 0xFF
