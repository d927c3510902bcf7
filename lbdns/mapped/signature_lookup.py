"""Which signature is for what is about to be sent: a keyed hash of it, and its slot in a signature table.

    key = SipHash-1-3-128(secret; owner, id of the signing key, type, TTL, sum)
    sum = of SipHash-1-3-128(secret; a record's data)

A sum, as the order of an RRset's records means nothing to its signature. No row of a snapshot goes into it, so that
reloads leave what is signed where it is. The secret is the table's: who chooses names below a wildcard cannot make them
collide. A key has a place in one window of the table.

The table has one writer and readers without locks (signature_table.py): what is read counts where the slot's version is
even, and the same afterwards. Runs interpreted and compiled (types in the `.pxd`); compiled code checks no bounds: room
for what is copied is the caller's matter.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable

from lbdns.mapped.columns import *
from lbdns.mapped.fence import read_fence
from lbdns.mapped.octets import *
from lbdns.mapped.signature_words import *
from lbdns.mapped.typed_columns import TypedColumns


class SignedKey:
    """The key of an RRset in a table, made in steps: `begin_key`, `add_rdata` for each record, `end_key`. Then it is
    `high` and `low`."""

    def __init__(self) -> None:
        self.words = memoryview(array("Q", bytes(8 * KEY_WORDS)))
        self.secret_high = 0
        self.secret_low = 0
        self.sum_high = 0
        self.sum_low = 0
        self.first = 0
        self.second = 0
        self.third = 0
        self.fourth = 0
        self.high = 0
        self.low = 0


def begin_key(key: SignedKey, secret_high: int, secret_low: int) -> None:
    """Begin with no records."""
    key.secret_high = secret_high
    key.secret_low = secret_low
    key.sum_high = 0
    key.sum_low = 0


def add_rdata(key: SignedKey, octets: bytes | bytearray | memoryview, at: int, size: int) -> None:
    """Add a record's data as they are sent, uncompressed."""
    count = 0
    left = size
    while left > PIECE_BYTES:
        sip(key, fill(key, count, octets, at, PIECE_BYTES))
        key.words[0] = key.high
        key.words[1] = key.low
        count = 2
        at += PIECE_BYTES
        left -= PIECE_BYTES
    sip(key, fill(key, count, octets, at, left))
    key.sum_high = (key.sum_high + key.high) & WORD_MASK
    key.sum_low = (key.sum_low + key.low) & WORD_MASK


def end_key(
    key: SignedKey, name: bytes | bytearray | memoryview, at: int, size: int, rtype: int, ttl: int, key_id: int
) -> None:
    """Make the key of these records below a name (wire form, lower case), of a type, with the TTL that is signed, by a
    signing key."""
    count = fill(key, 0, name, at, size)
    key.words[count] = key_id
    key.words[count + 1] = rtype << 32 | ttl
    key.words[count + 2] = key.sum_high
    key.words[count + 3] = key.sum_low
    sip(key, count + 4)


def fill(key: SignedKey, count: int, octets: bytes | bytearray | memoryview, at: int, size: int) -> int:
    """Put octets behind `count` words, their number at the end; return how many words there are then."""
    for _ in range(size >> 3):
        word = 0
        for index in range(8):
            word |= as_word(octets[at + index]) << (8 * index)
        key.words[count] = word
        count += 1
        at += 8
    word = as_word(size & 0xFF) << 56
    for index in range(size & 7):
        word |= as_word(octets[at + index]) << (8 * index)
    key.words[count] = word
    return count + 1


def as_word(octet: int) -> int:
    """Return an octet as 64 bits, so that it can be moved among them."""
    return octet


def sip(key: SignedKey, count: int) -> None:
    """Hash the first `count` words into `high` and `low`."""
    for step in range(count, count + 2 * SIP_END_ROUNDS):
        key.words[step] = 0
    key.first = key.secret_high ^ SIP_FIRST
    key.second = key.secret_low ^ SIP_SECOND ^ SIP_WIDE
    key.third = key.secret_high ^ SIP_THIRD
    key.fourth = key.secret_low ^ SIP_FOURTH
    stir(key, 0, count)
    key.third ^= SIP_WIDE
    stir(key, count, count + SIP_END_ROUNDS)
    key.high = key.first ^ key.second ^ key.third ^ key.fourth
    key.second ^= SIP_BETWEEN
    stir(key, count + SIP_END_ROUNDS, count + 2 * SIP_END_ROUNDS)
    key.low = key.first ^ key.second ^ key.third ^ key.fourth


