"""What rules cost, before anything is made of them: a bound that needs no database, and which rule costs most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from lbdns.expressions.tree import Compare, Condition, In, NamedList, Operator, fields_of
from lbdns.model import bounds
from lbdns.steering.kernel.numbers import RULE_KINDS
from lbdns.steering.rules.decision_table import FoldedRule, address_atoms, tests_of
from lbdns.steering.rules.formulas import EcsAtom

_ONE_MORE = (Operator.LT, Operator.LE, Operator.GT, Operator.GE)
_FEW_ATOMS: Final = 64
"""So many are within MAX_RULE_TRUTHS where databases have a million networks each."""


def is_surely_small(rules: Sequence[FoldedRule]) -> bool:
    """Return whether rules are within the bounds of truths, cells and variants whatever databases and lists say.

    Values of one field that are named so many times fall into so many classes at most, and one more; fields go together
    in every way.
    """
    atoms = address_atoms(rules)
    if len(atoms) > _FEW_ATOMS:
        return False
    classes: dict[tuple[str, ...], int] = {}
    doubled = 0
    for atom in atoms:
        if isinstance(atom, EcsAtom):
            classes["ip.src",] = classes.get(("ip.src",), 1) + 2 * len(atom.networks)
            continue
        named = _named(atom.comparison)
        if named is None:
            doubled += 1
            continue
        fields = tuple(sorted(one.name for one in fields_of(atom.comparison)))
        classes[fields] = classes.get(fields, 1) + named
    cells = RULE_KINDS << len(tests_of(rules)) + doubled
    for count in classes.values():
        cells *= count
    variants = min(2 * cells, 1 << len(rules))  # of queries with ECS and of those without
    return cells <= bounds.MAX_RULE_CELLS and variants <= bounds.MAX_VARIANTS


def _named(comparison: Condition) -> int | None:
    """Return how many classes of values a comparison may add, None where that is not seen from it."""
    if isinstance(comparison, Compare):
        if comparison.operator is Operator.EQ:
            return 2
        return 1 if comparison.operator in _ONE_MORE else None
    if not isinstance(comparison, In) or any(isinstance(item, NamedList) for item in comparison.items):
        return None
    return 2 * len(comparison.items)


def heaviest(rules: Sequence[FoldedRule], cost: Callable[[Sequence[FoldedRule]], int]) -> int:
    """Return the position of the rule without which the others cost least; of several the first."""
    left = [cost([*rules[:at], *rules[at + 1 :]]) for at in range(len(rules))]
    return rules[left.index(min(left))].position
