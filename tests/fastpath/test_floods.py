"""Which networks are noted to flood: one that does keeps its place, however many others ask."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from types import ModuleType

import pytest

from lbdns.fastpath import floods as installed
from lbdns.fastpath.flood_words import FLOOD_PLACES
from tests.interpreted import standing_in

OTHERS = 5_000


@pytest.fixture(params=["interpreted", "installed"])
def module(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    """The module as it is read from its source, and as it is installed."""
    if request.param == "installed":
        yield installed
        return
    with standing_in("fastpath.floods") as read:
        yield read


def test_a_flood_is_noted(module: ModuleType) -> None:
    chance = Random(1)
    floods = module.Floods()
    flooding = (192 << 16 | 0 << 8 | 2) << 40
    notes = [flooding | chance.getrandbits(8) << 32 for _ in range(2 * OTHERS)]
    notes += [chance.getrandbits(32) << 32 for _ in range(OTHERS)]
    chance.shuffle(notes)
    for high in notes:
        module.note_limited(floods, 4, high)
    found = dict(floods.take(7))
    assert len(found) <= FLOOD_PLACES
    assert 2 * OTHERS - 4 * OTHERS / FLOOD_PLACES <= found.pop(flooding >> 40) <= 2 * OTHERS
    assert max(found.values()) < OTHERS / FLOOD_PLACES
    assert floods.take(8) == []


def test_networks_of_ipv6(module: ModuleType) -> None:
    floods = module.Floods()
    for low in range(200):
        module.note_limited(floods, 6, 0x20010DB8_00000100 + low)
        module.note_limited(floods, 6, 0xFFFFFFFF_FFFFFF00 + low)
    assert dict(floods.take(0)) == {0x20010DB8_000001: 200, 0xFFFFFFFF_FFFFFF: 200}
