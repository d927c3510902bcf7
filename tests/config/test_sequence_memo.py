"""What is kept by the places of a sequence is what would be made anew, and what came and went accounts for it."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from lbdns.base.memo import BySequence, KeyCounts, shared_ends


class Thing:
    """Equal to all others: kept is by identity."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


def changed(chance: Random, those: list[Thing], fresh: int) -> list[Thing]:
    """Return a sequence with some others, moved ones, some more or some less; now and then all or none."""
    made = list(those)
    for _ in range(chance.randrange(4)):
        at = chance.randrange(len(made) + 1)
        if chance.random() < 0.4:
            made.insert(at, Thing(fresh))
        elif made:
            gone = made.pop(at % len(made))
            if chance.random() < 0.5:
                made.insert(chance.randrange(len(made) + 1), chance.choice((gone, Thing(fresh))))
    return [] if chance.random() < 0.05 else made


@pytest.mark.parametrize("seed", range(20))
def test_what_is_kept_is_what_would_be_made(seed: int) -> None:
    chance = Random(seed)
    kept: BySequence[Thing, tuple[int, int]] = BySequence()
    tally: KeyCounts[int] = KeyCounts()
    those: list[Thing] = []
    calls = 0

    def make(thing: Thing) -> tuple[int, int]:
        nonlocal calls
        calls += 1
        return thing.number, calls

    known: dict[int, tuple[int, int]] = {}
    for step in range(60):
        before, those = those, changed(chance, those, step % 7)
        version, keys = tally.version, {*tally.keys}
        found = kept.of_all(those, make)
        assert [number for number, _ in found] == [thing.number for thing in those]
        stayed = {id(thing) for thing in before}
        assert all(known[id(thing)] is one for thing, one in zip(those, found, strict=True) if id(thing) in stayed)
        known = {id(thing): one for thing, one in zip(those, found, strict=True)}
        tally.change([number for number, _ in kept.came], [number for number, _ in kept.went])
        assert tally._counts == Counter(thing.number for thing in those)
        assert version != tally.version or keys == {*tally.keys}
        assert kept.of_all(those, make) is found
        assert not kept.came and not kept.went
    assert calls < 200, "what stayed is not made again"


def test_nothing_is_altered_where_making_fails() -> None:
    kept: BySequence[Thing, int] = BySequence()
    one, two = Thing(1), Thing(2)
    kept.of_all([one], lambda thing: thing.number)
    with pytest.raises(ZeroDivisionError):
        kept.of_all([one, two], lambda thing: 1 // 0)
    assert [*kept.of_all([one, two], lambda thing: thing.number)] == [1, 2]
    assert ([*kept.came], [*kept.went]) == ([2], [])


@pytest.mark.parametrize(
    ("some", "others", "ends"),
    [("", "", (0, 0)), ("ab", "ab", (2, 0)), ("ab", "aab", (1, 1)), ("abc", "axc", (1, 1)), ("a", "", (0, 0))],
)
def test_shared_ends(some: str, others: str, ends: tuple[int, int]) -> None:
    assert shared_ends(some, others) == ends  # single letters are the same objects wherever they stand
