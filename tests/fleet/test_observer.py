"""What machines of a fleet tell each other: in time, whole, whatever is lost, and no more than changes."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.fleet.observing.health_news import MAJOR, HealthNews, VantageWord, decode_news, encode_news, whole_pages
from lbdns.fleet.observing.neighbour import LATE_S, Neighbour
from lbdns.fleet.observing.observation import Observation, ObservedEntry, target_key
from lbdns.fleet.observing.observer import NEWS_S, ORDERS
from lbdns.health.forced import Forced
from tests.fleet.played_machines import DOWN, UP, Bus, seen_by

KEYS = [target_key("pool", f"e{number}", f"192.0.2.{number}", "", "m", f"192.0.2.{number}") for number in range(20)]


def test_a_change_is_heard_at_once_and_whole() -> None:
    bus = Bus()
    a, b, c = (bus.join(name) for name in "abc")
    bus.run(2.0)
    assert [one.count for one in (a, b, c)] == [(3, 3)] * 3
    a.see("a", KEYS[0], UP, bus.now_s)
    bus.run(NEWS_S + 0.02)
    assert seen_by(b, "a") == seen_by(c, "a") == {("a", KEYS[0]): UP}
    (change,) = bus.changes["b"]
    assert (change.vantage, change.seen, change.is_turn) == ("a", UP, False), "a first word is no turn"
    a.see("a", KEYS[0], DOWN, bus.now_s)
    bus.run(NEWS_S + 0.02)
    assert bus.changes["b"][-1].is_turn
    assert bus.changes["b"][-1].seen == DOWN


def test_what_was_before_is_learnt_by_who_joins_and_no_turn() -> None:
    bus = Bus()
    a = bus.join("a")
    for key in KEYS:
        a.see("a", key, UP, bus.now_s)
    bus.run(5.0)
    b = bus.join("b")
    bus.run(2.5)
    assert b.count == (2, 2)
    assert len(seen_by(b, "a")) == len(KEYS)
    assert not any(one.is_turn for one in bus.changes["b"])


def test_traffic_grows_with_changes_and_not_with_size() -> None:
    bus = Bus()
    a, b = bus.join("a"), bus.join("b")
    for number in range(3000):
        a.see("a", target_key("p", str(number), "", "", "", ""), UP, bus.now_s)
    bus.run(3.0)
    begun = bus.told
    for _ in range(30):
        for number in range(3000):
            seen = UP._replace(rtt_us=5000 + (number * 7) % 1000, streak=9, at_s=bus.now_s)
            a.see("a", target_key("p", str(number), "", "", "", ""), seen, bus.now_s)
        bus.run(1.0)
    assert bus.told - begun <= 2 * 31, "a heartbeat a second each, and nothing else"
    assert len(seen_by(b, "a")) == 3000


def test_round_trip_times_travel_where_they_move() -> None:
    bus = Bus()
    a, b = bus.join("a"), bus.join("b")
    a.see("a", KEYS[0], UP, bus.now_s)
    bus.run(2.0)
    slower = UP._replace(rtt_us=9000)
    a.see("a", KEYS[0], slower, bus.now_s)
    bus.run(2.0)
    assert seen_by(b, "a")[("a", KEYS[0])] == UP, "at most every ten seconds"
    bus.run(9.0)
    a.see("a", KEYS[0], slower, bus.now_s)
    bus.run(1.5)
    assert seen_by(b, "a")[("a", KEYS[0])] == slower
    bus.run(11.0)
    a.see("a", KEYS[0], UP._replace(rtt_us=10_000), bus.now_s)
    bus.run(2.0)
    assert seen_by(b, "a")[("a", KEYS[0])] == slower, "by an eighth: as it was"


def test_what_nobody_looks_at_stands_for_a_moment() -> None:
    bus = Bus()
    a, b = bus.join("a"), bus.join("b")
    a.see("a", KEYS[0], UP, bus.now_s)
    bus.run(1.5)
    a.see("a", KEYS[0], None, bus.now_s)
    bus.run(0.1)
    assert bus.changes["b"][-1].is_quiet
    assert bus.changes["b"][-1].seen == UP
    bus.run(6.0)
    assert bus.changes["b"][-1].seen is None
    assert seen_by(b, "a") == {}


def test_a_worker_that_begins_anew_is_not_taken_for_one_that_looks_no_longer() -> None:
    bus = Bus()
    a, b = bus.join("a"), bus.join("b")
    a.see("a", KEYS[0], UP, bus.now_s)
    a.see("a", KEYS[1], UP, bus.now_s)
    bus.run(2.0)
    bus.changes["b"].clear()
    a = bus.join("a")
    bus.run(2.0)
    assert {one.is_quiet for one in bus.changes["b"]} == {True}, "what it said stands, silent"
    assert b.count == (2, 2)
    a.see("a", KEYS[0], DOWN, bus.now_s)
    bus.run(0.2)
    assert bus.changes["b"][-1].seen == DOWN
    assert bus.changes["b"][-1].is_turn
    bus.run(65.0)
    assert bus.changes["b"][-1] == ("a", KEYS[1], None, False, False)


def test_a_machine_that_leaves_is_forgotten_at_once() -> None:
    bus = Bus()
    a, b = bus.join("a"), bus.join("b")
    a.see("a", KEYS[0], UP, bus.now_s)
    bus.run(2.0)
    b.take(a.farewell(), bus.now_s, bus.unix_s("b"))
    assert b.count == (1, 1)
    outcome = b.drain()
    assert [one.seen for one in outcome.changes] == [None]
    assert outcome.are_vantages_new
    assert "a" not in b.speakers


def test_two_of_one_name_are_seen() -> None:
    bus = Bus()
    a = bus.join("a")
    bus.run(1.0)
    other = HealthNews("a", 99, 0, 0, (VantageWord("a", ""),), 0)
    a.take(other, bus.now_s, bus.unix_s("a"))
    assert a.namesake_s == bus.now_s
    assert a.count == (1, 1)


def test_who_had_a_double_is_heard_again_once_that_is_silent_and_what_is_late_is_not() -> None:
    there = Neighbour("a")

    def is_heard(epoch: int, now_s: float) -> bool:
        message = HealthNews("a", epoch, 0, 0, (VantageWord("a", ""),), 0)
        if not there.is_of_this_life(message, now_s):
            return False
        there.take(message, now_s)
        return True

    assert is_heard(5, 0.0) and is_heard(9, 1.0), "a copy of its state directory, or its next life"
    assert not is_heard(5, 1.1) and is_heard(9, 2.0) and not is_heard(5, 2.0 + LATE_S - 0.1)
    assert is_heard(5, 2.0 + LATE_S) and is_heard(5, 3.0 + LATE_S), "the copy is gone"
    assert is_heard(9, 3.1 + LATE_S) and not is_heard(5, 3.2 + LATE_S), "the newest life is believed at once"
    assert is_heard(3, 3.3 + LATE_S), "its clock was put back, and it is a life that nobody has heard of"


def test_a_doubtful_vantage_point_is_silent_everywhere() -> None:
    bus = Bus()
    a, b = bus.join("a"), bus.join("b")
    bus.run(2.0)
    a.doubt("a", True, bus.now_s)
    bus.run(0.1)
    assert b.speakers["a"].silent_s is not None
    assert b.count == (2, 2), "heard it is"
    a.doubt("a", False, bus.now_s)
    bus.run(0.1)
    assert b.speakers["a"].silent_s is None


def test_own_vantage_points_that_change_are_told_anew() -> None:
    bus = Bus()
    a, b = bus.join("a"), bus.join("b")
    a.see("a", KEYS[0], UP, bus.now_s)
    bus.run(2.0)
    a.set_vantages([("a/x", "WEU"), ("a/y", "ENAM")], bus.now_s)
    a.see("a/x", KEYS[0], DOWN, bus.now_s)
    bus.run(1.5)
    assert seen_by(b, "a") == {("a/x", KEYS[0]): DOWN}
    assert {name: one.region for name, one in b.speakers.items() if one.machine == "a"} == {"a/x": "WEU", "a/y": "ENAM"}


@pytest.mark.parametrize("seed", range(8))
def test_whatever_is_lost_late_or_overtaken_all_come_to_know_all(seed: int) -> None:
    bus = Bus(seed, delay_s=0.05, loss=0.2)
    luck = random.Random(seed)
    names = "abcd"
    truth: dict[str, dict[tuple[str, bytes], Observation]] = {name: {} for name in names}
    for name in names:
        bus.join(name)
    for _ in range(60):
        name = luck.choice(names)
        machine = bus.machines[name]
        roll = luck.random()
        if roll < 0.06:
            machine = bus.join(name)  # its worker was killed
            truth[name] = {}
        elif roll < 0.12:
            bus.cut(luck.sample(names, 2))
        elif roll < 0.2:
            bus.heal()
        for key in luck.sample(KEYS, 4):
            seen = luck.choice((UP, DOWN, None))
            machine.see(name, key, seen, bus.now_s)
            truth[name].pop((name, key), None)
            if seen is not None:
                truth[name][name, key] = seen
        bus.run(luck.random() * 2)
    bus.heal()
    bus.loss = 0.0
    bus.run(5.0)
    for name in names:
        for other in names:
            if other != name:
                assert seen_by(bus.machines[name], other) == truth[other], (name, other)
        assert bus.machines[name].count == (4, 4)


def test_octets_and_back() -> None:
    words = (VantageWord("a/x", "WEU"), VantageWord("a/y", "", True))
    seen = Observation(2, 4, 503, 123456, -7, 1_700_000_000.125)
    told = HealthNews(
        "a", 2**60, 7, 2**64 - 1, words, 5, (ObservedEntry("a/y", KEYS[0], seen), ObservedEntry("a/x", KEYS[1], None))
    )
    assert decode_news(encode_news(told)) == (told, 0, 1)
    many = HealthNews(
        "a", 1, 9, 3, words, 5, tuple(ObservedEntry("a/x", key, UP) for key in KEYS * 2500), is_whole=True
    )
    pages = [decode_news(page) for page in whole_pages(many)]
    assert [(one.page, one.page_count, len(one.news.entries)) for one in pages] == [
        (0, 3, 20000),
        (1, 3, 20000),
        (2, 3, 10000),
    ]
    assert all(len(page) < 1024 * 1024 for page in whole_pages(many)), "what the bus takes"
    assert encode_news(many)[1] == 1, "compressed"


def test_a_message_of_another_release() -> None:
    told = HealthNews("a", 1, 1, 1, (VantageWord("a", ""),), 0, (ObservedEntry("a", KEYS[0], UP),))
    octets = bytearray(encode_news(told))
    head_size = int.from_bytes(octets[2:6], "little")
    head = octets[6 : 6 + head_size].replace(b'"record":33', b'"record":35,"new":1')
    later = bytes(octets[:2]) + len(head).to_bytes(4, "little") + bytes(head) + bytes(octets[6 + head_size :]) + b"xx"
    assert decode_news(later).news == told, "what it does not know is passed over"
    octets[0] = MAJOR + 1
    with pytest.raises(LbdnsError, match=r"has version 2; this release reads 1: update this machine"):
        decode_news(bytes(octets))


def test_octets_that_are_none_are_refused_in_words() -> None:
    for seed in range(400):
        luck = random.Random(seed)
        entries = tuple(ObservedEntry("a", key, UP) for key in KEYS * luck.choice([1, 9]))
        octets = bytearray(encode_news(HealthNews("a", 1, 1, 1, (VantageWord("a", ""),), 0, entries)))
        for _ in range(luck.randint(1, 6)):
            octets[luck.randrange(len(octets))] = luck.randrange(256)
        del octets[luck.randrange(len(octets) + 1) :]
        try:
            decode_news(bytes(octets))
        except LbdnsError as error:
            assert "fleet" in str(error)


def test_a_heartbeat_that_says_what_the_last_one_said_is_a_sign_of_life_and_nothing_else() -> None:
    bus = Bus()
    a, b = bus.join("a"), bus.join("b")
    a.see("a", KEYS[0], UP, bus.now_s)
    bus.run(3.0)
    beat = decode_news(encode_news(a._message(()))).news
    there = b._neighbours["a"]
    b.take(beat, bus.now_s, bus.unix_s("b"))
    assert there.repeats(beat, 0.0)
    bus.machines.pop("a")
    for _ in range(5):
        bus.run(1.0)
        b.take(beat, bus.now_s, bus.unix_s("b"))
    assert b.count == (2, 2)
    assert not there.repeats(replace(beat, digest=beat.digest + 1), 0.0), "it has something else than is known here"
    b.take(replace(beat, sequence=beat.sequence + 1), bus.now_s, bus.unix_s("b"))
    assert not there.repeats(beat, 0.0), "something is missing: what says less is no sign of life any more"
    bus.run(4.0)
    assert b.count == (1, 2)


def test_orders_are_asked_for_by_a_heartbeat_that_repeats_too() -> None:
    bus = Bus()
    a, b = bus.join("a"), bus.join("b")
    bus.run(3.0)
    beat = decode_news(encode_news(a._message(()))).news
    b.take(beat, bus.now_s, bus.unix_s("b"))
    b.drain()
    b.give_orders([Forced("p", "down", bus.unix_s("b"))], bus.now_s, bus.unix_s("b"))
    assert b._neighbours["a"].repeats(beat, bus.now_s)
    b.take(beat, bus.now_s, bus.unix_s("b"))
    b.tick(bus.now_s + 0.1, bus.unix_s("b") + 0.1)
    assert [one.what for one in b.drain().asks] == [ORDERS]
