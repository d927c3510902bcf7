"""Frames as datagrams: checksums as the RFCs want them, written here a second time; what is broken is dropped."""

from __future__ import annotations

import struct
from random import Random

import pytest

from tests.xdp.made_frames import ADDRESSES, CLIENT_MAC, SERVER_MAC, checksum, datagram_of, frame, partial_frame

frames = pytest.importorskip("lbdns.xdp.datagram_frames", reason="XDP is not compiled here")


@pytest.mark.parametrize("version", [4, 6])
def test_a_datagram_is_found_by_its_length(version: int) -> None:
    for size in range(40):
        data = Random(size).randbytes(size)
        assert frames.datagram_in(frame(version, data)) == data
        assert frames.datagram_in(frame(version, data, padding=18)) == data


@pytest.mark.parametrize("version", [4, 6])
def test_a_reply_goes_back_with_checksums_that_are_right(version: int) -> None:
    head = 42 if version == 4 else 62
    for size in (*range(1, 60), 511, 512, 1231, 1232):
        reply = Random(size).randbytes(size)
        made = frames.answered_with(frame(version, b"asked"), reply, size)
        assert made[:6] == CLIENT_MAC and made[6:12] == SERVER_MAC
        udp = made[head - 8 :]
        assert struct.unpack("!HHH", udp[:6]) == (53, 40000, 8 + size) and udp[8:] == reply
        source, target = (made[26:30], made[30:34]) if version == 4 else (made[22:38], made[38:54])
        assert (target, source) == ADDRESSES[version]
        before = (
            source + target + (struct.pack("!HH", 17, 8 + size) if version == 4 else struct.pack("!II", 8 + size, 17))
        )
        assert checksum(before + udp) == 0xFFFF and udp[6:8] != b"\0\0"
        if version == 4:
            assert checksum(made[14:34]) == 0xFFFF and made[18:20] == size.to_bytes(2)
            assert struct.unpack("!H", made[16:18]) == (len(made) - 14,)
        else:
            assert struct.unpack("!H", made[18:20]) == (8 + size,)


def test_a_checksum_that_comes_to_zero_is_sent_as_all_ones() -> None:
    asked = frame(6, b"asked")
    found = {frames.answered_with(asked, number.to_bytes(2), 0)[60:62] for number in range(65536)}
    assert b"\xff\xff" in found and b"\0\0" not in found


@pytest.mark.parametrize("version", [4, 6])
def test_broken_checksums_are_dropped(version: int) -> None:
    data = b"a query that is long enough"
    good = frame(version, data)
    for octet in range(42 if version == 4 else 62, len(good)):
        assert frames.datagram_in(good[:octet] + bytes([good[octet] ^ 1]) + good[octet + 1 :]) is None
    if version == 4:
        for octet in range(14, 34):
            assert frames.datagram_in(good[:octet] + bytes([good[octet] ^ 1]) + good[octet + 1 :]) is None


def test_a_frame_of_the_same_machine_has_a_sum_over_addresses_alone() -> None:
    for version in (4, 6):
        data = b"from a neighbour"
        assert frames.datagram_in(partial_frame(version, data)) == data


def test_no_checksum_is_one_over_ipv4_alone() -> None:
    assert frames.datagram_in(frame(4, b"data", said=0)) == b"data"
    assert frames.datagram_in(frame(6, b"data", said=0)) is None


@pytest.mark.parametrize("version", [4, 6])
def test_no_frame_that_is_cut_off_is_read_beyond_its_end(version: int) -> None:
    good = frame(version, b"a query")
    for length in range(len(good)):
        assert frames.datagram_in(good[:length]) is None


def test_damaged_frames_are_whole_or_nothing() -> None:
    chance = Random("frames")
    for number in range(20_000):
        good = bytearray(
            frame(4 + 2 * (number & 1), chance.randbytes(chance.randrange(60)), padding=chance.randrange(9))
        )
        for _ in range(chance.randrange(1, 4)):
            good[chance.randrange(12, len(good))] = chance.randrange(256)
        whole = bytes(good[: chance.randrange(len(good) + 1)])
        found = frames.datagram_in(whole)
        assert found == datagram_of(whole)
