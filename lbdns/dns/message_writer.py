"""Long messages of many records, written one after another into one buffer, names compressed (RFC 1035 section 4.1.4).

    begin_message -> write_record ... until one does not fit -> begin_message -> that one again ...

Names are compressed against all that stand before them in the message, in owners and in the data of the types of RFC
1035 alone (RFC 3597 section 4). They keep the case of their letters: a pointer leads to the same octets. Suffixes are
found in a table that holds for one message: each entry has that message's number.

Runs interpreted and compiled (types in the `.pxd`). Bounds: the buffer has room for the largest record behind the
largest message, so that one is written before it is known to fit; what is written are names and data of checked
snapshots and journals.
"""

from __future__ import annotations

from array import array

from lbdns.dns.codes import *
from lbdns.dns.name import Octets
from lbdns.dns.writer_numbers import *


class MessageWriter:
    """A message that is being written. `position`: where what comes next is to stand; `records`: how many there are."""

    def __init__(self) -> None:
        self.buffer = memoryview(bytearray(MESSAGE_ROOM))
        # A slot: number of the message << 32 | pointers that lead on from there << 16 | where the suffix stands.
        self.slots = memoryview(array("Q", bytes(8 * SUFFIX_SLOTS)))
        self.starts = memoryview(array("I", bytes(4 * NAME_LABELS_MAX)))
        self.hashes = memoryview(array("Q", bytes(8 * NAME_LABELS_MAX)))
        self.message = 0
        self.position = 0
        self.records = 0
        self.limit = 0
        self.suffixes = 0
        self.hops = 0
        # Of the name before: where its parent stands, NO_TARGET where no pointer leads there.
        self.parent = NO_TARGET
        self.parent_hash = 0
        self.parent_hops = 0
        self.last_owner = NO_OWNER
        self.last_position = 0


def begin_message(writer: MessageWriter, limit: int) -> None:
    """Begin with an empty message of at most `limit` octets, with room for its header."""
    writer.message += 1
    if writer.message > MESSAGES_MAX:
        for slot in range(SUFFIX_SLOTS):
            writer.slots[slot] = 0
        writer.message = 1
    writer.position = HEADER_BYTES
    writer.records = 0
    writer.limit = limit
    writer.suffixes = 0
    writer.parent = NO_TARGET
    writer.last_owner = NO_OWNER


def write_question(writer: MessageWriter, question: Octets, size: int) -> None:
    """Append a question of so many octets; names that follow may point at its name."""
    write_name(writer, question, 0, False)
    copy(writer, question, size - QUESTION_TAIL_BYTES, QUESTION_TAIL_BYTES)


def write_record(
    writer: MessageWriter, owners: Octets, owner: int, rtype: int, ttl: int, datas: Octets, data: int, length: int
) -> bool:
    """Append a record of class IN, its owner at `owner` of `owners`, its data at `data` of `datas`; return whether it
    fits. One that does not is taken back, and the message is to be ended: names of it are no targets any more.

    Owners of one message that stand at the same place of `owners` are the same.
    """
    start = writer.position
    if owner == writer.last_owner:
        put16(writer, POINTER_BITS | writer.last_position)
    else:
        write_name(writer, owners, owner, True)
        writer.last_owner = owner if start <= POINTER_TARGET_LAST else NO_OWNER
        writer.last_position = start
    put16(writer, rtype)
    put16(writer, CLASS_IN)
    put16(writer, ttl >> 16)
    put16(writer, ttl & 0xFFFF)
    head = writer.position
    writer.position += 2
    write_data(writer, rtype, datas, data, length)
    end = writer.position
    writer.position = head
    put16(writer, end - head - 2)
    if end > writer.limit:
        writer.position = start
        return False
    writer.position = end
    writer.records += 1
    return True


def write_data(writer: MessageWriter, rtype: int, datas: Octets, data: int, length: int) -> None:
    """Append a record's data, its names compressed where the type's are."""
    end = data + length
    names = compressed_names(rtype)
    if rtype == TYPE_MX:
        copy(writer, datas, data, 2)
        data += 2
    for _ in range(names):
        data = write_name(writer, datas, data, False)
    copy(writer, datas, data, end - data)


def compressed_names(rtype: int) -> int:
    """Return how many names, which are compressed, the data of a type begin with (an MX record's behind two octets)."""
    if rtype in (TYPE_NS, TYPE_CNAME, TYPE_PTR, TYPE_MX):
        return 1
    return 2 if rtype == TYPE_SOA else 0


def write_name(writer: MessageWriter, source: Octets, at: int, is_owner: bool) -> int:
    """Append the name that stands at `at` of a source, compressed; return where it ends there.

    The owner of a record seldom stands in a message before: where a pointer cannot lead to it anyway, and its parent is
    known, it is not looked for.
    """
    label = source[at]
    if label and writer.parent != NO_TARGET:
        end = end_of_suffix(writer, writer.parent, source, at + label + 1)
        if end:  # as the name before it, most often
            if is_owner and writer.position > POINTER_TARGET_LAST:
                copy(writer, source, at, label + 1)
                put16(writer, POINTER_BITS | writer.parent)
            else:
                write_child(writer, source, at)
            return end
    return write_labels(writer, source, at)


