"""Tries of address classes, made from segments: 16 records a node, with the shortest prefixes that there are.

A segment's beginning stands strictly inside of every block that is cut there: those are the nodes. Level by level, four
bits at a time, each node's records are children, or leaves of the class that the segment at their start has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import pairwise
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from lbdns.snapshot.compile.shared_nodes import with_shared_nodes
from lbdns.snapshot.compile.tries import Tries, Wide
from lbdns.steering.kernel.numbers import TRIE_LEAF, TRIE_STRIDE, TRIE_WIDTH, UNUSED_SHIFT
from lbdns.steering.rules.address_sets import Addresses
from lbdns.steering.rules.decision_table import Cells

_WORD = 64
_TURNS_AT_ONCE: Final = 8_192
"""So many segments are worked on together, some MiB, and more only where one source has them."""


class AddressClasses(Protocol):
    """For IPv4 and IPv6 where segments begin, and of which class each is."""

    @property
    def starts(self) -> tuple[Addresses, Addresses]:
        """Where segments begin, the first at 0."""

    @property
    def classes(self) -> tuple[Cells, Cells]:
        """Their classes."""


def trie_of_classes(source: AddressClasses, tries: Tries) -> int:
    """Return the number of the trie of a source's classes; this snapshot's or the one's before, where one has it."""
    return tries_of_classes([source], tries)[0]


def tries_of_classes(sources: Sequence[AddressClasses], tries: Tries) -> list[int]:
    """Return the same of several sources, whose tries are made together where they are new."""
    keys = [trie_key(source) for source in sources]
    fresh = {key: one for key, one in zip(keys, sources, strict=True) if not tries.knows(key)}
    made = class_tries(fresh.values())  # as they are asked for, so that a batch is let go before the next one
    numbers = []
    for key in keys:
        found = tries.find(key)
        if found is None:
            found = tries.recall(key)
        numbers.append(tries.add_made(key, next(made)) if found is None else found)
    return numbers


def trie_key(source: AddressClasses) -> bytes:
    """Return what two tries share that are the same."""
    digest = blake2b(digest_size=16)
    for starts, classes in zip(source.starts, source.classes, strict=True):
        digest.update(len(classes).to_bytes(4, "little"))
        digest.update(starts.tobytes())
        digest.update(classes.tobytes())
    return digest.digest()


def class_tries(sources: Iterable[AddressClasses]) -> Iterator[Wide]:
    """Yield the trie of each source's classes, its nodes numbered from 0 on."""
    batch: list[AddressClasses] = []
    turns = 0
    for source in sources:
        more = sum(map(len, source.classes))
        if batch and turns + more > _TURNS_AT_ONCE:
            yield from _batch(batch)
            batch, turns = [], 0
        batch.append(source)
        turns += more
    if batch:
        yield from _batch(batch)


class _Level(NamedTuple):
    """The nodes of one depth: the part (a family of a source) that each is of, and their records, flat.

    Records of nodes, which stand at `inner`, are filled in when all nodes are numbered: those of the next level, in
    order.
    """

    parts: NDArray[np.intp]
    records: NDArray[np.uint32]
    inner: NDArray[np.intp]


def _batch(sources: Sequence[AddressClasses]) -> list[Wide]:
    """Return the tries of a few sources: what numpy costs each time it is asked is paid once for all of them."""
    starts = [one for source in sources for one in source.starts]
    classes = np.concatenate([one for source in sources for one in source.classes]).astype(np.uint32)
    sizes = np.array([len(one) for one in starts])
    levels = _levels(np.concatenate(starts), classes, np.repeat(np.arange(len(starts)), sizes))
    counts = np.zeros(len(starts), np.intp)
    for level in levels:
        counts += np.bincount(level.parts, minlength=len(starts))
    begins = np.cumsum(counts) - counts  # of a part's nodes; those of a source stand together, IPv4 before IPv6
    firsts = begins - begins[::2].repeat(2)
    firsts_of = [TRIE_LEAF | int(value) for value in classes[np.cumsum(sizes) - sizes]]
    roots = np.where(counts > 0, firsts, firsts_of).astype(np.uint32).reshape(-1, 2)
    flat = _in_parts(levels, begins)
    ends = np.cumsum(counts)[1::2] * TRIE_WIDTH
    bounds = pairwise([0, *ends.tolist()])
    return [with_shared_nodes(Wide(0, root, flat[a:b])) for root, (a, b) in zip(roots, bounds, strict=True)]


