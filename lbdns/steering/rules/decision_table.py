"""Rules as a decision table: of which class an address is, and which rules match for each class, kind and test bits.

There are two tables, for queries with ECS and for those without: presence of ECS, and its text, are constant in each.
What is told apart is which rules match, since each is counted; classes that no rule tells apart are one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lbdns.model import bounds
from lbdns.steering.kernel.numbers import (
    RULE_KINDS,
    RULES_SCOPE_ADDRESS,
    RULES_SCOPE_NONE,
    RULES_SCOPE_PREFIX,
    SUBJECT_ECS_TEXT,
    TEST_ASKED,
)
from lbdns.steering.rules.address_sets import EMPTY_SET, FAMILIES, Addresses, AddressSet, cut
from lbdns.steering.rules.formulas import (
    AddressAtom,
    Atom,
    EcsAtom,
    Formula,
    KindAtom,
    Presence,
    TestAtom,
    Truths,
    atoms_of,
    truths_of,
)

Hits = tuple[int, ...]
"""The positions of the rules that match, in the order in which they act."""
Cells = NDArray[np.int32]


class FoldedRule(NamedTuple):
    """A rule that may match: its position in the list, what is left of its condition, whether it ends the road."""

    position: int
    formula: Formula
    ends: bool


class SourceTable(NamedTuple):
    """The table for queries with ECS, or for those without: for IPv4 and IPv6 where segments begin and of which class
    each is, and the cells.

    `cells`: int32 (classes, bits of tests * RULE_KINDS), indices of `DecisionTable.hits`.
    """

    starts: tuple[Addresses, Addresses]
    classes: tuple[Cells, Cells]
    cells: Cells

    @property
    def is_one_class(self) -> bool:
        """Whether the address does not matter."""
        return len(self.cells) == 1


class DecisionTable(NamedTuple):
    """What rules do, whatever the load balancer's own pools are. `scope`: RULES_SCOPE_*."""

    hits: tuple[Hits, ...]
    tests: tuple[TestAtom, ...]
    ecs: SourceTable
    resolver: SourceTable
    scope: int

    @property
    def never_matches(self) -> bool:
        """Whether no rule ever matches."""
        return self.hits == ((),)


class TooLarge(Exception):
    """The rules of a load balancer exceed a bound: which one, and how many there would be (or more)."""

    def __init__(self, what: str, count: int, most: int) -> None:
        super().__init__(f"its rules make {count:,} {what}, more than {most:,}")
        self.what, self.count, self.most = what, count, most


def tests_of(rules: Sequence[FoldedRule]) -> tuple[TestAtom, ...]:
    """Return the distinct tests of rules, in order."""
    found = (atom for rule in rules for atom in atoms_of(rule.formula) if isinstance(atom, TestAtom))
    return tuple(dict.fromkeys(found))


def address_atoms(rules: Sequence[FoldedRule]) -> tuple[AddressAtom | EcsAtom, ...]:
    """Return the distinct atoms of rules that addresses decide, in order."""
    found = (atom for rule in rules for atom in atoms_of(rule.formula) if isinstance(atom, AddressAtom | EcsAtom))
    return tuple(dict.fromkeys(found))


def truth_count(rules: Sequence[FoldedRule], sets: Mapping[AddressAtom | EcsAtom, AddressSet]) -> int:
    """Return how many truths of atoms are worked out for the table of queries with ECS, at most."""
    atoms = address_atoms(rules)
    return len(atoms) * _segment_count(atoms, sets)


def most_cells(rules: Sequence[FoldedRule], sets: Mapping[AddressAtom | EcsAtom, AddressSet]) -> int:
    """Return what `cell_count` cannot exceed, without working it out."""
    return _segment_count(address_atoms(rules), sets) * RULE_KINDS << len(tests_of(rules))


def _segment_count(atoms: Sequence[AddressAtom | EcsAtom], sets: Mapping[AddressAtom | EcsAtom, AddressSet]) -> int:
    return len(FAMILIES) + sum(len(sets[atom].v4) + len(sets[atom].v6) for atom in atoms)


