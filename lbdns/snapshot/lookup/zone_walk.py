"""What a transfer of a zone holds: its RRsets in the order of the snapshot, each once; whoever sends it adds the SOA's.

    names of the zone, each with its RRsets -> NSEC3 records -> RRsets that are in transfers alone

What load balancers answer stands in transfers as records (flat_*): an RRset there takes the place of the one that it
hides, as the NSEC record of a load balancer's name, or is one more. The SOA has the serial that is served; signatures
are those of the RRset's row (rrset_signature). Records that a load balancer hides are in no snapshot.

Runs interpreted and compiled (types in the `.pxd`): whoever sends a zone walks it so.
"""

from __future__ import annotations

from lbdns.dns.codes import *
from lbdns.mapped.columns import *
from lbdns.mapped.typed_columns import TypedColumns
from lbdns.snapshot.lookup.look_up import find_rrset
from lbdns.snapshot.lookup.name_rows import *
from lbdns.steering.kernel.numbers import *


class ContentCursor:
    """A place in a zone's content. After `next_rrset`: `rrset`, a row of rrset_*, and `owner`, its owner's name in the
    blob. From `begin_content` on: `soa` and `apex`, the same of the SOA."""

    def __init__(self) -> None:
        self.zone = 0
        self.soa = NO_ROW
        self.apex = 0
        self.rrset = NO_ROW
        self.owner = 0
        self.entry = 0
        self.row = 0
        self.row_end = 0
        self.nsec3 = 0
        self.nsec3_end = 0
        self.flat = 0
        self.flat_end = 0
        self.name_owner = 0


def begin_content(names: TypedColumns, zone: int, cursor: ContentCursor) -> bool:
    """Set the cursor before the first RRset of a zone; False where it has no SOA, as it is not ready to be served."""
    entry = names.zone_apex[zone]
    cursor.zone = zone
    cursor.soa = find_rrset(names, entry, TYPE_SOA)
    cursor.apex = names.name_row[entry * NAME_ROW + ROW_OFFSET]
    cursor.rrset = NO_ROW
    cursor.entry = entry
    cursor.row = cursor.row_end = 0
    cursor.nsec3 = cursor.nsec3_end = 0
    if len(names.zone_nsec3_count):
        cursor.nsec3 = names.zone_nsec3_start[zone]
        cursor.nsec3_end = cursor.nsec3 + names.zone_nsec3_count[zone]
    cursor.flat = cursor.flat_end = 0
    if len(names.zone_flat_count):
        cursor.flat = names.zone_flat_start[zone]
        cursor.flat_end = cursor.flat + names.zone_flat_count[zone]
    return cursor.soa != NO_ROW


def next_rrset(names: TypedColumns, cursor: ContentCursor) -> bool:
    """Set the cursor to the next RRset; False where there are no more."""
    if next_static(names, cursor):
        if cursor.flat < cursor.flat_end and names.flat_hides[cursor.flat] == cursor.rrset:
            take_flat(names, cursor)
        return True
    if cursor.flat == cursor.flat_end:
        return False
    take_flat(names, cursor)
    return True


def take_flat(names: TypedColumns, cursor: ContentCursor) -> None:
    """Set the cursor to the next RRset that is in transfers alone."""
    cursor.rrset = names.flat_rrset[cursor.flat]
    cursor.owner = names.flat_owner[cursor.flat]
    cursor.flat += 1


def next_static(names: TypedColumns, cursor: ContentCursor) -> bool:
    """Set the cursor to the next RRset of a name, then of the NSEC3 records; False where there are no more."""
    while True:
        while cursor.row < cursor.row_end:
            cursor.rrset = cursor.row
            cursor.row += 1
            if cursor.rrset != cursor.soa:
                cursor.owner = cursor.name_owner
                return True
        row = cursor.entry * NAME_ROW
        if row >= len(names.name_row) or names.name_row[row + ROW_ZONE] != cursor.zone + 1:
            break
        cursor.name_owner = names.name_row[row + ROW_OFFSET]
        cursor.row = names.name_row[row + ROW_FIRST_RRSET]
        cursor.row_end = cursor.row + (names.name_row[row + ROW_RRSETS] & RRSETS_MASK)
        cursor.entry += 1
    if cursor.nsec3 == cursor.nsec3_end:
        return False
    cursor.rrset = names.nsec3_rrset[cursor.nsec3]
    cursor.owner = names.nsec3_owner[cursor.nsec3]
    cursor.nsec3 += 1
    return True


def content_octets(names: TypedColumns, zone: int, cursor: ContentCursor) -> int:
    """Return how many octets a zone's records take, uncompressed, with its SOA once; the cursor ends behind them."""
    if not begin_content(names, zone, cursor):
        return 0
    total = rrset_octets(names, cursor.apex, cursor.soa)
    while next_rrset(names, cursor):
        total += rrset_octets(names, cursor.owner, cursor.rrset)
    return total


def rrset_octets(names: TypedColumns, owner: int, row: int) -> int:
    """Return how many octets an RRset's records and their signatures take, uncompressed."""
    head = RECORD_HEAD_BYTES - 1  # the root in place of a pointer
    at = owner
    while names.blob[at]:
        head += names.blob[at] + 1
        at += names.blob[at] + 1
    total = 0
    first = names.rrset_rdata_start[row]
    for index in range(first, first + names.rrset_rdata_count[row]):
        total += head + names.rdata_length[index]
    if len(names.rrset_signature) and names.rrset_signature[row] != NONE_32:
        first = names.rrset_signature[row]
        for index in range(first, first + names.rrset_signature_count[row]):
            total += head + names.signature_length[index]
    return total
