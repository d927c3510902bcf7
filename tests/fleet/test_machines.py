"""The ground that tests of a fleet stand on: cuts are what they say they are, and a verdict finds what is wrong."""

from __future__ import annotations

import itertools

import pytest

from tests.fleet.fleet_changing import CONTESTED, DONE, NEW, OWN, REFUSED, UNKNOWN, Attempt, wrong_of_name
from tests.fleet.likeness import ALIKE_S, Likeness
from tests.fleet.machines import STANDS, in_own_network

FIRST, SECOND, THIRD = (one.name for one in STANDS)
ALL_WAYS = {f"{source.name} {target.name}" for source, target in itertools.permutations(STANDS, 2)}


@pytest.mark.process
@pytest.mark.slow
def test_cuts_are_silent_and_go_one_way_or_both() -> None:
    seen = {step: set(ways) for step, ways in in_own_network("tests.fleet.wires_seen", timeout_s=60).items()}
    assert seen["at first"] == seen["healed"] == seen["plugged in"] == ALL_WAYS
    assert seen["silent"] == seen["unplugged"] == {f"{SECOND} {THIRD}", f"{THIRD} {SECOND}"}
    assert seen["mute"] == {way for way in ALL_WAYS if not way.startswith(SECOND)}
    assert seen["deaf"] == {way for way in ALL_WAYS if not way.endswith(SECOND)}


def attempt(outcome: str, value: str, kind: str = OWN, machine: str = FIRST) -> Attempt:
    return Attempt(kind, machine, "name", value, outcome, "said", 0.1)


@pytest.mark.parametrize(
    ("tried", "held", "is_right"),
    [
        ([(DONE, "1"), (DONE, "2")], "2", True),
        ([(DONE, "1"), (DONE, "2")], "1", False),  # an acknowledged change is lost
        ([(DONE, "1"), (UNKNOWN, "2"), (UNKNOWN, "3")], "1", True),
        ([(DONE, "1"), (UNKNOWN, "2"), (UNKNOWN, "3")], "2", True),
        ([(UNKNOWN, "1"), (DONE, "2")], "1", False),  # one that ought to have been decided long ago
        ([(DONE, "1"), (REFUSED, "2")], "2", False),  # what was refused is there
    ],
)
def test_a_record_is_what_was_done_last(tried: list[tuple[str, str]], held: str, is_right: bool) -> None:
    wrong = wrong_of_name(OWN, "name", [attempt(*one) for one in tried], held)
    assert bool(wrong) != is_right


@pytest.mark.parametrize(
    ("outcome", "held", "is_right"),
    [(DONE, "1", True), (DONE, None, False), (REFUSED, "1", False), (REFUSED, None, True), (UNKNOWN, "1", True)],
)
def test_what_was_made_is_there_and_what_was_refused_is_not(outcome: str, held: str | None, is_right: bool) -> None:
    assert bool(wrong_of_name(NEW, "name", [attempt(outcome, "1", NEW)], held)) != is_right


@pytest.mark.parametrize(
    ("outcomes", "held", "is_right"),
    [
        ((DONE, REFUSED), FIRST, True),
        ((DONE, DONE), FIRST, False),  # contradictory, and both acknowledged
        ((DONE, REFUSED), SECOND, False),
        ((REFUSED, UNKNOWN), SECOND, True),
        ((REFUSED, REFUSED), SECOND, False),
        ((REFUSED, UNKNOWN), None, True),
    ],
)
def test_one_of_those_who_make_the_same_has_made_it(
    outcomes: tuple[str, ...], held: str | None, is_right: bool
) -> None:
    tried = [attempt(outcome, name, CONTESTED, name) for outcome, name in zip(outcomes, (FIRST, SECOND), strict=True)]
    assert bool(wrong_of_name(CONTESTED, "name", tried, held)) != is_right


def test_machines_are_apart_from_the_mending_until_they_are_alike() -> None:
    likeness = Likeness(100.0)
    for at_s, are_alike in ((100.1, False), (101.0, True), (102.0, False), (103.5, True)):
        likeness.see(at_s, are_alike)
        assert likeness.is_settled is are_alike
    assert likeness.alike_s == 3.5
    assert likeness.apart_later_s == 0.0


def test_what_sets_them_apart_later_is_told_by_how_long_it_lasts() -> None:
    likeness = Likeness(100.0)
    began_s = 100.0 + ALIKE_S + 1.0
    for at_s, are_alike in ((100.0, True), (began_s, False), (began_s + 0.4, True), (began_s + 9.0, True)):
        likeness.see(at_s, are_alike)
    assert likeness.alike_s == 0.0
    assert likeness.apart_later_s == pytest.approx(0.4)
