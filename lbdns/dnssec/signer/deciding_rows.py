"""Which rows may decide for a load balancer, and by which lists of pools: what places, rules and pool sets may come to.

All that hangs on who asks is left open, as far as a snapshot tells it apart: every class of addresses that its tries
have, every outcome of tests of a message's texts. The name alone is known, where rules look at it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lbdns.base.sorted_set import sorted_set
from lbdns.steering.kernel.message_tests import bits_of
from lbdns.steering.kernel.numbers import (
    CLASS_MASK,
    CLASS_UNKNOWN,
    LB_APEX,
    LB_ECS_PREFERRED,
    LB_FIXED,
    LB_RESOLVER_LOCATES,
    LB_STICKY,
    NO_RULES,
    NO_TRIE,
    OWN_ROW,
    RULE_KINDS,
    SELECT_NEAREST,
    SELECT_SET,
    SUBJECT_NAME,
    TEST_ASKED,
    TRIE_LEAF,
    TRIE_WIDTH,
)
from lbdns.steering.kernel.view import Decision, Query, View

FLAGS_KEPT: Final = LB_APEX | LB_STICKY | LB_FIXED
"""The flags of a row that say what its pools may answer."""
Numbers = NDArray[np.int64]


class DecidingRow(NamedTuple):
    """What decides: two rows that are equal here answer alike, whichever load balancer they are of.

    `flags`: LB_APEX, LB_STICKY, LB_FIXED; `lists`: the lists of pools that places may lead to, in order of their
    numbers; `ttl`: seconds.
    """

    select: int
    flags: int
    fallback: int
    ttl: int
    lists: tuple[int, ...]


class TrieClasses:
    """The classes that the tries of a snapshot give addresses; they are walked once for all snapshots that share
    them."""

    def __init__(self, columns: Mapping[str, memoryview]) -> None:
        """Look at the tries of a snapshot's columns."""
        self._column = columns["trie_nodes"]
        self._roots, self._nodes = _numbers(columns["trie_root"]), _numbers(columns["trie_nodes"])
        self._found: dict[int, Numbers] = {}

    def are_of(self, columns: Mapping[str, memoryview]) -> bool:
        """Return whether a snapshot has these tries."""
        return columns["trie_nodes"] is self._column

    def of(self, trie: int) -> Numbers:
        """Return the classes of a trie's leaves, each once, in order."""
        found = self._found.get(trie)
        if found is None:
            found = self._found[trie] = trie_leaves(self._roots[2 * trie : 2 * trie + 2], self._nodes)
        return found


def _numbers(column: memoryview) -> NDArray[np.uint32]:
    return np.frombuffer(column, np.uint32) if len(column) else np.zeros(0, np.uint32)


