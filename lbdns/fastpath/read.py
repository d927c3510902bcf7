"""Reading a datagram on the fast path: a plain question with at most one OPT record; all else is left to the slow path.

Reads stay below `length`, which is compared before every field: compiled code checks no bounds by itself.
"""

from __future__ import annotations

from collections.abc import Mapping

from lbdns.dns.codes import *
from lbdns.dns.wire import is_client_subnet, is_cookie, udp_limit
from lbdns.fastpath.layout import *
from lbdns.mapped.columns import *
from lbdns.snapshot.lookup.look_up import Found
from lbdns.snapshot.lookup.name_table import Suffixes
from lbdns.steering.kernel.view import Decision, Query, View


class Server(View):
    """A view made ready for datagrams: with room to work in. One for each thread that serves.

    Before each call of `serve` the caller sets `query.resolver_*`, `query.now_s` and `query.draw_base`. After it,
    `found`, `decision` (where `is_steered`) and `rcode` tell what was done, for whoever counts.
    """

    def __init__(self, columns: Mapping[str, memoryview], health: Mapping[str, memoryview], pop_region: int) -> None:
        self.suffixes = Suffixes()
        self.found = Found()
        self.query = Query()
        self.decision = Decision()
        self.incoming = memoryview(bytearray(1))
        self.outgoing = memoryview(bytearray(1))
        self.name_bytes = 0
        self.qtype = 0
        self.answers = 0
        self.authorities = 0
        self.additionals = 0
        self.owner = ASKED_POINTER
        self.has_edns = False
        self.dnssec_ok = False
        self.limit = 0
        self.ecs_start = 0
        self.ecs_bytes = 0
        self.ecs_source = 0
        self.is_steered = False
        self.rcode = 0
        self.load(columns, health, pop_region)

    def load(self, columns: Mapping[str, memoryview], health: Mapping[str, memoryview], pop_region: int) -> None:
        """Serve from these columns from now on; nobody may be in `serve` meanwhile."""
        super().__init__(columns, health, pop_region)


def get16(server: Server, position: int) -> int:
    """Return the 16-bit number at `position`."""
    return (server.incoming[position] << 8) | server.incoming[position + 1]


def read_name(server: Server, start: int, length: int) -> bool:
    """Copy the question's name in lower case into `server.name`; return False where the question is broken."""
    position = HEADER_BYTES
    count = 0
    while True:
        if position >= length:
            return False
        label = server.incoming[start + position]
        if label > LABEL_BYTES_MAX or count + label + 1 > NAME_BYTES_MAX or position + label >= length:
            return False
        server.suffixes.name[count] = label
        count += 1
        position += 1
        if label == 0:
            break
        for index in range(label):
            byte = server.incoming[start + position + index]
            server.suffixes.name[count + index] = byte + 32 if 65 <= byte <= 90 else byte
        count += label
        position += label
    if position + 4 > length:
        return False
    server.name_bytes = count
    server.qtype = get16(server, start + position)
    return True


def read_rest(server: Server, start: int, length: int) -> bool:
    """Read class and OPT; return False for what the slow path has to look at."""
    position = HEADER_BYTES + server.name_bytes + 4
    server.has_edns = False
    server.dnssec_ok = False
    server.ecs_bytes = 0
    server.ecs_source = 0
    server.query.ecs_bits = 0
    server.limit = UDP_BYTES_MIN
    if get16(server, start + position - 2) != CLASS_IN or get16(server, start + 6) or get16(server, start + 8):
        return False
    if server.qtype in (0, TYPE_OPT, TYPE_NXNAME):
        return False
    if TYPE_META_FIRST <= server.qtype <= TYPE_META_LAST:
        return False
    records = get16(server, start + 10)
    if records == 0:
        return True
    if records > 1 or position + OPT_BYTES > length or server.incoming[start + position]:
        return False
    if get16(server, start + position + 1) != TYPE_OPT or server.incoming[start + position + 6]:
        return False
    server.has_edns = True
    server.dnssec_ok = server.incoming[start + position + 7] & DO_BIT != 0
    server.limit = udp_limit(get16(server, start + position + 3))
    end = position + OPT_BYTES + get16(server, start + position + 9)
    return end <= length and read_options(server, start, position + OPT_BYTES, end)


def read_options(server: Server, start: int, position: int, end: int) -> bool:
    """Read EDNS options from `position` to `end`; return False for what the slow path has to look at."""
    while position < end:
        if position + OPTION_HEAD_BYTES > end:
            return False
        code = get16(server, start + position)
        size = get16(server, start + position + 2)
        position += OPTION_HEAD_BYTES
        if position + size > end:
            return False
        if code == OPTION_ECS:
            if server.ecs_bytes or not read_ecs(server, start + position, size):
                return False
        elif (
            code == OPTION_NSID
            or (code == OPTION_KEEPALIVE and size)
            or (code == OPTION_COOKIE and not is_cookie(size))
        ):
            return False
        position += size
    return True


def read_ecs(server: Server, at: int, size: int) -> bool:
    """Read a Client Subnet option; return False where it is malformed (the slow path refuses it)."""
    if size < 4:
        return False
    family = get16(server, at)
    source = server.incoming[at + 2]
    octets = size - 4
    if not is_client_subnet(
        family, source, server.incoming[at + 3], octets, server.incoming[at + size - 1] if octets else 0
    ):
        return False
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
