"""What follows for an endpoint from what is heard: the tables, and what no isolation may do."""

from __future__ import annotations

import random

import pytest

from lbdns.fleet.observing.judging import Speaker, judge
from lbdns.health.verdict import HEALTHY, UNHEALTHY, UNKNOWN
from tests.fleet.voices import PlainMember, PlainVoice, Scene, naive_majority, possible

U, D, N = HEALTHY, UNHEALTHY, UNKNOWN


def _scene(says: str, silent: str = "", turned: str = "") -> list[PlainVoice]:
    """`says`: of each region one voice, U or D; `silent`: their numbers, since second 10; `turned`: since second 20."""
    states = [("abcdefg"[at], {"U": U, "D": D}[one]) for at, one in enumerate(says)]
    return Scene(states, {int(one): 10.0 for one in silent}, {int(one): 20.0 for one in turned}).voices()


@pytest.mark.parametrize(
    ("says", "silent", "turned", "agreed", "expected"),
    [
        ("UUD", "", "", D, U),
        ("UDD", "", "", U, D),
        ("UD", "", "", U, D),
        ("", "", "", U, N),
        # Silence alone changes nothing.
        ("UUD", "0", "", U, U),
        ("DUD", "0", "", D, D),
        ("UUUDD", "01", "", U, U),
        ("DDDUU", "01", "", D, D),
        # What most fresh ones say and the whole sum too.
        ("UDD", "0", "", U, D),
        ("DUU", "0", "", D, U),
        # What turned since decides, whatever the silent ones said.
        ("UUUDD", "01", "3", U, D),
        ("DDUUD", "01", "2", D, U),
        ("DU", "0", "1", D, U),
        ("UD", "0", "1", U, D),
        # A tie of those that are left: the sum with the silent ones, where one turned to it.
        ("UUD", "0", "2", U, U),
        ("UUD", "0", "1", D, U),
        ("DDU", "0", "", D, D),
        ("DUD", "0", "2", U, D),
        # Nobody is left to say anything.
        ("UUU", "012", "", D, D),
        ("UUU", "012", "", N, N),
        # Nothing was agreed yet: by whom there is.
        ("UUD", "01", "", N, D),
    ],
)
def test_the_table(says: str, silent: str, turned: str, agreed: int, expected: int) -> None:
    assert judge(_scene(says, silent, turned), False, agreed, 3) == expected


@pytest.mark.parametrize("agreed", [U, D, N])
def test_the_cut_off_go_by_their_own_where_they_say_up(agreed: int) -> None:
    assert judge(_scene("UDD", "12"), True, agreed, 3) == U
    assert judge(_scene("DUU", "12"), True, agreed, 3) == agreed
    assert judge(_scene("UUU", "012"), True, agreed, 3) == agreed, "its own is silent: it believes itself cut off"
    assert judge(_scene("DUU"), True, agreed, 3) == agreed, "others that are heard do not count"


def _majority(says: list[tuple[str, int]]) -> int:
    found = naive_majority([(region, state == U) for region, state in says])
    return N if found is None else U if found else D


