"""The addresses of each place, cut where a load balancer's tries cut them: in one such cell all are decided alike.

Places and tries are laid over each other as arrays. Where that would come to more parts than CELLS_MAX, as with a
database of cities under a policy that compares coordinates, addresses of every place are drawn instead: what is said of
a place is then an estimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lbdns.answer.serving_view import ServingView
from lbdns.places.place import Place
from lbdns.snapshot.compile.address_index import leaves
from lbdns.snapshot.compile.place_classes import PlaceIndex
from lbdns.steering.kernel.numbers import (
    CLASS_MASK,
    TRIE_LEAF,
    TRIE_STRIDE,
    TRIE_WIDTH,
    UNUSED_MASK,
    UNUSED_SHIFT,
)
from lbdns.steering.policies.units import Unit

CELLS_MAX: Final = 1_000_000
DRAWN_PER_PLACE: Final = 64
"""Addresses of a place that are looked at where it cannot be looked at as a whole, and at least."""
DRAWN_MAX: Final = 200_000
_BITS: Final = {4: 32, 6: 64}
"""Of an address that places and tries tell apart: networks of IPv6 are at most so long."""
_SEED: Final = 12
Numbers = NDArray[np.uint64]
"""Addresses by their first 64 bits; an IPv4 one in the upper 32 of them."""


class Spans(NamedTuple):
    """Neighbouring addresses of one place each: where they begin, in order, how many addresses, and which place."""

    starts: Numbers
    sizes: NDArray[np.float64]
    place: NDArray[np.int32]


class Cells(NamedTuple):
    """Addresses of a place that are decided alike. `address`: one of them, of the largest span; `span`: how many
    addresses that has; `size`: how many there are; `place`: an index into the places. `is_whole`: nothing is drawn."""

    address: Numbers
    span: NDArray[np.float64]
    size: NDArray[np.float64]
    place: NDArray[np.int32]
    is_whole: bool


@lru_cache(maxsize=4)
def place_spans(places: PlaceIndex, version: int) -> Spans:
    """Return the addresses of a family by subdivision; sizes are counted in addresses (IPv4) or networks of 64 bits."""
    starts, values = leaves(places.tree(Unit.SUBDIVISION), version)
    first = np.ascontiguousarray(starts[:, 0])
    keep = np.concatenate([[True], (first[1:] != first[:-1])])  # of networks longer than /64 the first
    first, values = first[keep], values[keep]
    merged = np.concatenate([[True], values[1:] != values[:-1]])
    return _spans(first[merged], values[merged].astype(np.int32), version)


def units_of(places: PlaceIndex) -> Sequence[Place]:
    """Return what the places of spans and cells are numbers of; the first is the unknown one."""
    return places.units.values[Unit.SUBDIVISION]


def _spans(starts: Numbers, place: NDArray[np.int32], version: int) -> Spans:
    unit = np.uint64(1 << (64 - _BITS[version]))
    numbers = (starts // unit).astype(np.float64)
    return Spans(starts, np.diff(numbers, append=float(1 << _BITS[version])), place)


class Walker:
    """A snapshot's tries, asked for many addresses at once."""

    def __init__(self, view: ServingView) -> None:
        """Look at the tries of a view's snapshot."""
        self._roots = np.frombuffer(view.columns["trie_root"], dtype=np.uint32)
        self._nodes = np.frombuffer(view.columns["trie_nodes"], dtype=np.uint32)

    def classes(self, trie: int, version: int, addresses: Numbers) -> NDArray[np.int64]:
        """Return the class that each address has in a trie."""
        records = np.full(len(addresses), self._roots[2 * trie + (version == 6)], np.uint32)
        for depth in range(0, 64, TRIE_STRIDE):
            pending = np.flatnonzero(records < TRIE_LEAF)
            if not len(pending):
                break
            slots = addresses[pending] >> np.uint64(64 - TRIE_STRIDE - depth) & np.uint64(TRIE_WIDTH - 1)
            records[pending] = self._nodes[records[pending].astype(np.int64) * TRIE_WIDTH + slots.astype(np.int64)]
        # What is told apart behind the first 64 bits is taken by the first of it.
        while len(pending := np.flatnonzero(records < TRIE_LEAF)):
            records[pending] = self._nodes[records[pending].astype(np.int64) * TRIE_WIDTH]
        return (records & CLASS_MASK).astype(np.int64)

    def starts(self, trie: int, version: int, most: int) -> Numbers | None:
        """Return where the leaves of a trie begin, None where there are more than `most`."""
        records = np.array([self._roots[2 * trie + (version == 6)]], np.uint32)
        at = np.zeros(1, np.uint64)
        found: list[Numbers] = []
        for depth in range(TRIE_STRIDE, 64 + TRIE_STRIDE, TRIE_STRIDE):
            is_leaf = records >= TRIE_LEAF
            found.append(at[is_leaf])
            inner = records[~is_leaf].astype(np.int64)
            if sum(map(len, found)) + len(inner) > most:
                return None
            if not len(inner):
                break
            steps = np.arange(TRIE_WIDTH, dtype=np.uint64) << np.uint64(64 - depth)
            at = (at[~is_leaf][:, None] + steps).reshape(-1)
            records = self._nodes.reshape(-1, TRIE_WIDTH)[inner].reshape(-1)
            # A leaf that spans several slots is met in each of them, and taken in the first.
            bits = (records >> UNUSED_SHIFT & UNUSED_MASK).astype(np.uint64) + np.uint64(64 - depth)
            repeated = (records >= TRIE_LEAF) & (at & ((np.uint64(1) << bits) - np.uint64(1)) != 0)
            at, records = at[~repeated], records[~repeated]
        else:
            found.append(at)
        return np.concatenate(found)


