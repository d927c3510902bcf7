"""The road of a query in a signed zone that wants signatures (DO): which template, which proofs, what is DEFERRED.

| what was found | what is written |
|---|---|
| an RRset, a CNAME that leads nowhere here | the plain template, and the RRset's signatures |
| the same by a wildcard | and the NSEC record that covers the name |
| with other names' records beside it, a referral | the template's signed sibling |
| a load balancer, at aliases' end too | its records, and their signatures from the table |
| one that decides for no records | SOA, and an NSEC record at the name asked; its signatures are in the table |
| a name without the type that is below a wildcard load balancer, or in a zone that denies compactly | the same |
| any other name without the type, or none | SOA, and the NSEC records of the chain that say so |

The slow path has what is not in the table, and what is rare: DNAMEs, ANY, NSEC3, denials of names that do not exist in
zones that deny compactly, records that are asked for by names below a wildcard load balancer; and whoever asks for
RRSIG or NSEC records, with DO or without.
"""

from __future__ import annotations

from lbdns.dns.codes import *
from lbdns.fastpath.layout import *
from lbdns.fastpath.proofs import (
    apex_bytes,
    apex_pointer,
    denial_ttl,
    lower_soa_ttl,
    made_signatures,
    sum_up,
    write_made_nsec,
    write_made_signatures,
    write_nsec,
    write_signatures,
    write_soa,
    write_tail,
)
from lbdns.fastpath.read import Server
from lbdns.fastpath.write import (
    decide_found,
    endpoint_row,
    field16,
    field32,
    put16,
    target_bytes,
    write_body,
    write_end,
    write_head,
    write_host_addresses,
    write_hosts,
    write_target,
    write_template,
    write_truncated,
)
from lbdns.fastpath.write_opt import opt_bytes
from lbdns.mapped.columns import *
from lbdns.mapped.octets import *
from lbdns.snapshot.lookup.denial import find_nsec
from lbdns.snapshot.lookup.look_up import has_load_balancer
from lbdns.snapshot.lookup.name_rows import *
from lbdns.steering.kernel.numbers import *


def serve_signed(server: Server, start: int, base: int, template: int) -> int:
    """Write the reply to a query in a signed zone, after the look-up; return its length, or DEFERRED.

    `template`: the plain one of the RRset or cut that was found, NO_TEMPLATE where there is none.
    """
    if not server.edns_flags & FLAG_DO or server.qtype in (TYPE_ANY, TYPE_RRSIG, TYPE_NSEC):
        return DEFERRED
    kind = server.found.kind
    server.owner = ASKED_POINTER
    if kind == KIND_STEERED:
        return steer_signed(server, start, base, NO_TEMPLATE)
    if kind in (KIND_NODATA, KIND_NXDOMAIN):
        return write_denial(server, start, base)
    if template == NO_TEMPLATE:
        return DEFERRED
    signed = field32(server, template + TEMPLATE_SIGNED)
    if kind == KIND_REFERRAL:
        return write_template(server, start, base, signed, 0)
    is_below = is_below_wildcard(server)
    if is_below and (signed != SIGNED_BY_ROW or not is_chained_wildcard(server)):
        return DEFERRED
    if signed == SIGNED_BY_ROW:
        return write_signed_rrset(server, start, base, template, is_below)
    if signed != NO_TEMPLATE and field16(server, signed + TEMPLATE_FLAGS) & TEMPLATE_STEERS:
        server.found.load_balancer = field32(server, signed + STEERS_LOAD_BALANCER)
        server.found.family = field16(server, signed + STEERS_FAMILY)
        return steer_signed(server, start, base, signed)
    return write_template(server, start, base, signed, 0)


def is_below_wildcard(server: Server) -> bool:
    """Return whether the name asked stands for itself nowhere, and was found by a wildcard."""
    offset = server.name_row[server.found.entry * NAME_ROW + ROW_OFFSET]
    return (
        server.blob[offset] == 1
        and server.blob[offset + 1] == ASTERISK
        and not (
            server.suffixes.name[0] == 1
            and server.suffixes.name[1] == ASTERISK
            and server.suffixes.length == target_bytes(server, offset)
        )
    )


def is_chained_wildcard(server: Server) -> bool:
    """Return whether the chain of NSEC records proves what the wildcard gives that was found; else what it gives is
    signed for each name."""
    return server.zone_signed[server.found.zone] == DENIAL_NSEC and not has_load_balancer(server, server.found.entry)


def room_for(server: Server, base: int) -> int:
    """Return where a reply's records have to end."""
    return base + server.limit - opt_bytes(server, 0)


def finish(server: Server, start: int, base: int, position: int, scope: int) -> int:
    """End a reply whose records end at `position`, or that is TOO_LARGE, or DEFERRED."""
    if position == TOO_LARGE:
        return write_truncated(server, start, base, scope)
    return DEFERRED if position < 0 else write_end(server, base, position, scope, 0)


