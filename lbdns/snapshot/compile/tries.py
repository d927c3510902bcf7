"""Tries of place classes: the geolocation tree reduced to what one partition of the places tells apart.

Equal siblings are merged, bottom-up, so a leaf's depth is the length of the shortest prefix whose places all fall into
one class: the ECS scope, ready to send. Partitions are shared between load balancers wherever they cut the places
alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import pairwise
from types import ModuleType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lbdns.base.side_work import SideWork
from lbdns.base.sorted_set import sorted_set
from lbdns.mapped.snapshot_file import Snapshot
from lbdns.snapshot.compile.node_room import NodeRoom
from lbdns.steering.kernel.numbers import CLASS_PRIVATE, CLASS_UNKNOWN, TRIE_LEAF, TRIE_STRIDE, TRIE_WIDTH, UNUSED_SHIFT

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


def load_passes() -> ModuleType | None:
    """Return the compiled passes over trees, None where lbdns was built without a compiler: then numpy's are made."""
    try:
        from lbdns.snapshot.compile import tree_passes
    except ImportError:
        return None
    return tree_passes


PASSES = load_passes()


@dataclass(frozen=True, slots=True, eq=False)
class PrefixTree:
    """A binary tree over addresses: `nodes[n]`, int32, has two records; >= 0 is a node, < 0 is ~value. Roots are such
    records.

    Nodes stand in levels, children before parents: level i from `bounds[i]` to `bounds[i + 1]`. Subtrees may be shared.
    """

    nodes: NDArray[np.int32]
    root_v4: int
    root_v6: int
    bounds: NDArray[np.int64]


def in_levels(nodes: NDArray[np.int32], root_v4: int, root_v6: int) -> PrefixTree:
    """Return a tree with its reachable nodes put into levels."""
    if PASSES is not None:
        return PrefixTree(*PASSES.in_levels(nodes, root_v4, root_v6, DEPTH_MAX))
    levels = _levels_deepest_first(nodes, (root_v6, root_v4))
    order = np.concatenate([*levels, np.zeros(0, np.int32)])
    number = np.full(len(nodes) + 1, -1, dtype=np.int32)
    number[order] = np.arange(len(order), dtype=np.int32)
    children = nodes[order]
    roots = [int(number[root]) if root >= 0 else root for root in (root_v4, root_v6)]
    bounds = np.cumsum([0, *(len(level) for level in levels)])
    return PrefixTree(np.where(children >= 0, number.take(children, mode="clip"), children), roots[0], roots[1], bounds)


def _levels_deepest_first(nodes: NDArray[np.int32], roots: Iterable[int]) -> list[NDArray[np.int32]]:
    depth = np.full(len(nodes), -1, dtype=np.int16)
    for root in roots:
        # The IPv4 tree usually hangs in the IPv6 one and has its depths from there.
        frontier = np.array([root] if root >= 0 and depth[root] < 0 else [], dtype=np.int32)
        for level in range(DEPTH_MAX + 1):
            if not len(frontier):
                break
            depth[frontier] = np.maximum(depth[frontier], level)  # a shared subtree ends on its deepest level
            children = nodes[frontier].reshape(-1)
            frontier = children[children >= 0]
            if len(frontier) > len(nodes):
                frontier = sorted_set(frontier)
    order = np.argsort(depth, kind="stable").astype(np.int32)
    bounds = np.searchsorted(depth[order], np.arange(0, int(depth.max(initial=-1)) + 2))
    return [order[start:end] for start, end in pairwise(bounds)][::-1]


def reduce_tree(tree: PrefixTree, class_of_value: NDArray[np.int32]) -> PrefixTree:
    """Return the tree with every value replaced by its class and equal siblings merged."""
    if PASSES is not None:
        return PrefixTree(*PASSES.reduce_tree(tree.nodes, tree.root_v4, tree.root_v6, tree.bounds, class_of_value))
    # One table for both kinds of record, so that a child's class is one look-up: nodes first, then values from the end,
    # where ~value, being negative, finds them. -1 marks a node whose leaves disagree.
    count = len(tree.nodes)
    class_of = np.empty(count + len(class_of_value), dtype=np.int32)
    class_of[count:] = class_of_value[::-1]
    for start, end in pairwise(tree.bounds.tolist()):
        low, high = (class_of.take(tree.nodes[start:end, side], mode="wrap") for side in (0, 1))
        low[low != high] = -1
        class_of[start:end] = low
    mixed = class_of[:count] < 0
    number = np.cumsum(mixed, dtype=np.int32)
    record = ~class_of
    record[:count][mixed] = number[mixed] - 1
    bounds = np.append(np.int32(0), number)[tree.bounds].astype(np.int64)
    return PrefixTree(
        record.take(tree.nodes[mixed], mode="wrap"), int(record[tree.root_v4]), int(record[tree.root_v6]), bounds
    )


