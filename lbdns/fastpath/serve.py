"""One datagram on the fast path: guard, read, look up, decide, write. What it cannot say as a whole is DEFERRED.

No DNS is decided here. Names are looked up by snapshot/lookup/look_up.py, load balancers steered by
steering/kernel/decide.py, records come from templates that the slow path rendered (fastpath/write.py patches them);
what remains is which template follows which. For every query that is answered here the bytes equal the slow path's.

Runs interpreted and compiled (types in the `.pxd`); compiled it allocates nothing and needs no interpreter.

Bounds, since compiled code checks none: reads stay below `length`, which the reader compares before every field; writes
stay below `limit` (at most 1232 bytes), which the writers compare before every record, those of DNAMEs below OUT_BYTES;
indices come from a checked snapshot.
"""

from __future__ import annotations

from lbdns.dns.codes import *
from lbdns.fastpath.layout import *
from lbdns.fastpath.limit import limit_reply, may_ask
from lbdns.fastpath.read import Server, forget_rest, get16, read_name, read_rest, read_unasked
from lbdns.fastpath.signed import serve_signed
from lbdns.fastpath.write import (
    field16,
    field32,
    put16,
    steer_on,
    target_bytes,
    write_body,
    write_broken,
    write_end,
    write_head,
    write_refusal,
    write_rest,
    write_steered,
    write_template,
    write_truncated,
)
from lbdns.fastpath.write_opt import opt_bytes
from lbdns.mapped.rate_words import *
from lbdns.snapshot.lookup.look_up import directory_of, has_load_balancer, look_up
from lbdns.snapshot.lookup.name_rows import *
from lbdns.snapshot.lookup.name_table import hash_suffixes
from lbdns.snapshot.lookup.view_of import view_of


def serve(server: Server, start: int, length: int, base: int) -> int:
    """Serve `server.incoming[start:start + length]` into `server.outgoing[base:]`; return the reply's length in bytes.

    Returns DROPPED where there is no reply, DEFERRED where the slow path has to answer.
    """
    server.limited = RATE_WITHIN
    size = serve_whole(server, start, length, base)
    return limit_reply(server, base, size) if server.has_limit and size > 0 else size


def serve_whole(server: Server, start: int, length: int, base: int) -> int:
    """Serve a datagram, as `serve` does, whatever its sender has had before."""
    server.is_steered = False
    server.is_barred = False
    server.signatures_sent = 0
    server.rcode = 0
    server.kind = NO_KIND
    server.view_scope = 0
    if guard(server, start, length) == DROPPED:
        return DROPPED
    if get16(server, start + 4) != 1 or not read_name(server, start, length):
        return serve_unasked(server, start, length, base)
    if not read_rest(server, start, length) or (server.is_stream and is_long_asked(server)):
        return DEFERRED
    refusal = refusal_of(server, start)
    if refusal != NOERROR:
        if server.heard and (is_heard(server, start) or is_transfer(server, refusal)):
            return DEFERRED
        return write_refusal(server, start, base, refusal, server.ede)
    if not server.is_hashed:
        hash_suffixes(server.suffixes)
    if server.has_views:
        choose_view(server)
    look_up(server, server.suffixes, server.qtype, server.directory, server.found)
    kind = server.found.kind
    if server.has_bars and kind != KIND_OUT_OF_ZONE and not may_ask(server):
        server.is_barred = True
        return write_refusal(server, start, base, REFUSED, EDE_PROHIBITED)
    server.kind = kind
    server.asked_zone = server.found.zone
    if server.has_signed and is_signed(server):
        return serve_signed(server, start, base, template_found(server))
    if kind == KIND_STEERED:
        return write_steered(server, start, base, NO_TEMPLATE)
    if kind == KIND_HIT and server.qtype == TYPE_ANY:
        return write_template(server, start, base, any_template(server), 0)
    if kind in (KIND_HIT, KIND_CNAME):
        return write_rrset(server, start, base, server.rrset_template[server.found.row])
    if kind == KIND_NXDOMAIN:
        template = server.zone_template[server.found.zone]
        return write_template(server, start, base, template, NXDOMAIN)
    if kind == KIND_NODATA:
        return write_template(server, start, base, server.zone_template[server.found.zone], 0)
    if kind == KIND_REFERRAL:
        return write_template(server, start, base, server.name_template[server.found.entry], 0)
    if kind == KIND_OUT_OF_ZONE:
        return write_refusal(server, start, base, REFUSED, EDE_NOT_AUTHORITATIVE)
    if kind == KIND_UNREADY:
        return write_refusal(server, start, base, SERVFAIL, EDE_NOT_READY)
    return write_dnames(server, start, base)


