"""How finely a load balancer cuts the address space up: the networks that resolvers keep its answers for (ECS scopes).

The scope of an address is the longest of some prefixes (`decide`): that of the rules' trie, where ECS matters to them;
for pool sets, and for the row that decides, that of the trie of private networks and that of their own trie; 24 or 56
bits at least where a hash of the address may decide. So the networks are the leaves of all these tries laid over each
other. Rules and pool sets say which row decides in which block; of the last trie leaves are counted level by level:
subtrees that several ways lead to are walked once, with a count of the ways.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbdns.answer.serving_view import ServingView
from lbdns.steering.kernel.decide import decide
from lbdns.steering.kernel.numbers import (
    CLASS_MASK,
    CLASS_UNKNOWN,
    HASH_BITS_4,
    HASH_BITS_6,
    LB_ECS_PREFERRED,
    LB_FIXED,
    LIST_HASHED,
    NO_RULES,
    NO_TRIE,
    OWN_ROW,
    PRIVATE_TRIE,
    RULES_SCOPE_ADDRESS,
    RULES_SCOPE_NONE,
    SELECT_NEAREST,
    SELECT_SET,
    TRIE_LEAF,
    TRIE_STRIDE,
    TRIE_WIDTH,
    UNUSED_MASK,
    UNUSED_SHIFT,
)
from lbdns.steering.kernel.view import Decision, Query

HASH_BITS = {4: HASH_BITS_4, 6: HASH_BITS_6}
ADDRESS_BITS = {4: 32, 6: 128}
Records = NDArray[np.uint32]
Lengths = dict[int, int]
Found = Counter[tuple[int, bool]]
"""How many networks there are, by their length and whether a hash may cut them further."""


@dataclass(frozen=True, slots=True)
class _Block:
    """The first `length` bits of some addresses; `leaf`: the class of a trie that all of them have."""

    prefix: int
    length: int
    leaf: int = 0


ALL = _Block(0, 0)


class Fragmentation:
    """The scopes of one load balancer for one resolver and one kind of query."""

    def __init__(self, view: ServingView, query: Query) -> None:
        """Look at the load balancer, the resolver and the kind of a query that was decided."""
        self._view = view
        self._columns = view.columns
        self._tries = _Tries(view)
        self._query = _without_ecs(query)
        self._lb = query.lb

    def lengths(self, version: int) -> Lengths:
        """Return how many networks of each prefix length there are in a family of addresses (4, 6), shortest first."""
        rules = self._columns["lb_rules"][self._lb]
        if rules != NO_RULES and self._columns["rules_scope"][rules] == RULES_SCOPE_ADDRESS:
            return {ADDRESS_BITS[version]: 1 << ADDRESS_BITS[version]}
        found: Found = Counter()
        rows = {self._lb: [ALL]} if rules == NO_RULES else self._by_rules(rules, version)
        for row, blocks in rows.items():
            self._count(row, blocks, version, found)
        lengths: Counter[int] = Counter()
        for (length, is_hashed), count in found.items():
            bits = max(length, HASH_BITS[version]) if is_hashed else length
            lengths[bits] += count << (bits - length)
        return dict(sorted(lengths.items()))

    def _by_rules(self, rules: int, version: int) -> Mapping[int, list[_Block]]:
        """Return the blocks that rules tell apart, by the row that they leave the decision to."""
        trie = self._columns["rules_ecs_trie"][rules]
        parts: Iterable[_Block] = [ALL]
        if self._columns["rules_scope"][rules] != RULES_SCOPE_NONE:
            parts = [ALL] if trie == NO_TRIE else self._tries.leaves(trie, version, ALL)
            parts = (half for part in parts for half in ([part] if part.length else [_Block(0, 1), _Block(1, 1)]))
        decision, rows = Decision(), defaultdict(list)
        for part in parts:
            self._decide(self._lb, decision, part, version)
            rows[self._row_of(decision.verdict)].append(part)
        return rows

    def _decide(self, row: int, decision: Decision, block: _Block | None = None, version: int = 4) -> None:
        """Decide as a row does, for the first address of a block or without ECS."""
        query = self._query
        query.lb, query.ecs_bits = row, 0
        if block is not None:
            whole = block.prefix << (128 - block.length)
            query.ecs_version, query.ecs_bits = version, max(block.length, 1)
            query.ecs_high, query.ecs_low = whole >> 64, whole & (1 << 64) - 1
        decide(self._view.steering, query, decision)

    def _row_of(self, verdict: int) -> int:
        row = self._columns["verdict_lb"][verdict]
        return self._lb if row == OWN_ROW else int(row)

    def _count(self, row: int, blocks: Iterable[_Block], version: int, found: Found) -> None:
        """Count the networks that a row cuts some blocks into."""
        columns = self._columns
        if columns["lb_flags"][row] & LB_FIXED:
            found.update((block.length, False) for block in blocks)
        elif columns["lb_select"][row] == SELECT_SET:
            for other, parts in self._by_sets(row, blocks, version).items():
                self._count(other, parts, version, found)
        else:
            # Whoever ECS does not locate gets the list that a query without it gets.
            decision = Decision()
            self._decide(row, decision)
            _RowScopes(self._view, self._tries, row, decision.pool_list, self._query.family).count(
                blocks, version, found
            )

    def _by_sets(self, row: int, blocks: Iterable[_Block], version: int) -> Mapping[int, list[_Block]]:
        """Return the parts of blocks that pool sets tell apart, by the row that they leave the decision to."""
        columns = self._columns
        decision, rows = Decision(), defaultdict(list)
        self._decide(row, decision)
        elsewhere = self._row_of(decision.set_verdict)
        trie = columns["lb_ecs_trie"][row]
        if trie == NO_TRIE or not columns["lb_flags"][row] & LB_ECS_PREFERRED:
            return {elsewhere: list(blocks)}
        for block in blocks:
            for part in self._tries.leaves(PRIVATE_TRIE, version, block):
                if part.leaf != CLASS_UNKNOWN:
                    rows[elsewhere].append(part)
                    continue
                for leaf in self._tries.leaves(trie, version, part):
                    verdict = columns["class_list"][columns["lb_ecs_lists"][row] + leaf.leaf]
                    rows[elsewhere if leaf.leaf == CLASS_UNKNOWN else self._row_of(verdict)].append(leaf)
        return rows


class _Tries:
    """A snapshot's tries, leaf by leaf."""

    def __init__(self, view: ServingView) -> None:
        self.roots = np.frombuffer(view.columns["trie_root"], dtype=np.uint32)
        self.nodes = np.frombuffer(view.columns["trie_nodes"], dtype=np.uint32).reshape(-1, TRIE_WIDTH)

    def enter(self, trie: int, version: int, block: _Block) -> tuple[Records, int]:
        """Return the records that a trie has for a block, and the depth that they stand at: one leaf's where the whole
        block is of it."""
        record, depth = int(self.roots[2 * trie + (version == 6)]), 0
        while record < TRIE_LEAF and depth + TRIE_STRIDE <= block.length:
            depth += TRIE_STRIDE
            slot = block.prefix >> (block.length - depth) & (TRIE_WIDTH - 1)
            record = int(self.nodes[record, slot])
        if record >= TRIE_LEAF:
            return np.array([record], dtype=np.uint32), depth
        # The slots of the node that lie within the block.
        bits = block.length - depth
        first = (block.prefix & ((1 << bits) - 1)) << (TRIE_STRIDE - bits)
        return self.nodes[record, first : first + (TRIE_WIDTH >> bits)], depth + TRIE_STRIDE

    def leaves(self, trie: int, version: int, block: _Block) -> Iterator[_Block]:
        """Yield the parts of a block that a trie tells apart, without recursion."""
        records, depth = self.enter(trie, version, block)
        leaf = int(records[0])
        if leaf >= TRIE_LEAF and depth - (leaf >> UNUSED_SHIFT & UNUSED_MASK) <= block.length:
            yield _Block(block.prefix, block.length, leaf & CLASS_MASK)
            return
        pending = [(records, block.prefix << (depth - block.length), depth)]
        while pending:
            records, first, depth = pending.pop()
            for slot, record in enumerate(records.tolist()):
                prefix = first + slot
                if record < TRIE_LEAF:
                    pending.append((self.nodes[record], prefix << TRIE_STRIDE, depth + TRIE_STRIDE))
                    continue
                unused = record >> UNUSED_SHIFT & UNUSED_MASK
                # A leaf that spans several slots is met in each of them, and taken in the first.
                if prefix & ((1 << unused) - 1) == 0:
                    yield _Block(prefix >> unused, depth - unused, record & CLASS_MASK)


