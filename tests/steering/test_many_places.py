"""Beyond a number of ways to tell places apart none gets a trie of its own: the answers stay, scopes may be longer."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from lbdns.snapshot.compile import place_classes as classes
from tests.steering import naive
from tests.steering.served import Lane, Served, write_geodata
from tests.steering.strategies import draw_asked, draw_balancer, draw_tree, draw_world

pytestmark = pytest.mark.slow


def comparable(decided: dict[str, Any], policy: str) -> dict[str, Any]:
    """Return what must agree.

    Looked for at query time, the nearest pool is found after all candidates were looked at, and location counts even
    where every place has the same nearest.
    """
    free = {"scope", "passed", "location_source"} if policy == "proximity" else {"scope"}
    return {key: value for key, value in decided.items() if key not in free}


def test_answers_agree_with_the_oracle(lane: Lane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classes, "MERGED_TRIES_MAX", 0)
    chance = Random(7)
    located = longer = 0
    for number in range(60):
        folder = tmp_path / str(number)
        folder.mkdir()
        tree = draw_tree(chance)
        world = draw_world(chance, tree)
        served = Served(world, write_geodata(tree, folder / "places.mmdb"), folder)
        for _ in range(25):
            balancer = draw_balancer(chance, world)
            asked = draw_asked(chance, world, balancer)
            said, expected = served.decide(lane, balancer, asked), naive.decide(world, balancer, asked)
            policy = balancer.effective_policy
            assert comparable(said, policy) == comparable(expected, policy)
            assert set(expected["passed"]) <= set(said["passed"])
            assert said["scope"] >= expected["scope"]
            located += said["scope"] > 0
            longer += said["scope"] > expected["scope"]
        served.close()
    assert located > 50
    assert longer > 0, "no scope was longer: the shared tries were not in use"