def _in_parts(levels: Sequence[_Level], begins: NDArray[np.intp]) -> NDArray[np.uint32]:
    """Return the records of all levels, part by part, with the numbers of nodes in them."""
    if not levels:
        return np.zeros(0, np.uint32)
    parts = np.concatenate([level.parts for level in levels])
    order = np.argsort(parts, kind="stable")
    place = np.empty(len(order), np.intp)
    place[order] = np.arange(len(order))
    number = (place - begins[parts & ~1]).astype(np.uint32)
    below = 0
    for level in levels:
        below += len(level.parts)
        level.records[level.inner] = number[below : below + len(level.inner)]
    nodes = np.concatenate([level.records for level in levels]).reshape(-1, TRIE_WIDTH)
    return nodes[order].reshape(-1)


def _levels(turns: Addresses, classes: NDArray[np.uint32], parts: NDArray[np.intp]) -> list[_Level]:
    """Return the nodes of several parts, whose segments begin at `turns`: one part behind the other, in order."""
    lengths = _significant_bits(turns)
    levels = []
    inside = np.flatnonzero(lengths > 0)  # indices of turns that stand strictly inside of some node of this level
    depth = 0
    while len(inside):
        part = parts[inside]
        ordered = turns[inside] & _mask(depth)
        is_new = np.concatenate([[True], (ordered[1:] != ordered[:-1]).any(axis=1) | (part[1:] != part[:-1])])
        node_of = np.cumsum(is_new) - 1
        begins = np.flatnonzero(is_new)
        step = (turns[inside, depth // _WORD] >> np.uint64(_WORD - TRIE_STRIDE - depth % _WORD)).astype(np.intp) & 15
        slot = node_of * TRIE_WIDTH + step
        is_deeper = lengths[inside] > depth + TRIE_STRIDE
        # A node is of the class before its first turn; from a turn on, or from the record behind it where it stands
        # within one, of the turn's.
        count = len(begins)
        values = np.insert(classes[inside], begins, classes[inside[begins] - 1])
        since = np.insert(slot + is_deeper, begins, np.arange(count) * TRIE_WIDTH)
        records = np.repeat(values, np.diff(since, append=count * TRIE_WIDTH))
        records |= _unused(step, is_deeper, begins)
        slots = slot[is_deeper]
        inner = slots[np.concatenate([[True], slots[1:] != slots[:-1]])] if len(slots) else slots
        levels.append(_Level(part[begins], records, inner))
        inside = inside[is_deeper]
        depth += TRIE_STRIDE
    return levels


def _unused(step: NDArray[np.intp], is_deeper: NDArray[np.bool_], begins: NDArray[np.intp]) -> NDArray[np.uint32]:
    """Return for each record of nodes that it is a leaf, and how many of its four bits do not matter: those of the
    widest block that nothing cuts."""
    turned = np.left_shift(1, step + TRIE_WIDTH * is_deeper)
    marks = np.bitwise_or.reduceat(turned, begins)  # a bit a record, of each node
    start, deeper = marks & 0xFFFF, marks >> TRIE_WIDTH
    # Whether a block of 2, 4, 8 records is cut, at the bit of its first record.
    pairs = (deeper | (deeper | start) >> 1) & 0x5555
    fours = (pairs | (pairs | start) >> 2) & 0x1111
    eights = (fours | (fours | start) >> 4) & 0x0101
    halves = pairs | fours << 1 | eights << 3  # in each byte bits that no two of them share
    records: NDArray[np.uint32] = _LEAVES[halves[:, None] >> np.array([0, 8]) & 0xFF].reshape(-1)
    return records


def _leaves(half: int) -> list[int]:
    """Return eight leaves, without classes, of which blocks are cut as `_unused` marks them."""
    cut_pairs, cut_fours, is_cut = half & 0x55, half >> 1 & 0x11, half >> 3 & 1
    bits = [3 - is_cut - (cut_fours >> (record & 4) & 1) - (cut_pairs >> (record & 6) & 1) for record in range(8)]
    return [TRIE_LEAF | one << UNUSED_SHIFT for one in bits]


_LEAVES: Final = np.array([_leaves(half) for half in range(256)], np.uint32)


def _significant_bits(addresses: Addresses) -> NDArray[np.intp]:
    """Return how long the shortest prefix is that an address is the first of."""
    low = _WORD - _trailing_zeros(addresses[:, 1])
    high = _WORD - _trailing_zeros(addresses[:, 0])
    return np.where(low > 0, _WORD + low, high)


def _trailing_zeros(words: NDArray[np.uint64]) -> NDArray[np.intp]:
    lowest = words & (~words + np.uint64(1))
    # A power of two is exact as a float, whose exponent tells which; of 0 there are 64.
    return np.where(words == 0, _WORD, np.frexp(lowest.astype(np.float64))[1] - 1).astype(np.intp)


def _mask(depth: int) -> NDArray[np.uint64]:
    """Return the first `depth` bits, as an address is told."""
    full = ((1 << depth) - 1) << (2 * _WORD - depth)
    return np.array([full >> _WORD, full & ((1 << _WORD) - 1)], np.uint64)
