"""What folding rules and making their tables has left: kept as long as each compile asks for it.

Rules that are alike are folded once, however many load balancers have them, and their table is made once; a database is
walked once for all tables that are new.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from lbdns.base.errors import LbdnsError
from lbdns.base.memo import ByObject, ByValue
from lbdns.model.balancer import LoadBalancer
from lbdns.model.rule import in_order
from lbdns.places.geodata import Geodata
from lbdns.snapshot.compile.address_index import AddressIndex, SetAtom, address_index, reads_asn
from lbdns.snapshot.compile.place_classes import PlaceIndex
from lbdns.steering.rules.address_ranges import Lists
from lbdns.steering.rules.condition_folding import FoldedFor, folded, reads_names
from lbdns.steering.rules.decision_table import DecisionTable, FoldedRule, TooLarge, address_atoms

FoldedRules = tuple[FoldedRule, ...]


class RuleMemo:
    """Kept by whoever compiles again and again."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._index: AddressIndex | None = None
        self._tables: ByObject[DecisionTable] = ByObject()
        self._folded: ByValue[Hashable, FoldedRules] = ByValue()
        self._same: dict[object, FoldedRules] = {}

    @contextmanager
    def round(self) -> Iterator[None]:
        """Begin a compile with what the last one left, and drop what it does not use."""
        try:
            with self._tables.round(), self._folded.round():
                yield
        finally:
            self._same = {}

    def fold(self, load_balancer: LoadBalancer, region: str) -> FoldedRules:
        """Return what is left of the rules in a PoP's region, without those that never match; the same object for rules
        that are alike. Raises ExpressionError where one cannot be served."""
        rules = load_balancer.rules
        same = (region, load_balancer.type, *map(id, rules))  # rules that were sent alike are one object
        known = self._same.get(same)
        if known is not None:
            return known
        key: tuple[object, ...] = (region, load_balancer.type)
        names = False
        for rule in rules:
            key = (*key, rule.condition, rule.priority, rule.disabled, rule.ends)
            if reads_names(rule.condition):
                key = (*key, load_balancer.name)
                names = True
        found = self._folded.find(key)
        if found is None:
            constants = FoldedFor(load_balancer.name, load_balancer.type, region)
            parts = ((at, folded(rules[at].condition, constants), rules[at].ends) for at in in_order(rules))
            found = tuple(FoldedRule(*part) for part in parts if part[1] is not False)
            self._folded.keep(key, found)
        if not names:
            self._same[same] = found
        return found

    def tables(
        self,
        wanted: Sequence[tuple[FoldedRules, LoadBalancer]],
        places: PlaceIndex,
        geodata: Geodata,
        lists: Lists,
    ) -> Mapping[int, DecisionTable]:
        """Return the decision table of each tuple of rules, by its identity. Raises LbdnsError, which names the load
        balancer, where one exceeds a bound."""
        atoms: dict[SetAtom, None] = {}
        for rules, _ in wanted:
            atoms.update(dict.fromkeys(address_atoms(rules)))
        asn = geodata.asn_tree() if any(map(reads_asn, atoms)) else None
        if self._index is None or not self._index.rests_on(places, asn, lists):
            self._index = address_index(places, asn, lists)
            self._tables.clear()
        sets = self._index.find(atoms)
        tables = {}
        for rules, load_balancer in wanted:
            table = self._tables.find(rules)
            if table is None:
                try:
                    table = self._index.table(rules, sets)
                except TooLarge as error:
                    raise LbdnsError(f'load balancer "{load_balancer.name}": {error}') from error
                self._tables.keep(rules, table)
            tables[id(rules)] = table
        return tables
