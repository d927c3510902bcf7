"""Reading a datagram on the fast path: its question, its OPT record, and what is wrong with it; what is signed is left
to the slow path. It is `decode` of dns/message.py at speed: what that makes of a datagram stands there.

Reads stay below `length`, which is compared before every field: compiled code checks no bounds by itself.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import Final

from lbdns.answer.rate_table import RateTable
from lbdns.dns.codes import *
from lbdns.dns.cookie_words import *
from lbdns.dns.proxy_header import ProxyHeader
from lbdns.dns.server_cookie import ServerCookie
from lbdns.dns.wire import is_client_subnet, is_cookie, udp_limit
from lbdns.fastpath.layout import *
from lbdns.mapped.columns import *
from lbdns.mapped.octets import *
from lbdns.mapped.rate_words import *
from lbdns.mapped.signature_lookup import SignedKey
from lbdns.snapshot.lookup.look_up import Found
from lbdns.snapshot.lookup.name_rows import *
from lbdns.snapshot.lookup.name_table import Suffixes
from lbdns.steering.kernel.numbers import *
from lbdns.steering.kernel.view import Decision, Query, View

NO_RATES: Final = RateTable(memoryview(array("Q")))
"""The table of one that limits nothing."""


class Server(View):
    """A view made ready for datagrams: with room to work in. One for each thread that serves.

    Before each call of `serve` the caller sets `query.resolver_*`, `query.now_s`, `query.draw_base` and, for cookies,
    the time of day `unix_s`, for limits `now_us` of CLOCK_MONOTONIC. After it, `kind` and `asked_zone` (of the first
    look-up), `decision` (where `is_steered`), `rcode`, `seen_view`, `is_barred`, and `limited` with `answer_class`,
    tell what was done, for whoever counts.

    `is_hashed`: `suffixes` has the hashes of the name that will be read already (ahead.pyx).

    `is_stream`: messages come over TCP. There nothing is left out for want of room: the slow path has every reply that
    is larger than a datagram.
    """

    def __init__(
        self,
        columns: Mapping[str, memoryview],
        health: Mapping[str, memoryview],
        pop_region: int,
        listener_view: int = 0,
        generation: int = 0,
        signatures: Mapping[str, memoryview] = NO_SIGNATURES,
        heard: int = 0,
    ) -> None:
        self.suffixes = Suffixes()
        self.found = Found()
        self.query = Query()
        self.query.name = self.suffixes.name  # lower-case, and what DNAMEs make of it
        self.decision = Decision()
        self.incoming = memoryview(bytearray(1))
        self.outgoing = memoryview(bytearray(1))
        self.name_bytes = 0
        self.qtype = 0
        self.answers = 0
        self.authorities = 0
        self.additionals = 0
        self.owner = ASKED_POINTER
        self.qclass = CLASS_IN
        self.passed = memoryview(array("I", bytes(4 * DNAMES_MAX)))
        self.has_edns = False
        self.has_nsid = False
        self.has_keepalive = False
        self.is_stream = False
        self.is_partial = False
        self.asks_expiry = False
        self.is_malformed = False
        self.edns_version = 0
        self.edns_flags = 0
        self.extended = 0
        self.ede = 0
        self.limit = 0
        self.ecs_start = 0
        self.ecs_bytes = 0
        self.ecs_source = 0
        self.cookie = ServerCookie()
        self.cookie_bytes = 0
        self.has_cookie = False
        self.unix_s = 0
        self.opt_start = 0
        self.proxied = ProxyHeader()
        self.client_port = 0
        self.rates = NO_RATES
        self.now_us = 0
        self.limited = RATE_WITHIN
        self.answer_class = CLASS_ERROR
        self.is_barred = False
        self.made_key = SignedKey()
        self.made_name = memoryview(bytearray(NAME_BYTES_MAX + 1))
        self.made_name_bytes = 0
        self.signatures_sent = 0
        self.negative_ttl = 0
        self.is_steered = False
        self.is_long = False
        self.rcode = 0
        self.seen_view = 0
        self.view_scope = 0
        self.kind = NO_KIND
        self.asked_zone = 0
        self.directory = DIRECTORY
        self.is_hashed = False
        self.load(columns, health, pop_region, listener_view, generation, signatures, heard)

    def load(
        self,
        columns: Mapping[str, memoryview],
        health: Mapping[str, memoryview],
        pop_region: int,
        listener_view: int = 0,
        generation: int = 0,
        signatures: Mapping[str, memoryview] = NO_SIGNATURES,
        heard: int = 0,
    ) -> None:
        """Serve from these columns from now on; nobody may be in `serve` meanwhile. `listener_view`: the number of the
        view that who asks here is in, 0 for none; `generation`: whose columns they are; `heard`: what the slow path is
        to be asked beside queries (HEARS_*)."""
        super().__init__(columns, health, pop_region, signatures)
        self.listener_view = listener_view
        self.generation = generation
        self.heard = heard
        self.has_signed = len(self.zone_signed) != 0
        self.has_cookies = len(self.cookie_secret) != 0
        self.has_bars = len(self.zone_query_trie) != 0
        self.has_proxies = len(self.proxy_trie) != 0 and self.proxy_trie[0] != NO_TRIE
        self.has_limit = len(self.rate_limit) != 0 and len(self.rates.words) != 0
        self.has_views = listener_view != 0 or (len(self.view_trie) != 0 and self.view_trie[0] != NO_TRIE)

    def limit_by(self, rates: RateTable) -> None:
        """Count replies in a table from now on, where they are limited."""
        self.rates = rates
        self.has_limit = len(self.rate_limit) != 0


def get16(server: Server, position: int) -> int:
    """Return the 16-bit number at `position`."""
    return (server.incoming[position] << 8) | server.incoming[position + 1]


def read_name(server: Server, start: int, length: int) -> bool:
    """Copy the question's name in lower case into `server.name`; return False where the question is broken."""
    position = HEADER_BYTES
    label = 1
    while label:
        if position >= length:
            return False
        label = server.incoming[start + position]
        position += 1 + label
        if label > LABEL_BYTES_MAX or position > length or position - HEADER_BYTES > NAME_BYTES_MAX:
            return False
    count = position - HEADER_BYTES
    if position + 4 > length:
        return False
    # Length octets are no letters.
    copy_lower(server.incoming, start + HEADER_BYTES, server.suffixes.name, 0, count)
    server.name_bytes = count
    server.qtype = get16(server, start + position)
    return True


