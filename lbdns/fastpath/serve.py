"""One datagram on the fast path: read, look up, decide or copy a template, write. Everything unusual is DEFERRED.

No DNS is decided here. Names are looked up by snapshot/lookup.py, load balancers steered by steering/decide.py, records
come from templates that the slow path rendered; what remains is reading a plain query and writing a header. For every
query that is answered here the bytes equal the slow path's.

Runs interpreted and compiled (types in the `.pxd`); compiled it allocates nothing and needs no interpreter.

Bounds, since compiled code checks none: reads stay below `length`, which the reader compares before every field; writes
stay below `limit` (at most 1232 bytes), which the writers compare before every record; indices come from a checked
snapshot.
"""

from __future__ import annotations

from lbdns.fastpath.layout import (
    AA_BIT,
    DEFERRED,
    DROPPED,
    EDE_BYTES,
    NO_TEMPLATE,
    OPCODE_BITS,
    OPT_BYTES,
    OPTION_HEAD_BYTES,
    QR_BIT,
    RCODE_BITS,
    RD_BIT,
    RECORD_HEAD_BYTES,
    RELOCATION_BIAS,
    ROW_ADDITIONALS,
    ROW_ANSWERS,
    ROW_AUTHORITIES,
    ROW_FLAGS,
    ROW_LENGTH,
    ROW_OFFSET,
    ROW_RELOCATION,
    ROW_RELOCATIONS,
    TEMPLATE_ROW,
)
from lbdns.fastpath.read import Server, get16, read_name, read_rest
from lbdns.snapshot.codes import CNAME, HIT, NODATA, NXDOMAIN, OUT_OF_ZONE, REFERRAL, STEERED
from lbdns.snapshot.lookup import look_up
from lbdns.snapshot.names import hash_suffixes
from lbdns.steering.decide import decide
from lbdns.steering.layout import ENDPOINT_FLATTEN, ENDPOINT_HOSTNAME, FAMILY_A, FAMILY_NAMED, LB_APEX
from lbdns.wire.codes import (
    CLASS_IN,
    EDE_NOT_AUTHORITATIVE,
    FORMERR,
    HEADER_BYTES,
    OPTION_ECS,
    OPTION_EDE,
    REFUSED,
    TYPE_CNAME,
    TYPE_MX,
    TYPE_OPT,
    UDP_BYTES_MAX,
)
from lbdns.wire.codes import NXDOMAIN as RCODE_NXDOMAIN


def serve(server: Server, data: memoryview, start: int, length: int, out: memoryview, base: int) -> int:
    """Answer the datagram `data[start:start + length]` into `out[base:]`; for callers with buffers of their own."""
    server.incoming = data
    server.outgoing = out
    return answer(server, start, length, base)


def answer(server: Server, start: int, length: int, base: int) -> int:
    """Answer `server.incoming[start:start + length]` into `server.outgoing[base:]`; return the reply's length in bytes.

    Returns DROPPED where there is no reply, DEFERRED where the slow path has to answer.
    """
    server.is_steered = False
    server.rcode = 0
    if length < HEADER_BYTES or server.incoming[start + 2] & QR_BIT:
        return DROPPED
    if server.incoming[start + 2] & OPCODE_BITS:
        return DEFERRED
    if get16(server, start + 4) != 1 or not read_name(server, start, length):
        # With records behind it there may be an OPT, which every error repeats.
        return DEFERRED if get16(server, start + 10) else write_broken(server, start, base)
    if not read_rest(server, start, length):
        return DEFERRED
    hash_suffixes(server.suffixes)
    look_up(server.zones, server.suffixes, server.qtype, server.found)
    kind = server.found.kind
    if kind == STEERED:
        return write_steered(server, start, base)
    if kind in (HIT, CNAME):
        return write_template(server, start, base, server.rrset_template[server.found.row], 0, 0)
    if kind == NXDOMAIN:
        template = server.zone_template[server.found.zone]
        return write_template(server, start, base, template, RCODE_NXDOMAIN, 0)
    if kind == NODATA:
        return write_template(server, start, base, server.zone_template[server.found.zone], 0, 0)
    if kind == REFERRAL:
        return write_template(server, start, base, server.name_template[server.found.entry], 0, 0)
    if kind == OUT_OF_ZONE:
        return write_refused(server, start, base)
    return DEFERRED


