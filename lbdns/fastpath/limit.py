"""What stands before and after a datagram's road where the settings have it: whom a proxy asks for, who may ask at all,
how many replies a network is given.

    a proxy's header -> [serve: ... look up -> may he ask -> ...] -> is it within the limit -> whole, truncated, dropped

Runs interpreted and compiled (types in the `.pxd`), as `serve` does.
"""

from __future__ import annotations

from lbdns.answer.rate_table import charge, class_of
from lbdns.dns.codes import *
from lbdns.dns.proxy_header import read_proxy_header
from lbdns.dns.proxy_words import *
from lbdns.fastpath.layout import *
from lbdns.fastpath.read import Server
from lbdns.mapped.counter_words import *
from lbdns.mapped.counters import Counters
from lbdns.mapped.rate_words import *
from lbdns.steering.kernel.decide import walk
from lbdns.steering.kernel.numbers import *


def pass_header(counters: Counters, server: Server, start: int, length: int) -> int:
    """Count a datagram that a proxy sent, and put the client that it asks for into the query in the proxy's place;
    return how long its header is, 0 where who sent this is no proxy, less where it is to be dropped, as the header is
    missing or broken."""
    found = walk(
        server,
        server.proxy_trie[0],
        server.query.resolver_version,
        server.query.resolver_high,
        server.query.resolver_low,
    )
    if found >> 8 == 0:
        return 0
    size = read_proxy_header(server.proxied, server.incoming, start, length)
    if size < 0:
        counters.words[UNPROXIED_COUNT] += 1
        counters.words[DROPPED_COUNT] += 1
        return size
    counters.words[PROXIED_COUNT] += 1
    if server.proxied.version:
        server.query.resolver_version = server.proxied.version
        server.query.resolver_high = server.proxied.high
        server.query.resolver_low = server.proxied.low
        server.client_port = server.proxied.port
    return size


def may_ask(server: Server) -> bool:
    """Return whether the client may ask the zone that was found."""
    trie = server.zone_query_trie[server.found.zone]
    if trie == NO_TRIE:
        return True
    found = walk(server, trie, server.query.resolver_version, server.query.resolver_high, server.query.resolver_low)
    return found >> 8 != 0


def limit_reply(server: Server, base: int, size: int) -> int:
    """Count a reply of `size` bytes at `server.outgoing[base:]`; return its length, less where it is truncated, DROPPED
    where it is not to be sent."""
    if server.rate_limit[LIMIT_COOKIES] and is_proven(server):
        return size
    is_none = server.is_steered and server.decision.pick_count == 0
    server.answer_class = class_of(server.kind, is_none)
    server.limited = charge(
        server.rates,
        server.rate_limit,
        server.query.resolver_version,
        server.query.resolver_high,
        server.asked_zone,
        server.answer_class,
        server.now_us,
        server.query.draw_base,
    )
    if server.limited == RATE_WITHIN:
        return size
    return cut_reply(server, base, size) if server.limited == RATE_TRUNCATED else DROPPED


def is_proven(server: Server) -> bool:
    """Return whether the client has shown by a cookie that he is where he says."""
    return server.cookie_bytes != 0 and server.has_cookies and server.cookie.is_valid


def cut_reply(server: Server, base: int, size: int) -> int:
    """Leave of a reply its header, with TC, its question and its OPT record; return its length."""
    end = base + HEADER_BYTES
    if server.outgoing[base + 5]:
        end += server.name_bytes + QUESTION_TAIL_BYTES
    for index in range(base + size - server.opt_start):
        server.outgoing[end + index] = server.outgoing[server.opt_start + index]
    server.outgoing[base + 2] |= TC_BIT
    for index in range(6, HEADER_BYTES):
        server.outgoing[base + index] = 0
    server.outgoing[base + 11] = 1 if server.has_edns else 0
    return end + size - server.opt_start