def forget_rest(server: Server) -> None:
    """Begin with a query that has nothing behind its question."""
    server.has_edns = False
    server.has_nsid = False
    server.has_keepalive = False
    server.asks_expiry = False
    server.is_malformed = False
    server.edns_version = 0
    server.edns_flags = 0
    server.extended = 0
    server.ede = 0
    server.ecs_bytes = 0
    server.ecs_source = 0
    server.cookie_bytes = 0
    server.has_cookie = False
    server.query.ecs_bits = 0
    server.limit = UDP_BYTES_MAX if server.is_stream else UDP_BYTES_MIN


def read_rest(server: Server, start: int, length: int) -> bool:
    """Read class and records behind the question; return False for what the slow path has to look at."""
    position = HEADER_BYTES + server.name_bytes + QUESTION_TAIL_BYTES
    forget_rest(server)
    server.qclass = get16(server, start + position - 2)
    skipped = get16(server, start + 6) + get16(server, start + 8)
    records = get16(server, start + 10)
    if skipped + records == 0:
        return True
    return read_records(server, start, length, position, skipped, records)


def read_unasked(server: Server, start: int, length: int) -> bool:
    """Read a message with another number of questions than one, for its OPT record; return False for what the slow path
    has to look at."""
    forget_rest(server)
    position = HEADER_BYTES
    for _ in range(get16(server, start + 4)):
        first = position
        label = 1
        while label:
            if position >= length:
                return True
            label = server.incoming[start + position]
            position += 1 + label
            if label > LABEL_BYTES_MAX or position - first > NAME_BYTES_MAX:
                return True
        position += QUESTION_TAIL_BYTES
    skipped = get16(server, start + 6) + get16(server, start + 8)
    return read_records(server, start, length, position, skipped, get16(server, start + 10))


