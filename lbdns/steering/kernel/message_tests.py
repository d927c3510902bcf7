"""What rules ask of a message's texts at query time: the name under a wildcard, the ECS address as it is written.

All else in a condition is gone by now: constants were folded, and what is asked of addresses became classes of a trie.
A test is a row of the test_* columns; the bits of a decision table's tests are one part of where its verdict stands.

Runs interpreted and compiled (types in the `.pxd`). Bounds, since compiled code checks none: no subject is longer than
SUBJECT_BYTES, operands lie within the blob. No test takes longer than the product of a subject's and an operand's
length, a wildcard's as well.
"""

from __future__ import annotations

from lbdns.mapped.columns import *
from lbdns.steering.kernel.numbers import *
from lbdns.steering.kernel.view import Decision, Query, View


def bits_of(view: View, query: Query, decision: Decision, rules: int) -> int:
    """Return bit i for each test i of a decision table that holds for this query."""
    first = view.rules_test_start[rules]
    bits = 0
    laid_out = NO_SUBJECT
    length = 0
    for index in range(view.rules_test_count[rules]):
        test = first + index
        if view.test_op[test] == TEST_ASKED:
            bits |= query.asked_bits & (1 << index)
            continue
        if view.test_subject[test] != laid_out:
            laid_out = view.test_subject[test]
            length = put_name(query, decision) if laid_out == SUBJECT_NAME else put_ecs_text(query, decision)
        if length and holds(view, decision, test, length):
            bits |= 1 << index
    return bits


def put_name(query: Query, decision: Decision) -> int:
    """Write the name that is asked for as `subject`, its labels each with a dot behind; return its length."""
    at = 0
    label = query.name[0]
    if not label:
        decision.subject[0] = DOT
        return 1
    while label:
        for index in range(at, at + label):
            decision.subject[index] = query.name[index + 1]
        at += label
        decision.subject[at] = DOT
        at += 1
        label = query.name[at]
    return at


def put_ecs_text(query: Query, decision: Decision) -> int:
    """Write the ECS address as `subject`; return its length, 0 where the query has none."""
    return put_address(query.ecs_version, query.ecs_high, query.ecs_low, decision) if query.ecs_bits else 0


def put_address(version: int, high: int, low: int, decision: Decision) -> int:
    """Write an address as `subject`, an IPv6 one by RFC 5952 and in hexadecimal alone, and return its length. An IPv4
    address stands in the top 32 bits of `high`."""
    if version == 4:
        return put_quad(decision, high >> 32)
    # The longest run of two zero groups or more, the first of equals, is left out (sections 4.2.2 and 4.2.3).
    left_out = ADDRESS_GROUPS
    longest = 1
    run = 0
    for group in range(ADDRESS_GROUPS):
        run = 0 if group_of(high, low, group) else run + 1
        if run > longest:
            longest = run
            left_out = group + 1 - run
    at = 0
    group = 0
    while group < ADDRESS_GROUPS:
        if group == left_out:
            decision.subject[at] = COLON
            decision.subject[at + 1] = COLON
            at += 2
            group += longest
            continue
        if group and group != left_out + longest:
            decision.subject[at] = COLON
            at += 1
        at = put_hex(decision, at, group_of(high, low, group))
        group += 1
    return at


def group_of(high: int, low: int, group: int) -> int:
    """Return one of the eight 16-bit groups of an IPv6 address."""
    word = high if group < 4 else low
    return (word >> (48 - 16 * (group & 3))) & 0xFFFF


def put_hex(decision: Decision, at: int, value: int) -> int:
    """Write 16 bits in hexadecimal from `at` on, without leading zeros; return the position after."""
    shift = 12
    while shift and not value >> shift:
        shift -= 4
    while shift >= 0:
        digit = (value >> shift) & 15
        decision.subject[at] = (DIGIT_0 if digit < 10 else LOWER_A - 10) + digit
        at += 1
        shift -= 4
    return at


def put_quad(decision: Decision, address: int) -> int:
    """Write an IPv4 address (32 bits) and return its length."""
    at = 0
    for octet in range(4):
        value = (address >> (24 - 8 * octet)) & 0xFF
        if octet:
            decision.subject[at] = DOT
            at += 1
        if value > 99:
            decision.subject[at] = DIGIT_0 + value // 100
            at += 1
        if value > 9:
            decision.subject[at] = DIGIT_0 + value // 10 % 10
            at += 1
        decision.subject[at] = DIGIT_0 + value % 10
        at += 1
    return at


