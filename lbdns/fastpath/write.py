"""Replies on the fast path: header, templates, what a load balancer decided, OPT; and errors, which have no records.

No DNS is decided here: records come from templates that the slow path rendered, a load balancer's from its decision.

Bounds: writes stay below `limit` (at most 1232 bytes), which the writers compare before every record.
"""

from __future__ import annotations

from lbdns.dns.codes import *
from lbdns.dns.wire import named_head, named_head_bytes, reply_flags
from lbdns.fastpath.layout import *
from lbdns.fastpath.read import Server, get16
from lbdns.fastpath.write_opt import opt_bytes, write_opt
from lbdns.mapped.columns import *
from lbdns.mapped.octets import *
from lbdns.snapshot.lookup.name_rows import *
from lbdns.steering.kernel.decide import decide
from lbdns.steering.kernel.numbers import *


def put16(server: Server, position: int, value: int) -> None:
    """Write a 16-bit number."""
    server.outgoing[position] = (value >> 8) & 0xFF
    server.outgoing[position + 1] = value & 0xFF


def field16(server: Server, offset: int) -> int:
    """Return a 16-bit number of a template."""
    return server.template_blob[offset] | server.template_blob[offset + 1] << 8


def field32(server: Server, offset: int) -> int:
    """Return a 32-bit number of a template."""
    return field16(server, offset) | field16(server, offset + 2) << 16


def write_head(server: Server, start: int, base: int, flags: int, rcode: int) -> int:
    """Write ID, flags and the question as it came; return the position after it. `write_end` writes the counts."""
    server.rcode = rcode
    server.answers = 0
    server.authorities = 0
    server.additionals = 0
    server.is_partial = False
    end = HEADER_BYTES + server.name_bytes + QUESTION_TAIL_BYTES
    copy_octets(server.incoming, start, server.outgoing, base, end)
    server.outgoing[base + 2] = flags | reply_flags(get16(server, start + 2), 0) >> 8
    return base + end


def write_end(server: Server, base: int, position: int, scope: int, ede: int) -> int:
    """Write RCODE, counts and the OPT record; return the reply's length, DEFERRED for one that lacks what TCP has room
    for."""
    if server.is_partial and server.is_stream:
        return DEFERRED
    server.outgoing[base + 3] = server.rcode
    put16(server, base + 6, server.answers)
    put16(server, base + 8, server.authorities)
    put16(server, base + 10, server.additionals + (1 if server.has_edns else 0))
    return write_opt(server, position, scope, ede) - base


def write_broken(server: Server, start: int, base: int, rcode: int) -> int:
    """Write an error for a message without one question that can be read: a header, and the OPT record where it had
    one."""
    server.rcode = rcode
    server.qtype = 0
    for index in range(HEADER_BYTES):
        server.outgoing[base + index] = 0
    server.outgoing[base] = server.incoming[start]
    server.outgoing[base + 1] = server.incoming[start + 1]
    put16(server, base + 2, reply_flags(get16(server, start + 2), rcode))
    server.outgoing[base + 11] = 1 if server.has_edns else 0
    return write_opt(server, base + HEADER_BYTES, 0, 0) - base


def write_refusal(server: Server, start: int, base: int, rcode: int, ede: int) -> int:
    """Write an error, with `ede` (0: none) where there is an OPT record for it. It answers for no zone."""
    server.extended = rcode >> 4
    position = write_head(server, start, base, 0, rcode & RCODE_MASK)
    return write_end(server, base, position, server.view_scope, ede)


def write_template(server: Server, start: int, base: int, template: int, rcode: int) -> int:
    """Write a rendered answer, its pointers set for this question; `rcode` 0: the template's own.

    Where it does not fit, what is optional gives way; where that does not suffice, it is truncated.
    """
    if template == NO_TEMPLATE:
        return DEFERRED
    position = write_head(server, start, base, (field16(server, template + TEMPLATE_FLAGS) >> 8) & AA_BIT, rcode)
    server.owner = ASKED_POINTER
    return write_rest(server, start, base, position, template, server.view_scope)