def is_signed(server: Server) -> bool:
    """Return whether the signed road has the query: with DO, or for records of DNSSEC alone, in a signed zone."""
    if server.found.kind in (KIND_OUT_OF_ZONE, KIND_UNREADY) or not server.zone_signed[server.found.zone]:
        return False
    return server.edns_flags & FLAG_DO != 0 or server.qtype in (TYPE_RRSIG, TYPE_NSEC)


def template_found(server: Server) -> int:
    """Return the template, without signatures, of the RRset or cut that was found; NO_TEMPLATE where that is none."""
    kind = server.found.kind
    if kind == KIND_REFERRAL:
        return server.name_template[server.found.entry]
    if kind not in (KIND_HIT, KIND_CNAME) or server.found.row == NO_ROW:
        return NO_TEMPLATE
    template = server.rrset_template[server.found.row]
    if template != NO_TEMPLATE and field16(server, template + TEMPLATE_FLAGS) & TEMPLATE_CHOICE:
        return choose(server, template, server.qtype)
    return template


def choose_view(server: Server) -> None:
    """Find the view that the query is answered in: its directory, and for how many bits of its ECS address it holds."""
    found = view_of(server, server.query, server.listener_view)
    server.seen_view = found >> 8
    server.view_scope = found & 0xFF
    server.directory = directory_of(server.seen_view)


def guard(server: Server, start: int, length: int) -> int:
    """Return what becomes of a datagram before its question is read: PROCEED or DROPPED. The stage before."""
    return DROPPED if length < HEADER_BYTES or server.incoming[start + 2] & QR_BIT else PROCEED


def is_heard(server: Server, start: int) -> bool:
    """Return whether a message is a NOTIFY or an UPDATE, and some zone takes these."""
    opcode = (server.incoming[start + 2] & OPCODE_BITS) >> OPCODE_SHIFT
    if opcode == OPCODE_NOTIFY:
        return server.heard & HEARS_NOTIFY != 0
    return opcode == OPCODE_UPDATE and server.heard & HEARS_UPDATE != 0


def is_long_asked(server: Server) -> bool:
    """Return whether what is asked for may be more over TCP than it is in a datagram, whatever the zone."""
    return server.qtype in (TYPE_ANY, TYPE_AXFR, TYPE_IXFR)


def is_transfer(server: Server, refusal: int) -> bool:
    """Return whether a query that is refused asks for the changes of a zone, and some zone gives them."""
    return refusal == REFUSED and server.qtype == TYPE_IXFR and server.heard & HEARS_TRANSFER != 0


def serve_unasked(server: Server, start: int, length: int, base: int) -> int:
    """Answer a message that has not one question, or one that cannot be read."""
    if server.heard and is_heard(server, start):
        return DEFERRED
    if get16(server, start + 4) == 1:
        forget_rest(server)
    elif not read_unasked(server, start, length):
        return DEFERRED
    if server.incoming[start + 2] & OPCODE_BITS:
        return write_broken(server, start, base, NOTIMP)
    return write_broken(server, start, base, NOERROR if is_for_cookie(server, start) else FORMERR)


def is_for_cookie(server: Server, start: int) -> bool:
    """Return whether a message asks nothing, and has a cookie (RFC 7873 section 5.4)."""
    if get16(server, start + 4) or get16(server, start + 6) or get16(server, start + 8) or server.edns_version:
        return False
    return server.cookie_bytes != 0 and server.has_cookies and not server.is_malformed


