"""Tries that are made together are those that each would be alone, and lead every address to its segment's class."""

from __future__ import annotations

from array import array
from random import Random

import numpy as np
import pytest

from lbdns.mapped.columns import HEALTH_COLUMNS, empty_columns
from lbdns.snapshot.compile import class_tries
from lbdns.snapshot.compile.tries import Wide
from lbdns.steering.kernel.decide import walk
from lbdns.steering.kernel.view import View
from lbdns.steering.rules.address_ranges import BITS
from lbdns.steering.rules.address_sets import FAMILIES, Addresses, as_addresses
from lbdns.steering.rules.decision_table import Cells, SourceTable
from tests.work import calls_of

SEEDS = range(40)


def side(chance: Random, family: int) -> tuple[Addresses, Cells]:
    """Return segments of one family: of every length, some close together, at times one alone."""
    bits, turns = BITS[family], {0}
    near = chance.getrandbits(bits)
    for _ in range(chance.choice((0, 1, 2, 9, 30))):
        kept, length = chance.randrange(bits), chance.choice((chance.randrange(1, bits + 1), 8, bits))
        turn = near >> kept << kept | chance.getrandbits(bits) & (1 << kept) - 1
        turns.add(turn >> (bits - length) << (bits - length))
    classes = [chance.randrange(5) for _ in turns]
    return as_addresses(sorted(turns), family), np.array(classes, np.int32)


def source(seed: int) -> SourceTable:
    chance = Random(seed)
    (starts_v4, classes_v4), (starts_v6, classes_v6) = (side(chance, family) for family in FAMILIES)
    return SourceTable((starts_v4, starts_v6), (classes_v4, classes_v6), np.zeros((5, 3), np.int32))


def same(one: Wide, other: Wide) -> bool:
    return np.array_equal(one.roots, other.roots) and np.array_equal(one.nodes, other.nodes)


@pytest.mark.parametrize("at_once", [1, 40, 8_192])
def test_tries_made_together_are_those_made_alone(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = [source(seed) for seed in SEEDS]
    alone = [wide for one in sources for wide in class_tries.class_tries([one])]
    monkeypatch.setattr(class_tries, "_TURNS_AT_ONCE", at_once)
    together = list(class_tries.class_tries(sources))
    assert all(same(one, other) for one, other in zip(alone, together, strict=True))
    assert sum(one.node_count > 0 for one in alone) > len(sources) // 2


@pytest.mark.parametrize("seed", SEEDS)
def test_an_address_is_led_to_its_segment(seed: int) -> None:
    made, chance = source(seed), Random(seed)
    (wide,) = class_tries.class_tries([made])
    columns = {key: memoryview(column) for key, column in empty_columns().items()}
    columns |= {"trie_root": wide.roots.data, "trie_nodes": wide.nodes.data}
    view = View(columns, {one.name: memoryview(array(one.code)) for one in HEALTH_COLUMNS}, -1)
    for place, family in enumerate(FAMILIES):
        starts = [upper << 64 | lower for upper, lower in made.starts[place].tolist()]
        classes, space, unit = made.classes[place].tolist(), 1 << 128, 1 << (128 - BITS[family])
        asked = [*starts, *(start - unit for start in starts if start), chance.randrange(space) // unit * unit]
        for address in asked:
            leaf = walk(view, 0, family, address >> 64, address & (1 << 64) - 1)
            expected = max(index for index, start in enumerate(starts) if start <= address)
            assert leaf >> 8 == classes[expected]
            block = space >> (leaf & 0xFF)
            first = address // block * block
            assert starts[expected] <= first
            behind = starts[expected + 1] if expected + 1 < len(starts) else space
            assert first + block <= behind


def test_many_tries_are_made_in_few_calls() -> None:
    few, many = ([source(seed) for seed in range(count)] for count in (2, 40))
    calls = calls_of(lambda: list(class_tries.class_tries(many)))
    assert calls["_levels"] == calls_of(lambda: list(class_tries.class_tries(few)))["_levels"] == 1
    assert calls["_unused"] <= 128 / 4, "once a level"
