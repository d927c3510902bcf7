"""Taps: what fits is copied whole, what does not is counted; both roads say the same of the same message."""

from __future__ import annotations

from pathlib import Path
from random import Random

from lbdns.answer.answer import Road
from lbdns.answer.reply import Client, Transport
from lbdns.answer.respond import respond
from lbdns.answer.serving_view import ServingView
from lbdns.fastpath.layout import DEFERRED
from lbdns.fastpath.tapped_road import tap_answered
from lbdns.fastpath.tapping import is_tapped, tap_served
from lbdns.mapped.tap_ring import Tap, put_exchange
from lbdns.mapped.tap_room import allocate_tap, open_tap
from lbdns.mapped.tap_words import TAP_HEAD_LOST, TAP_HEAD_WRITTEN
from lbdns.telemetry.dnstap.tap_reader import TapReader
from tests.answer.mutations import good_messages, mutate
from tests.fastpath.lanes import GUARD_BYTES, Served, compiled_lane, interpreted_lane
from tests.fastpath.test_equality import CLIENTS, NOW_S

TAP_ALL = (1 << 64) - 1  # as a share
RING_BYTES = 4096


def opened(path: Path, ring_bytes: int = RING_BYTES) -> tuple[Tap, TapReader]:
    """Return a tap of everything, and who reads it."""
    allocate_tap(path, ring_bytes)
    tap = Tap()
    tap.attach(open_tap(path), 1)
    tap.share = TAP_ALL
    return tap, TapReader(path)


def put(tap: Tap, query: bytes, reply: bytes) -> None:
    put_exchange(tap, b"\3com\0", 0, 5, query, 0, len(query), bytearray(reply), 0, len(reply))


def test_what_is_put_is_read_however_often_the_ring_goes_round(tmp_path: Path) -> None:
    tap, reader = opened(tmp_path / "ring")
    chance = Random(3)
    tap.client_high, tap.client_port, tap.query_ns = 0xC0000201 << 32, 4000, 12345
    for _ in range(2000):
        sent = []
        for _ in range(chance.randrange(3)):
            query, reply = chance.randbytes(chance.randrange(1, 300)), chance.randbytes(chance.randrange(1, 700))
            put(tap, query, reply)
            sent.append((query, reply))
        found = reader.read(10)
        assert [(one.query, one.reply) for one in found] == sent
        assert all(one.client == bytes((192, 0, 2, 1)) and one.client_port == 4000 for one in found)
        assert all(one.zone == b"\3com\0" and one.query_ns == 12345 and one.local == b"" for one in found)
    assert tap.words[TAP_HEAD_LOST] == 0


def test_what_has_no_room_is_counted_and_spoils_nothing(tmp_path: Path) -> None:
    tap, reader = opened(tmp_path / "ring")
    for number in range(100):
        put(tap, b"%d" % number, bytes(100))
    found = reader.read(1000)
    assert [one.query for one in found] == [b"%d" % number for number in range(len(found))]
    assert 10 < len(found) < 40
    assert tap.words[TAP_HEAD_LOST] == 100 - len(found)
    put(tap, bytes(5000), b"")  # more than the ring holds
    put(tap, b"after", b"")
    assert [one.query for one in reader.read(9)] == [b"after"]


def test_who_does_not_own_the_ring_writes_nothing(tmp_path: Path) -> None:
    tap, reader = opened(tmp_path / "ring")
    later = Tap()
    later.attach(open_tap(tmp_path / "ring"), 2)
    put(tap, b"old", b"")
    put(later, b"new", b"")
    assert [one.query for one in reader.read(9)] == [b"new"]


def test_a_broken_record_costs_what_is_in_the_ring_alone(tmp_path: Path) -> None:
    tap, reader = opened(tmp_path / "ring")
    put(tap, b"first", b"")
    tap.octets[4096] = 3  # its size
    put(tap, b"second", b"")
    assert reader.read(9) == []
    put(tap, b"third", b"")
    assert [one.query for one in reader.read(9)] == [b"third"]
    assert tap.words[TAP_HEAD_WRITTEN] > 0


def test_a_share_is_drawn_for_each_by_itself() -> None:
    tap = Tap()
    chance = Random(9)
    assert not any(is_tapped(tap, chance.getrandbits(64)) for _ in range(1000))
    tap.share = TAP_ALL // 10
    count = sum(is_tapped(tap, chance.getrandbits(64)) for _ in range(10_000))
    assert abs(count - 1000) <= 3 * 30  # the deviation is sqrt(10,000 * 0.1 * 0.9)


def test_both_roads_tell_the_same(view: ServingView, tmp_path: Path) -> None:
    lane = compiled_lane() or interpreted_lane()
    fast, fast_reader = opened(tmp_path / "fast", 1 << 16)
    slow, slow_reader = opened(tmp_path / "slow", 1 << 16)
    served = Served(lane, view)
    chance = Random(14)
    good = good_messages()
    compared = zoned = 0
    for number in range(3000):
        message = good[number] if number < len(good) else mutate(chance.choice(good), chance, good)
        client, draw = chance.choice(CLIENTS), chance.getrandbits(64)
        said = served.ask(message, client, NOW_S, draw)
        road = Road()
        reply = respond(view, message, Client(client, 40_000), Transport.UDP, NOW_S, draw, road)
        if said == DEFERRED:
            continue
        query = served.server.query
        fast.version, fast.client_high, fast.client_low = (
            query.resolver_version,
            query.resolver_high,
            query.resolver_low,
        )
        fast.client_port = 40_000
        size = len(said) if isinstance(said, bytes) else said
        tap_served(fast, served.server, GUARD_BYTES, len(message), GUARD_BYTES, size)
        tap_answered(slow, view, Client(client, 40_000), Transport.UDP, road, message, reply, 0)
        [told], [expected] = fast_reader.read(9), slow_reader.read(9)
        assert told == expected, message.hex()
        assert (told.query, told.reply or None) == (message, reply)
        compared += 1
        zoned += told.zone != b""
    assert compared > 1000
    assert zoned > 100