def write_rest(server: Server, start: int, base: int, position: int, template: int, scope: int) -> int:
    """Write a rendered answer after what stands before `position`, and end the reply; `server.owner` is the name that
    it is for, `server.rcode` 0 where it is the template's."""
    flags = field16(server, template + TEMPLATE_FLAGS)
    room = base + server.limit - opt_bytes(server, 0) - position
    size = field16(server, template + TEMPLATE_LENGTH)
    if size > room:
        size = field16(server, template + TEMPLATE_LEAST)
    if server.rcode == 0:
        server.rcode = flags & RCODE_MASK
    if server.owner != ASKED_POINTER and flags & TEMPLATE_LONG:
        return DEFERRED
    if size > room or flags & FLAG_TC:
        return write_truncated(server, start, base, scope)
    end = write_body(server, base, position, template, size)
    if server.owner != ASKED_POINTER and not set_owners(server, position, end):
        return DEFERRED
    return write_end(server, base, end, scope, 0)


def write_truncated(server: Server, start: int, base: int, scope: int) -> int:
    """Write header, question and OPT alone, as what is required does not fit: AA and RCODE are as they were to be."""
    position = write_head(server, start, base, server.outgoing[base + 2] & AA_BIT | TC_BIT, server.rcode)
    server.is_partial = True
    return write_end(server, base, position, scope, 0)


def set_owners(server: Server, position: int, end: int) -> bool:
    """Put `server.owner` where records point at the question's name; return False where a DNAME is among them, which
    may stand before them already."""
    while position < end:
        if server.outgoing[position] << 8 | server.outgoing[position + 1] == ASKED_POINTER:
            put16(server, position, server.owner)
        label = server.outgoing[position]
        while label and label < POINTER_LABEL:
            position += 1 + label
            label = server.outgoing[position]
        position += 2 if label else 1
        if server.outgoing[position] << 8 | server.outgoing[position + 1] == TYPE_DNAME:
            return False
        position += RECORD_TAIL_BYTES - 2
        position += 2 + (server.outgoing[position] << 8 | server.outgoing[position + 1])
    return True


def write_body(server: Server, base: int, position: int, template: int, size: int) -> int:
    """Write a template's records at `position`, which has room for them, and count them; return the position after.

    `size`: the whole body's, or what of it must be there.
    """
    server.answers += field16(server, template + TEMPLATE_ANSWERS)
    server.authorities += field16(server, template + TEMPLATE_AUTHORITIES)
    server.additionals += field16(server, template + TEMPLATE_ADDITIONALS)
    flags = field16(server, template + TEMPLATE_FLAGS)
    if flags & TEMPLATE_CUT:
        server.is_partial = True
    if size != field16(server, template + TEMPLATE_LENGTH):
        server.additionals -= field16(server, template + TEMPLATE_OPTIONAL)
        server.is_partial = True
    relocations = field16(server, template + TEMPLATE_RELOCATIONS)
    steers = flags & TEMPLATE_STEERS
    at = template + (STEERS_HEAD_BYTES if steers else TEMPLATE_HEAD_BYTES)
    body = at + relocations * RELOCATION_BYTES
    copy_octets(server.template_blob, body, server.outgoing, position, size)
    name_end = HEADER_BYTES + server.name_bytes
    # Of the body's own names the template knows where they are when nothing stands between it and the question.
    shift = position - base - name_end - QUESTION_TAIL_BYTES
    while at < body and field16(server, at) < size:
        target = field16(server, at + 2) - RELOCATION_BIAS
        if target >= QUESTION_TAIL_BYTES:
            target += shift
        put16(server, position + field16(server, at), POINTER_BITS | (name_end + target))
        at += RELOCATION_BYTES
    return position + size


def write_steered(server: Server, start: int, base: int, before: int) -> int:
    """Decide for a load balancer and write its records, after the aliases in the template `before` where there is
    one."""
    server.owner = ASKED_POINTER
    return steer_on(server, start, base, write_head(server, start, base, AA_BIT, 0), before)


def steer_on(server: Server, start: int, base: int, position: int, before: int) -> int:
    """Write what a load balancer gives after what stands before `position`; `server.owner` is the name that it, or the
    first alias in `before`, is for. Where the decision has no record, `none` is the answer.
    """
    if not decide_found(server, before):
        return DEFERRED
    if server.decision.pick_count == 0:
        none = (
            server.zone_template[server.found.zone] if before == NO_TEMPLATE else field32(server, before + STEERS_NONE)
        )
        return write_none(server, start, base, position, none)
    limit = base + server.limit - opt_bytes(server, 0)
    if before != NO_TEMPLATE:
        flags = field16(server, before + TEMPLATE_FLAGS)
        if server.owner != ASKED_POINTER and flags & TEMPLATE_LONG:
            return DEFERRED
        server.is_long = flags & TEMPLATE_LONG != 0
        size = field16(server, before + TEMPLATE_LENGTH)
        if flags & FLAG_TC or position + size > limit:
            return write_truncated(server, start, base, server.decision.scope)
        first = position
        position = write_body(server, base, position, before, size) - POINTER_BYTES
        if server.owner != ASKED_POINTER and not set_owners(server, first, position):
            return DEFERRED
        server.owner = server.outgoing[position] << 8 | server.outgoing[position + 1]
    end = write_picks(server, base, position, limit)
    if end == TOO_LARGE:
        return write_truncated(server, start, base, server.decision.scope)
    return write_end(server, base, end, server.decision.scope, 0) if end > position else DEFERRED