def write_overflow(server: Server, start: int, base: int) -> int:
    """Write what a client gets whose query `serve` has just DEFERRED, and for which there is no room: come over TCP,
    which nobody does in another's name. DROPPED for what is no query."""
    server.is_steered = False
    server.limited = RATE_WITHIN
    server.kind = NO_KIND
    if server.incoming[start + 2] & OPCODE_BITS or get16(server, start + 4) != 1:
        return DROPPED
    position = write_head(server, start, base, TC_BIT, NOERROR)
    return write_end(server, base, position, 0, 0)


def refusal_of(server: Server, start: int) -> int:
    """Return the RCODE of a query that no zone needs to be asked about, NOERROR where it may go on, and set `ede`: as
    `decode` (dns/message.py) and `reject_early` (answer/respond.py) have it, in their order."""
    if server.incoming[start + 2] & OPCODE_BITS:
        return NOTIMP
    if server.is_malformed or get16(server, start + 6) or (get16(server, start + 8) and server.qtype != TYPE_IXFR):
        return FORMERR
    if server.edns_version:
        return BADVERS
    if server.qclass != CLASS_IN:
        server.ede = EDE_NOT_AUTHORITATIVE
        return REFUSED
    if server.qtype == TYPE_NXNAME:
        server.ede = EDE_INVALID_QUERY_TYPE
        return FORMERR
    if server.qtype in (0, TYPE_OPT, TYPE_TKEY, TYPE_TSIG):
        return FORMERR
    return REFUSED if server.qtype in (TYPE_IXFR, TYPE_AXFR) else NOERROR


def any_template(server: Server) -> int:
    """Return the template for ANY at a name that has something: its first RRset's, a CNAME's unfollowed (RFC 8482
    section 4.2)."""
    if has_load_balancer(server, server.found.entry):
        return ANY_TEMPLATE
    row = server.found.row
    if row == NO_ROW:
        row = server.name_row[server.found.entry * NAME_ROW + ROW_FIRST_RRSET]
    template = server.rrset_template[row]
    if template != NO_TEMPLATE and field16(server, template + TEMPLATE_FLAGS) & TEMPLATE_CHOICE:
        return choose(server, template, TYPE_CNAME)
    return template


def write_rrset(server: Server, start: int, base: int, template: int) -> int:
    """Write the answer that an RRset leads to: its template, the one for the type asked, or a load balancer's."""
    if template != NO_TEMPLATE and field16(server, template + TEMPLATE_FLAGS) & TEMPLATE_CHOICE:
        template = choose(server, template, server.qtype)
    if template != NO_TEMPLATE and field16(server, template + TEMPLATE_FLAGS) & TEMPLATE_STEERS:
        find_balancer(server, template)
        return write_steered(server, start, base, template)
    return write_template(server, start, base, template, 0)


def choose(server: Server, choice: int, qtype: int) -> int:
    """Return the template for a type; the last of a choice is for all types that have none."""
    pair = choice + TEMPLATE_HEAD_BYTES
    for _ in range(field16(server, choice + TEMPLATE_LENGTH) - 1):
        if field32(server, pair) == qtype:
            break
        pair += CHOICE_BYTES
    return field32(server, pair + 4)


def find_balancer(server: Server, template: int) -> None:
    """Take the load balancer that aliases lead to for found."""
    server.found.load_balancer = field32(server, template + STEERS_LOAD_BALANCER)
    server.found.family = field16(server, template + STEERS_FAMILY)


