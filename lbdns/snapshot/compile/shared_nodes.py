"""A trie whose equal nodes are one: of a long list of networks most are, and what is left stays in a core's cache.

Nothing else changes: a record says where its branch goes on, whichever way led to it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from lbdns.base.sorted_set import sorted_set
from lbdns.snapshot.compile.tries import Wide
from lbdns.steering.kernel.numbers import TRIE_LEAF, TRIE_WIDTH

NODES_MIN: Final = 4096
"""A trie of fewer nodes, 256 KiB, is small as it is."""


def with_shared_nodes(wide: Wide) -> Wide:
    """Return a trie that leads every address to the same leaf at the same depth, with the fewest nodes."""
    if wide.node_count < NODES_MIN:
        return wide
    nodes = wide.nodes.reshape(-1, TRIE_WIDTH)
    number = np.zeros(len(nodes), np.uint32)
    kept: list[NDArray[np.uint32]] = []
    count = wide.first
    for level in reversed(_levels(wide, nodes)):
        rows = _renumbered(nodes[level], number, wide.first)
        distinct, which = np.unique(rows.view(f"V{rows.itemsize * TRIE_WIDTH}").reshape(-1), return_inverse=True)
        number[level] = count + which
        kept.append(distinct.view(np.uint32))
        count += len(distinct)
    return Wide(wide.first, _renumbered(wide.roots, number, wide.first), np.concatenate(kept))


def _levels(wide: Wide, nodes: NDArray[np.uint32]) -> list[NDArray[np.uint32]]:
    """Return the nodes by depth; one that is reached at several stands in each, and is renumbered at the deepest first:
    what it leads to is known by then in any case."""
    levels = []
    ahead = _inner(wide.roots, wide.first)
    while len(ahead):
        levels.append(ahead)
        ahead = _inner(nodes[ahead], wide.first)
    return levels


def _inner(records: NDArray[np.uint32], first: int) -> NDArray[np.uint32]:
    found: NDArray[np.uint32] = sorted_set(records[records < TRIE_LEAF]) - np.uint32(first)
    return found


def _renumbered(records: NDArray[np.uint32], number: NDArray[np.uint32], first: int) -> NDArray[np.uint32]:
    is_inner = records < TRIE_LEAF
    changed = records.copy()
    changed[is_inner] = number[records[is_inner] - np.uint32(first)]
    return changed