def cell_count(rules: Sequence[FoldedRule], sets: Mapping[AddressAtom | EcsAtom, AddressSet]) -> int:
    """Return how many cells the table of queries with ECS has, before classes that are alike are one."""
    used = [sets[atom] for atom in address_atoms(rules)]
    vectors, _ = _distinct_bits(np.concatenate([cut(used, family).truths for family in FAMILIES]))
    return len(vectors) * RULE_KINDS << len(tests_of(rules))


def decision_table(rules: Sequence[FoldedRule], sets: Mapping[AddressAtom | EcsAtom, AddressSet]) -> DecisionTable:
    """Return the table of rules in the order in which they act. Raises TooLarge."""
    tests, atoms = tests_of(rules), address_atoms(rules)
    if len(tests) > bounds.MAX_TESTS:
        raise TooLarge("tests of names and texts", len(tests), bounds.MAX_TESTS)
    truths = truth_count(rules, sets)
    if truths > bounds.MAX_RULE_TRUTHS:
        raise TooLarge("truths of comparisons of addresses", truths, bounds.MAX_RULE_TRUTHS)
    # Where nothing asks for ECS itself, queries without it are decided by the same table.
    sources = (True, False) if _asks_for_ecs(rules) else (True,)
    drafts = [_Draft(rules, tests, atoms, sets, has_ecs) for has_ecs in sources]
    hits, numbers = _number_hits(rules, [draft.matched for draft in drafts])
    shapes = [(len(draft.vectors), 1 << len(tests), RULE_KINDS) for draft in drafts]
    cells = [found.reshape(shape) for found, shape in zip(numbers, shapes, strict=True)]
    kept = [index for index in range(len(tests)) if any(_matters(found, index) for found in cells)]
    cells = [_without_tests(found, kept) for found in cells]
    made = [draft.source(found) for draft, found in zip(drafts, cells, strict=True)]
    ecs, resolver = made[0], made[-1]
    left = tuple(tests[index] for index in kept)
    return DecisionTable(hits, left, ecs, resolver, _scope(ecs, resolver, left))


def _asks_for_ecs(rules: Sequence[FoldedRule]) -> bool:
    return any(
        isinstance(atom, EcsAtom | Presence) or (isinstance(atom, TestAtom) and atom.subject == SUBJECT_ECS_TEXT)
        for rule in rules
        for atom in atoms_of(rule.formula)
    )


class _Draft:
    """One source's table before classes are made: distinct vectors of truths of the atoms, and who has which."""

    def __init__(
        self,
        rules: Sequence[FoldedRule],
        tests: Sequence[TestAtom],
        atoms: Sequence[AddressAtom | EcsAtom],
        sets: Mapping[AddressAtom | EcsAtom, AddressSet],
        has_ecs: bool,
    ) -> None:
        used = [sets[atom] if has_ecs or isinstance(atom, AddressAtom) else EMPTY_SET for atom in atoms]
        segments = [cut(used, family) for family in FAMILIES]
        self._starts = (segments[0].starts, segments[1].starts)
        bits_of, self._vector_of = _distinct_bits(np.concatenate([one.truths for one in segments]))
        self.vectors = np.unpackbits(bits_of, axis=1, count=len(atoms)).astype(np.bool_)
        width = RULE_KINDS << len(tests)
        if len(self.vectors) * width > bounds.MAX_RULE_CELLS:
            raise TooLarge("cells", len(self.vectors) * width, bounds.MAX_RULE_CELLS)
        bits = np.arange(1 << len(tests))
        column = {atom: index for index, atom in enumerate(atoms)}
        row = {test: index for index, test in enumerate(tests)}

        def truth(atom: Atom) -> Truths:
            if isinstance(atom, Presence):
                return np.array(has_ecs)
            if isinstance(atom, KindAtom):
                return np.array(atom.truths)
            if isinstance(atom, TestAtom):
                made = (bits >> row[atom] & 1).astype(np.bool_)
                is_missing = not has_ecs and atom.subject == SUBJECT_ECS_TEXT and atom.op != TEST_ASKED
                return np.array(False) if is_missing else made[:, None]
            return self.vectors[:, column[atom], None, None]

        shape = (len(self.vectors), len(bits), RULE_KINDS)
        alive = np.ones(shape, np.bool_)
        self.matched = np.empty((len(rules), *shape), np.bool_)
        for index, rule in enumerate(rules):
            np.logical_and(alive, truths_of(rule.formula, truth), out=self.matched[index])
            if rule.ends:
                alive &= ~self.matched[index]

    def source(self, cells: Cells) -> SourceTable:
        """Return the table, given which rules match for each vector; classes are numbered as they appear."""
        flat = cells.reshape(len(cells), -1)
        distinct, first, class_of = np.unique(flat, axis=0, return_index=True, return_inverse=True)
        class_of = class_of.reshape(-1)[self._vector_of]
        _, appears = np.unique(class_of, return_index=True)
        number = np.empty(len(distinct), np.int32)
        number[np.argsort(appears, kind="stable")] = np.arange(len(distinct), dtype=np.int32)
        of_segment = number[class_of]
        ordered = np.empty((len(distinct), flat.shape[1]), np.int32)
        ordered[number] = flat[first]
        count = len(self._starts[0])
        parts = [_merged(*pair) for pair in zip(self._starts, (of_segment[:count], of_segment[count:]), strict=True)]
        return SourceTable((parts[0][0], parts[1][0]), (parts[0][1], parts[1][1]), ordered)