def write_dnames(server: Server, start: int, base: int) -> int:
    """Write what is found below a DNAME: it, the CNAME that follows from it, and what that leads to in the zone; the
    same again where that is below another one."""
    zone = server.found.zone
    asked = server.qtype
    server.owner = ASKED_POINTER
    position = write_head(server, start, base, AA_BIT, 0)
    for count in range(DNAMES_MAX):
        position = write_dname(server, start, base, position, count)
        if position < 0:
            return DEFERRED
        if server.rcode == YXDOMAIN or asked in (TYPE_CNAME, TYPE_ANY):
            return end_dnames(server, start, base, position)
        look_up(server, server.suffixes, asked, server.directory, server.found)
        if server.found.kind == KIND_OUT_OF_ZONE or server.found.zone != zone:
            return end_dnames(server, start, base, position)
        if server.found.kind != KIND_DNAME:
            return write_found(server, start, base, position)
    return DEFERRED


def write_dname(server: Server, start: int, base: int, position: int, count: int) -> int:
    """Write a DNAME, the `count`th of the reply, and the CNAME that it makes of the name in `suffixes`, which that
    becomes (RFC 6672 section 3.2); return the position after them. Too long a name is YXDOMAIN.

    DEFERRED for what it has been at before: that goes round, or has been given; and for what takes too much room.
    """
    entry = server.found.entry
    for index in range(count):
        if server.passed[index] == entry:
            return DEFERRED
    server.passed[count] = entry
    template = server.name_template[entry]
    if template == NO_TEMPLATE:
        return DEFERRED
    prefix = server.suffixes.length - target_bytes(server, server.name_row[entry * NAME_ROW + ROW_OFFSET])
    body = field16(server, template + TEMPLATE_LENGTH)
    ttl = position + field16(server, template + TEMPLATE_TTL)
    target = ttl + 6
    size = prefix + position + body - target
    if position + body + RECORD_HEAD_BYTES + NAME_BYTES_MAX > base + OUT_BYTES:
        return DEFERRED
    end = write_body(server, base, position, template, body)
    if size > NAME_BYTES_MAX:
        server.rcode = YXDOMAIN
        return end
    put16(server, end, server.owner)
    put16(server, end + 2, TYPE_CNAME)
    put16(server, end + 4, CLASS_IN)
    for index in range(4):
        server.outgoing[end + 6 + index] = server.outgoing[ttl + index]
    put16(server, end + 10, size)
    server.answers += 1
    before = base + server.owner - POINTER_BITS
    made = end + RECORD_HEAD_BYTES
    server.owner = POINTER_BITS | (made - base)
    for index in range(prefix):
        server.outgoing[made + index] = server.outgoing[before + index]
    for index in range(size - prefix):
        byte = server.outgoing[target + index]
        server.outgoing[made + prefix + index] = byte
        server.suffixes.name[prefix + index] = byte + 32 if 65 <= byte <= 90 else byte
    hash_suffixes(server.suffixes)
    return made + size


def end_dnames(server: Server, start: int, base: int, position: int) -> int:
    """End a reply that stands before `position`."""
    if position + opt_bytes(server, 0) > base + server.limit:
        return write_truncated(server, start, base, server.view_scope)
    return write_end(server, base, position, server.view_scope, 0)


def write_found(server: Server, start: int, base: int, position: int) -> int:
    """Write what the name that DNAMEs made leads to, after what stands before `position`."""
    kind = server.found.kind
    if kind == KIND_STEERED:
        return steer_on(server, start, base, position, NO_TEMPLATE)
    template = server.zone_template[server.found.zone]
    if kind == KIND_NXDOMAIN:
        server.rcode = NXDOMAIN
    elif kind == KIND_REFERRAL:
        template = server.name_template[server.found.entry]
    elif kind != KIND_NODATA:
        template = server.rrset_template[server.found.row]
    if template != NO_TEMPLATE and field16(server, template + TEMPLATE_FLAGS) & TEMPLATE_CHOICE:
        template = choose(server, template, server.qtype)
    if template == NO_TEMPLATE:
        return DEFERRED
    if field16(server, template + TEMPLATE_FLAGS) & TEMPLATE_STEERS:
        find_balancer(server, template)
        return steer_on(server, start, base, position, template)
    return write_rest(server, start, base, position, template, server.view_scope)