def write_child(writer: MessageWriter, source: Octets, at: int) -> None:
    """Append a name whose parent is that of the name before it."""
    size = source[at] + 1
    hashed = hash_label(writer.parent_hash, source, at)
    target = find_suffix(writer, hashed, source, at)
    if target == NO_TARGET:
        add_suffix(writer, hashed, writer.parent_hops + 1)
        copy(writer, source, at, size)
        target = writer.parent
    put16(writer, POINTER_BITS | target)


def write_labels(writer: MessageWriter, source: Octets, at: int) -> int:
    """Append a name, compressed by the longest suffix that stands in the message; return where it ends there."""
    count = 0
    end = at
    while source[end]:
        writer.starts[count] = end
        count += 1
        end += source[end] + 1
    hashed = SUFFIX_HASH
    label = count - 1
    while label >= 0:
        hashed = hash_label(hashed, source, writer.starts[label])
        writer.hashes[label] = hashed
        label -= 1
    target = NO_TARGET
    hops = 0
    own = 0
    while own < count:
        target = find_suffix(writer, writer.hashes[own], source, writer.starts[own])
        if target != NO_TARGET:
            hops = writer.hops + 1
            break
        own += 1
    writer.parent = NO_TARGET
    for label in range(own):
        if label == 1:
            note_parent(writer, writer.position, writer.hashes[1], hops)
        add_suffix(writer, writer.hashes[label], hops)
        copy(writer, source, writer.starts[label], source[writer.starts[label]] + 1)
    if target == NO_TARGET:
        writer.buffer[writer.position] = 0
        writer.position += 1
    else:
        if own == 1:
            note_parent(writer, target, writer.hashes[1], writer.hops)
        put16(writer, POINTER_BITS | target)
    return end + 1


def note_parent(writer: MessageWriter, target: int, hashed: int, hops: int) -> None:
    """Note where the parent of the name that is written stands, unless no pointer may lead there."""
    if target <= POINTER_TARGET_LAST and hops <= POINTER_HOPS_LAST:
        writer.parent = target
        writer.parent_hash = hashed
        writer.parent_hops = hops


def hash_label(hashed: int, source: Octets, at: int) -> int:
    """Return the hash of a name that begins with the label at `at`, from that of the rest."""
    for index in range(at, at + source[at] + 1):
        hashed = ((hashed ^ source[index]) * SUFFIX_PRIME) & MASK_64_BITS
    return hashed


def slot_of(hashed: int) -> int:
    """Return where the table begins to be looked through for a hash."""
    return (hashed ^ (hashed >> 29)) & (SUFFIX_SLOTS - 1)


def find_suffix(writer: MessageWriter, hashed: int, source: Octets, at: int) -> int:
    """Return where the name that stands at `at` of a source stands in the message, and set `hops`; NO_TARGET where it
    does not, or too many pointers lead on from there."""
    slot = slot_of(hashed)
    while writer.slots[slot] >> 32 == writer.message:
        target = writer.slots[slot] & 0xFFFF
        hops = writer.slots[slot] >> 16 & 0xFFFF
        if hops <= POINTER_HOPS_LAST and end_of_suffix(writer, target, source, at):
            writer.hops = hops
            return target
        slot = (slot + 1) & (SUFFIX_SLOTS - 1)
    return NO_TARGET


def end_of_suffix(writer: MessageWriter, target: int, source: Octets, at: int) -> int:
    """Return where the name at `at` of a source ends, 0 where it is not the one at a place of the message."""
    while True:
        length = writer.buffer[target]
        if length >= POINTER_BITS >> 8:
            target = (length << 8 | writer.buffer[target + 1]) - POINTER_BITS
            continue
        if length != source[at]:
            return 0
        for index in range(1, length + 1):
            if writer.buffer[target + index] != source[at + index]:
                return 0
        at += length + 1
        target += length + 1
        if length == 0:
            return at


def add_suffix(writer: MessageWriter, hashed: int, hops: int) -> None:
    """Note that a suffix with this hash is written at `position`, from where so many pointers lead on, unless that is
    beyond what a pointer reaches."""
    if writer.position > POINTER_TARGET_LAST or writer.suffixes >= SUFFIXES_MAX:
        return
    slot = slot_of(hashed)
    while writer.slots[slot] >> 32 == writer.message:
        slot = (slot + 1) & (SUFFIX_SLOTS - 1)
    writer.slots[slot] = writer.message << 32 | hops << 16 | writer.position
    writer.suffixes += 1


def put16(writer: MessageWriter, number: int) -> None:
    """Append a number of 16 bits."""
    writer.buffer[writer.position] = number >> 8
    writer.buffer[writer.position + 1] = number & 0xFF
    writer.position += 2


def copy(writer: MessageWriter, source: Octets, at: int, size: int) -> None:
    """Append `size` octets that stand at `at` of a source."""
    for index in range(size):
        writer.buffer[writer.position + index] = source[at + index]
    writer.position += size
