"""Which NSEC or NSEC3 record of a zone says that a name is not there, or what is not there at it: binary searches.

NSEC records stand in the canonical order of their owners (RFC 4034 section 6.1), each with its owner as bytes that
compare so (dns/canonical.py has `order_key`); a name is compared with those as it stands, label by label from the
root. NSEC3 records stand in the order of their hashes (RFC 5155).

Runs interpreted and compiled (types in the `.pxd`): both paths of the responder look here and nowhere else.
"""

from __future__ import annotations

from lbdns.mapped.typed_columns import TypedColumns
from lbdns.snapshot.lookup.name_rows import *
from lbdns.snapshot.lookup.name_table import Suffixes
from lbdns.steering.kernel.numbers import *


def find_nsec(names: TypedColumns, zone: int, suffixes: Suffixes, label: int, is_wildcard: bool) -> int:
    """Return the name (a row) whose NSEC record matches or covers the suffix that begins with `label`, or the wildcard
    below that; NO_NAME where the zone has no NSEC records.

    It is the last one that does not come after it: the apex is the first of all.
    """
    low = names.zone_nsec_start[zone]
    count = names.zone_nsec_count[zone]
    if count == 0:
        return NO_NAME
    # All of them begin with the apex, which the first is.
    begin = names.nsec_order[low]
    skipped = names.blob[begin] | names.blob[begin + 1] << 8
    last = suffixes.count - 2
    for at in range(skipped):
        if names.blob[begin + ORDER_HEAD_BYTES + at] == 0:
            last -= 1
    while count > 1:
        half = count >> 1
        if compare(names, names.nsec_order[low + half], skipped, suffixes, label, last, is_wildcard) >= 0:
            low += half
            count -= half
        else:
            count = half
    return names.nsec_name[low]


def compare(
    names: TypedColumns, offset: int, skipped: int, suffixes: Suffixes, label: int, last: int, is_wildcard: bool
) -> int:
    """Return -1, 0 or 1 as the suffix (or the wildcard below it) comes before, is, or comes after the name whose order
    key stands in the blob at `offset`. What they share is passed by: `skipped` bytes, and the labels after `last`."""
    end = offset + ORDER_HEAD_BYTES + (names.blob[offset] | names.blob[offset + 1] << 8)
    at = offset + ORDER_HEAD_BYTES + skipped
    index = last
    while index >= label:
        start = suffixes.starts[index] + 1
        for position in range(start, suffixes.starts[index + 1]):
            octet = suffixes.name[position]
            if at == end:
                return 1
            wanted = octet if octet > ORDER_ESCAPE else ORDER_ESCAPE
            if names.blob[at] != wanted:
                return -1 if wanted < names.blob[at] else 1
            at += 1
            if octet <= ORDER_ESCAPE:
                # What follows an escape: 1 for the octet 0, 2 for 1. A key never ends behind one.
                if names.blob[at] != octet + 1:
                    return -1 if octet + 1 < names.blob[at] else 1
                at += 1
        if at == end:
            return 1
        if names.blob[at] != 0:
            return -1
        at += 1
        index -= 1
    if not is_wildcard:
        return 0 if at == end else -1
    if at == end:
        return 1
    if names.blob[at] != ASTERISK:
        return -1 if names.blob[at] > ASTERISK else 1
    if names.blob[at + 1] != 0:
        return -1
    return 0 if at + 2 == end else -1


def find_nsec3(names: TypedColumns, zone: int, hashed: bytes | bytearray | memoryview) -> int:
    """Return the row of nsec3_* of the NSEC3 record that matches or covers a hash of NSEC3_HASH_BYTES, NO_ROW where the
    zone has none. What comes before the first is covered by the last."""
    start = names.zone_nsec3_start[zone]
    count = names.zone_nsec3_count[zone]
    if count == 0:
        return NO_ROW
    if is_before(names, hashed, start):
        return start + count - 1
    low = start
    while count > 1:
        half = count >> 1
        if is_before(names, hashed, low + half):
            count = half
        else:
            low += half
            count -= half
    return low


def is_before(names: TypedColumns, hashed: bytes | bytearray | memoryview, row: int) -> bool:
    """Return whether a hash comes before that of a row of nsec3_*."""
    at = row * NSEC3_HASH_BYTES
    for index in range(NSEC3_HASH_BYTES):
        if hashed[index] != names.nsec3_hash[at + index]:
            return hashed[index] < names.nsec3_hash[at + index]
    return False
