"""Problems that are put in order with those of before at hand are in the order in which all are put anew."""

from __future__ import annotations

from random import Random

import pytest

from lbdns.base.errors import Problem
from lbdns.config.checks.order_memo import OrderMemo
from lbdns.config.problem_order import errors_and_warnings


def draw(chance: Random) -> Problem:
    """Return one of few problems: some are equal, or stand in one place, or break lines."""
    path = f"load_balancers.w{chance.choice((1, 2, 3, 10, 20))}.example.com"
    message = chance.choice(("is hidden", "is hidden", "does not act", "does\nnot act"))
    at = (("a",), ("b",))[chance.randrange(2)]
    line = chance.randrange(2)
    if chance.randrange(10):
        return Problem("store", line, path, message, "warning", at)
    return Problem("store", line, path, message, "error", at)


def change(chance: Random, before: list[Problem]) -> list[Problem]:
    found = list(before)
    for _ in range(chance.randrange(3)):
        at = chance.randrange(len(found) + 1)
        if chance.random() < 0.55:
            found.insert(at, draw(chance))
        elif found:
            del found[at % len(found)]
    return [one for one in found if one.severity == "warning"] if chance.random() < 0.3 else found


@pytest.mark.parametrize("seed", range(10))
def test_problems_are_in_the_order_in_which_all_are_put_anew(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    anew = 0

    def counted(problems: list[Problem]) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
        nonlocal anew
        anew += 1
        return errors_and_warnings(problems)

    monkeypatch.setattr("lbdns.config.checks.order_memo.errors_and_warnings", counted)
    chance, memo, problems = Random(seed), OrderMemo(), list[Problem]()
    for _ in range(120):
        problems = change(chance, problems)
        told, wanted = memo.errors_and_warnings(problems), errors_and_warnings(problems)
        assert told == wanted
        assert [[one.at for one in part] for part in told] == [[one.at for one in part] for part in wanted]
    assert anew < 110, "too few were put where they belong alone"


@pytest.mark.parametrize("seed", range(6))
def test_many_that_are_the_very_same_are_not_looked_at(seed: int) -> None:
    chance, memo = Random(seed), OrderMemo()
    few, many = list[Problem](), list[Problem]()
    told = memo.errors_and_warnings(few, many)
    for _ in range(80):
        is_same = chance.random() < 0.5
        few, many = (list(few), many) if is_same else (change(chance, few), change(chance, many))
        before, told, wanted = told, memo.errors_and_warnings(few, many), errors_and_warnings([*few, *many])
        assert told == wanted
        assert [[one.at for one in part] for part in told] == [[one.at for one in part] for part in wanted]
        assert not is_same or told is before
