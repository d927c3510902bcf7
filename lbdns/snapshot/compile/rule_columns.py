"""The columns of rules: decision tables, their tries, cells and tests, and where a load balancer's rules are told.

All tables are made together, at the end (rule_memo.py), and load balancers that steer alike by the same rules share
what comes of them.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lbdns.mapped.blob import Blob
from lbdns.model.balancer import LoadBalancer
from lbdns.places.geodata import Geodata
from lbdns.snapshot.compile.class_tries import tries_of_classes
from lbdns.snapshot.compile.place_classes import PlaceIndex
from lbdns.snapshot.compile.row_numbers import RowNumbers
from lbdns.snapshot.compile.rule_memo import FoldedRules, RuleMemo
from lbdns.snapshot.compile.tries import Tries
from lbdns.snapshot.compile.variant_rows import VariantRows
from lbdns.steering.kernel.numbers import NO_TRIE, SUBJECT_NAME, TEST_ASKED
from lbdns.steering.policies.what_steers import steered_of
from lbdns.steering.rules.address_ranges import Lists
from lbdns.steering.rules.decision_table import DecisionTable, Hits
from lbdns.steering.rules.formulas import TestAtom
from lbdns.steering.rules.variants import Effect, effect_of

Columns = dict[str, "array[int]"]


class _Asking(NamedTuple):
    """A load balancer whose rules are to be compiled, its number and its own row. `acting`: what load balancers share
    whose rules do the same; the same objects say the same, and whether others do is not worth finding out."""

    load_balancer: LoadBalancer
    number: int
    row: RowNumbers
    is_apex: bool
    rules: FoldedRules
    acting: tuple[int, ...]

    @property
    def alike(self) -> tuple[object, ...]:
        """What load balancers share whose variants are the same."""
        one = self.load_balancer
        same = *self.acting, *map(id, one.pool_sets), id(one.random_steering)
        places = id(one) if one.region_pools or one.country_pools or one.pop_pools else None
        steered = one.default_pools, one.fallback_pool, one.ttl, one.steering_policy, one.session_affinity
        strategy = one.location_strategy
        return *same, places, *steered, strategy.mode, strategy.prefer_ecs, strategy.region_from, one.type, self.is_apex


class RuleColumns:
    """Collects load balancers with rules, and fills the columns at the end."""

    def __init__(self, columns: Columns, blob: Blob, region: str, memo: RuleMemo) -> None:
        """Begin with none; `region`: this PoP's."""
        self._columns = columns
        self._blob = blob
        self._region = region
        self._memo = memo
        self._asking: list[_Asking] = []
        self._cells: dict[bytes, int] = {}
        self._tests: dict[tuple[TestAtom, ...], int] = {}
        self._rows: dict[tuple[int, ...], int] = {}

    def add(self, load_balancer: LoadBalancer, number: int, row: RowNumbers, is_apex: bool) -> bool:
        """Take a load balancer whose row is appended; return whether any of its rules may match."""
        rules = self._memo.fold(load_balancer, self._region)
        if rules:
            acting = id(rules), *map(id, load_balancer.rules)
            self._asking.append(_Asking(load_balancer, number, row, is_apex, rules, acting))
        return bool(rules)

    def finish(
        self,
        rows: VariantRows,
        tries: Tries,
        places: PlaceIndex,
        geodata: Geodata,
        lists: Lists,
    ) -> None:
        """Fill the columns of all that were added. Raises LbdnsError where rules exceed a bound."""
        tables = self._memo.tables(self._asking_by_rules(), places, geodata, lists)
        # All variants before any trie of rules, so that tries of places do not hang on those.
        effects: dict[tuple[int, ...], list[Effect]] = {}
        verdicts: dict[tuple[object, ...], list[int]] = {}
        asking = [(one, one.alike) for one in self._asking]
        for one, alike in asking:
            if alike not in verdicts:
                hits = tables[id(one.rules)].hits
                done = effects.get(one.acting)
                if done is None:
                    done = effects[one.acting] = [_effect_of(one.load_balancer, matched) for matched in hits]
                verdicts[alike] = _verdicts(one, hits, done, rows)
        heads = self._heads({key: table for key, table in tables.items() if not table.never_matches}, tries)
        numbers: dict[tuple[object, ...], int] = {}
        for one, alike in asking:
            if id(one.rules) in heads:
                if alike not in numbers:
                    table, head = tables[id(one.rules)], heads[id(one.rules)]
                    numbers[alike] = self._row(table, head, np.array(verdicts[alike], np.uint32))
                self._columns["lb_rules"][one.number] = numbers[alike]
        names = *_Head._fields, "rules_ecs_cells", "rules_resolver_cells"
        for place, name in enumerate(names):
            self._columns[name].extend([row[place] for row in self._rows])

    def _asking_by_rules(self) -> list[tuple[FoldedRules, LoadBalancer]]:
        """Return each distinct tuple of rules, with the first load balancer that has it."""
        found: dict[int, tuple[FoldedRules, LoadBalancer]] = {}
        for one in self._asking:
            found.setdefault(id(one.rules), (one.rules, one.load_balancer))
        return list(found.values())

    def _heads(self, tables: Mapping[int, DecisionTable], tries: Tries) -> dict[int, _Head]:
        sources = {id(one): one for table in tables.values() for one in (table.ecs, table.resolver)}
        walked = {key: one for key, one in sources.items() if not one.is_one_class}
        trie_of = dict(zip(walked, tries_of_classes(list(walked.values()), tries), strict=True))
        return {key: self._head(table, trie_of) for key, table in tables.items()}

    def _head(self, table: DecisionTable, trie_of: Mapping[int, int]) -> _Head:
        asks = any(test.op == TEST_ASKED for test in table.tests)
        reads_name = any(test.reads_name or test.subject == SUBJECT_NAME for test in table.tests)
        return _Head(
            trie_of.get(id(table.ecs), NO_TRIE),
            trie_of.get(id(table.resolver), NO_TRIE),
            table.ecs.cells.shape[1],
            table.scope,
            self._start_of_tests(table.tests),
            len(table.tests),
            int(reads_name),
            int(asks),
        )

    def _row(self, table: DecisionTable, head: _Head, verdicts: NDArray[np.uint32]) -> int:
        """Return the row of rules_* of a table whose sets of matching rules have these verdicts."""
        ecs = resolver = self._start_of_cells(verdicts[table.ecs.cells].tobytes())
        if table.resolver is not table.ecs:
            resolver = self._start_of_cells(verdicts[table.resolver.cells].tobytes())
        return self._rows.setdefault((*head, ecs, resolver), len(self._rows))

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


class _Head(NamedTuple):
    """The columns rules_* that hang on a table alone."""

    rules_ecs_trie: int
    rules_resolver_trie: int
    rules_width: int
    rules_scope: int
    rules_test_start: int
    rules_test_count: int
    rules_reads_name: int
    rules_asks_python: int


def _effect_of(load_balancer: LoadBalancer, matched: Hits) -> Effect:
    return effect_of([load_balancer.rules[position] for position in matched])


def _verdicts(one: _Asking, hits: Sequence[Hits], effects: Sequence[Effect], rows: VariantRows) -> list[int]:
    """Return the verdict of each set of rules that match."""
    steered, count = steered_of(one.load_balancer), len(one.load_balancer.rules)
    made = []
    for matched, effect in zip(hits, effects, strict=True):
        row = one.row if effect.is_nothing else rows.row_of(effect.on(steered), one.is_apex, count)
        made.append(rows.verdict(row, matched, one.row))
    return made
