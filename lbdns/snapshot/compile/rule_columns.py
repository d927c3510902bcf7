"""The columns of rules: decision tables, their tries, cells and tests, and where a load balancer's rules are told.

Rules that are alike are folded once, however many load balancers have them. All tables are made together, at the end:
a database is walked once for all of them.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from lbdns.mapped.blob import Blob
from lbdns.model.balancer import LoadBalancer
from lbdns.model.rule import Rule, in_order
from lbdns.places.geodata import Geodata
from lbdns.snapshot.compile.address_index import AddressIndex, SetAtom, reads_asn
from lbdns.snapshot.compile.class_tries import class_trie, trie_key
from lbdns.snapshot.compile.place_classes import PlaceIndex
from lbdns.snapshot.compile.row_numbers import RowNumbers
from lbdns.snapshot.compile.tries import Tries
from lbdns.snapshot.compile.variant_rows import VariantRows
from lbdns.steering.kernel.numbers import NO_TRIE, SUBJECT_NAME, TEST_ASKED
from lbdns.steering.rules.address_ranges import Lists
from lbdns.steering.rules.condition_folding import FoldedFor, folded, reads_names
from lbdns.steering.rules.decision_table import (
    DecisionTable,
    FoldedRule,
    SourceTable,
    address_atoms,
    decision_table,
)
from lbdns.steering.rules.formulas import TestAtom
from lbdns.steering.rules.variants import Variant

Columns = dict[str, "array[int]"]
FoldedRules = tuple[FoldedRule, ...]


class RuleMemo:
    """What folding and walking databases for rules has left; only as long as each compile asks for it."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._index: AddressIndex | None = None
        self._tables: dict[FoldedRules, DecisionTable] = {}

    def tables(
        self, wanted: Sequence[FoldedRules], places: PlaceIndex, geodata: Geodata, lists: Lists
    ) -> Mapping[FoldedRules, DecisionTable]:
        """Return the decision table of each."""
        atoms: dict[SetAtom, None] = {}
        for rules in wanted:
            atoms.update(dict.fromkeys(address_atoms(rules)))
        asn = geodata.asn_tree() if any(map(reads_asn, atoms)) else None
        if self._index is None or not self._index.rests_on(places, asn, lists):
            self._index = AddressIndex(places, asn, lists)
            self._tables = {}
        sets = self._index.find(atoms)
        before = self._tables
        self._tables = {rules: before.get(rules) or decision_table(rules, sets) for rules in wanted}
        return self._tables


class _Asking(NamedTuple):
    """A load balancer whose rules are to be compiled, its number and its own row."""

    load_balancer: LoadBalancer
    number: int
    row: RowNumbers
    is_apex: bool
    rules: FoldedRules


