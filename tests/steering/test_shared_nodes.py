"""A trie with shared nodes is the same trie: every address has the same class at the same depth."""

from __future__ import annotations

from array import array
from ipaddress import ip_network
from random import Random
from typing import Any

import numpy as np
import pytest

from lbdns.mapped.columns import COLUMNS, HEALTH_COLUMNS
from lbdns.snapshot.compile import shared_nodes
from lbdns.snapshot.compile.shared_nodes import with_shared_nodes
from lbdns.snapshot.compile.tries import Wide, tree_of_networks, widen
from lbdns.steering.kernel.decide import walk
from lbdns.steering.kernel.numbers import TRIE_LEAF, TRIE_WIDTH
from lbdns.steering.kernel.view import View


def long_list(chance: Random, count: int) -> list[Any]:
    """Return networks of both families that do not overlap."""
    found: dict[tuple[int, int], int] = {}
    while len(found) < count:
        found.setdefault((4, chance.getrandbits(20)), chance.choice((20, 22, 24, 32)))
        found.setdefault((6, chance.getrandbits(24)), chance.choice((32, 48, 64, 128)))
    return [
        ip_network((block << (12 if version == 4 else 100), max(length, 24 if version == 6 else 20)))
        for (version, block), length in found.items()
    ]


def view_of(wide: Wide, before: int) -> View:
    columns = {name: memoryview(array(code)) for name, code in COLUMNS.items()}
    health = {column.name: memoryview(array(column.code)) for column in HEALTH_COLUMNS}
    columns["trie_root"] = np.ascontiguousarray(wide.roots).data
    columns["trie_nodes"] = np.concatenate([np.zeros(before * TRIE_WIDTH, np.uint32), wide.nodes]).data
    return View(columns, health, -1)


@pytest.mark.parametrize("seed", range(3))
def test_each_address_is_led_to_the_same_leaf(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = Random(f"shared/{seed}")
    monkeypatch.setattr(shared_nodes, "NODES_MIN", 1)
    networks = long_list(chance, 2000)
    plain = widen(tree_of_networks(networks, 1), 7, 2)
    folded = with_shared_nodes(plain)
    assert folded.first == 7 and folded.node_count < plain.node_count / 2
    inner = folded.nodes[folded.nodes < TRIE_LEAF]
    assert inner.min() >= 7 and inner.max() < 7 + folded.node_count
    before, after = view_of(plain, 7), view_of(folded, 7)
    for network in chance.sample(networks, 500):
        for address in (network[0], network[-1], network[0] - 1 if int(network[0]) else network[0]):
            whole = int(address) << (96 if network.version == 4 else 0)
            high, low = whole >> 64, whole & (1 << 64) - 1
            assert walk(before, 0, network.version, high, low) == walk(after, 0, network.version, high, low)
    # Moved elsewhere it is the same as well.
    assert (folded.moved(100).moved(7).nodes == folded.nodes).all()


def test_a_small_trie_is_left_as_it_is() -> None:
    plain = widen(tree_of_networks([ip_network("192.0.2.0/24")], 1), 0, 2)
    assert with_shared_nodes(plain) is plain


def test_no_two_nodes_are_left_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_nodes, "NODES_MIN", 1)
    networks = [ip_network((block << 8, 24)) for block in range(0, 1 << 16, 3)]
    folded = with_shared_nodes(widen(tree_of_networks(networks, 1), 0, 2))
    rows = {bytes(row) for row in folded.nodes.reshape(-1, TRIE_WIDTH)}
    assert len(rows) == folded.node_count
