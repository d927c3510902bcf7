"""Which machines are known and heard, and when a machine takes itself for the one that is cut off."""

from __future__ import annotations

import pytest

from lbdns.fleet.observing.hearing import (
    EXCUSED_MAX_S,
    HEARD_S,
    KNOWN_S,
    LATE_S,
    STEADY_S,
    Acquaintance,
    Hearing,
    HearingChanges,
    HearingCount,
    cut_off,
)
from tests.fleet.played_machines import UP, Bus


@pytest.mark.parametrize(
    ("heard", "known", "sees_up", "has_begun", "expected"),
    [
        (1, 1, False, False, False),
        (3, 3, False, False, False),
        (2, 3, False, True, False),
        (1, 2, True, True, False),
        (1, 2, True, False, True),
        (1, 2, False, True, True),
        (2, 4, True, True, False),
        (2, 4, False, True, True),
        (1, 3, True, True, True),
        (3, 7, True, True, True),
        (4, 7, False, False, False),
    ],
)
def test_the_table_of_the_cut_off(heard: int, known: int, sees_up: bool, has_begun: bool, expected: bool) -> None:
    assert cut_off(HearingCount(heard, known), sees_up, has_begun) is expected


def test_heard_lost_and_heard_again() -> None:
    hearing = Hearing("me", [], 0.0, 1000.0)
    assert hearing.hear("b", (("b", "WEU"),), True, 1.0, 1001.0), "a new one"
    assert hearing.follow(1.0).found == ("b",)
    assert not hearing.hear("b", (("b", "WEU"),), True, 2.0, 1002.0)
    assert hearing.follow(2.0 + HEARD_S - 0.1).lost == ()
    assert hearing.next_due_s <= 2.0 + HEARD_S
    assert hearing.follow(2.0 + HEARD_S).lost == ("b",)
    assert hearing.count == (1, 2)
    assert hearing.counted_on(6.0) == []
    hearing.hear("b", (("b", "WEU"),), True, 7.0, 1007.0)
    assert hearing.follow(7.0).found == ("b",)
    assert hearing.counted_on(7.0) == [], "who was lost is not counted on at once"
    for second in range(1, int(STEADY_S) + 1):
        hearing.hear("b", (("b", "WEU"),), True, 7.0 + second, 0.0)
        steady = hearing.follow(7.0 + second).steady
    assert steady == ("b",)
    assert hearing.counted_on(17.0) == [("b", "WEU")]


def test_who_is_heard_in_part_is_not_heard() -> None:
    hearing = Hearing("me", [], 0.0, 1000.0)
    for second in range(5):
        hearing.hear("b", (("b", ""),), False, float(second), 0.0)
        assert hearing.follow(float(second)).found == ()
    assert hearing.count == (1, 2)


def test_who_is_silent_for_a_day_is_forgotten_over_restarts_too() -> None:
    kept = [Acquaintance("b", 1000.0, (("b", "WEU"),)), Acquaintance("old", 1000.0 - KNOWN_S, ())]
    hearing = Hearing("me", kept, 50.0, 1000.0 + KNOWN_S - 10.0)
    assert hearing.machines == ("b",)
    assert hearing.counted_on(50.0) == [("b", "WEU")], "until it can be missed"
    assert hearing.counted_on(50.0 + HEARD_S) == []
    assert hearing.follow(59.0).forgotten == ()
    assert hearing.follow(60.0).forgotten == ("b",)
    assert hearing.count == (1, 1)


def test_the_day_begins_with_the_last_sign_of_life() -> None:
    hearing = Hearing("me", [], 0.0, 1000.0)
    hearing.hear("b", (("b", ""),), True, 5.0, 1005.0)
    hearing.follow(5.0)
    assert hearing.kept(105.0, 1105.0) == (Acquaintance("b", 1005.0, (("b", ""),)),)
    hearing.follow(100.0)
    assert hearing.next_due_s == 5.0 + KNOWN_S
    assert hearing.follow(5.0 + KNOWN_S).forgotten == ("b",)


def test_fewer_than_half_is_cut_off_and_comes_back_by_itself() -> None:
    bus = Bus()
    names = "abcde"
    machines = {name: bus.join(name) for name in names}
    bus.run(4.0)
    assert not any(one.is_cut_off for one in machines.values())
    bus.cut("ab", "cde")
    bus.run(HEARD_S + 1.2)
    assert {name: one.is_cut_off for name, one in machines.items()} == dict(a=True, b=True, c=False, d=False, e=False)
    assert machines["a"].count == (2, 5)
    assert machines["c"].speakers["a"].silent_s is not None
    bus.heal()
    bus.run(2.5)
    assert not any(one.is_cut_off for one in machines.values())
    assert machines["c"].speakers["a"].silent_s is None


def test_one_that_comes_back_is_cut_off_until_it_knows_all_again() -> None:
    bus = Bus()
    a, b, c = (bus.join(name) for name in "abc")
    bus.run(4.0)
    bus.cut("a", "bc")
    bus.run(5.0)
    b.see("b", b"k" * 12, UP, bus.now_s)
    c.see("c", b"k" * 12, UP, bus.now_s)
    bus.run(1.0)
    bus.heal()
    while a.is_cut_off:
        assert a.count == (1, 3)
        bus.run(0.01)
    assert a.find({b"k" * 12}), "nobody is heard of whom anything is missing"