def read_records(server: Server, start: int, length: int, position: int, skipped: int, additionals: int) -> bool:
    """Walk the records from `position` on; the last `additionals` of them may hold one OPT. Return False for a signed
    query, and for one that asks how long a zone still holds. Each has bytes of its own, so that the datagram bounds the
    walk."""
    for index in range(skipped + additionals):
        head = skip_name(server, start, position, length)
        if head < 0 or head + RECORD_TAIL_BYTES > length:
            server.is_malformed = True
            return True
        rtype = get16(server, start + head)
        data = head + RECORD_TAIL_BYTES
        end = data + get16(server, start + data - 2)
        if rtype == TYPE_TSIG:
            return False
        if rtype == TYPE_OPT:
            if index < skipped or server.has_edns or server.incoming[start + position]:
                server.is_malformed = True
            else:
                server.has_edns = True
                if not server.is_stream:
                    server.limit = udp_limit(get16(server, start + head + 2))
                server.edns_version = server.incoming[start + head + 5]
                server.edns_flags = get16(server, start + head + 6)
                # Of another version only the number is sure to mean what it says (RFC 6891 section 6.1.3).
                if not read_options(server, start, data, min(end, length)) and server.edns_version == 0:
                    server.is_malformed = True
                # How long a zone still holds is not in the snapshot.
                if server.asks_expiry and server.qtype == TYPE_SOA:
                    return False
        if end > length:
            server.is_malformed = True
            return True
        position = end
    return True


def skip_name(server: Server, start: int, position: int, length: int) -> int:
    """Return the offset after a name that may end in a compression pointer, -1 where there is none."""
    while position < length:
        label = server.incoming[start + position]
        if label & POINTER_LABEL == POINTER_LABEL:
            return position + 2 if position + 2 <= length else -1
        if label > LABEL_BYTES_MAX:
            return -1
        position += 1 + label
        if label == 0:
            return position
    return -1


def read_options(server: Server, start: int, position: int, end: int) -> bool:
    """Read EDNS options from `position` to `end`; return whether all are well-formed."""
    is_well = True
    while position < end:
        if position + OPTION_HEAD_BYTES > end:
            return False
        code = get16(server, start + position)
        size = get16(server, start + position + 2)
        position += OPTION_HEAD_BYTES
        if position + size > end:
            return False
        if code == OPTION_ECS:
            is_well = read_ecs(server, start + position, size) and is_well
        elif code == OPTION_NSID:
            server.has_nsid = True
        elif code == OPTION_EXPIRE:
            server.asks_expiry = True
        elif code == OPTION_COOKIE:
            is_well = read_cookie(server, start + position, size) and is_well
        elif code == OPTION_KEEPALIVE:
            server.has_keepalive = server.is_stream
            is_well = is_well and size == 0
        position += size
    return is_well


def read_cookie(server: Server, at: int, size: int) -> bool:
    """Read a Cookie option; return False where it is malformed. The first alone is looked at (RFC 7873 section 5.2)."""
    if server.has_cookie:
        return True
    server.has_cookie = True
    if not is_cookie(size):
        return False
    server.cookie_bytes = size
    server.cookie.client = read_low_first(server, at, 8)
    server.cookie.is_given = size == COOKIE_BYTES
    if server.cookie.is_given:
        server.cookie.head = read_low_first(server, at + 8, 4)
        server.cookie.stamp = get16(server, at + 12) << 16 | get16(server, at + 14)
        server.cookie.hash = read_low_first(server, at + 16, 8)
    return True


def read_low_first(server: Server, at: int, octets: int) -> int:
    """Return a number of the datagram whose low octet comes first."""
    value = 0
    for index in range(octets - 1, -1, -1):
        value = value << 8 | server.incoming[at + index]
    return value


def read_ecs(server: Server, at: int, size: int) -> bool:
    """Read a Client Subnet option; return False where it is malformed. The first that is well-formed counts."""
    if size < 4:
        return False
    family = get16(server, at)
    source = server.incoming[at + 2]
    octets = size - 4
    if not is_client_subnet(
        family, source, server.incoming[at + 3], octets, server.incoming[at + size - 1] if octets else 0
    ):
        return False
    if server.ecs_bytes:
        return True
    server.ecs_start = at
    server.ecs_bytes = size
    server.ecs_source = source
    server.query.ecs_bits = source
    server.query.ecs_version = 6 if family == 2 else 4
    high = 0
    low = 0
    for index in range(octets):
        byte = server.incoming[at + 4 + index]
        if index < 8:
            high = high | (byte << (56 - 8 * index))
        else:
            low = low | (byte << (120 - 8 * index))
    server.query.ecs_high = high
    server.query.ecs_low = low
    return True
