"""The compiled passes over trees give what whole columns give: the same nodes in the same order, roots and levels."""

from __future__ import annotations

from ipaddress import ip_network
from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray

from lbdns.snapshot.compile import tries
from lbdns.snapshot.compile.tries import PrefixTree, Wide, in_levels, reduce_tree, tree_of_networks, widen

VALUES = 5

pytestmark = pytest.mark.skipif(tries.PASSES is None, reason="lbdns was built without a compiler")


def drawn_nodes(chance: Random, count: int) -> NDArray[np.int32]:
    """Return nodes each of which leads to later ones, shared or not, or to values; some are never reached."""
    rows = []
    for number in range(count):
        near = range(number + 1, min(number + 1 + chance.choice((2, 5, 40)), count))
        rows.append([chance.choice(near) if near and chance.random() < 0.7 else ~chance.randrange(VALUES)] * 2)
        if chance.random() < 0.9:
            rows[-1][1] = number + 1 if number + 1 < count else ~chance.randrange(VALUES)
    order = np.array(chance.sample(range(count), count), np.int32)  # where each stands
    nodes = np.array(rows, np.int32).reshape(-1, 2)
    placed = np.empty_like(nodes)
    placed[order] = np.where(nodes >= 0, order[nodes.clip(0)], nodes)
    return placed


def root_of(chance: Random, count: int) -> int:
    return chance.randrange(count) if count and chance.random() < 0.8 else ~chance.randrange(VALUES)


def assert_same_tree(one: PrefixTree, other: PrefixTree) -> None:
    assert one.nodes.dtype == other.nodes.dtype and one.nodes.tolist() == other.nodes.tolist()
    assert (one.root_v4, one.root_v6, one.bounds.tolist()) == (other.root_v4, other.root_v6, other.bounds.tolist())


def assert_same_trie(one: Wide, other: Wide) -> None:
    assert one.first == other.first
    assert {part.dtype for part in (one.roots, one.nodes, other.roots, other.nodes)} == {np.dtype(np.uint32)}
    assert (one.roots.tolist(), one.nodes.tolist()) == (other.roots.tolist(), other.nodes.tolist())


def assert_same_passes(nodes: NDArray[np.int32], root_v4: int, root_v6: int, monkeypatch: pytest.MonkeyPatch) -> None:
    classes = [np.array([number % kinds for number in range(VALUES)], np.int32) for kinds in (1, 2, 3, VALUES)]
    nodes.flags.writeable = False
    compiled = in_levels(nodes, root_v4, root_v6)
    reduced = [reduce_tree(compiled, one) for one in classes]
    wide = [widen(one, 7, VALUES) for one in (compiled, *reduced)]
    with monkeypatch.context() as without:
        without.setattr(tries, "PASSES", None)
        plain = in_levels(nodes, root_v4, root_v6)
        assert_same_tree(compiled, plain)
        for found, one in zip(reduced, classes, strict=True):
            assert_same_tree(found, reduce_tree(plain, one))
        for trie, tree in zip(wide, (compiled, *reduced), strict=True):
            assert_same_trie(trie, widen(tree, 7, VALUES))


@pytest.mark.parametrize("seed", range(40))
def test_compiled_passes_give_what_columns_give(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = Random(seed)
    count = chance.choice((0, 1, 2, 9, 60, 120))
    nodes = drawn_nodes(chance, count)
    root = root_of(chance, count)
    assert_same_passes(nodes, chance.choice((root, root_of(chance, count))), root, monkeypatch)


def test_trees_of_networks_too(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ("192.0.2.0/24", "198.51.100.7/32", "10.0.0.0/8", "2001:db8::/32", "2001:db9:1::/127", "fc00::/7")
    tree = tree_of_networks(map(ip_network, texts), 3)
    assert_same_passes(tree.nodes, tree.root_v4, tree.root_v6, monkeypatch)