def test_one_of_two_judges_by_itself_while_anything_answers() -> None:
    bus = Bus()
    a = bus.join("a")
    bus.join("b")
    a.see("a", b"k" * 12, UP, bus.now_s)
    bus.run(4.0)
    del bus.machines["b"]
    bus.run(5.0)
    assert a.count == (1, 2)
    assert not a.is_cut_off
    a.see("a", b"k" * 12, UP._replace(state=2), bus.now_s)
    assert a.is_cut_off, "everything is down: it is likelier the machine"


def test_what_a_restart_begins_with() -> None:
    bus = Bus()
    bus.join("a")
    bus.join("b")
    bus.join("c")
    bus.run(4.0)
    kept = bus.machines["a"].kept(bus.now_s, bus.unix_s("a"))
    bus.cut("a", "bc")
    bus.run(5.0)
    again = bus.join("a", kept=kept)
    assert again.is_cut_off, "from the first moment"
    bus.run(5.0)
    assert (again.is_cut_off, again.count) == (True, (1, 3))


def test_who_stood_still_takes_nobody_for_silent() -> None:
    hearing = Hearing("me", [], 0.0, 1000.0)
    for second in range(6):
        hearing.hear("b", (("b", "WEU"),), True, float(second), 0.0)
        hearing.follow(float(second))
    hearing.stood_still(9.0, 15.0)
    assert hearing.follow(15.0).lost == (), "it heard for a second of the ten"
    assert hearing.follow(14.0 + HEARD_S).lost == ("b",), "and then for two more, in which b might have spoken"


def test_a_little_late_is_not_still() -> None:
    hearing = Hearing("me", [], 0.0, 1000.0)
    hearing.hear("b", (("b", "WEU"),), True, 0.0, 0.0)
    hearing.follow(0.0)
    for step in range(1, 60):
        hearing.stood_still(LATE_S, step * LATE_S)
    assert hearing.follow(HEARD_S).lost == ("b",)


def test_who_stands_still_again_and_again_loses_the_dead_all_the_same() -> None:
    hearing = Hearing("me", [], 0.0, 1000.0)
    hearing.hear("b", (("b", "WEU"),), True, 0.0, 0.0)
    hearing.follow(0.0)
    lost_s = 0.0
    while hearing.is_heard("b"):
        lost_s += 1.0
        hearing.stood_still(1.0, lost_s)
        hearing.follow(lost_s)
    assert EXCUSED_MAX_S < lost_s <= EXCUSED_MAX_S + HEARD_S
    hearing.hear("b", (("b", "WEU"),), True, 50.0, 0.0)
    hearing.follow(50.0)
    hearing.stood_still(20.0, 70.0)
    assert hearing.follow(70.0).lost == (), "once heard, it is excused anew"


def test_who_stands_still_in_the_beginning_has_not_listened_yet() -> None:
    hearing = Hearing("me", [Acquaintance("b", 1000.0, (("b", "WEU"),))], 0.0, 1000.0)
    hearing.stood_still(8.0, 9.0)
    hearing.follow(9.0)
    assert not hearing.has_begun(9.0)
    assert hearing.next_due_s <= 8.0 + HEARD_S
    assert hearing.has_begun(8.0 + HEARD_S)


def test_a_machine_without_processor_for_ten_seconds_keeps_its_fleet() -> None:
    bus = Bus()
    a, _, _ = (bus.join(name) for name in "abc")
    a.see("a", b"k" * 12, UP, bus.now_s)
    bus.run(5.0)
    bus.changes["a"].clear()
    a.drain()
    stopped = bus.machines.pop("a")
    bus.run(10.0)
    assert bus.machines["b"].count == (2, 3), "the others miss it"
    bus.machines["a"] = stopped
    stopped.tick(bus.now_s, bus.unix_s("a"))  # before any of the messages that wait
    assert stopped.count == (3, 3)
    assert not stopped.is_cut_off
    assert stopped.drain().hearing == []
    bus.run(2.0)
    assert [one.count for one in bus.machines.values()] == [(3, 3)] * 3


def test_who_says_the_same_again_is_heard_on_and_known_for_a_day_from_then() -> None:
    hearing = Hearing("a", (), 0.0, 1000.0)
    assert not hearing.hear_again("b", 0.0), "nobody knows it"
    hearing.hear("b", (("b", "WEU"),), True, 0.0, 1000.0)
    assert not hearing.hear_again("b", 0.5), "it is not heard before `follow` says so"
    assert hearing.follow(0.5).found == ("b",)
    for second in range(1, 101):
        assert hearing.hear_again("b", float(second))
        assert hearing.follow(float(second)) == HearingChanges()
    assert hearing.follow(100.0 + HEARD_S).lost == ("b",)
    assert hearing.follow(100.0 + KNOWN_S - 1.0).forgotten == ()
    assert hearing.follow(100.0 + KNOWN_S).forgotten == ("b",)
