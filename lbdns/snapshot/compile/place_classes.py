"""Place classes: which trie tells a load balancer's places apart, and which candidate list each class has.

A partition of the places has a trie of its own, reduced to its classes, as long as there are few: ECS scopes are then
as short as can be. Beyond MERGED_TRIES_MAX partitions, load balancers share the trie of all units, with a list for each
unit: the same answers, with the scopes of the located networks.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from threading import Lock
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lbdns.places.centroids import stand_in
from lbdns.places.nodes_at_rest import rested
from lbdns.places.place import Place
from lbdns.places.place_tree import PlaceTree
from lbdns.snapshot.compile.tries import PrefixTree, Tries, in_levels, private_tree, reduce_tree
from lbdns.steering.kernel.numbers import CLASS_UNKNOWN, NO_TRIE, SELECT_NEAREST
from lbdns.steering.policies.cut import Cut, classes_of
from lbdns.steering.policies.units import Unit, Units

MERGED_TRIES_MAX: Final = 16
MERGED_BYTES_MAX: Final = 64_000_000

Columns = dict[str, "array[int]"]


class PlaceIndex:
    """What a geolocation tree gives every snapshot: its units, and the tree reduced to each kind of unit, on demand."""

    def __init__(self, places: PlaceTree) -> None:
        self.places = places
        self.units = Units(places.places)
        self._reduced: dict[Unit, PrefixTree] = {}
        self._reducing = Lock()  # tries are made in a thread of their own
        self._in_levels: PrefixTree | None = None  # takes longer than to reduce it; until each has

    def tree(self, unit: Unit) -> PrefixTree:
        """Return the tree whose values are units of one kind."""
        with self._reducing:
            if unit not in self._reduced:
                self._reduced[unit] = self._alike(unit) or self._reduced_to(unit)
                if len(self._reduced) == len(Unit):
                    self._in_levels = None
            return self._reduced[unit]

    def reduced(self, unit: Unit, classes: NDArray[np.int32]) -> PrefixTree:
        """Return the tree of units of one kind with each unit replaced by its class."""
        return reduce_tree(self.tree(unit), classes)

    def _alike(self, unit: Unit) -> PrefixTree | None:
        """Return the tree of another kind whose units are the same: a country-level database has no subdivisions."""
        of_place = self.units.of_place
        alike = (tree for one, tree in self._reduced.items() if np.array_equal(of_place[one], of_place[unit]))
        return next(alike, None)

    def _reduced_to(self, unit: Unit) -> PrefixTree:
        if self._in_levels is None:
            self._in_levels = _at_rest(in_levels(self.places.nodes, int(self.places.root_v4), int(self.places.root_v6)))
        return _at_rest(reduce_tree(self._in_levels, self.units.of_place[unit]))

    def unit_count(self, unit: Unit) -> int:
        """Return how many units of one kind there are, the unknown one among them."""
        return len(self.units.values[unit])


def _at_rest(tree: PrefixTree) -> PrefixTree:
    return replace(tree, nodes=rested(tree.nodes))


_held: list[PlaceIndex] = []


def place_index(places: PlaceTree) -> PlaceIndex:
    """Return the index of a geolocation tree, kept while the tree is the one in use: a reload costs nothing."""
    if not _held or _held[0].places is not places:
        _held[:] = [PlaceIndex(places)]
    return _held[0]


class PlaceColumns(NamedTuple):
    """The columns of a row that lead from a place to a candidate list, or to a verdict."""

    resolver_trie: int
    ecs_trie: int
    pop_class: int
    lists: int
    ecs_lists: int


class PlaceClasses:
    """Says how rows lead from a place to a candidate list: which tries, and where their classes' lists stand."""

    def __init__(self, columns: Columns, index: PlaceIndex, here: Place, tries: Tries) -> None:
        """Begin with the trie of private addresses alone in `tries`."""
        self._column = columns["class_list"]
        self._vectors = columns["unit_vector"]
        self._index = index
        self._here = stand_in(here)
        self._tries = tries
        if tries.recall("private") is None:
            tries.add("private", private_tree, 2)
        self._merged = 0
        self._has_many = False
        self._segments: dict[bytes, int] = {}
        self._here_unit: int | None = None

    def has_many_partitions(self) -> bool:
        """Whether no more partitions get a trie of their own."""
        if not self._has_many:  # tries do not become fewer, and how large they are is waited for
            self._has_many = self._merged >= MERGED_TRIES_MAX or self._tries.size > MERGED_BYTES_MAX
        return self._has_many

    def columns(self, select: int, cut: Cut | None, numbers: Sequence[int]) -> PlaceColumns:
        """Return one row's tries and classes; `numbers` are the rows of its plan's lists."""
        if select == SELECT_NEAREST:
            return self._nearest(numbers[0])
        if cut is None:
            lists = self._segment(array("I", (numbers[0], numbers[0])).tobytes())
            return PlaceColumns(NO_TRIE, NO_TRIE, 1, lists, lists)
        return self._merged_ones(cut, numbers) or self._units(cut, numbers)

    def _segment(self, lists: bytes) -> int:
        """Return where a table of class -> list (uint32) begins; equal tables stand once."""
        start = self._segments.get(lists)
        if start is None:
            start = self._segments[lists] = len(self._column)
            self._column.frombytes(lists)
        return start

    def _merged_ones(self, cut: Cut, numbers: Sequence[int]) -> PlaceColumns | None:
        """Give the partitions tries of their own; None where there are too many already."""
        tries = []
        for key in cut.partitions:
            found = self._tries.find(key)
            if found is None:
                if self.has_many_partitions():
                    return None
                found = self._tries.recall(key)
                if found is None:
                    classes = classes_of(key)
                    tree = partial(self._index.reduced, key[0], classes)
                    found = self._tries.add(key, tree, int(classes.max()) + 1)
                self._merged += 1
            tries.append(found)
        lists = self._segment(array("I", [numbers[listed] for listed in cut.class_lists]).tobytes())
        return PlaceColumns(tries[0], tries[-1], cut.pop_class, lists, lists)

    def _units(self, cut: Cut, numbers: Sequence[int]) -> PlaceColumns:
        """Give every unit its list; the PoP's stands after the last unit."""
        rows = np.array(numbers, dtype=np.uint32)
        starts = [self._segment(rows.take(lists).tobytes()) for lists in cut.unit_lists]
        tries = [self._unit_trie(unit) for unit, _ in cut.partitions]
        return PlaceColumns(tries[0], tries[-1], len(cut.unit_lists[0]) - 1, starts[0], starts[-1])

    def _unit_trie(self, unit: Unit) -> int:
        found = self._tries.find(unit)
        if found is None:
            found = self._tries.recall(unit)
        if found is None:
            found = self._tries.add(unit, partial(self._index.tree, unit), self._index.unit_count(unit))
        return found

    def _nearest(self, number: int) -> PlaceColumns:
        """Leave the order to the query: classes are units of coordinates, whose vectors are written once."""
        if self._here_unit is None:
            self._here_unit = self._append_vectors()
        trie = self._unit_trie(Unit.COORDINATES)
        lists = self._segment(array("I", (number,)).tobytes())
        return PlaceColumns(trie, trie, self._here_unit, lists, lists)

    def _append_vectors(self) -> int:
        """Write the vectors of all units and of this PoP behind them; return the PoP's number."""
        units = self._index.units
        column = self._vectors
        column.frombytes(unit_vectors(units.latitudes, units.longitudes).tobytes())
        if self._here.latitude is None or self._here.longitude is None:
            return CLASS_UNKNOWN
        here = unit_vectors(np.array([self._here.latitude]), np.array([self._here.longitude]))
        column.frombytes(here.tobytes())
        return len(units.latitudes)


def unit_vectors(latitudes: NDArray[np.float64], longitudes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return points of the unit sphere, shape (n, 3), for degrees."""
    phi, lam = np.radians(latitudes), np.radians(longitudes)
    return np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], axis=1)
