"""The hash table of names in a snapshot: open addressing, linear probing, wire-format names in lower case.

One table holds the names of all zones, and the zone directory under the zone `DIRECTORY`. A name's hash does not depend
on its zone, so that all look-ups of one name meet at the same slot: the directory's, its own zone's, its parent's. In
what only views see it does, lest the same name of many views stand in the way of all.
Suffixes of a name are hashed in one pass from the root, so that a walk towards the root costs one probe a label.

Runs interpreted and compiled (types in the `.pxd`).
"""

from __future__ import annotations

from array import array

from lbdns.dns.codes import *
from lbdns.mapped.octets import *
from lbdns.mapped.typed_columns import TypedColumns
from lbdns.snapshot.lookup.name_rows import *
from lbdns.steering.kernel.numbers import *


class Suffixes:
    """The suffixes of one name: `starts[i]` and `hashes[i]` of the suffix that begins with label i; the last is the
    root."""

    def __init__(self) -> None:
        self.count = 0
        self.length = 0
        self.buffer = bytearray(NAME_BYTES_MAX + 1)
        self.name = memoryview(self.buffer)
        self.starts = array("i", bytes(4 * LABELS_MAX))
        self.hashes = array("Q", bytes(8 * LABELS_MAX))


def set_name(suffixes: Suffixes, name: bytes) -> None:
    """Take a well-formed lower-case wire name and hash its suffixes."""
    suffixes.buffer[: len(name)] = name
    hash_suffixes(suffixes)


def hash_suffixes(suffixes: Suffixes) -> None:
    """Fill starts and hashes for the name that stands in `suffixes.name` (length bytes, the root's zero byte)."""
    count = 0
    position = 0
    length = suffixes.name[0]
    while length:
        suffixes.starts[count] = position
        count += 1
        position += length + 1
        length = suffixes.name[position]
    suffixes.starts[count] = position
    suffixes.hashes[count] = FNV_OFFSET
    suffixes.count = count + 1
    suffixes.length = position + 1
    hashed = FNV_OFFSET
    label = count - 1
    while label >= 0:
        end = suffixes.starts[label + 1]
        for index in range(suffixes.starts[label], end):
            hashed = ((hashed ^ suffixes.name[index]) * FNV_PRIME) & MASK_64
        suffixes.hashes[label] = hashed
        label -= 1


def spread(hashed: int) -> int:
    """Return a name's hash as the table has it: the low bits say where, the high half is in the slot."""
    return hashed ^ (hashed >> 29)


def hash_in(hashed: int, zone: int, public_zones: int) -> int:
    """Return the hash of a name in a zone (as `find` has it) as the table has it, of a name's own hash."""
    if zone > public_zones:
        hashed = hashed ^ ((zone * FNV_PRIME) & MASK_64)
    return spread(hashed)


def mask_of(names: TypedColumns) -> int:
    """Return what a hash is cut to for its slot: the table has a power of two of them, of two numbers each."""
    return (len(names.table) >> 1) - 1


def find(names: TypedColumns, zone: int, suffixes: Suffixes, label: int) -> int:
    """Return the index of the suffix from `label` on in a zone (DIRECTORY, or zone index + 1), NO_NAME where it is not
    there."""
    wanted = hash_in(suffixes.hashes[label], zone, names.public_zones[0])
    mask = mask_of(names)
    slot = wanted & mask
    start = suffixes.starts[label]
    while names.table[slot * 2]:
        entry = names.table[slot * 2] - 1
        if names.table[slot * 2 + 1] == wanted >> 32:
            row = entry * NAME_ROW
            # Names end themselves, so that lengths need no look.
            if names.name_row[row + ROW_ZONE] == zone and is_same(
                names, names.name_row[row + ROW_OFFSET], suffixes, start
            ):
                return entry
        slot = (slot + 1) & mask
    return NO_NAME


def is_same(names: TypedColumns, offset: int, suffixes: Suffixes, start: int) -> bool:
    """Return whether the blob at `offset` equals the suffix that starts at `start`."""
    size = suffixes.length - start
    return offset + size <= len(names.blob) and same_octets(names.blob, offset, suffixes.name, start, size)


def build_table(hashes: array[int]) -> array[int]:
    """Return the hash table over names with these (spread) hashes: at most half full, a power of two of slots."""
    count = len(hashes)
    size = 8
    while size < 2 * count:
        size *= 2
    table = array("I", bytes(8 * size))
    slots = memoryview(table)
    those = memoryview(hashes)
    mask = size - 1
    for entry in range(count):
        slot = those[entry] & mask
        while slots[slot * 2]:
            slot = (slot + 1) & mask
        slots[slot * 2] = entry + 1
        slots[slot * 2 + 1] = those[entry] >> 32
    return table
