"""Frames to the signer and back: what goes in comes out, in whatever pieces, and nothing else is taken."""

from __future__ import annotations

import contextlib
from random import Random

import pytest

from lbdns.dnssec.signer.signer_frames import (
    BULK,
    REQUEST,
    REQUEST_BYTES_MAX,
    REQUEST_ITEMS_MAX,
    Frame,
    FrameError,
    FrameReader,
    decode_bulk,
    decode_reply,
    decode_request,
    decode_signatures,
    decode_words,
    encode_bulk,
    encode_reply,
    encode_request,
    encode_signatures,
    encode_words,
)
from lbdns.dnssec.unsigned import Unsigned

APEX = b"\7example\3com\0"


def draw_unsigned(random: Random) -> Unsigned:
    rdatas = tuple(random.randbytes(random.choice((0, 4, 16, 300))) for _ in range(random.randrange(4)))
    label = bytes(random.choices(range(97, 123), k=random.randrange(1, 64)))
    return Unsigned(APEX, bytes([len(label)]) + label + APEX, random.getrandbits(16), random.getrandbits(31), rdatas)


def whole(octets: bytes, bytes_max: int = REQUEST_BYTES_MAX) -> Frame:
    [frame] = FrameReader(bytes_max).take(octets)
    return frame


def test_what_goes_in_comes_out_in_whatever_pieces_it_travels() -> None:
    random = Random(3)
    requests = [[draw_unsigned(random) for _ in range(random.randrange(1, 6))] for _ in range(40)]
    stream = b"".join(encode_request(number, wanted) for number, wanted in enumerate(requests, start=1))
    reader = FrameReader(REQUEST_BYTES_MAX)
    found: list[Frame] = []
    while stream:
        size = random.choice((1, 2, 7, 100, 3000))
        found += reader.take(stream[:size])
        stream = stream[size:]
    assert [frame.kind for frame in found] == [REQUEST] * 40
    assert [frame.number for frame in found] == list(range(1, 41))
    assert [decode_request(frame.body) for frame in found] == requests


def test_replies_lots_and_words() -> None:
    random = Random(4)
    given = [[random.randbytes(80) for _ in range(count)] for count in (0, 1, 2)]
    assert decode_reply(whole(encode_reply(7, given)).body) == [tuple(one) for one in given]
    lot = [(random.getrandbits(64), random.randbytes(size)) for size in (0, 1, 900)]
    frame = whole(encode_bulk(9, lot))
    assert (frame.kind, frame.number) == (BULK, 9)
    assert [(key_id, bytes(data)) for key_id, data in decode_bulk(frame.body)] == lot
    signatures = [random.randbytes(size) for size in (64, 0, 512)]
    assert decode_signatures(whole(encode_signatures(9, signatures)).body) == signatures
    assert decode_words(whole(encode_words({"do": "roll", "with": {"zone": "ü"}}, 3)).body) == {
        "do": "roll",
        "with": {"zone": "ü"},
    }


def test_a_request_asks_for_no_more_than_a_frame_holds() -> None:
    several = [Unsigned(APEX, APEX, 16, 60, (bytes(60_000),))] * 6
    assert len(decode_request(whole(encode_request(1, several)).body)) == 4
    many = [Unsigned(APEX, APEX, 1, 60, (bytes(4),))] * (REQUEST_ITEMS_MAX + 1)
    assert len(decode_request(whole(encode_request(1, many)).body)) == REQUEST_ITEMS_MAX


def test_what_is_no_frame_is_refused() -> None:
    random = Random(5)
    good = whole(encode_request(1, [draw_unsigned(random), draw_unsigned(random)])).body
    for body in (
        b"",
        bytes(4),
        good[:-1],
        good + b"\0",
        b"\0\0\0\x41" + good[4:],
        bytes(64),
        b"\0\0\0\1" + b"\x40" * 300,
    ):
        with pytest.raises(FrameError):
            decode_request(body)
    for _ in range(2000):
        damaged = bytearray(good)
        for _ in range(random.randrange(1, 4)):
            damaged[random.randrange(len(damaged))] = random.getrandbits(8)
        with contextlib.suppress(FrameError):
            decode_request(bytes(damaged[: random.randrange(len(damaged) + 1)]))
    for decode in (decode_reply, decode_signatures, lambda body: list(decode_bulk(body)), decode_words):
        for body in (b"", b"\0", b"\0\0\0\1", b"\xff\xff\xff\xff", b"\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\5ab"):
            with pytest.raises(FrameError):
                decode(body)
    with pytest.raises(FrameError, match="a frame of 4294967295 bytes"):
        list(FrameReader(REQUEST_BYTES_MAX).take(b"\xff\xff\xff\xff\1\0\0\0\1"))
