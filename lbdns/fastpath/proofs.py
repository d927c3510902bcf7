"""What DNSSEC adds to replies on the fast path: signatures, and records that say what is not there.

| what | where it comes from |
|---|---|
| signatures over what a zone's file says | the snapshot: made when it was published |
| signatures over what a load balancer decided | the signature table (mapped/signature_lookup.py) |
| NSEC records of the zone's chain | the snapshot, found by binary search (snapshot/lookup/denial.py) |
| NSEC records at the name asked (RFC 9824) | made here; their signatures are in the table |

Each RRset is followed at once by its signatures. Functions return the position after what they wrote, TOO_LARGE where
it does not fit below `limit`, or DEFERRED where the slow path has to look, or ask the signer.
"""

from __future__ import annotations

from lbdns.dns.codes import *
from lbdns.fastpath.layout import *
from lbdns.fastpath.read import Server
from lbdns.fastpath.write import field16, get32, put16, target_bytes, write_body
from lbdns.mapped.columns import *
from lbdns.mapped.octets import *
from lbdns.mapped.signature_lookup import add_rdata, begin_key, copy_signed, end_key, find_signed, signed_bytes
from lbdns.mapped.signature_words import *
from lbdns.snapshot.lookup.look_up import find_rrset
from lbdns.snapshot.lookup.name_rows import *


def put32(server: Server, position: int, value: int) -> None:
    """Write a 32-bit number."""
    put16(server, position, (value >> 16) & 0xFFFF)
    put16(server, position + 2, value & 0xFFFF)


def write_tail(server: Server, position: int, rtype: int, ttl: int, size: int) -> int:
    """Write what stands between a record's owner and its data."""
    put16(server, position, rtype)
    put16(server, position + 2, CLASS_IN)
    put32(server, position + 4, ttl)
    put16(server, position + 8, size)
    return position + RECORD_TAIL_BYTES


def copy_blob(server: Server, position: int, offset: int, size: int) -> int:
    """Write `size` bytes of the blob."""
    copy_octets(server.blob, offset, server.outgoing, position, size)
    return position + size


def name_offset(server: Server, entry: int) -> int:
    """Return where in the blob a name stands."""
    return server.name_row[entry * NAME_ROW + ROW_OFFSET]


def apex_bytes(server: Server) -> int:
    """Return the length of the name of the zone that was found."""
    return target_bytes(server, name_offset(server, server.zone_apex[server.found.zone]))


def apex_pointer(server: Server) -> int:
    """Return the pointer to the apex of the zone that was found: the question's name ends with it."""
    return POINTER_BITS | (HEADER_BYTES + server.name_bytes - apex_bytes(server))


def write_signatures(server: Server, position: int, limit: int, owner: int, row: int, ttl: int) -> int:
    """Write the signatures over an RRset of the snapshot; `owner` is a pointer, `ttl` the RRset's as it is sent."""
    first = server.rrset_signature[row]
    if first == NONE_32:
        return DEFERRED
    for index in range(first, first + server.rrset_signature_count[row]):
        size = server.signature_length[index]
        if position + RECORD_HEAD_BYTES + size > limit:
            return TOO_LARGE
        put16(server, position, owner)
        position = write_tail(server, position + POINTER_BYTES, TYPE_RRSIG, ttl, size)
        position = copy_blob(server, position, server.signature_offset[index], size)
    return position


def sum_up(server: Server, first: int, end: int) -> None:
    """Sum up the records that stand from `first` to `end`, whose owners are pointers, for the signature table."""
    begin_key(server.made_key, server.signed_secret[0], server.signed_secret[1])
    while first < end:
        size = server.outgoing[first + RECORD_HEAD_BYTES - 2] << 8 | server.outgoing[first + RECORD_HEAD_BYTES - 1]
        add_rdata(server.made_key, server.outgoing, first + RECORD_HEAD_BYTES, size)
        first += RECORD_HEAD_BYTES + size


def write_made_signatures(server: Server, position: int, limit: int, rtype: int, signed_ttl: int, ttl: int) -> int:
    """Write the table's signatures over the records that were summed up, of `server.owner`, whose name written out is
    `server.made_name`; `signed_ttl` is the TTL that is signed, `ttl` the one that is sent."""
    apex = name_offset(server, server.zone_apex[server.found.zone])
    signer_bytes = target_bytes(server, apex)
    first = server.zone_key_start[server.found.zone]
    for index in range(first, first + server.zone_key_count[server.found.zone]):
        end_key(
            server.made_key,
            server.made_name,
            0,
            server.made_name_bytes,
            rtype,
            signed_ttl,
            server.signing_key_id[index],
        )
        slot = find_signed(server, server.made_key.high, server.made_key.low)
        if slot == NO_SLOT:
            return DEFERRED
        size = signed_bytes(server, slot)
        if position + RECORD_HEAD_BYTES + size + signer_bytes > limit:
            return TOO_LARGE
        put16(server, position, server.owner)
        position = write_tail(server, position + POINTER_BYTES, TYPE_RRSIG, ttl, size + signer_bytes)
        if not copy_signed(
            server,
            slot,
            server.made_key.high,
            server.made_key.low,
            size,
            server.query.now_s,
            server.blob,
            apex,
            signer_bytes,
            server.outgoing,
            position,
        ):
            return DEFERRED
        position += size + signer_bytes
        server.signatures_sent += 1
    return position


def made_signatures(server: Server) -> int:
    """Return how many signatures there are over an RRset that is signed on demand."""
    return server.zone_key_count[server.found.zone]