class RuleColumns:
    """Collects load balancers with rules, and fills the columns at the end."""

    def __init__(self, columns: Columns, blob: Blob, region: str) -> None:
        """Begin with none; `region`: this PoP's."""
        self._columns = columns
        self._blob = blob
        self._region = region
        self._asking: list[_Asking] = []
        self._folded: dict[object, FoldedRules] = {}
        self._cells: dict[bytes, int] = {}
        self._tests: dict[tuple[TestAtom, ...], int] = {}
        self._rows: dict[tuple[int, ...], int] = {}

    def add(self, load_balancer: LoadBalancer, number: int, row: RowNumbers, is_apex: bool) -> bool:
        """Take a load balancer whose row is appended; return whether any of its rules may match."""
        rules = self._fold(load_balancer)
        if rules:
            self._asking.append(_Asking(load_balancer, number, row, is_apex, rules))
        return bool(rules)

    def _fold(self, load_balancer: LoadBalancer) -> FoldedRules:
        """Return what is left of the rules, without those that never match."""
        rules = load_balancer.rules
        key = (*map(_rule_key, rules), load_balancer.type)
        if any(reads_names(rule.condition) for rule in rules):
            key = (*key, load_balancer.name)
        found = self._folded.get(key)
        if found is None:
            folding = FoldedFor(load_balancer.name, load_balancer.type, self._region)
            parts = ((at, folded(rules[at].condition, folding), rules[at].ends) for at in in_order(rules))
            found = tuple(FoldedRule(*part) for part in parts if part[1] is not False)
            self._folded[key] = found
        return found

    def finish(
        self,
        memo: RuleMemo,
        rows: VariantRows,
        variant_of: Callable[[LoadBalancer, tuple[int, ...]], Variant],
        tries: Tries,
        places: PlaceIndex,
        geodata: Geodata,
        lists: Lists,
    ) -> None:
        """Fill the columns of all that were added."""
        if not self._asking:
            return
        wanted = list({id(one.rules): one.rules for one in self._asking}.values())
        tables = memo.tables(wanted, places, geodata, lists)
        by_id = {id(rules): tables[rules] for rules in wanted}
        verdicts = []
        for one in self._asking:  # all variants before any trie of rules, so that place tries do not hang on those
            table = by_id[id(one.rules)]
            balancer, count = one.load_balancer, len(one.load_balancer.rules)
            made = [rows.row_of(variant_of(balancer, hits), one.is_apex, count) for hits in table.hits]
            pairs = zip(made, table.hits, strict=True)
            verdicts.append([rows.verdict(row, hits, one.row) for row, hits in pairs])
        for one, numbers in zip(self._asking, verdicts, strict=True):
            table = by_id[id(one.rules)]
            if not table.never_matches:
                self._columns["lb_rules"][one.number] = self._row(table, np.array(numbers, np.uint32), tries)

    def _row(self, table: DecisionTable, verdicts: np.ndarray, tries: Tries) -> int:
        """Return the row of rules_* of a table whose sets of matching rules have these verdicts."""
        cells = [self._start_of_cells(verdicts[source.cells].tobytes()) for source in (table.ecs, table.resolver)]
        asks = any(test.op == TEST_ASKED for test in table.tests)
        reads_name = any(test.reads_name or test.subject == SUBJECT_NAME for test in table.tests)
        row = (
            self._trie(table.ecs, tries),
            self._trie(table.resolver, tries),
            *cells,
            table.ecs.cells.shape[1],
            table.scope,
            self._start_of_tests(table.tests),
            len(table.tests),
            int(reads_name),
            int(asks),
        )
        number = self._rows.get(row)
        if number is None:
            number = self._rows[row] = len(self._rows)
            for name, value in zip(_ROW, row, strict=True):
                self._columns[name].append(value)
        return number

    def _trie(self, source: SourceTable, tries: Tries) -> int:
        if source.is_one_class:
            return NO_TRIE
        key = trie_key(source)
        found = tries.find(key)
        if found is None:
            found = tries.recall(key)
        return tries.add_made(key, lambda first: class_trie(source, first)) if found is None else found

    def _start_of_cells(self, cells: bytes) -> int:
        start = self._cells.get(cells)
        if start is None:
            start = self._cells[cells] = len(self._columns["rules_cell"])
            self._columns["rules_cell"].frombytes(cells)
        return start

    def _start_of_tests(self, tests: tuple[TestAtom, ...]) -> int:
        start = self._tests.get(tests)
        if start is None:
            columns = self._columns
            start = self._tests[tests] = len(columns["test_op"])
            for test in tests:
                columns["test_subject"].append(test.subject)
                columns["test_op"].append(test.op)
                columns["test_flags"].append(test.flags)
                columns["test_from"].append(test.start)
                columns["test_to"].append(test.end)
                columns["test_operand"].append(self._blob.add(test.operand))
                columns["test_operand_length"].append(len(test.operand))
                columns["test_number"].append(test.number)
        return start


_ROW: Final = (
    "rules_ecs_trie",
    "rules_resolver_trie",
    "rules_ecs_cells",
    "rules_resolver_cells",
    "rules_width",
    "rules_scope",
    "rules_test_start",
    "rules_test_count",
    "rules_reads_name",
    "rules_asks_python",
)


def _rule_key(rule: Rule) -> tuple[object, ...]:
    return rule.condition, rule.priority, rule.disabled, rule.ends
