"""How finely a load balancer cuts the address space up: the networks that resolvers keep its answers for (ECS scopes).

The scope of an address is the longer of two prefixes, that of the trie of private networks and that of the load
balancer's own trie, and 24 or 56 bits at least where a hash of the address may decide (`decide`: `locate`,
`scope_of_hash`). So the networks are the leaves of both tries laid over each other. They are counted level by level:
subtrees that several ways lead to are walked once, with a count of the ways.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
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
    LIST_HASHED,
    NO_TRIE,
    PRIVATE_TRIE,
    SELECT_NEAREST,
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


@dataclass(frozen=True, slots=True)
class _Block:
    """A leaf of the trie of private networks: the first `length` bits of its addresses, and whether it is private."""

    prefix: int
    length: int
    is_private: bool


class Fragmentation:
    """The scopes of one load balancer for one resolver and one family of answers: those of a query without ECS."""

    def __init__(self, view: ServingView, query: Query) -> None:
        """Look at the load balancer, the resolver and the family of a query that was decided."""
        columns = view.columns
        self._roots = np.frombuffer(columns["trie_root"], dtype=np.uint32)
        self._nodes = np.frombuffer(columns["trie_nodes"], dtype=np.uint32).reshape(-1, TRIE_WIDTH)
        self._columns = columns
        self._hashed_bit = LIST_HASHED << query.family
        # Whoever ECS does not locate gets the list that a query without it gets.
        plain, decision = _without_ecs(query), Decision()
        decide(view.steering, plain, decision)
        self._lb = decision.lb
        self._list_elsewhere = decision.pool_list
        self._trie = columns["lb_ecs_trie"][self._lb]
        self._counts_ecs = bool(columns["lb_flags"][self._lb] & LB_ECS_PREFERRED)

    def lengths(self, version: int) -> Lengths:
        """Return how many networks of each prefix length there are in a family of addresses (4, 6), shortest first."""
        if not self._counts_ecs or (self._trie == NO_TRIE and not self._is_hashed(self._list_elsewhere)):
            return {0: 1}
        found: Counter[tuple[int, bool]] = Counter()
        inner: dict[int, list[Records]] = {}
        for block in self._blocks(version):
            if block.is_private:
                found[block.length, False] += 1
            elif self._trie == NO_TRIE:
                found[block.length, True] += 1
            else:
                self._enter(block, version, found, inner)
        self._count_below(inner, found)
        lengths: Counter[int] = Counter()
        for (length, is_hashed), count in found.items():
            bits = max(length, HASH_BITS[version]) if is_hashed else length
            lengths[bits] += count << (bits - length)
        return dict(sorted(lengths.items()))

    def _is_hashed(self, pool_list: int) -> bool:
        return bool(self._columns["list_flags"][pool_list] & self._hashed_bit)

    def _are_hashed(self, classes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return for which place classes a hash of the address may decide."""
        columns = self._columns
        if columns["lb_select"][self._lb] == SELECT_NEAREST:
            lists = np.full(len(classes), self._list_elsewhere)
        else:
            listed = np.frombuffer(columns["class_list"], dtype=np.uint32)
            lists = listed[columns["lb_ecs_lists"][self._lb] + classes].astype(np.int64)
            lists[classes == CLASS_UNKNOWN] = self._list_elsewhere
        hashed: NDArray[np.bool_] = (np.asarray(columns["list_flags"])[lists] & self._hashed_bit) != 0
        return hashed

    def _blocks(self, version: int) -> Iterator[_Block]:
        """Yield the leaves of the trie of private networks in a family, without recursion."""
        pending = [(int(self._roots[2 * PRIVATE_TRIE + (version == 6)]), 0, 0)]
        while pending:
            record, prefix, depth = pending.pop()
            if record >= TRIE_LEAF:
                unused = record >> UNUSED_SHIFT & UNUSED_MASK
                # A leaf that spans several slots is met in each of them, and taken in the first.
                if prefix & ((1 << unused) - 1) == 0:
                    yield _Block(prefix >> unused, depth - unused, record & CLASS_MASK != CLASS_UNKNOWN)
                continue
            for slot, below in enumerate(self._nodes[record].tolist()):
                pending.append((below, prefix << TRIE_STRIDE | slot, depth + TRIE_STRIDE))

    def _enter(
        self, block: _Block, version: int, found: Counter[tuple[int, bool]], inner: dict[int, list[Records]]
    ) -> None:
        """Walk the load balancer's trie down to a block: count it where one leaf holds it, else note what is below."""
        record, depth = int(self._roots[2 * self._trie + (version == 6)]), 0
        while record < TRIE_LEAF and depth + TRIE_STRIDE <= block.length:
            depth += TRIE_STRIDE
            slot = block.prefix >> (block.length - depth) & (TRIE_WIDTH - 1)
            record = int(self._nodes[record, slot])
        records = np.array([record], dtype=np.uint32)
        if record < TRIE_LEAF:
            # The slots of the node that lie within the block.
            bits = block.length - depth
            first = (block.prefix & ((1 << bits) - 1)) << (TRIE_STRIDE - bits)
            records = self._nodes[record, first : first + (TRIE_WIDTH >> bits)]
            depth += TRIE_STRIDE
        leaf = int(records[0])
        if leaf >= TRIE_LEAF and depth - (leaf >> UNUSED_SHIFT & UNUSED_MASK) <= block.length:
            is_hashed = self._are_hashed(np.array([leaf & CLASS_MASK]))[0]
            found[block.length, bool(is_hashed)] += 1
        else:
            inner.setdefault(depth, []).append(records)

    def _count_below(self, inner: dict[int, list[Records]], found: Counter[tuple[int, bool]]) -> None:
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
            records = self._nodes[nodes].reshape(-1)
            ways = np.repeat(np.bincount(which, ways[~is_leaf], len(nodes)), TRIE_WIDTH)

    def _count_leaves(
        self, leaves: NDArray[np.int64], ways: NDArray[np.float64], depth: int, found: Counter[tuple[int, bool]]
    ) -> None:
        unused = leaves >> UNUSED_SHIFT & UNUSED_MASK
        hashed = self._are_hashed(leaves & CLASS_MASK)
        # Of the slots that a leaf spans, each counts as its part: powers of two, so that nothing is rounded.
        shares = np.bincount(unused * 2 + hashed, ways / (1 << unused), 2 * (UNUSED_MASK + 1))
        for key in np.flatnonzero(shares).tolist():
            found[depth - key // 2, bool(key % 2)] += int(shares[key])


def _without_ecs(query: Query) -> Query:
    """Return the same query as it would come without ECS."""
    plain = Query()
    for field in ("lb", "family", "wants_cname", "name", "resolver_high", "resolver_low", "resolver_version", "now_s"):
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
