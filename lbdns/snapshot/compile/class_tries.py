"""Tries of address classes, made from segments: 16 records a node, with the shortest prefixes that there are.

A segment's beginning stands strictly inside of every block that is cut there: those are the nodes. Level by level, four
bits at a time, each node's records are children, or leaves of the class that the segment at their start has.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lbdns.snapshot.compile.shared_nodes import with_shared_nodes
from lbdns.snapshot.compile.tries import Tries, Wide
from lbdns.steering.kernel.numbers import TRIE_LEAF, TRIE_STRIDE, TRIE_WIDTH, UNUSED_SHIFT
from lbdns.steering.rules.address_sets import Addresses
from lbdns.steering.rules.decision_table import Cells

_WORD = 64


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
    key = trie_key(source)
    found = tries.find(key)
    if found is None:
        found = tries.recall(key)
    return tries.add_made(key, lambda first: class_trie(source, first)) if found is None else found


def trie_key(source: AddressClasses) -> bytes:
    """Return what two tries share that are the same."""
    digest = blake2b(digest_size=16)
    for starts, classes in zip(source.starts, source.classes, strict=True):
        digest.update(len(classes).to_bytes(4, "little"))
        digest.update(starts.tobytes())
        digest.update(classes.tobytes())
    return digest.digest()


def class_trie(source: AddressClasses, first: int) -> Wide:
    """Return the trie of a source's classes, numbered from node `first` on."""
    roots: list[int] = []
    nodes: list[NDArray[np.uint32]] = []
    count = first
    for starts, classes in zip(source.starts, source.classes, strict=True):
        levels = _levels(starts[1:], classes, count)
        roots.append(count if levels else TRIE_LEAF | int(classes[0]))
        nodes += levels
        count += sum(map(len, levels))
    flat = np.concatenate([one.reshape(-1) for one in nodes]) if nodes else np.zeros(0, np.uint32)
    return with_shared_nodes(Wide(first, np.array(roots, np.uint32), flat))


def _levels(turns: Addresses, classes: Cells, first: int) -> list[NDArray[np.uint32]]:
    """Return the nodes of one family, a table of records a level; `turns`: where segments begin but the first one."""
    lengths = _significant_bits(turns)
    levels = []
    inside = np.flatnonzero(lengths > 0)  # indices of turns that stand strictly inside of some node of this level
    depth = 0
    while len(inside):
        ordered = turns[inside] & _mask(depth)
        is_new = np.concatenate([[True], (ordered[1:] != ordered[:-1]).any(axis=1)])
        node_of = np.cumsum(is_new) - 1
        count = int(node_of[-1]) + 1
        step = (turns[inside, depth // _WORD] >> np.uint64(_WORD - TRIE_STRIDE - depth % _WORD)).astype(np.intp) & 15
        slot = node_of * TRIE_WIDTH + step
        size = count * TRIE_WIDTH
        turning = np.bincount(slot, minlength=size).reshape(count, TRIE_WIDTH)
        is_deeper = lengths[inside] > depth + TRIE_STRIDE
        at_start = np.bincount(slot[~is_deeper], minlength=size).reshape(count, TRIE_WIDTH)
        deeper = np.bincount(slot[is_deeper], minlength=size).reshape(count, TRIE_WIDTH) > 0
        segment = inside[is_new][:, None] + np.cumsum(turning, axis=1) - turning + at_start
        unused = _unused(turning, at_start)
        records = (np.uint32(TRIE_LEAF) | unused << np.uint32(UNUSED_SHIFT)) | classes[segment].astype(np.uint32)
        first += count
        records[deeper] = np.arange(first, first + int(deeper.sum()), dtype=np.uint32)
        levels.append(records)
        inside = inside[is_deeper]
        depth += TRIE_STRIDE
    return levels


def _unused(turning: NDArray[np.intp], at_start: NDArray[np.intp]) -> NDArray[np.uint32]:
    """Return for each record how many of its four bits do not matter: those of the widest block that nothing cuts."""
    unused = np.zeros(turning.shape, np.uint32)
    for bits in range(1, TRIE_STRIDE):
        blocks = (len(turning), TRIE_WIDTH >> bits, 1 << bits)
        inside = turning.reshape(blocks).sum(axis=2) - at_start.reshape(blocks)[:, :, 0]
        unused[np.repeat(inside == 0, 1 << bits, axis=1)] = bits
    return unused


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