def put16(server: Server, position: int, value: int) -> None:
    """Write a 16-bit number."""
    server.outgoing[position] = (value >> 8) & 0xFF
    server.outgoing[position + 1] = value & 0xFF


def opt_bytes(server: Server, ede: int) -> int:
    """Return the length of the reply's OPT record."""
    if not server.has_edns:
        return 0
    size = OPT_BYTES + (EDE_BYTES if ede else 0)
    return size + OPTION_HEAD_BYTES + server.ecs_bytes if server.ecs_bytes else size


def write_opt(server: Server, position: int, scope: int, ede: int) -> int:
    """Write the OPT record, with ECS where the query had it, and return the position after it."""
    if not server.has_edns:
        return position
    server.outgoing[position] = 0
    put16(server, position + 1, TYPE_OPT)
    put16(server, position + 3, UDP_BYTES_MAX)
    put16(server, position + 5, 0)
    put16(server, position + 7, 0)
    put16(server, position + 9, opt_bytes(server, ede) - OPT_BYTES)
    position += OPT_BYTES
    if server.ecs_bytes:
        put16(server, position, OPTION_ECS)
        put16(server, position + 2, server.ecs_bytes)
        position += OPTION_HEAD_BYTES
        for index in range(server.ecs_bytes):
            server.outgoing[position + index] = server.incoming[server.ecs_start + index]
        server.outgoing[position + 3] = scope if server.ecs_source else 0
        position += server.ecs_bytes
    if ede:
        put16(server, position, OPTION_EDE)
        put16(server, position + 2, 2)
        put16(server, position + 4, ede)
        position += EDE_BYTES
    return position


def write_head(server: Server, start: int, base: int, flags: int, rcode: int) -> int:
    """Write ID, flags and the question as it came, counts 1 0 0 and OPT's; return the position after the question."""
    server.rcode = rcode
    end = HEADER_BYTES + server.name_bytes + 4
    for index in range(end):
        server.outgoing[base + index] = server.incoming[start + index]
    server.outgoing[base + 2] = QR_BIT | flags | (server.incoming[start + 2] & RD_BIT)
    server.outgoing[base + 3] = rcode
    for index in range(6, 12):
        server.outgoing[base + index] = 0
    server.outgoing[base + 11] = 1 if server.has_edns else 0
    return base + end


def write_broken(server: Server, start: int, base: int) -> int:
    """Write FORMERR for a query without a question that can be read: a header alone."""
    server.rcode = FORMERR
    server.found.kind = OUT_OF_ZONE
    for index in range(HEADER_BYTES):
        server.outgoing[base + index] = 0
    server.outgoing[base] = server.incoming[start]
    server.outgoing[base + 1] = server.incoming[start + 1]
    server.outgoing[base + 2] = QR_BIT | (server.incoming[start + 2] & RD_BIT)
    server.outgoing[base + 3] = FORMERR
    return HEADER_BYTES


def write_refused(server: Server, start: int, base: int) -> int:
    """Write REFUSED for a name outside all zones, with EDE 20 where there is an OPT record for it."""
    position = write_head(server, start, base, 0, REFUSED)
    return write_opt(server, position, 0, EDE_NOT_AUTHORITATIVE) - base


def write_template(
    server: Server,
    start: int,
    base: int,
    template: int,
    rcode: int,
    scope: int,
) -> int:
    """Write a rendered answer, its pointers set for this question; `rcode` 0: the template's own."""
    if template == NO_TEMPLATE:
        return DEFERRED
    row = template * TEMPLATE_ROW
    size = server.template_row[row + ROW_LENGTH]
    if HEADER_BYTES + server.name_bytes + 4 + size + opt_bytes(server, 0) > server.limit:
        return DEFERRED
    flags = server.template_row[row + ROW_FLAGS]
    if rcode == 0:
        rcode = flags & RCODE_BITS
    position = write_head(server, start, base, (flags >> 8) & AA_BIT, rcode)
    put16(server, base + 6, server.template_row[row + ROW_ANSWERS])
    put16(server, base + 8, server.template_row[row + ROW_AUTHORITIES])
    put16(server, base + 10, server.template_row[row + ROW_ADDITIONALS] + (1 if server.has_edns else 0))
    offset = server.template_row[row + ROW_OFFSET]
    for index in range(size):
        server.outgoing[position + index] = server.template_blob[offset + index]
    first = server.template_row[row + ROW_RELOCATION]
    for index in range(first, first + server.template_row[row + ROW_RELOCATIONS]):
        target = HEADER_BYTES + server.name_bytes + server.relocation_target[index] - RELOCATION_BIAS
        put16(server, position + server.relocation_position[index], 0xC000 | target)
    return write_opt(server, position + size, scope, 0) - base