def decide_found(server: Server, before: int) -> bool:
    """Decide for the load balancer that was found, after the aliases in the template `before` where there is one;
    return False where the slow path has to."""
    if server.lb_flags[server.found.load_balancer] & LB_VARIES and are_rules_left(server, before):
        return False
    server.query.lb = server.found.load_balancer
    server.query.family = server.found.family
    server.query.wants_cname = server.qtype == TYPE_CNAME
    decide(server, server.query, server.decision)
    if server.decision.scope < server.view_scope:
        server.decision.scope = server.view_scope
    server.is_steered = True
    server.is_long = False
    return True


def are_rules_left(server: Server, before: int) -> bool:
    """Return whether the slow path has to decide: rules ask what Python alone can tell, or for a name that is not the
    one in the question, as aliases in the template `before` lead to it."""
    rules = server.lb_rules[server.found.load_balancer]
    if rules == NO_RULES:
        return False
    if server.rules_asks_python[rules]:
        return True
    return before != NO_TEMPLATE and server.rules_reads_name[rules] != 0


def write_none(server: Server, start: int, base: int, position: int, template: int) -> int:
    """Write the negative answer that a decision came to: its SOA holds no longer than the load balancer's TTL."""
    if template == NO_TEMPLATE:
        return DEFERRED
    size = write_rest(server, start, base, position, template, server.decision.scope)
    if size > 0 and not server.outgoing[base + 2] & TC_BIT:
        at = position + field16(server, template + TEMPLATE_TTL)
        ttl = server.decision.ttl
        if ttl < get32(server, at):
            put16(server, at, (ttl >> 16) & 0xFFFF)
            put16(server, at + 2, ttl & 0xFFFF)
    return size


def get32(server: Server, position: int) -> int:
    """Return a 32-bit number of the reply."""
    value = 0
    for octet in range(4):
        value = value << 8 | server.outgoing[position + octet]
    return value


def write_picks(server: Server, base: int, position: int, limit: int) -> int:
    """Write the records of a decision; return the position after them, TOO_LARGE where they do not fit, DEFERRED where
    the slow path knows."""
    if server.found.family == FAMILY_NAMED:
        return write_named(server, base, position, limit)
    if server.decision.is_alias:
        return write_cname(server, base, position, limit, server.decision.picks[0])
    return write_addresses(server, position, limit)


def write_record_head(server: Server, position: int, rtype: int, size: int) -> int:
    """Write an answer's record up to its data: owner, type, class IN, the decision's TTL, length."""
    ttl = server.decision.ttl
    put16(server, position, server.owner)
    put16(server, position + 2, rtype)
    put16(server, position + 4, CLASS_IN)
    put16(server, position + 6, (ttl >> 16) & 0xFFFF)
    put16(server, position + 8, ttl & 0xFFFF)
    put16(server, position + 10, size)
    server.answers += 1
    return position + RECORD_HEAD_BYTES


def write_addresses(server: Server, position: int, limit: int) -> int:
    """Write the A or AAAA records of a decision."""
    size = 4 if server.found.family == FAMILY_A else 16
    count = server.decision.address_count
    if position + count * (RECORD_HEAD_BYTES + size) > limit:
        return TOO_LARGE
    for number in range(count):
        position = write_record_head(server, position, server.qtype, size)
        at = number * ADDRESS_BYTES
        # Four at a time: a loop of so many is none once it is compiled.
        for word in range(0, size, 4):
            for octet in range(4):
                server.outgoing[position + word + octet] = server.decision.addresses[at + word + octet]
        position += size
    return position


def target_bytes(server: Server, offset: int) -> int:
    """Return the length of the wire name in the blob at `offset`."""
    position = offset
    while server.blob[position]:
        position += server.blob[position] + 1
    return position + 1 - offset