def test_the_isolation_of_any_minority_changes_nothing_elsewhere() -> None:
    for seed in range(400):
        luck = random.Random(seed)
        says = [(luck.choice("abcd"), luck.choice([U, D])) for _ in range(luck.randint(1, 9))]
        agreed = judge(Scene(says).voices(), False, luck.choice([U, D, N]), None)
        assert agreed == _majority(says)
        silent = luck.sample(range(len(says)), luck.randint(0, (len(says) - 1) // 2))
        scene = Scene(says, dict.fromkeys(silent, 10.0))
        assert judge(scene.voices(), False, agreed, None) == agreed
        for number in silent:  # one after the other
            since = {one: 10.0 + at for at, one in enumerate(silent[: silent.index(number) + 1])}
            assert judge(Scene(says, since).voices(), False, agreed, None) == agreed


def test_no_verdict_is_impossible_by_who_sees_all() -> None:
    """Through silences, turns and returns: what is judged is what all could say, were the silent ones asked."""
    for seed in range(300):
        luck = random.Random(seed)
        says = [("abcdefg"[number % luck.randint(1, 7)], luck.choice([U, D])) for number in range(luck.randint(1, 7))]
        silent: dict[int, float] = {}
        turned: dict[int, float] = {}
        agreed = _majority(says)
        for second in range(100, 160):
            roll, number = luck.random(), luck.randrange(len(says))
            if roll < 0.25 and 2 * (len(silent) + 1) < len(says):
                silent.setdefault(number, float(second))
            elif roll < 0.4:
                silent.pop(number, None)
            elif number not in silent:
                says[number] = says[number][0], luck.choice([U, D])
                turned[number] = float(second)
            scene = Scene(says, dict(silent), dict(turned))
            agreed = judge(scene.voices(), False, agreed, None)
            if not silent:
                assert agreed == _majority(says), "nobody is silent: what most say"
            else:
                assert agreed in possible(scene), (says, silent, turned)


def test_who_is_left_and_of_one_mind_decides_what_turns_from_then_on() -> None:
    for seed in range(50):
        luck = random.Random(seed)
        count = luck.randint(3, 9)
        before = luck.choice([U, D])
        after = D if before == U else U
        says = [(f"r{number}", before) for number in range(count)]
        silent = luck.sample(range(count), luck.randint(1, (count - 1) // 2))
        fresh = [number for number in range(count) if number not in silent]
        for number in fresh:
            says[number] = says[number][0], after
        scene = Scene(says, dict.fromkeys(silent, 10.0), dict.fromkeys(fresh, 20.0))
        assert judge(scene.voices(), False, before, 3) == after


def test_a_region_speaks_by_its_first_few_and_fresh_ones_first() -> None:
    says = [("a", U), ("a", U), ("a", D), ("a", D), ("a", D)]
    assert judge(Scene(says).voices(), False, N, 3) == U, "the first three by rank"
    assert judge(Scene(says).voices(), False, N, None) == D
    silent = Scene(says, {0: 10.0}, {3: 20.0})
    assert judge(silent.voices(), False, U, 3) == D, "another speaks for who is silent"


def test_groups_and_addresses() -> None:
    must, other, watcher = PlainMember("must", True, True), PlainMember("other"), PlainMember("w", votes=False)
    here, there = Speaker("v0", "a", "v0", is_own=True), Speaker("v1", "b", "v1")

    def voices(*said: tuple[PlainMember, int, int], address: str = "192.0.2.1") -> list[PlainVoice]:
        return [
            PlainVoice(speaker, state, address, member)
            for member, *states in said
            for speaker, state in zip((here, there), states, strict=True)
        ]

    assert judge(voices((must, D, D), (other, U, U), (watcher, U, U)), False, N, 3) == D
    assert judge(voices((must, U, U), (other, D, D), (watcher, D, D)), False, N, 3) == U
    both = voices((must, D, D)) + voices((must, U, U), address="192.0.2.2")
    assert judge(both, False, N, 3) == U, "one address is enough"
    there.silent_s = 10.0
    assert judge(both, False, U, 3) == U
    assert judge(both, True, D, 3) == U


def test_order_does_not_matter() -> None:
    for seed in range(60):
        luck = random.Random(seed)
        says = [(luck.choice("ab"), luck.choice([U, D, N])) for _ in range(6)]
        voices = Scene(says, {luck.randrange(6): 10.0}, {luck.randrange(6): 20.0}).voices()
        found = judge(voices, False, U, 2)
        luck.shuffle(voices)
        assert judge(voices, False, U, 2) == found


def test_a_member_that_knows_nothing_yet_counts_in_its_group() -> None:
    must, other = PlainMember("must", True, True), PlainMember("other")
    here = Speaker("v0", "a", "v0", is_own=True)
    voices = [PlainVoice(here, N, member=must), PlainVoice(here, U, member=other)]
    assert judge(voices, False, U, 3) == N
