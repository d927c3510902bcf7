"""Who gives way to whom where there is no room for another connection."""

from __future__ import annotations

import pytest

from lbdns.base.connection_room import WAITING_MIN, ConnectionRoom, Standing, network_of
from lbdns.base.networks import block_of, link_of, packed_address
from lbdns.base.networks import network_of as network_with_turns


class Guest:
    """A connection that notes that it was closed."""

    def __init__(self) -> None:
        self.is_closed = False

    def abort(self) -> None:
        self.is_closed = True


def filled(stages: list[Standing], connections_max: int = 0) -> tuple[ConnectionRoom, list[Guest]]:
    """A room with one connection at each stage, each of a network of its own."""
    room = ConnectionRoom(connections_max or len(stages))
    guests = [Guest() for _ in stages]
    for number, (guest, stage) in enumerate(zip(guests, stages, strict=True)):
        assert room.admit(guest, bytes([number]))
        room.move(guest, stage)
    return room, guests


def test_they_give_way_in_the_order_of_their_stages() -> None:
    stages = [Standing.BUSY, Standing.READING, Standing.SENDING, Standing.IDLE, Standing.WAITING]
    room, guests = filled(stages)
    for closed in reversed(guests[1:]):
        newcomer = Guest()
        assert room.admit(newcomer, b"new")
        room.move(newcomer, Standing.BUSY)
        assert closed.is_closed and len(room) == len(stages)
    assert not guests[0].is_closed
    assert not room.admit(Guest(), b"new"), "nobody who is being answered gives way"


@pytest.mark.parametrize(("stage", "goes"), [(Standing.WAITING, 0), (Standing.SENDING, 1), (Standing.IDLE, 1)])
def test_within_a_stage_the_longest_goes(stage: Standing, goes: int) -> None:
    room, guests = filled([stage] * 3)
    room.move(guests[0], stage)  # heard once more: that resets nothing of one that has not spoken
    assert room.admit(Guest(), b"new")
    assert [guest.is_closed for guest in guests] == [number == goes for number in range(3)]


def test_a_network_has_its_share_of_those_that_wait() -> None:
    room = ConnectionRoom(3 * WAITING_MIN)
    crowd = [Guest() for _ in range(10 * WAITING_MIN)]
    good = Guest()
    assert room.admit(good, b"good")
    for guest in crowd:
        assert room.admit(guest, b"crowd")
    assert len(room) == WAITING_MIN + 1 and not good.is_closed
    assert [guest.is_closed for guest in crowd] == [True] * (len(crowd) - WAITING_MIN) + [False] * WAITING_MIN


def test_one_that_left_stays_out() -> None:
    room, (guest, _) = filled([Standing.IDLE, Standing.WAITING])
    room.release(guest)
    room.release(guest)
    room.move(guest, Standing.BUSY)
    assert guest not in room and len(room) == 1


@pytest.mark.parametrize(
    ("peer", "other", "is_one"),
    [
        ("192.0.2.1", "192.0.2.255", True),
        ("192.0.2.1", "192.0.3.1", False),
        ("2001:db8::1", "2001:db8::ffff:0:0:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.9", True),
        ("fe80::1%lo", "fe80::2", True),
    ],
)
def test_networks(peer: str, other: str, is_one: bool) -> None:
    assert (network_of((peer, 1, 0, 0)) == network_of((other, 2))) == is_one
    assert network_of("") == network_of(b"") == b""


def test_one_of_the_block_with_most_goes_and_of_its_network_with_most() -> None:
    room = ConnectionRoom(8)
    good, others, flood = Guest(), [Guest() for _ in range(2)], [Guest() for _ in range(5)]
    assert room.admit(good, link_of(packed_address("198.51.100.1")))
    for guest, host in zip(others, ("192.0.2.1", "192.0.2.2"), strict=True):
        assert room.admit(guest, link_of(packed_address(host)))
    for guest, link in zip(flood, (1, 2, 2, 3, 4), strict=True):
        assert room.admit(guest, link_of(packed_address(f"2001:db8:1:{link}::1")))
    for expected in ([1], [0, 1]):
        assert room.admit(Guest(), link_of(packed_address("203.0.113.1")))
        assert [number for number, guest in enumerate(flood) if guest.is_closed] == expected
        assert not any(guest.is_closed for guest in (good, *others)) and len(room) == 8


@pytest.mark.parametrize("blocks", [1, 40])
def test_a_newcomer_has_time_to_speak_where_all_others_have_spoken(blocks: int) -> None:
    room = ConnectionRoom(30)
    for number in range(30):
        guest = Guest()
        assert room.admit(guest, bytes([10, number % blocks, number]))
        room.move(guest, Standing.IDLE)
    good = Guest()
    assert room.admit(good, bytes([192, 0, 2]))
    for number in range(9):  # with it they are a third of all
        assert room.admit(Guest(), bytes([10, number % blocks, number]))
    assert not good.is_closed and room.at(Standing.WAITING) == 10 and len(room) == 30
    assert room.admit(Guest(), bytes([11, 1, 1]))
    assert room.at(Standing.WAITING) == 10 and len(room) == 30


def test_widths_of_networks() -> None:
    four, six = packed_address("192.0.2.129"), packed_address("2001:db8:1:2345::1%eth0")
    assert (network_with_turns(four), link_of(four)) == (b"\xc0\x00\x02", b"\xc0\x00\x02")
    assert network_with_turns(six).hex() == "20010db8000123" and link_of(six).hex() == "20010db800012345"
    assert block_of(link_of(four)) == b"\xc0\x00" and block_of(b"") == b""
    assert block_of(link_of(six)) == block_of(network_with_turns(six)) == bytes.fromhex("20010db80001")
    assert packed_address("::ffff:192.0.2.129") == four