def cells_of(spans: Spans, walker: Walker, tries: Sequence[int], version: int) -> Cells:
    """Return the cells that tries cut spans into, those of each place together."""
    starts: list[Numbers] = [spans.starts]
    left = CELLS_MAX - len(spans.starts)
    for trie in tries:
        found = walker.starts(trie, version, left)
        if found is None:
            return _drawn(spans, walker, tries, version)
        starts.append(found)
        left -= len(found)
    at = np.concatenate(starts)
    at.sort()  # not np.unique: it hashes, and numbers whose lower 32 bits are 0 alike
    at = at[np.concatenate([[True], at[1:] != at[:-1]])]
    place = spans.place[np.searchsorted(spans.starts, at, side="right") - 1]
    return _grouped(_spans(at, place, version), walker, tries, version, is_whole=True)


def _drawn(spans: Spans, walker: Walker, tries: Sequence[int], version: int) -> Cells:
    """Return the cells of addresses that are drawn from each place, as many as it has its share of."""
    chance = np.random.default_rng(_SEED)
    order = np.argsort(spans.place, kind="stable")
    totals = np.bincount(spans.place, spans.sizes)
    wanted = np.maximum(DRAWN_PER_PLACE, (totals / totals.sum() * DRAWN_MAX).astype(np.int64)) * (totals > 0)
    ends = np.cumsum(spans.sizes[order])
    places = np.repeat(np.arange(len(totals)), wanted)
    behind = np.cumsum(totals)
    at = (behind - totals)[places] + chance.random(len(places)) * totals[places]
    chosen = order[np.minimum(np.searchsorted(ends, at, side="right"), len(order) - 1)]
    inside = (chance.random(len(chosen)) * spans.sizes[chosen]).astype(np.uint64)
    addresses = spans.starts[chosen] + inside * np.uint64(1 << (64 - _BITS[version]))
    place = spans.place[chosen]
    sizes = totals[place] / wanted[place]
    return _grouped(Spans(addresses, sizes, place), walker, tries, version, is_whole=False)


def _grouped(spans: Spans, walker: Walker, tries: Sequence[int], version: int, *, is_whole: bool) -> Cells:
    """Return spans put together that are of one place and of the same classes."""
    group = spans.place.astype(np.int64)
    for trie in tries:
        classes = walker.classes(trie, version, spans.starts)
        _, group = np.unique(group * (int(classes.max(initial=0)) + 1) + classes, return_inverse=True)
    _, group = np.unique(group, return_inverse=True)
    size = np.bincount(group, spans.sizes)
    # The largest of each group, the first of these where there are more.
    order = np.lexsort((-spans.sizes, group))
    first = order[np.searchsorted(group[order], np.arange(len(size)))]
    return Cells(spans.starts[first], spans.sizes[first], size.astype(np.float64), spans.place[first], is_whole)