def write_soa(server: Server, base: int, position: int, limit: int, ttl_max: int) -> int:
    """Write the SOA of a negative answer, whose TTL is at most `ttl_max` (`server.negative_ttl` then), and its
    signatures."""
    template = server.zone_template[server.found.zone]
    if template == NO_TEMPLATE or apex_bytes(server) == 1:
        return DEFERRED
    size = field16(server, template + TEMPLATE_LENGTH)
    if field16(server, template + TEMPLATE_FLAGS) & FLAG_TC or position + size > limit:
        return TOO_LARGE
    at = position + field16(server, template + TEMPLATE_TTL)
    position = write_body(server, base, position, template, size)
    ttl = get32(server, at)
    if ttl_max < ttl:
        ttl = ttl_max
        put32(server, at, ttl)
    server.negative_ttl = ttl
    row = find_rrset(server, server.zone_apex[server.found.zone], TYPE_SOA)
    server.authorities += server.rrset_signature_count[row]
    return write_signatures(server, position, limit, apex_pointer(server), row, ttl)


def nsec_row(server: Server, entry: int) -> int:
    """Return the row of the NSEC record of a name: its last RRset."""
    row = entry * NAME_ROW
    return server.name_row[row + ROW_FIRST_RRSET] + (server.name_row[row + ROW_RRSETS] & RRSETS_MASK) - 1


def write_nsec(server: Server, base: int, position: int, limit: int, entry: int, is_asked: bool) -> int:
    """Write the NSEC record of a name, and its signatures; `is_asked`: that is the name in the question."""
    row = nsec_row(server, entry)
    rdata = server.rrset_rdata_start[row]
    size = server.rdata_length[rdata]
    prefix = 0
    owner = ASKED_POINTER
    if not is_asked:
        owner = apex_pointer(server)
        prefix = target_bytes(server, name_offset(server, entry)) - apex_bytes(server)
    if position + prefix + RECORD_HEAD_BYTES + size > limit:
        return TOO_LARGE
    end = copy_blob(server, position, name_offset(server, entry), prefix)
    put16(server, end, owner)
    if prefix:
        owner = POINTER_BITS | (position - base)
    ttl = server.rrset_ttl[row]
    end = write_tail(server, end + POINTER_BYTES, TYPE_NSEC, ttl, size)
    end = copy_blob(server, end, server.rdata_offset[rdata], size)
    server.authorities += 1 + server.rrset_signature_count[row]
    return write_signatures(server, end, limit, owner, row, ttl)


def denial_ttl(server: Server) -> int:
    """Return the TTL of a denial that is made for a name: its zone's chain's, at most that of the SOA beside it."""
    ttl = server.rrset_ttl[nsec_row(server, server.nsec_name[server.zone_nsec_start[server.found.zone]])]
    return min(ttl, server.negative_ttl)


def lower_soa_ttl(server: Server, at: int, ttl_max: int) -> None:
    """Let the TTL at `at`, of an SOA record, be at most `ttl_max` (`server.negative_ttl` then), and those of its
    signatures, which follow it, with pointers as owners."""
    ttl = min(get32(server, at), ttl_max)
    server.negative_ttl = ttl
    row = find_rrset(server, server.zone_apex[server.found.zone], TYPE_SOA)
    for _ in range(1 + server.rrset_signature_count[row]):
        put32(server, at, ttl)
        at += 4
        at += 2 + (server.outgoing[at] << 8 | server.outgoing[at + 1]) + POINTER_BYTES + 4


def write_made_nsec(server: Server, base: int, position: int, limit: int, entry: int, ttl: int, prefix: int) -> int:
    """Write an NSEC record at `server.made_name`: it has what `entry` may have, but for the type asked, and the next
    name is the one right behind it (RFC 9824 section 3.1); and the table's signatures over it.

    `prefix`: how many bytes of the name are written out before `server.owner`, a pointer.
    """
    types = server.name_types[entry]
    if types == NONE_32 or server.made_name_bytes + 2 > NAME_BYTES_MAX:
        return DEFERRED
    bitmap = server.blob[types] | server.blob[types + 1] << 8
    size = 2 + server.made_name_bytes + bitmap
    if position + prefix + RECORD_HEAD_BYTES + size > limit:
        return DEFERRED
    copy_octets(server.made_name, 0, server.outgoing, position, prefix)
    put16(server, position + prefix, server.owner)
    if prefix:
        server.owner = POINTER_BITS | (position - base)
    first = write_tail(server, position + prefix + POINTER_BYTES, TYPE_NSEC, ttl, size)
    server.outgoing[first] = 1
    server.outgoing[first + 1] = 0
    end = first + 2
    copy_octets(server.made_name, 0, server.outgoing, end, server.made_name_bytes)
    end += server.made_name_bytes
    copy_blob(server, end, types + 2, bitmap)
    # The types of load balancers stand in the first window, and not in its last octet: RRSIG and NSEC do.
    octet = server.qtype >> 3
    if server.is_steered and server.outgoing[end] == 0 and octet < server.outgoing[end + 1]:
        server.outgoing[end + 2 + octet] = server.outgoing[end + 2 + octet] & ~(0x80 >> (server.qtype & 7)) & 0xFF
    server.authorities += 1 + made_signatures(server)
    begin_key(server.made_key, server.signed_secret[0], server.signed_secret[1])
    add_rdata(server.made_key, server.outgoing, first, size)
    return write_made_signatures(server, end + bitmap, limit, TYPE_NSEC, ttl, ttl)
