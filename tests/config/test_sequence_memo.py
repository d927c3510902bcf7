"""What is kept by the places of a sequence is what would be made anew, and what came and went accounts for it."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from lbdns.base.memo import BySequence, Chosen, KeyCounts, Sequel, are_same, shared_ends


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


@pytest.mark.parametrize("seed", range(20))
def test_who_is_chosen_passes_and_whatever_is_made_of_that_accounts_for_it(seed: int) -> None:
    """A chain of three, as a configuration goes from step to step: each takes the ends that the one before it gives."""
    chance = Random(seed)
    read: BySequence[Thing, Thing] = BySequence()
    chosen: Chosen[Thing] = Chosen(lambda thing: thing.number % 3)
    numbers: BySequence[Thing, int] = BySequence()
    those: list[Thing] = []
    for step in range(60):
        those = changed(chance, those, step % 7)
        models = read.of_all(those, lambda thing: thing)
        passing = chosen.of(models)
        assert are_same(passing, [thing for thing in those if thing.number % 3])
        assert chosen.of(models) is passing
        assert [*numbers.of_all(passing, lambda thing: thing.number)] == [thing.number for thing in passing]


def test_a_sequel_is_not_compared_with_what_it_was_made_of(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Sequel.of((), 0, [Thing(number) for number in range(1000)], 0)
    after = Sequel.of(before, 400, [Thing(1), Thing(2)], 599)
    assert (len(after), after[400].number, after[402] is before[401]) == (1001, 1, True)
    compared: list[int] = []

    def counted(one: object, other: object) -> bool:
        compared.append(1)
        return one is other

    monkeypatch.setattr("lbdns.base.memo.is_", counted)
    monkeypatch.setattr("lbdns.base.memo.is_not", lambda one, other: not counted(one, other))
    assert shared_ends(before, after) == (400, 599) and not compared
    other = Sequel.of(after, 7, [Thing(3)], 993)
    assert shared_ends(after, other) == (7, 993) and not compared
    assert not are_same(after, other) and len(compared) == 1
    assert shared_ends(before, other) == (7, 599) and len(compared) > 500, "what is not made of it is compared"
    assert are_same(other, [*other]) and not are_same(other, [*other[:-1], Thing(0)])