def holds(view: View, decision: Decision, test: int, length: int) -> bool:
    """Return whether a test holds for the subject, which has `length` bytes.

    | test             | holds where the part of the subject                                     |
    |------------------|-------------------------------------------------------------------------|
    | LENGTH_*         | has such a length; of a number, or of one of the operand's ranges       |
    | ONE_OF           | is one of the operand's texts                                           |
    | CONTAINS         | has the operand in it                                                   |
    | STARTS, ENDS     | begins or ends with it                                                  |
    | WILDCARD         | is as a whole what it describes                                         |
    | EQUALS, LESS ... | stands so to it, byte by byte, a shorter text before what it begins     |
    """
    start = bound(view.test_from[test], length)
    end = bound(view.test_to[test], length)
    if end < start:
        end = start
    op = view.test_op[test]
    if op >= TEST_LENGTH_EQUALS:
        return has_length(view, test, end - start)
    operand = view.test_operand[test]
    size = view.test_operand_length[test]
    flags = view.test_flags[test]
    if op == TEST_ONE_OF:
        return is_one_of(view, decision, test, start, end)
    if op == TEST_WILDCARD:
        return is_like(view, decision, test, start, end)
    if op in (TEST_CONTAINS, TEST_STARTS, TEST_ENDS):
        if size > end - start:
            return False
        last = start if op == TEST_STARTS else end - size
        at = end - size if op == TEST_ENDS else start
        while at <= last:
            if has_at(view, decision, flags, at, operand, size):
                return True
            at += 1
        return False
    order = compare(view, decision, flags, start, end, operand, size)
    if op == TEST_EQUALS:
        return order == 0
    if op == TEST_LESS:
        return order < 0
    if op == TEST_LESS_EQUAL:
        return order <= 0
    return order > 0 if op == TEST_GREATER else order >= 0


def bound(place: int, length: int) -> int:
    """Return where a slice of `length` bytes begins or ends: counted from the end where `place` is negative."""
    if place < 0:
        place += length
    if place < 0:
        return 0
    return place if place < length else length


def has_length(view: View, test: int, length: int) -> bool:
    """Return whether a length passes a test of lengths."""
    op = view.test_op[test]
    number = view.test_number[test]
    if op == TEST_LENGTH_ONE_OF:
        at = view.test_operand[test]
        end = at + view.test_operand_length[test]
        while at < end:
            if number_at(view, at) <= length <= number_at(view, at + NUMBER_BYTES):
                return True
            at += 2 * NUMBER_BYTES
        return False
    if op == TEST_LENGTH_EQUALS:
        return length == number
    if op == TEST_LENGTH_LESS:
        return length < number
    if op == TEST_LENGTH_LESS_EQUAL:
        return length <= number
    if op == TEST_LENGTH_GREATER:
        return length > number
    if op == TEST_LENGTH_GREATER_EQUAL:
        return length >= number
    return length & number != 0


def number_at(view: View, at: int) -> int:
    """Return the 64-bit number, with a sign, in the blob at `at`, low byte first."""
    value = view.blob[at + NUMBER_BYTES - 1]
    if value > 127:
        value -= 256
    for octet in range(1, NUMBER_BYTES):
        value = value * 256 + view.blob[at + NUMBER_BYTES - 1 - octet]
    return value


def byte_at(decision: Decision, flags: int, at: int) -> int:
    """Return a byte of the subject, as the test wants its letters."""
    byte = decision.subject[at]
    return byte - CASE_STEP if flags & TEST_UPPER and LOWER_A <= byte <= LOWER_Z else byte


def has_at(view: View, decision: Decision, flags: int, at: int, operand: int, size: int) -> bool:
    """Return whether the subject has the operand at `at`, where it has so many bytes."""
    index = 0
    while index < size and byte_at(decision, flags, at + index) == view.blob[operand + index]:
        index += 1
    return index == size


def is_one_of(view: View, decision: Decision, test: int, start: int, end: int) -> bool:
    """Return whether the subject from `start` to `end` is one of the operand's texts."""
    at = view.test_operand[test]
    last = at + view.test_operand_length[test]
    while at < last:
        size = view.blob[at] | view.blob[at + 1] << 8
        if size == end - start and has_at(view, decision, view.test_flags[test], start, at + 2, size):
            return True
        at += 2 + size
    return False


def compare(view: View, decision: Decision, flags: int, start: int, end: int, operand: int, size: int) -> int:
    """Return -1, 0 or 1 where the subject from `start` to `end` is less than the operand, equal or greater."""
    shared = min(end - start, size)
    for index in range(shared):
        byte = byte_at(decision, flags, start + index)
        other = view.blob[operand + index]
        if byte != other:
            return -1 if byte < other else 1
    if end - start == size:
        return 0
    return -1 if end - start < size else 1


def is_like(view: View, decision: Decision, test: int, start: int, end: int) -> bool:
    """Return whether the whole subject from `start` to `end` is what a wildcard pattern describes.

    Each `*` first takes nothing; where the rest does not follow, the last one met takes a byte more. Earlier ones need
    not be tried again: what lies between two is found as early as it can be.
    """
    flags = view.test_flags[test]
    at = view.test_operand[test]
    last = at + view.test_operand_length[test]
    after_star = NONE_32
    taken = start
    while start < end:
        if at < last and view.blob[at] == ASTERISK:
            at += 1
            after_star = at
            taken = start
            continue
        if at < last:
            escaped = view.blob[at] == BACKSLASH and at + 1 < last
            if is_same_byte(byte_at(decision, flags, start), view.blob[at + 1 if escaped else at], flags):
                at += 2 if escaped else 1
                start += 1
                continue
        if after_star == NONE_32:
            return False
        taken += 1
        start = taken
        at = after_star
    while at < last and view.blob[at] == ASTERISK:
        at += 1
    return at == last


def is_same_byte(byte: int, other: int, flags: int) -> bool:
    """Return whether two bytes are equal, or would be but for the case that does not count."""
    if flags & TEST_ANY_CASE:
        if UPPER_A <= byte <= UPPER_Z:
            byte += CASE_STEP
        if UPPER_A <= other <= UPPER_Z:
            other += CASE_STEP
    return byte == other