def write_signed_rrset(server: Server, start: int, base: int, template: int, is_below: bool) -> int:
    """Write a template and the signatures over its one RRset, the one that was found; `is_below` a wildcard, with the
    record that shows that the name itself is not there (RFC 4035 section 3.1.3.3)."""
    limit = room_for(server, base)
    position = write_head(server, start, base, AA_BIT, 0)
    size = field16(server, template + TEMPLATE_LENGTH)
    if field16(server, template + TEMPLATE_FLAGS) & FLAG_TC or position + size > limit:
        return write_truncated(server, start, base, server.view_scope)
    position = write_body(server, base, position, template, size)
    row = server.found.row
    server.answers += server.rrset_signature_count[row]
    position = write_signatures(server, position, limit, ASKED_POINTER, row, server.rrset_ttl[row])
    if is_below and position > 0:
        entry = find_nsec(server, server.found.zone, server.suffixes, 0, False)
        position = write_nsec(server, base, position, limit, entry, False)
    return finish(server, start, base, position, server.view_scope)


def write_denial(server: Server, start: int, base: int) -> int:
    """Write that a name, or a type at it, is not there: SOA, the NSEC record that matches or covers the name, and the
    one about the wildcard that could have given it (RFC 4035 sections 3.1.3.1, 3.1.3.2, 3.1.3.4)."""
    is_missing = server.found.kind == KIND_NXDOMAIN
    is_below = not is_missing and is_below_wildcard(server)
    zone = server.found.zone
    is_compact = server.zone_signed[zone] == DENIAL_COMPACT
    if not is_missing and (is_compact or (is_below and has_load_balancer(server, server.found.entry))):
        return write_made_denial(server, start, base, NO_TTL_MAX, server.view_scope)
    if server.zone_signed[zone] != DENIAL_NSEC:
        return DEFERRED
    limit = room_for(server, base)
    position = write_head(server, start, base, AA_BIT, NXDOMAIN if is_missing else NOERROR)
    position = write_soa(server, base, position, limit, NO_TTL_MAX)
    if position > 0:
        entry = find_nsec(server, zone, server.suffixes, 0, False)
        is_exact = not is_missing and not is_below
        position = write_nsec(server, base, position, limit, entry, is_exact and entry == server.found.entry)
        if position > 0 and not is_exact:
            other = find_nsec(server, zone, server.suffixes, encloser_label(server, is_below), True)
            if other != entry:
                position = write_nsec(server, base, position, limit, other, False)
    return finish(server, start, base, position, server.view_scope)


def encloser_label(server: Server, is_below: bool) -> int:
    """Return the label with which the closest encloser begins: what was found, or the name above that, a wildcard."""
    size = target_bytes(server, server.name_row[server.found.entry * NAME_ROW + ROW_OFFSET])
    if is_below:
        size -= 2
    label = 0
    while server.suffixes.length - server.suffixes.starts[label] > size:
        label += 1
    return label


def write_made_denial(server: Server, start: int, base: int, ttl_max: int, scope: int) -> int:
    """Write that the name asked has no record of the type, whatever other names have: SOA and an NSEC record made for
    it, both for at most `ttl_max` seconds."""
    if server.zone_signed[server.found.zone] == DENIAL_NSEC3:
        return DEFERRED
    name_asked(server)
    limit = room_for(server, base)
    position = write_head(server, start, base, AA_BIT, NOERROR)
    position = write_soa(server, base, position, limit, ttl_max)
    if position < 0:
        return DEFERRED
    position = write_made_nsec(server, base, position, limit, server.found.entry, denial_ttl(server), 0)
    return finish(server, start, base, position, scope)


def deny_after_aliases(server: Server, start: int, base: int, before: int, limit: int) -> int:
    """Write that the load balancer that aliases lead to, at `server.made_name`, has no record of the type."""
    none = field32(server, before + STEERS_NONE)
    size = field16(server, none + TEMPLATE_LENGTH)
    position = write_head(server, start, base, AA_BIT, NOERROR)
    is_whole = position + size <= limit and not field16(server, none + TEMPLATE_FLAGS) & FLAG_TC
    if not is_whole or server.zone_signed[server.found.zone] == DENIAL_NSEC3:
        return DEFERRED
    end = write_body(server, base, position, none, size)
    lower_soa_ttl(server, position + field16(server, none + TEMPLATE_TTL), server.decision.ttl)
    server.owner = apex_pointer(server)
    prefix = server.made_name_bytes - apex_bytes(server)
    entry = field32(server, before + STEERS_ENTRY)
    end = write_made_nsec(server, base, end, limit, entry, denial_ttl(server), prefix)
    return finish(server, start, base, end, server.decision.scope)


def name_asked(server: Server) -> None:
    """Take the name in the question as the one that records are signed for."""
    server.made_name_bytes = server.suffixes.length
    copy_octets(server.suffixes.name, 0, server.made_name, 0, server.suffixes.length)