class DecidingRows:
    """Finds the rows of one snapshot."""

    def __init__(self, view: View, columns: Mapping[str, memoryview], classes: TrieClasses | None = None) -> None:
        """Look at a snapshot's columns, by `view` where the kernel is asked. `classes`: those of its tries, where they
        were looked at before."""
        self.classes = classes or TrieClasses(columns)
        self._view = view
        self._columns = columns
        self._query, self._decision = Query(), Decision()
        self._class_list, self._cells = _numbers(columns["class_list"]), _numbers(columns["rules_cell"])
        self._found: dict[tuple[int, int, bytes], tuple[DecidingRow, ...]] = {}
        self._number_of: dict[DecidingRow, int] = {}

    def of(self, load_balancer: int, kind: int, name: bytes) -> tuple[DecidingRow, ...]:
        """Return the rows that may decide a query for a name (lower-case wire form) at a load balancer.

        `kind`: the query's family, or RULE_KIND_CNAME. Raises nothing; total, as the columns are.
        """
        rules = self._columns["lb_rules"][load_balancer]
        reads_name = rules != NO_RULES and self._columns["rules_reads_name"][rules]
        key = load_balancer, kind, name if reads_name else b""
        found = self._found.get(key)
        if found is None:
            numbered = [one for number in self._numbers(load_balancer, kind, name) for one in self._row(number)]
            for row, number in numbered:
                self._number_of.setdefault(row, number)
            found = tuple(dict.fromkeys(row for row, _ in numbered))
            if len(self._found) >= KEPT_MAX:
                self._found.clear()
            self._found[key] = found
        return found

    def number_of(self, row: DecidingRow) -> int:
        """Return the number of a row of the snapshot that is equal to one of `of`."""
        return self._number_of[row]

    def _numbers(self, load_balancer: int, kind: int, name: bytes) -> list[int]:
        """Return the rows that rules may leave the decision to."""
        rules = self._columns["lb_rules"][load_balancer]
        if rules == NO_RULES:
            return [load_balancer]
        width = self._columns["rules_width"][rules]
        bits = self._bits(rules, name)
        verdicts: set[int] = set()
        for way in ("resolver", "ecs"):
            trie = self._columns[f"rules_{way}_trie"][rules]
            classes = np.zeros(1, np.int64) if trie == NO_TRIE else self.classes.of(trie)
            first = self._columns[f"rules_{way}_cells"][rules] + kind
            cells = first + classes[:, None] * width + bits[None, :] * RULE_KINDS
            verdicts.update(sorted_set(self._cells[cells]).tolist())
        return sorted({self._led_to(load_balancer, verdict) for verdict in verdicts})

    def _bits(self, rules: int, name: bytes) -> Numbers:
        """Return what the tests of texts may come to: those of the name as they do."""
        columns = self._columns
        count = columns["rules_test_count"][rules]
        first = columns["rules_test_start"][rules]
        known = 0
        for index in range(count):
            if (
                columns["test_op"][first + index] != TEST_ASKED
                and columns["test_subject"][first + index] == SUBJECT_NAME
            ):
                known |= 1 << index
        every = np.arange(1 << count, dtype=np.int64)
        if not known:
            return every
        self._query.name = bytearray(name)
        bits = bits_of(self._view, self._query, self._decision, rules)
        return np.flatnonzero(every & known == bits & known)

    def _led_to(self, row: int, verdict: int) -> int:
        found = self._columns["verdict_lb"][verdict]
        return row if found == OWN_ROW else int(found)

    def _row(self, number: int) -> Iterator[tuple[DecidingRow, int]]:
        """Yield what a row comes to, with its number: itself, or what its pool sets make of it."""
        columns = self._columns
        select, flags = columns["lb_select"][number], columns["lb_flags"][number] & FLAGS_KEPT
        if flags & LB_FIXED:
            yield DecidingRow(select, LB_FIXED, 0, columns["lb_ttl"][number], ()), number
            return
        led_to = self._lists(number)
        if select == SELECT_SET:
            for verdict in led_to:
                yield from self._row(self._led_to(number, verdict))
            return
        yield DecidingRow(select, flags, columns["lb_fallback"][number], columns["lb_ttl"][number], led_to), number

    def _lists(self, number: int) -> tuple[int, ...]:
        """Return what a row's places lead to: lists of pools, or verdicts (SELECT_SET)."""
        columns = self._columns
        lists, flags = columns["lb_lists"][number], columns["lb_flags"][number]
        if columns["lb_select"][number] == SELECT_NEAREST:
            return (columns["class_list"][lists],)
        # As `locate` has it: without a known place, the PoP's class.
        at = [np.array([lists + columns["lb_pop_class"][number]])]
        trie = columns["lb_resolver_trie"][number]
        if trie != NO_TRIE and flags & LB_RESOLVER_LOCATES:
            at.append(lists + self._known_leaves(trie))
        trie = columns["lb_ecs_trie"][number]
        if trie != NO_TRIE and flags & LB_ECS_PREFERRED:
            by_ecs = columns["lb_ecs_lists"][number]
            at.append(by_ecs + self._known_leaves(trie))
            if not flags & LB_RESOLVER_LOCATES:
                at.append(np.array([by_ecs + columns["lb_pop_class"][number]]))
        return tuple(sorted_set(self._class_list[np.concatenate(at)]).tolist())

    def _known_leaves(self, trie: int) -> Numbers:
        return np.setdiff1d(self.classes.of(trie), [CLASS_UNKNOWN])


KEPT_MAX: Final = 65_536  # load balancers and names whose rows are kept


def trie_leaves(roots: NDArray[np.uint32], nodes: NDArray[np.uint32]) -> Numbers:
    """Return the classes of the leaves that some records of a trie lead to, each once, in order."""
    records = sorted_set(roots)
    seen = np.zeros(len(nodes) // TRIE_WIDTH, np.bool_)
    found: list[Numbers] = []
    while len(records):
        found.append(records[records >= TRIE_LEAF].astype(np.int64) & CLASS_MASK)
        inner = records[records < TRIE_LEAF]
        inner = inner[~seen[inner]]
        seen[inner] = True
        records = sorted_set(nodes.reshape(-1, TRIE_WIDTH)[inner])
    return sorted_set(np.concatenate(found))