def tree_of_networks(networks: Iterable[IPv4Network | IPv6Network], value: int) -> PrefixTree:
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
    return in_levels(np.array(nodes, dtype=np.int32), 0, 1)


def private_tree() -> PrefixTree:
    """Return the tree of private and link-local addresses (CLASS_PRIVATE) among all others (CLASS_UNKNOWN)."""
    assert CLASS_UNKNOWN == 0, "tree_of_networks fills the rest with 0"
    return tree_of_networks(PRIVATE_NETWORKS, CLASS_PRIVATE)


@dataclass(frozen=True, slots=True, eq=False)
class Wide:
    """A trie as a snapshot has it: `roots` (IPv4, IPv6) and `nodes`, 16 records each, numbered from `first` on."""

    first: int
    roots: NDArray[np.uint32]
    nodes: NDArray[np.uint32]  # flat

    @property
    def node_count(self) -> int:
        """How many nodes there are."""
        return len(self.nodes) // TRIE_WIDTH

    def moved(self, first: int) -> Wide:
        """Return the same trie numbered from another node on."""
        if first == self.first:
            return self
        offset = np.array(first - self.first).astype(np.uint32)  # wraps around where it is negative, as adding it does
        return Wide(
            first, *(np.where(records < TRIE_LEAF, records + offset, records) for records in (self.roots, self.nodes))
        )


def widen(tree: PrefixTree, first: int, value_count: int) -> Wide:
    """Return a binary tree, whose values are below `value_count`, as a trie numbered from `first` on."""
    if PASSES is not None:
        return Wide(first, *PASSES.widen(tree.nodes, tree.root_v4, tree.root_v6, first))
    count = len(tree.nodes)
    steps, record = _tables(tree, value_count)
    number = np.full(count, -1, dtype=np.int32)
    roots = np.array([tree.root_v4, tree.root_v6], dtype=np.int32)
    frontier = sorted_set(roots[roots >= 0])
    below, done = [], 0
    while len(frontier):
        number[frontier] = np.arange(done, done + len(frontier), dtype=np.int32)
        done += len(frontier)
        reached = frontier
        for _ in range(TRIE_STRIDE):
            reached = steps.take(reached, mode="wrap").view(np.int32)
        below.append(reached)
        fresh = reached[reached >= 0]
        fresh = fresh[number[fresh] < 0]
        # Each once: of equal ones the last stands.
        places = np.arange(len(fresh), dtype=np.int32)
        number[fresh] = places
        frontier = fresh[number[fresh] == places]
    record[:count] = number
    record[:count] += np.uint32(first)
    nodes = record.take(np.concatenate([*below, np.zeros(0, np.int32)]), mode="wrap")
    return Wide(first, record.take(roots, mode="wrap"), nodes)


def _tables(tree: PrefixTree, value_count: int) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """Return two tables over nodes and, from the end, leaves: where the next bit leads, and the trie's record.

    A leaf says how many bits were read beyond it: ~value has none, ~(value + value_count) one, and so on. The first
    table has both ways in one number, as pairs of int32; the records of nodes are not filled in.
    """
    count, leaf_count = len(tree.nodes), TRIE_STRIDE * value_count
    steps = np.empty((count + leaf_count, 2), dtype=np.int32)
    steps[:count] = tree.nodes
    leaves = np.arange(leaf_count, dtype=np.int32)
    steps[count:] = ~np.minimum(leaves + value_count, leaf_count - 1)[::-1, None]
    record = np.empty(count + leaf_count, dtype=np.uint32)
    unused, values = np.divmod(leaves.astype(np.uint32), np.uint32(value_count))
    record[count:] = (TRIE_LEAF | unused << UNUSED_SHIFT | values)[::-1]
    return steps.reshape(-1).view(np.int64), record


