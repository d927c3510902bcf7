"""Operators' orders on many machines: given anywhere, cut off too, they come together everywhere."""

from __future__ import annotations

import random

import pytest

from lbdns.fleet.observing.health_news import OrderNews, decode_orders, encode_orders
from lbdns.fleet.observing.observer import Observer
from lbdns.fleet.observing.order_map import ENDED_KEPT_S, OrderEntry, OrderMap
from lbdns.health import forced
from lbdns.health.forced import Forced, State
from tests.fleet.played_machines import Bus

STATES: list[State] = ["up", "down", "auto"]


def _order(bus: Bus, machine: Observer, pattern: str, state: State, for_s: float | None = None) -> None:
    """Do what an operator does on a machine: change its list."""
    unix_s = bus.unix_s(machine.machine)
    until_s = None if for_s is None else unix_s + for_s
    new = Forced(pattern, state, unix_s, until_s)
    machine.give_orders(forced.change(machine.orders.orders(), new, unix_s), bus.now_s, unix_s)


def _states(machine: Observer) -> list[tuple[str, str]]:
    return [(one.pattern, one.state) for one in machine.orders.orders()]


def test_given_at_one_it_stands_at_all_and_says_where_it_came_from() -> None:
    bus = Bus()
    a, b, c = (bus.join(name) for name in "abc")
    bus.run(1.5)
    _order(bus, b, "pool/e", "down")
    bus.run(0.1)
    assert _states(a) == _states(b) == _states(c) == [("pool/e", "down")]
    assert [one.machine for one in a.orders.orders()] == ["b"]
    _order(bus, c, "pool/e", "auto")
    bus.run(0.1)
    assert _states(a) == _states(b) == _states(c) == []


def test_given_while_cut_off_it_heals_and_what_was_taken_back_stays_so() -> None:
    bus = Bus()
    a, b, c = (bus.join(name) for name in "abc")
    _order(bus, a, "kept", "up")
    _order(bus, a, "gone", "up")
    bus.run(2.0)
    bus.cut("a", "bc")
    bus.run(4.0)
    _order(bus, a, "here", "down")
    _order(bus, b, "gone", "auto")
    _order(bus, c, "there", "down")
    bus.run(1.0)
    assert _states(a) == [("kept", "up"), ("gone", "up"), ("here", "down")]
    bus.heal()
    bus.run(4.0)
    assert _states(a) == _states(b) == _states(c)
    assert dict(_states(a)) == {"kept": "up", "here": "down", "there": "down"}


def test_who_replaces_an_order_that_a_fast_clock_gave_wins() -> None:
    bus = Bus()
    a, b = bus.join("a", skew_s=600.0), bus.join("b", skew_s=-600.0)
    bus.run(1.5)
    _order(bus, a, "p", "down", for_s=100.0)
    bus.run(0.5)
    (there,) = b.orders.orders()
    assert there.until_s == pytest.approx(bus.unix_s("b") + 99.5, abs=0.2), "as long is left by its own clock"
    _order(bus, b, "p", "up")
    bus.run(0.5)
    assert _states(a) == _states(b) == [("p", "up")]


def test_what_an_operator_changes_while_others_orders_come_in() -> None:
    orders, there = OrderMap("a"), OrderMap("b")
    was = (Forced("old", "down", 90.0), Forced("kept", "down", 91.0))
    orders.give(was, 100.0)
    there.merge(orders.entries, 100.0, 100.0)
    theirs = there.give([*there.orders(), Forced("theirs", "up", 110.0)], 110.0)
    orders.merge(theirs, 110.0, 110.0)
    orders.give([Forced("kept", "down", 91.0), Forced("mine", "up", 111.0)], 111.0, was)
    assert {one.pattern for one in orders.orders()} == {"kept", "theirs", "mine"}, "whose file had not heard of theirs"


def test_one_that_ends_needs_no_mark() -> None:
    orders = OrderMap("a")
    orders.give([Forced("p", "down", 100.0, 200.0)], 100.0)
    assert orders.give([], 250.0) == (), "it ended by itself"
    orders.tidy(200.0 + ENDED_KEPT_S + 1)
    assert orders.entries == ()


def test_an_end_that_moves_with_the_clock_is_no_new_order() -> None:
    orders = OrderMap("a")
    orders.give([Forced("p", "down", 100.0, 200.0)], 100.0)
    assert orders.give([Forced("p", "down", 100.0, 9200.0)], 9100.0) == ()
    assert orders.orders()[0].until_s == 9200.0


@pytest.mark.parametrize("seed", range(15))
def test_in_whatever_order_and_however_often_all_come_to_the_same(seed: int) -> None:
    luck = random.Random(seed)
    maps = [OrderMap(name) for name in "abc"]
    clock_s = 1000.0
    for _ in range(60):
        clock_s += luck.random() * 5
        one = luck.choice(maps)
        unix_s = clock_s + 60 * maps.index(one)
        if luck.random() < 0.5:
            new = Forced(luck.choice(["p", "q", "*", "p/e", "p/*"]), luck.choice(STATES), unix_s)
            one.give(forced.change(one.orders(), new, unix_s), unix_s)
        else:
            other = luck.choice(maps)
            told = decode_orders(encode_orders(OrderNews("x", clock_s + 60 * maps.index(other), other.entries)))
            one.merge(told.entries, told.unix_s, unix_s)
    for _ in range(2):
        for one in maps:
            for other in maps:
                one.merge(other.entries, clock_s, clock_s)
    assert len({one.digest for one in maps}) == 1
    assert len({one.orders() for one in maps}) == 1
    # The naive oracle: of everything that was ever given for a pattern, what has the greatest stamp.
    everything: dict[str, OrderEntry] = {}
    for one in maps:
        for entry in one.entries:
            if entry.pattern not in everything or entry.rank > everything[entry.pattern].rank:
                everything[entry.pattern] = entry
    assert {one.pattern: one for one in maps[0].entries} == everything