def write_target(server: Server, position: int, endpoint: int, size: int) -> int:
    """Write an endpoint's hostname uncompressed."""
    offset = server.endpoint_target[endpoint]
    copy_octets(server.blob, offset, server.outgoing, position, size)
    return position + size


def endpoint_row(server: Server, endpoint: int) -> int:
    """Return the row that says what stands at an endpoint's hostname in the zone that answers, NO_ROW where it is in
    another, or in none here: its own, or one behind it where views see other zones there."""
    row = endpoint
    while row != NO_ROW and server.endpoint_zone[row] != server.found.zone:
        row = server.endpoint_other[row]
    return row


def write_cname(server: Server, base: int, position: int, limit: int, endpoint: int) -> int:
    """Write an endpoint's CNAME, and what follows from it where its hostname stands in the zone that answers."""
    size = target_bytes(server, server.endpoint_target[endpoint])
    end = position + RECORD_HEAD_BYTES + size
    after = NO_TEMPLATE
    rest = 0
    row = endpoint_row(server, endpoint)
    if row != NO_ROW and server.qtype != TYPE_CNAME:
        after = server.endpoint_template[row * FAMILY_COUNT + server.found.family]
        if after == NO_TEMPLATE:
            return DEFERRED
        flags = field16(server, after + TEMPLATE_FLAGS)
        if server.owner != ASKED_POINTER and (flags & TEMPLATE_LONG or server.is_long):
            return DEFERRED
        server.rcode = flags & RCODE_MASK
        rest = field16(server, after + TEMPLATE_LENGTH)
        if end + rest > limit:
            rest = field16(server, after + TEMPLATE_LEAST)
        if flags & FLAG_TC:
            return TOO_LARGE
    if end + rest > limit:
        return TOO_LARGE
    position = write_record_head(server, position, TYPE_CNAME, size)
    position = write_target(server, position, endpoint, size)
    if after == NO_TEMPLATE:
        return position
    end = write_body(server, base, position, after, rest)
    return end if server.owner == ASKED_POINTER or set_owners(server, position, end) else DEFERRED


def write_named(server: Server, base: int, position: int, limit: int) -> int:
    """Write MX or SRV records, then the addresses of their hosts, unless these do not all fit."""
    position = write_hosts(server, position, limit)
    return position if position == TOO_LARGE else write_host_addresses(server, base, position, limit, False)


def write_hosts(server: Server, position: int, limit: int) -> int:
    """Write the MX records (priority, name) or SRV records (priority, weight x 100, port, name) of a decision."""
    fixed = named_head_bytes(server.qtype)
    for index in range(server.decision.pick_count):
        endpoint = server.decision.picks[index]
        size = target_bytes(server, server.endpoint_target[endpoint])
        if position + RECORD_HEAD_BYTES + fixed + size > limit:
            return TOO_LARGE
        position = write_record_head(server, position, server.qtype, fixed + size)
        head = named_head(
            server.qtype,
            server.endpoint_priority[endpoint],
            server.endpoint_weight[endpoint],
            server.endpoint_port[endpoint],
        )
        for octet in range(fixed):
            server.outgoing[position + octet] = (head >> (8 * (fixed - 1 - octet))) & 0xFF
        position = write_target(server, position + fixed, endpoint, size)
    return position


def write_host_addresses(server: Server, base: int, position: int, limit: int, is_signed: bool) -> int:
    """Write the addresses of those hosts that stand in the zone that answers (a pool has no hostname twice), with their
    signatures where `is_signed`, or none where not all fit."""
    required = position
    for index in range(min(server.decision.pick_count, ADDITIONAL_NAMES_MAX)):
        endpoint = server.decision.picks[index]
        row = endpoint_row(server, endpoint)
        if row == NO_ROW:
            if server.endpoint_is_nested[endpoint]:
                return DEFERRED
            continue
        after = server.endpoint_template[row * FAMILY_COUNT + FAMILY_NAMED]
        if is_signed and after != NO_TEMPLATE:
            after = field32(server, after + TEMPLATE_SIGNED)
            if after == NO_TEMPLATE:
                return DEFERRED
        # No template: no datagram holds it.
        size = 0 if after == NO_TEMPLATE else field16(server, after + TEMPLATE_LENGTH)
        if after == NO_TEMPLATE or position + size > limit:
            server.additionals = 0
            server.is_partial = True
            return required
        position = write_body(server, base, position, after, size)
    return position
