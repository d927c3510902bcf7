"""Sets of addresses, and the segments that several of them cut the address space into.

A set is told by the addresses where it begins and ends, in turn. Segments are as long as can be: two neighbours differ
in some set. So the trie over them has the shortest prefixes that there are, and a set that an address is *not* in
limits its scope like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lbdns.steering.rules.address_ranges import BITS, Ranges

Addresses = NDArray[np.uint64]
"""(n, 2): the upper and the lower 64 bits; an IPv4 address stands in the upper 32 bits, as in a `Query`."""
FAMILIES: Final = (4, 6)
_NOWHERE: Final = np.zeros((0, 2), np.uint64)
_LOW_64: Final = (1 << 64) - 1


class AddressSet(NamedTuple):
    """Where a set begins and ends, in turn, in ascending order, for IPv4 and IPv6; the last address ends nothing."""

    v4: Addresses
    v6: Addresses

    @property
    def size(self) -> int:
        """Bytes in this process."""
        return self.v4.nbytes + self.v6.nbytes


EMPTY_SET: Final = AddressSet(_NOWHERE, _NOWHERE)


class Segments(NamedTuple):
    """Addresses where segments begin, the first at 0, and for each which sets it is in: uint8 (segments, sets / 8), a
    bit a set, the first one the highest, as np.packbits has them."""

    starts: Addresses
    truths: NDArray[np.uint8]


def as_addresses(numbers: Sequence[int], family: int) -> Addresses:
    """Return addresses that are numbers in their own family."""
    found = np.zeros((len(numbers), 2), np.uint64)
    if family == 4:
        found[:, 0] = np.array(numbers, np.uint64) << np.uint64(32)
    elif numbers:
        found[:, 0] = [number >> 64 for number in numbers]
        found[:, 1] = [number & _LOW_64 for number in numbers]
    return found


def address_set(ranges: Ranges) -> AddressSet:
    """Return the union of ranges."""
    return AddressSet(*(_union(ranges[family], family) for family in FAMILIES))


def _union(ranges: Sequence[tuple[int, int]], family: int) -> Addresses:
    if not ranges:
        return _NOWHERE
    space = 1 << BITS[family]
    ends = [last + 1 for _, last in ranges if last + 1 < space]
    starts = as_addresses([first for first, _ in ranges], family)
    at = np.concatenate([starts, as_addresses(ends, family)])
    steps = np.concatenate([np.ones(len(starts), np.int32), np.full(len(ends), -1, np.int32)])
    order, group = _grouped(at)
    depth = np.cumsum(np.bincount(group, weights=steps[order]).astype(np.int32))
    inside = depth > 0
    changes = np.flatnonzero(inside != np.concatenate([[False], inside[:-1]]))
    return at[order[np.searchsorted(group, changes)]]


def _grouped(addresses: Addresses) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the order of addresses, and in that order the number of each distinct one."""
    upper, lower = addresses[:, 0], addresses[:, 1]
    is_upper = not lower.any()  # of IPv4, and of networks of 64 bits at most
    order = np.argsort(upper, kind="stable") if is_upper else np.lexsort((lower, upper))
    ordered = upper[order]
    differs = ordered[1:] != ordered[:-1]
    if not is_upper:
        ordered = lower[order]
        differs |= ordered[1:] != ordered[:-1]
    group = np.zeros(len(order), np.intp)
    np.cumsum(differs, out=group[1:])
    return order, group


def set_of_segments(starts: Addresses, chosen: NDArray[np.intp]) -> Addresses:
    """Return where the union of some segments, given in ascending order, begins and ends."""
    if not len(chosen):
        return _NOWHERE
    is_gap = np.diff(chosen) != 1
    first = chosen[np.concatenate([[True], is_gap])]
    behind = chosen[np.concatenate([is_gap, [True]])] + 1
    turns = np.empty(2 * len(first), np.intp)
    turns[0::2], turns[1::2] = first, behind
    return starts[turns[turns < len(starts)]]


def cut(sets: Iterable[AddressSet], family: int) -> Segments:
    """Return the segments that sets cut the addresses of a family into."""
    turns = [one.v4 if family == 4 else one.v6 for one in sets]
    at = np.concatenate([np.zeros((1, 2), np.uint64), *turns])
    order, group = _grouped(at)
    group_of = np.empty_like(group)
    group_of[order] = group
    # Bits from the beginning, and in place: there may be MAX_RULE_TRUTHS of them.
    flips = np.zeros((int(group[-1]) + 1, -(-len(turns) // 8)), np.uint8)
    start = 1
    for number, one in enumerate(turns):
        # A set turns once at an address, so that no bit is met twice.
        flips[group_of[start : start + len(one)], number // 8] |= np.uint8(0x80 >> number % 8)
        start += len(one)
    np.bitwise_xor.accumulate(flips, axis=0, out=flips)
    return Segments(at[order[np.searchsorted(group, np.arange(len(flips)))]], flips)