def stir(key: SignedKey, begin: int, end: int) -> None:
    """Do a round of SipHash for each of some words."""
    first = key.first
    second = key.second
    third = key.third
    fourth = key.fourth
    for step in range(begin, end):
        word = key.words[step]
        fourth ^= word
        first = (first + second) & WORD_MASK
        second = turned(second, 13) ^ first
        first = turned(first, 32)
        third = (third + fourth) & WORD_MASK
        fourth = turned(fourth, 16) ^ third
        first = (first + fourth) & WORD_MASK
        fourth = turned(fourth, 21) ^ first
        third = (third + second) & WORD_MASK
        second = turned(second, 17) ^ third
        third = turned(third, 32)
        first ^= word
    key.first = first
    key.second = second
    key.third = third
    key.fourth = fourth


def turned(word: int, bits: int) -> int:
    """Return a word with its bits turned to the left."""
    return ((word << bits) & WORD_MASK) | (word >> (64 - bits))


def find_signed(columns: TypedColumns, high: int, low: int) -> int:
    """Return the slot of a key, NO_SLOT where the table has none. What it holds may be another's a moment later, as
    `copy_signed` sees."""
    slots = len(columns.signed_used)
    if slots == 0:
        return NO_SLOT
    first = low & (slots - SIGNATURE_WINDOW)
    row = columns.signed_row[0]
    at = first * row
    for slot in range(first, first + SIGNATURE_WINDOW):
        if (
            columns.signed_word[at] == high
            and columns.signed_word[at + 1] == low
            and not columns.signed_word[at + ROW_STATE] & 1
        ):
            return slot
        at += row
    return NO_SLOT


def signed_bytes(columns: TypedColumns, slot: int) -> int:
    """Return the length of what a slot holds, 0 for nothing."""
    return columns.signed_word[slot * columns.signed_row[0] + ROW_STATE] >> LENGTH_SHIFT


def copy_signed(
    columns: TypedColumns,
    slot: int,
    high: int,
    low: int,
    size: int,
    now_s: int,
    signer: bytes | memoryview,
    signer_at: int,
    signer_bytes: int,
    room: bytearray | memoryview,
    at: int,
) -> bool:
    """Write the data of an RRSIG record at `room[at:]`: the slot's, with the signer's name in its place. Return whether
    they are those of the key; where not, what was written means nothing.

    `size`: signed_bytes of the slot, as who made room has read it, so that size + signer_bytes are written; `now_s`:
    of CLOCK_MONOTONIC.
    """
    words = slot * columns.signed_row[0]
    state = columns.signed_word[words + ROW_STATE]
    read_fence()
    if (
        state & 1
        or columns.signed_word[words] != high
        or columns.signed_word[words + 1] != low
        or state >> LENGTH_SHIFT != size
        or size < SIGNATURE_HEAD_BYTES
    ):
        return False
    source = words * WORD_BYTES + ROW_OCTETS
    copy_octets(columns.signed_octet, source, room, at, SIGNATURE_HEAD_BYTES)
    copy_octets(signer, signer_at, room, at + SIGNATURE_HEAD_BYTES, signer_bytes)
    copy_octets(
        columns.signed_octet,
        source + SIGNATURE_HEAD_BYTES,
        room,
        at + SIGNATURE_HEAD_BYTES + signer_bytes,
        size - SIGNATURE_HEAD_BYTES,
    )
    read_fence()
    if columns.signed_word[words + ROW_STATE] != state:
        return False
    used = now_s >> USED_SHIFT
    if columns.signed_used[slot] != used:
        columns.signed_used[slot] = used
    return True


def rrset_key(
    secret: tuple[int, int], key_id: int, owner: bytes, rtype: int, ttl: int, rdatas: Iterable[bytes]
) -> tuple[int, int]:
    """Return the key of an RRset at one piece: its high and low half."""
    key = SignedKey()
    begin_key(key, *secret)
    for rdata in rdatas:
        add_rdata(key, rdata, 0, len(rdata))
    end_key(key, owner, 0, len(owner), rtype, ttl, key_id)
    return key.high, key.low


def read_signature(columns: TypedColumns, high: int, low: int, signer: bytes, now_s: int) -> bytes | None:
    """Return the data of the RRSIG record of a key, with the signer's name, None where the table has none."""
    slot = find_signed(columns, high, low)
    if slot == NO_SLOT:
        return None
    size = signed_bytes(columns, slot)
    room = bytearray(size + len(signer))
    is_there = copy_signed(columns, slot, high, low, size, now_s, signer, 0, len(signer), room, 0)
    return bytes(room) if is_there else None