_NOT_HERE: Final = np.zeros(0, np.uint32)
"""In place of nodes that were put behind others'."""


class Tries:
    """The tries of one snapshot, by key; equal partitions get one. Those of the snapshot before are taken from it.

    New ones are made beside whoever asks for them, in order, as a trie's nodes are numbered on from those before it;
    what tells of nodes waits for them.
    """

    def __init__(self, before: Tries | None = None) -> None:
        """Begin with none; `before`: finished ones whose keys mean the same."""
        self._before = before
        self._made: dict[object, int] = {}
        self._wides: list[Wide] = []  # by number, as far as they are made
        self._node_count = 0
        self._room: NodeRoom | None = None
        self._making = SideWork()
        self._is_mapped = False
        self.roots: NDArray[np.uint32] = np.zeros(0, np.uint32)
        self.nodes: NDArray[np.uint32] = np.zeros(0, np.uint32)

    def __len__(self) -> int:
        """How many tries there are."""
        return len(self._made)

    @property
    def size(self) -> int:
        """Bytes of all nodes so far."""
        self._making.settle()
        return self._node_count * TRIE_WIDTH * self.nodes.itemsize

    def find(self, key: object) -> int | None:
        """Return the number of the trie under `key`, None where there is none yet."""
        return self._made.get(key)

    def knows(self, key: object) -> bool:
        """Return whether this snapshot or the one before has a trie under `key`."""
        return key in self._made or bool(self._before and key in self._before._made)

    def recall(self, key: object) -> int | None:
        """Store the trie that the snapshot before had under `key` and return its number, None where it had none."""
        number = self._before._made.get(key) if self._before else None
        if number is None or self._before is None:
            return None
        return self.add_made(key, self._before._wides[number])

    def add(self, key: object, make_tree: Callable[[], PrefixTree], value_count: int) -> int:
        """Store a tree, whose values are below `value_count`, under `key` and return its number."""
        number = self._made[key] = len(self._made)
        self._making.begin(lambda: self._take(widen(make_tree(), self._node_count, value_count)))
        return number

    def add_made(self, key: object, wide: Wide) -> int:
        """Store a trie, wherever it is numbered from, under `key`, and return its number."""
        number = self._made[key] = len(self._made)
        if self._making.is_under_way:
            self._making.begin(lambda: self._take(wide.moved(self._node_count)))
        else:
            self._take(wide.moved(self._node_count))
        return number

    def _take(self, wide: Wide) -> None:
        """Take a trie; its nodes go behind the others, unless all so far lie where the snapshot before has them."""
        number = len(self._wides)
        self._node_count += wide.node_count
        before = self._before._wides if self._before else ()
        if self._room is None and number < len(before) and before[number] is wide:
            self._wides.append(wide)
            return
        if self._room is None:
            self._room = NodeRoom()
            for one in self._wides:
                self._room.append(one.nodes)
        self._room.append(wide.nodes)
        self._wides.append(Wide(wide.first, wide.roots, _NOT_HERE))

    def finish(self) -> None:
        """Fill `roots` and `nodes`; where all tries are those of the snapshot before, its own serve again."""
        self._making.settle()
        self._making.end()
        before, self._before = self._before, None
        if before and before._wides == self._wides:
            self.roots, self.nodes, self._is_mapped = before.roots, before.nodes, before._is_mapped
            return
        self.roots = np.concatenate([wide.roots for wide in self._wides])
        room, self._room = self._room, None
        self._keep(np.concatenate([wide.nodes for wide in self._wides]) if room is None else room.numbers())

    def take_mapped(self, snapshot: Snapshot) -> None:
        """Have the nodes where a snapshot that was written with them has them mapped."""
        if not self._is_mapped:
            self._is_mapped = True
            self._keep(np.frombuffer(snapshot.columns["trie_nodes"], np.uint32))

    def _keep(self, nodes: NDArray[np.uint32]) -> None:
        """Have all nodes here, and each trie's as a part of them, so that there is one copy."""
        self.nodes = nodes
        ends = [*(wide.first for wide in self._wides[1:]), self._node_count]
        self._wides = [
            Wide(wide.first, wide.roots, nodes[wide.first * TRIE_WIDTH : end * TRIE_WIDTH])
            for wide, end in zip(self._wides, ends, strict=True)
        ]