def name_at(server: Server, base: int, pointer: int) -> bool:
    """Take the name that a pointer in the reply leads to as the one that records are signed for; return False where
    that has no end."""
    position = base + pointer - POINTER_BITS
    count = 0
    for _ in range(NAME_STEPS_MAX):
        label = server.outgoing[position]
        if label >= POINTER_LABEL:
            position = base + (label << 8 | server.outgoing[position + 1]) - POINTER_BITS
            continue
        server.made_name[count] = label
        for index in range(1, label + 1):
            byte = server.outgoing[position + index]
            server.made_name[count + index] = byte + 32 if 65 <= byte <= 90 else byte
        count += label + 1
        position += label + 1
        if label == 0:
            server.made_name_bytes = count
            return True
    return False


def is_literal(server: Server) -> bool:
    """Return whether a wildcard itself is asked for, or led to: what all names below it get must not be had as its own
    records, which a cache would make answers of for every name (RFC 8198 section 5.3)."""
    return (server.suffixes.name[0] == 1 and server.suffixes.name[1] == ASTERISK) or (
        server.made_name[0] == 1 and server.made_name[1] == ASTERISK
    )


def steer_signed(server: Server, start: int, base: int, before: int) -> int:
    """Decide for a load balancer and write its records with their signatures, after the aliases in the template
    `before`, which has theirs."""
    name_asked(server)
    if is_literal(server) or not decide_found(server, before):
        return DEFERRED
    if server.decision.pick_count == 0 and before == NO_TEMPLATE:
        return write_made_denial(server, start, base, server.decision.ttl, server.decision.scope)
    limit = room_for(server, base)
    position = write_head(server, start, base, AA_BIT, 0)
    if before != NO_TEMPLATE:
        size = field16(server, before + TEMPLATE_LENGTH)
        if field16(server, before + TEMPLATE_FLAGS) & FLAG_TC or position + size > limit or server.decision.is_alias:
            return DEFERRED
        position = write_body(server, base, position, before, size) - POINTER_BYTES
        server.owner = server.outgoing[position] << 8 | server.outgoing[position + 1]
        if not name_at(server, base, server.owner) or is_literal(server):
            return DEFERRED
        if server.decision.pick_count == 0:
            return deny_after_aliases(server, start, base, before, limit)
    first = position
    rtype = server.qtype
    if server.found.family == FAMILY_NAMED:
        position = write_hosts(server, position, limit)
    elif server.decision.is_alias:
        rtype = TYPE_CNAME
        position = write_alias(server, position, limit)
    else:
        position = write_decided_addresses(server, position, limit)
    if position < 0:
        return DEFERRED
    sum_up(server, first, position)
    server.answers += made_signatures(server)
    position = write_made_signatures(server, position, limit, rtype, server.decision.signed_ttl, server.decision.ttl)
    if position > 0 and server.found.family == FAMILY_NAMED:
        position = write_host_addresses(server, base, position, limit, True)
    elif position > 0 and rtype != server.qtype:
        position = write_after_alias(server, base, position, limit)
    return finish(server, start, base, position, server.decision.scope)


def write_decided_addresses(server: Server, position: int, limit: int) -> int:
    """Write the A or AAAA records of a decision, as the plain road does: its own code for that is faster where nobody
    else calls it."""
    size = 4 if server.found.family == FAMILY_A else 16
    if position + server.decision.address_count * (RECORD_HEAD_BYTES + size) > limit:
        return TOO_LARGE
    for number in range(server.decision.address_count):
        put16(server, position, server.owner)
        position = write_tail(server, position + POINTER_BYTES, server.qtype, server.decision.ttl, size)
        copy_octets(server.decision.addresses, number * ADDRESS_BYTES, server.outgoing, position, size)
        position += size
    server.answers += server.decision.address_count
    return position


def write_alias(server: Server, position: int, limit: int) -> int:
    """Write an endpoint's CNAME."""
    endpoint = server.decision.picks[0]
    size = target_bytes(server, server.endpoint_target[endpoint])
    if position + RECORD_HEAD_BYTES + size > limit:
        return TOO_LARGE
    server.answers += 1
    put16(server, position, server.owner)
    position = write_tail(server, position + POINTER_BYTES, TYPE_CNAME, server.decision.ttl, size)
    return write_target(server, position, endpoint, size)


def write_after_alias(server: Server, base: int, position: int, limit: int) -> int:
    """Write what follows from an endpoint's CNAME where its hostname stands in the zone that answers."""
    row = endpoint_row(server, server.decision.picks[0])
    if row == NO_ROW:
        return position
    after = server.endpoint_template[row * FAMILY_COUNT + server.found.family]
    if after != NO_TEMPLATE:
        after = field32(server, after + TEMPLATE_SIGNED)
    if after == NO_TEMPLATE:
        return DEFERRED
    flags = field16(server, after + TEMPLATE_FLAGS)
    size = field16(server, after + TEMPLATE_LENGTH)
    if position + size > limit:
        size = field16(server, after + TEMPLATE_LEAST)
    server.rcode = flags & RCODE_MASK
    if flags & FLAG_TC or position + size > limit:
        return TOO_LARGE
    return write_body(server, base, position, after, size)