def write_steered(server: Server, start: int, base: int) -> int:
    """Decide for a load balancer and write its records."""
    server.query.lb = server.found.load_balancer
    server.query.family = server.found.family
    decide(server.view, server.query, server.decision)
    server.is_steered = True
    if server.decision.pick_count == 0:
        template = server.zone_template[server.found.zone]
        return write_template(server, start, base, template, 0, server.decision.scope)
    limit = base + server.limit - opt_bytes(server, 0)
    position = write_head(server, start, base, AA_BIT, 0)
    for index in range(server.decision.pick_count):
        endpoint = server.decision.picks[index]
        if server.found.family == FAMILY_NAMED:
            position = write_named(server, position, limit, endpoint)
        elif server.view.endpoint_flags[endpoint] & ENDPOINT_HOSTNAME:
            position = write_cname(server, position, limit, endpoint)
        else:
            position = write_address(server, position, limit, endpoint)
        if position < 0:
            return DEFERRED
    put16(server, base + 6, server.decision.pick_count)
    return write_opt(server, position, server.decision.scope, 0) - base


def write_record_head(server: Server, position: int, rtype: int, size: int) -> int:
    """Write a record up to its data: the name asked for, type, class IN, the decision's TTL, length."""
    ttl = server.decision.ttl
    put16(server, position, 0xC00C)
    put16(server, position + 2, rtype)
    put16(server, position + 4, CLASS_IN)
    put16(server, position + 6, (ttl >> 16) & 0xFFFF)
    put16(server, position + 8, ttl & 0xFFFF)
    put16(server, position + 10, size)
    return position + RECORD_HEAD_BYTES


def write_address(server: Server, position: int, limit: int, endpoint: int) -> int:
    """Write an endpoint's A or AAAA record; return the position after it, DEFERRED where it does not fit."""
    size = 4 if server.found.family == FAMILY_A else 16
    if position + RECORD_HEAD_BYTES + size > limit:
        return DEFERRED
    position = write_record_head(server, position, server.qtype, size)
    for index in range(size):
        server.outgoing[position + index] = server.endpoint_address[endpoint * 16 + index]
    return position + size


def target_bytes(server: Server, offset: int) -> int:
    """Return the length of the wire name in the blob at `offset`."""
    position = offset
    while server.blob[position]:
        position += server.blob[position] + 1
    return position + 1 - offset


def write_target(server: Server, position: int, endpoint: int, size: int) -> int:
    """Write an endpoint's hostname uncompressed."""
    offset = server.endpoint_target[endpoint]
    for index in range(size):
        server.outgoing[position + index] = server.blob[offset + index]
    return position + size


def write_cname(server: Server, position: int, limit: int, endpoint: int) -> int:
    """Write an endpoint's CNAME where that is its answer; hostnames that are flattened are the slow path's."""
    flattened = server.view.endpoint_flags[endpoint] & ENDPOINT_FLATTEN
    if flattened or server.view.lb_flags[server.query.lb] & LB_APEX or server.endpoint_deferred[endpoint]:
        return DEFERRED
    size = target_bytes(server, server.endpoint_target[endpoint])
    if server.decision.pick_count != 1 or position + RECORD_HEAD_BYTES + size > limit:
        return DEFERRED
    position = write_record_head(server, position, TYPE_CNAME, size)
    return write_target(server, position, endpoint, size)


def write_named(server: Server, position: int, limit: int, endpoint: int) -> int:
    """Write an endpoint's MX record (priority, name) or SRV record (priority, weight x 100, port, name)."""
    if server.endpoint_deferred[endpoint]:
        return DEFERRED
    size = target_bytes(server, server.endpoint_target[endpoint])
    fixed = 2 if server.qtype == TYPE_MX else 6
    if position + RECORD_HEAD_BYTES + fixed + size > limit:
        return DEFERRED
    position = write_record_head(server, position, server.qtype, fixed + size)
    put16(server, position, server.endpoint_priority[endpoint])
    if fixed == 6:
        put16(server, position + 2, server.view.endpoint_weight[endpoint])
        put16(server, position + 4, server.endpoint_port[endpoint])
    return write_target(server, position + fixed, endpoint, size)
