"""Which addresses a comparison is true of: ranges that it names, or those of the places or AS numbers that it means.

Whoever compiles asks for all comparisons of a configuration at once: a database is walked once for all that ask it, not
once for each. What was asked for the last time is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lbdns.base.sorted_set import sorted_set
from lbdns.expressions.evaluate import evaluate
from lbdns.expressions.function_table import Fact
from lbdns.expressions.tree import Compare, Comparison, Field, In, Literal, Operator, Span, fields_of
from lbdns.places.asn_tree import AsnTree
from lbdns.places.place import Place
from lbdns.snapshot.compile.place_classes import PlaceIndex
from lbdns.snapshot.compile.tries import PrefixTree, in_levels, reduce_tree
from lbdns.steering.policies.units import Unit
from lbdns.steering.rules.address_ranges import Lists, address_ranges, network_ranges
from lbdns.steering.rules.address_sets import FAMILIES, Addresses, AddressSet, address_set, set_of_segments
from lbdns.steering.rules.decision_table import DecisionTable, FoldedRule, decision_table
from lbdns.steering.rules.formulas import AddressAtom, EcsAtom
from lbdns.steering.rules.rule_facts import Facts, place_facts

SetAtom = AddressAtom | EcsAtom
_ASNUM: Final = "ip.src.asnum"
_COORDINATES: Final = frozenset(("ip.src.lat", "ip.src.lon"))
_OPERATORS: Final[Mapping[Operator, Callable[..., NDArray[np.bool_]]]] = {
    Operator.EQ: np.equal,
    Operator.LT: np.less,
    Operator.LE: np.less_equal,
    Operator.GT: np.greater,
    Operator.GE: np.greater_equal,
}


class Attribute(NamedTuple):
    """What a database says: a tree whose values are numbers of facts; `facts(number)`, number 0: nothing is known.

    `numeric`: field -> its value for each number, NaN where missing, where it has numbers.
    """

    tree: PrefixTree
    value_count: int
    facts: Callable[[int], Mapping[str, Fact | None]]
    numeric: Mapping[str, NDArray[np.float64]]


class AddressIndex:
    """Finds the addresses of atoms; good for one set of databases and lists."""

    def __init__(self, places: PlaceIndex, asn: AsnTree | None, lists: Lists) -> None:
        """Begin with nothing found."""
        self.places, self.asn, self.lists = places, asn, lists
        self._found: dict[SetAtom, AddressSet] = {}
        self._tables: dict[tuple[FoldedRule, ...], DecisionTable] = {}
        self._before = self._tables

    def rests_on(self, places: PlaceIndex, asn: AsnTree | None, lists: Lists) -> bool:
        """Return whether what was found is good for these as well."""
        return self.places is places and self.asn is asn and self.lists == lists

    def find(self, atoms: Iterable[SetAtom]) -> Mapping[SetAtom, AddressSet]:
        """Return the addresses of atoms, and forget those of all others."""
        wanted = dict.fromkeys(atoms)
        found = {atom: self._found[atom] for atom in wanted if atom in self._found}
        located: dict[frozenset[str], list[AddressAtom]] = {}
        for atom in wanted:
            if atom in found:
                continue
            if isinstance(atom, EcsAtom):
                found[atom] = address_set(network_ranges(atom.networks))
                continue
            fields = frozenset(one.name for one in fields_of(atom.comparison)) - {name for name, _ in atom.facts}
            if fields == {"ip.src"}:
                found[atom] = address_set(address_ranges(atom.comparison, self.lists))
            else:
                located.setdefault(_asked_of(fields), []).append(atom)
        for fields, asking in located.items():
            found.update(zip(asking, sets_of(self._attribute(fields), asking), strict=True))
        self._found = found
        self._before, self._tables = self._tables, {}
        return found

    def table(self, rules: tuple[FoldedRule, ...], sets: Mapping[SetAtom, AddressSet]) -> DecisionTable:
        """Return the decision table of rules; one that is not asked for between two calls of `find` is
        forgotten. Raises TooLarge."""
        made = self._tables.get(rules) or self._before.get(rules) or decision_table(rules, sets)
        self._tables[rules] = made
        return made

    def _attribute(self, fields: frozenset[str]) -> Attribute:
        if _ASNUM in fields:
            return _of_numbers(self.asn)
        if fields & _COORDINATES:
            return _of_places(self.places)
        return _of_unit(self.places, Unit.SUBDIVISION if "ip.src.subdivision" in fields else Unit.COUNTRY)


_held: list[AddressIndex] = []


def address_index(places: PlaceIndex, asn: AsnTree | None, lists: Lists) -> AddressIndex:
    """Return the index of these databases and lists, kept while they are the ones in use."""
    if not _held or not _held[0].rests_on(places, asn, lists):
        _held[:] = [AddressIndex(places, asn, lists)]
    return _held[0]


def reads_asn(atom: SetAtom) -> bool:
    """Return whether the AS database decides an atom."""
    return isinstance(atom, AddressAtom) and any(one.name == _ASNUM for one in fields_of(atom.comparison))


def _asked_of(fields: frozenset[str]) -> frozenset[str]:
    """Return the fields that decide which database, or which of its trees, is walked."""
    if fields & _COORDINATES:
        return _COORDINATES
    return fields & {_ASNUM, "ip.src.subdivision"}


def _of_numbers(asn: AsnTree | None) -> Attribute:
    if asn is None:
        return Attribute(_EMPTY_TREE, 1, lambda number: {_ASNUM: None}, {_ASNUM: np.full(1, np.nan)})
    numbers = asn.numbers.astype(np.float64)
    numbers[numbers == 0] = np.nan
    tree = in_levels(asn.nodes, asn.root_v4, asn.root_v6)
    return Attribute(tree, len(numbers), lambda number: {_ASNUM: int(asn.numbers[number]) or None}, {_ASNUM: numbers})


_EMPTY_TREE: Final = PrefixTree(np.zeros((0, 2), np.int32), -1, -1, np.zeros(1, np.int64))


def _of_places(index: PlaceIndex) -> Attribute:
    places = index.places.places
    tree = in_levels(index.places.nodes, int(index.places.root_v4), int(index.places.root_v6))
    numeric = {
        "ip.src.lat": np.array([np.nan if one.latitude is None else one.latitude for one in places]),
        "ip.src.lon": np.array([np.nan if one.longitude is None else one.longitude for one in places]),
    }
    return Attribute(tree, len(places), _facts_of(places), numeric)


def _of_unit(index: PlaceIndex, unit: Unit) -> Attribute:
    values = index.units.values[unit]
    return Attribute(index.tree(unit), len(values), _facts_of(values), {})


def _facts_of(places: Sequence[Place]) -> Callable[[int], Mapping[str, Fact | None]]:
    return lambda number: place_facts(places[number])


def sets_of(attribute: Attribute, atoms: Sequence[AddressAtom]) -> list[AddressSet]:
    """Return the addresses of which each atom is true, after one walk through the tree."""
    members = [_members(attribute, atom) for atom in atoms]
    class_of = np.zeros(attribute.value_count, np.int32)
    count = 1
    for numbers in members:
        if len(numbers):
            distinct, inverse = np.unique(class_of[numbers], return_inverse=True)
            class_of[numbers] = count + inverse.reshape(-1)
            count += len(distinct)
    reduced = reduce_tree(attribute.tree, class_of)
    wanted = [sorted_set(class_of[numbers]) for numbers in members]
    sides = [_sides(*leaves(reduced, family), wanted, count) for family in FAMILIES]
    return [AddressSet(*pair) for pair in zip(*sides, strict=True)]


def _sides(
    starts: Addresses, classes: NDArray[np.int32], wanted: Sequence[NDArray[np.int32]], count: int
) -> list[Addresses]:
    """Return for each union of classes where it begins and ends in one family."""
    order = np.argsort(classes, kind="stable")
    begins = np.searchsorted(classes[order], np.arange(count + 1))
    found = []
    for chosen in wanted:
        parts = [order[begins[one] : begins[one + 1]] for one in chosen.tolist()]
        found.append(set_of_segments(starts, np.sort(np.concatenate([np.zeros(0, np.intp), *parts]))))
    return found


def leaves(tree: PrefixTree, family: int) -> tuple[Addresses, NDArray[np.int32]]:
    """Return where the leaves of a tree begin, in order, and their values."""
    records = np.array([tree.root_v4 if family == 4 else tree.root_v6], np.int32)
    at = np.zeros((1, 2), np.uint64)
    starts, values = [], []
    for depth in range(129):
        is_leaf = records < 0
        starts.append(at[is_leaf])
        values.append(~records[is_leaf])
        records, at = records[~is_leaf], at[~is_leaf]
        if not len(records):
            break
        beyond = at.copy()
        beyond[:, depth // 64] |= np.uint64(1 << (63 - depth % 64))
        records = tree.nodes[records].T.reshape(-1)
        at = np.concatenate([at, beyond])
    found, told = np.concatenate(starts), np.concatenate(values)
    order = np.lexsort((found[:, 1], found[:, 0]))
    return found[order], told[order]


def _members(attribute: Attribute, atom: AddressAtom) -> NDArray[np.intp]:
    """Return the numbers of the facts of which an atom is true."""
    truths = _numeric_truths(attribute, atom.comparison)
    if truths is None:
        read: Facts = dict(atom.facts)
        asked = range(attribute.value_count)
        truths = np.array([evaluate(atom.comparison, {**read, **attribute.facts(one)}) for one in asked], np.bool_)
    return np.flatnonzero(truths)


def _numeric_truths(attribute: Attribute, comparison: Comparison) -> NDArray[np.bool_] | None:
    """Return where a comparison of one number with numbers is true; None of another."""
    if not isinstance(comparison, Compare | In) or not isinstance(comparison.left, Field):
        return None
    values = attribute.numeric.get(comparison.left.name)
    if values is None:
        return None
    if isinstance(comparison, Compare):
        compare = _OPERATORS.get(comparison.operator)
        return None if compare is None else compare(values, comparison.right.value)
    truths = np.zeros(len(values), np.bool_)
    for item in comparison.items:
        assert isinstance(item, Span | Literal), "what is no address stands beside no network"
        low, high = (item.low, item.high) if isinstance(item, Span) else (item.value, item.value)
        assert isinstance(low, int | float) and isinstance(high, int | float)
        truths |= (values >= low) & (values <= high)
    return truths