class _RowScopes:
    """The scopes of one row that picks among pools; `list_elsewhere`: the list where ECS locates nobody."""

    def __init__(self, view: ServingView, tries: _Tries, row: int, list_elsewhere: int, family: int) -> None:
        self._columns = view.columns
        self._tries = tries
        self._row = row
        self._list_elsewhere = list_elsewhere
        self._hashed_bit = LIST_HASHED << family
        self._trie = self._columns["lb_ecs_trie"][row]
        self._counts_ecs = bool(self._columns["lb_flags"][row] & LB_ECS_PREFERRED)

    def count(self, blocks: Iterable[_Block], version: int, found: Found) -> None:
        """Count the networks that the row cuts some blocks into."""
        if not self._counts_ecs or (self._trie == NO_TRIE and not self._is_hashed(self._list_elsewhere)):
            found.update((block.length, False) for block in blocks)
            return
        inner: dict[int, list[Records]] = {}
        for block in blocks:
            for part in self._tries.leaves(PRIVATE_TRIE, version, block):
                if part.leaf != CLASS_UNKNOWN:
                    found[part.length, False] += 1
                elif self._trie == NO_TRIE:
                    found[part.length, True] += 1
                else:
                    self._enter(part, version, found, inner)
        self._count_below(inner, found)

    def _is_hashed(self, pool_list: int) -> bool:
        return bool(self._columns["list_flags"][pool_list] & self._hashed_bit)

    def _are_hashed(self, classes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return for which place classes a hash of the address may decide."""
        columns = self._columns
        if columns["lb_select"][self._row] == SELECT_NEAREST:
            lists = np.full(len(classes), self._list_elsewhere)
        else:
            listed = np.frombuffer(columns["class_list"], dtype=np.uint32)
            lists = listed[columns["lb_ecs_lists"][self._row] + classes].astype(np.int64)
            lists[classes == CLASS_UNKNOWN] = self._list_elsewhere
        hashed: NDArray[np.bool_] = (np.asarray(columns["list_flags"])[lists] & self._hashed_bit) != 0
        return hashed

    def _enter(self, block: _Block, version: int, found: Found, inner: dict[int, list[Records]]) -> None:
        """Count a block where one leaf of the row's trie holds it, else note what is below."""
        records, depth = self._tries.enter(self._trie, version, block)
        leaf = int(records[0])
        if leaf >= TRIE_LEAF and depth - (leaf >> UNUSED_SHIFT & UNUSED_MASK) <= block.length:
            is_hashed = self._are_hashed(np.array([leaf & CLASS_MASK]))[0]
            found[block.length, bool(is_hashed)] += 1
        else:
            inner.setdefault(depth, []).append(records)

    def _count_below(self, inner: dict[int, list[Records]], found: Found) -> None:
        """Count the leaves under the records of `inner` (by depth), which nothing but this trie cuts any more."""
        records = np.zeros(0, np.uint32)
        ways = np.zeros(0)
        for depth in range(TRIE_STRIDE, max(ADDRESS_BITS.values()) + 1, TRIE_STRIDE):
            seeds = inner.get(depth, [])
            records = np.concatenate([records, *seeds])
            ways = np.concatenate([ways, np.ones(sum(map(len, seeds)))])
            is_leaf = records >= TRIE_LEAF
            self._count_leaves(records[is_leaf].astype(np.int64), ways[is_leaf], depth, found)
            nodes, which = np.unique(records[~is_leaf], return_inverse=True)
            records = self._tries.nodes[nodes].reshape(-1)
            ways = np.repeat(np.bincount(which, ways[~is_leaf], len(nodes)), TRIE_WIDTH)

    def _count_leaves(self, leaves: NDArray[np.int64], ways: NDArray[np.float64], depth: int, found: Found) -> None:
        unused = leaves >> UNUSED_SHIFT & UNUSED_MASK
        hashed = self._are_hashed(leaves & CLASS_MASK)
        # Of the slots that a leaf spans, each counts as its part: powers of two, so that nothing is rounded.
        shares = np.bincount(unused * 2 + hashed, ways / (1 << unused), 2 * (UNUSED_MASK + 1))
        for key in np.flatnonzero(shares).tolist():
            found[depth - key // 2, bool(key % 2)] += int(shares[key])


def _without_ecs(query: Query) -> Query:
    """Return the same query as it would come without ECS."""
    plain = Query()
    for field in (
        "lb",
        "family",
        "wants_cname",
        "name",
        "asked_bits",
        "resolver_high",
        "resolver_low",
        "resolver_version",
        "now_s",
    ):
        setattr(plain, field, getattr(query, field))
    return plain


def networks_of(view: ServingView, query: Query | None) -> dict[str, dict[str, Any]]:
    """Return by family of addresses how many networks there are, and how many of each length: JSON values.

    `query`: one that a load balancer was asked with; None where records of a zone were answered, the same for all.
    """
    counted_by = None if query is None else Fragmentation(view, query)
    found = {}
    for version in (4, 6):
        lengths = {0: 1} if counted_by is None else counted_by.lengths(version)
        by_text = {str(length): count for length, count in lengths.items()}
        found[f"ipv{version}"] = {"networks": sum(lengths.values()), "lengths": by_text}
    return found
