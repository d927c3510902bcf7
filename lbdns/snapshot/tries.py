"""Tries of place classes: the geolocation tree reduced to what one partition of the places tells apart.

Equal siblings are merged, bottom-up, so a leaf's depth is the length of the shortest prefix whose places all fall into
one class: the ECS scope, ready to send. Partitions are shared between load balancers wherever they cut the places
alike.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lbdns.steering.layout import (
    CLASS_PRIVATE,
    CLASS_UNKNOWN,
    TRIE_LEAF,
    TRIE_STRIDE,
    TRIE_WIDTH,
    UNUSED_SHIFT,
)

# Not the documentation ranges: people test with those (PROTOCOL: private ECS addresses count as none).
PRIVATE_NETWORKS = tuple(
    ip_network(text)
    for text in (
        "10.0.0.0/8",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
    )
)
DEPTH_MAX = 128


@dataclass(frozen=True)
class Tree:
    """A binary tree over addresses: `nodes[n]` has two records; >= 0 is a node, < 0 is ~value. Roots are such
    records."""

    nodes: NDArray[np.int32]
    root_v4: int
    root_v6: int

    @cached_property
    def levels(self) -> list[NDArray[np.int32]]:
        """The reachable nodes in levels such that children come before parents (the tree may share subtrees)."""
        return _levels_deepest_first(self)


def reduce_tree(tree: Tree, class_of_value: NDArray[np.int32]) -> Tree:
    """Return the tree with every value replaced by its class and equal siblings merged."""
    levels = tree.levels
    # One table for both kinds of record, so that a child's class is one look-up: nodes first, then values from the end,
    # where ~value, being negative, finds them. -1 marks a node whose leaves disagree.
    count = len(tree.nodes)
    class_of = np.full(count + len(class_of_value), -1, dtype=np.int32)
    class_of[count:] = class_of_value[::-1]
    for level in levels:
        children = tree.nodes[level]
        low, high = class_of[children[:, 0]], class_of[children[:, 1]]
        class_of[level] = np.where(low == high, low, -1)
    mixed = np.zeros(count, dtype=bool)
    for level in levels:
        mixed[level] = class_of[level] < 0
    number = np.cumsum(mixed, dtype=np.int32) - 1

    def records(children: NDArray[np.int32]) -> NDArray[np.int32]:
        classes = class_of[children]
        return np.where(classes < 0, number[children] if count else 0, ~classes).astype(np.int32)

    roots = records(np.array([tree.root_v4, tree.root_v6], dtype=np.int32))
    return Tree(records(tree.nodes[mixed]), int(roots[0]), int(roots[1]))


def _levels_deepest_first(tree: Tree) -> list[NDArray[np.int32]]:
    depth = np.full(len(tree.nodes), -1, dtype=np.int16)
    for root in (tree.root_v6, tree.root_v4):
        # The IPv4 tree usually hangs in the IPv6 one and has its depths from there.
        frontier = np.array([root] if root >= 0 and depth[root] < 0 else [], dtype=np.int32)
        for level in range(DEPTH_MAX + 1):
            if not len(frontier):
                break
            depth[frontier] = np.maximum(depth[frontier], level)  # a shared subtree ends on its deepest level
            children = tree.nodes[frontier].reshape(-1)
            frontier = children[children >= 0]
            if len(frontier) > len(tree.nodes):
                frontier = np.unique(frontier)
    order = np.argsort(depth, kind="stable").astype(np.int32)
    bounds = np.searchsorted(depth[order], np.arange(0, int(depth.max(initial=-1)) + 2))
    return [order[start:end] for start, end in pairwise(bounds)][::-1]


def tree_of_networks(networks: Iterable[IPv4Network | IPv6Network], value: int) -> Tree:
    """Return a tree with `value` at each network (which do not overlap) and 0 elsewhere."""
    nodes: list[list[int]] = [[~0, ~0], [~0, ~0]]
    for network in networks:
        node = 0 if network.version == 4 else 1
        address = int(network.network_address)
        for depth in range(network.prefixlen):
            bit = (address >> (network.max_prefixlen - 1 - depth)) & 1
            if depth == network.prefixlen - 1:
                nodes[node][bit] = ~value
                break
            if nodes[node][bit] < 0:
                nodes.append([~0, ~0])
                nodes[node][bit] = len(nodes) - 1
            node = nodes[node][bit]
    return Tree(np.array(nodes, dtype=np.int32), 0, 1)


def private_tree() -> Tree:
    """Return the tree of private and link-local addresses (CLASS_PRIVATE) among all others (CLASS_UNKNOWN)."""
    assert CLASS_UNKNOWN == 0, "tree_of_networks fills the rest with 0"
    return tree_of_networks(PRIVATE_NETWORKS, CLASS_PRIVATE)


class TrieColumns:
    """Appends trees to the trie columns; equal partitions get one trie."""

    def __init__(self, roots: array[int], nodes: array[int]) -> None:
        self._roots = roots
        self._nodes = nodes
        self._known: dict[object, int] = {}

    @property
    def size(self) -> int:
        """Bytes stored so far."""
        return len(self._nodes) * self._nodes.itemsize

    def find(self, key: object) -> int | None:
        """Return the trie stored under `key`."""
        return self._known.get(key)

    def add(self, key: object, tree: Tree) -> int:
        """Store a tree under `key` and return its number."""
        roots, nodes = widen(tree, len(self._nodes) // TRIE_WIDTH)
        self._nodes.frombytes(nodes.tobytes())
        self._roots.frombytes(roots.tobytes())
        number = self._known[key] = len(self._roots) // 2 - 1
        return number


def widen(tree: Tree, first: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Return roots (IPv4, IPv6) and nodes of 16 records for a binary tree; nodes are numbered from `first`."""
    number_of = np.full(len(tree.nodes), -1, dtype=np.int64)
    roots = np.array([tree.root_v4, tree.root_v6], dtype=np.int64)
    frontier = np.unique(roots[roots >= 0])
    levels = []
    count = 0
    while len(frontier):
        number_of[frontier] = first + count + np.arange(len(frontier))
        count += len(frontier)
        below, unused = _four_levels_below(tree.nodes, frontier)
        levels.append((below, unused))
        reached = np.unique(below[below >= 0])
        frontier = reached[number_of[reached] < 0]
    parts = [_wide_records(below, unused, number_of) for below, unused in levels]
    nodes = np.concatenate(parts) if parts else np.zeros((0, TRIE_WIDTH), dtype=np.uint32)
    return _wide_records(roots, np.zeros(2, dtype=np.int64), number_of), nodes


def _four_levels_below(
    nodes: NDArray[np.int32], frontier: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return, for each node and each value of four bits, where they lead and how many of them were not needed."""
    below = np.repeat(frontier[:, None], TRIE_WIDTH, axis=1)
    unused = np.zeros(below.shape, dtype=np.int64)
    bits = np.arange(TRIE_WIDTH)
    for step in range(TRIE_STRIDE):
        bit = np.broadcast_to((bits >> (TRIE_STRIDE - 1 - step)) & 1, below.shape)
        is_node = below >= 0
        below[is_node] = nodes[below[is_node], bit[is_node]]
        unused[is_node & (below < 0)] = TRIE_STRIDE - 1 - step
    return below, unused


def _wide_records(
    values: NDArray[np.int64], unused: NDArray[np.int64], number_of: NDArray[np.int64]
) -> NDArray[np.uint32]:
    leaves = TRIE_LEAF | unused << UNUSED_SHIFT | ~np.minimum(values, -1)
    numbers = number_of[np.maximum(values, 0)] if len(number_of) else values
    return np.where(values >= 0, numbers, leaves).astype(np.uint32)