def _merged(starts: Addresses, classes: Cells) -> tuple[Addresses, Cells]:
    """Return segments without those that are of the class of the one before."""
    kept = np.concatenate([[True], classes[1:] != classes[:-1]])
    return starts[kept], classes[kept]


def _distinct(rows: Truths) -> tuple[Truths, NDArray[np.intp]]:
    """Return the distinct rows, and the number of each row's."""
    packed, number = _distinct_bits(np.packbits(rows, axis=1))
    return np.unpackbits(packed, axis=1, count=rows.shape[1]).astype(np.bool_), number


def _distinct_bits(packed: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.intp]]:
    """Return the distinct rows of bits, eight a byte, and the number of each row's."""
    if packed.shape[1] == 0:
        return packed[:1], np.zeros(len(packed), np.intp)
    if packed.shape[1] <= 8:
        wide = np.zeros((len(packed), 8), np.uint8)
        wide[:, : packed.shape[1]] = packed
        _, first, number = np.unique(wide.view(np.uint64)[:, 0], return_index=True, return_inverse=True)
    else:
        # As texts, which compare many times as fast as rows; that they lose zeros at the end makes no two alike.
        texts = np.ascontiguousarray(packed).view(f"S{packed.shape[1]}")[:, 0]
        _, first, number = np.unique(texts, return_index=True, return_inverse=True)
    return packed[first], number.reshape(-1)


def _number_hits(rules: Sequence[FoldedRule], matched: Sequence[Truths]) -> tuple[tuple[Hits, ...], list[Cells]]:
    """Return the distinct sets of rules that match together, and the number of each cell's, flat, for both sources."""
    flat = np.concatenate([one.reshape(len(rules), -1) for one in matched], axis=1).T
    distinct, number = _distinct(flat)
    positions = np.array([rule.position for rule in rules], np.int64)
    hits = tuple(tuple(positions[row].tolist()) for row in distinct)
    if len(hits) > bounds.MAX_VARIANTS:
        raise TooLarge("variants", len(hits), bounds.MAX_VARIANTS)
    return hits, np.split(number.astype(np.int32), [matched[0][0].size] if len(matched) > 1 else [])


def _matters(cells: Cells, test: int) -> bool:
    """Return whether any cell (classes, bits, kinds) is otherwise where a test holds."""
    sides = cells.reshape(len(cells), -1, 2, 1 << test, RULE_KINDS)
    return not np.array_equal(sides[:, :, 0], sides[:, :, 1])


def _without_tests(cells: Cells, kept: Sequence[int]) -> Cells:
    """Return the cells by the bits of some tests alone."""
    bits = np.arange(1 << len(kept))
    chosen = np.zeros(len(bits), np.intp)
    for place, test in enumerate(kept):
        chosen |= (bits >> place & 1) << test
    return cells[:, chosen]


def _scope(ecs: SourceTable, resolver: SourceTable, tests: Sequence[TestAtom]) -> int:
    if any(test.subject == SUBJECT_ECS_TEXT or test.reads_address for test in tests):
        return RULES_SCOPE_ADDRESS
    is_same = ecs.is_one_class and resolver.is_one_class and np.array_equal(ecs.cells, resolver.cells)
    return RULES_SCOPE_NONE if is_same else RULES_SCOPE_PREFIX
