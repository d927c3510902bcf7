"""Whether the rules of a load balancer exceed a bound, told before anybody tries to compile them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from lbdns.model import bounds
from lbdns.model.balancer import LoadBalancer
from lbdns.places.geodata import Geodata
from lbdns.snapshot.compile.address_index import AddressIndex, SetAtom, reads_asn
from lbdns.snapshot.compile.place_classes import place_index
from lbdns.snapshot.compile.rule_memo import RuleMemo
from lbdns.steering.rules.address_ranges import Lists
from lbdns.steering.rules.address_sets import AddressSet
from lbdns.steering.rules.decision_table import (
    FoldedRule,
    TooLarge,
    address_atoms,
    cell_count,
    decision_table,
    most_cells,
    tests_of,
    truth_count,
)
from lbdns.steering.rules.rule_costs import heaviest, is_surely_small

Cost = Callable[[Sequence[FoldedRule], Mapping[SetAtom, AddressSet]], int]


class Excess(NamedTuple):
    """The rule without which a load balancer's rules cost least, and what they cost, as a sentence."""

    position: int
    told: str


def excess(
    load_balancer: LoadBalancer, region: str, open_geodata: Callable[[], Geodata], lists: Lists
) -> Excess | None:
    """Return what of a load balancer's rules exceeds a bound, None where nothing does. Databases are opened where it is
    not seen from the rules alone. Raises ExpressionError where a condition cannot be served."""
    rules = RuleMemo().fold(load_balancer, region)
    tests = len(tests_of(rules))
    if tests > bounds.MAX_TESTS:
        error = TooLarge("tests of names and texts", tests, bounds.MAX_TESTS)
        return Excess(heaviest(rules, lambda some: len(tests_of(some))), str(error))
    if not rules or is_surely_small(rules):
        return None
    return _made(rules, open_geodata(), lists)


def _made(rules: Sequence[FoldedRule], geodata: Geodata, lists: Lists) -> Excess | None:
    atoms = address_atoms(rules)
    asn = geodata.asn_tree() if any(map(reads_asn, atoms)) else None
    sets = AddressIndex(place_index(geodata.tree), asn, lists).find(atoms)
    try:
        decision_table(rules, sets)
    except TooLarge as error:
        cost = _cost(rules, sets, error)
        return Excess(heaviest(rules, lambda some: cost(some, sets)), str(error))
    return None


def _cost(rules: Sequence[FoldedRule], sets: Mapping[SetAtom, AddressSet], error: TooLarge) -> Cost:
    """Return by what rules are compared, which is worked out once for each of them."""
    truths = truth_count(rules, sets)
    if error.most == bounds.MAX_RULE_TRUTHS:
        return truth_count
    return cell_count if truths * len(rules) <= bounds.MAX_RULE_TRUTHS else most_cells
