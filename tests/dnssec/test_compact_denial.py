"""Compact denials: what comes right behind a name, and types without one of them."""

from __future__ import annotations

from random import Random

import dns.name
import pytest

from lbdns.dns.canonical import order_key, type_bitmap
from lbdns.dns.codes import NAME_BYTES_MAX
from lbdns.dns.name import encode_canonical, is_at_or_below
from lbdns.dnssec.compact_denial import successor, without_type

APEX = encode_canonical("example.com")


def long_name(*sizes: int, octet: bytes = b"a") -> bytes:
    """Return a name below the apex with labels of so many octets."""
    return b"".join(bytes((size,)) + octet * size for size in sizes) + APEX


LAST_LABEL = NAME_BYTES_MAX - len(APEX) - 3 * 64 - 1
LAST = long_name(63, 63, 63, LAST_LABEL, octet=b"\xff")
FULL = long_name(63, 63, 63, LAST_LABEL)
NEARLY = long_name(62, 63, 63, LAST_LABEL)


@pytest.mark.parametrize(
    ("name", "behind"),
    [
        (encode_canonical("www.example.com"), b"\1\0" + encode_canonical("www.example.com")),
        (NEARLY, b"\x3f" + b"a" * 62 + b"\0" + NEARLY[63:]),
        (FULL, b"\x3f" + b"a" * 62 + b"b" + FULL[64:]),
        # An octet that sorts as an upper-case letter is none in a canonical name.
        (FULL.replace(b"a" * 63, b"a" * 62 + b"@", 1), b"\x3f" + b"a" * 62 + b"[" + FULL[64:]),
        (FULL.replace(b"a" * 63, b"a" * 61 + b"b\xff", 1), b"\x3e" + b"a" * 61 + b"c" + FULL[64:]),
        (FULL.replace(b"a" * 63, b"\xff" * 63, 1), b"\x3f" + b"a" * 62 + b"b" + FULL[128:]),
        (LAST, bytes((LAST_LABEL + 1,)) + b"\xff" * LAST_LABEL + b"\0" + APEX),
    ],
)
def test_what_comes_behind_a_name(name: bytes, behind: bytes) -> None:
    """The NSEC record of a name says nothing of others; behind the last name comes the apex."""
    assert successor(name, APEX) == behind


def test_it_is_a_name_behind_it() -> None:
    """Whatever the name: one of at most 255 octets in the zone that sorts behind it, or the apex; dnspython agrees."""
    chance = Random(13)
    for _ in range(2_000):
        name = APEX
        while chance.random() < 0.9:
            size = chance.choice((1, 2, 20, 61, 62, 63))
            if len(name) + size + 1 > NAME_BYTES_MAX:
                break
            octets = bytes(chance.choice((0, 1, 0x2A, 0x40, 0x5B, 0x61, 0xFE, 0xFF)) for _ in range(size))
            name = bytes((size,)) + octets + name
        behind = successor(name, APEX)
        assert len(behind) <= NAME_BYTES_MAX
        assert is_at_or_below(behind, APEX)
        if behind != APEX:
            assert order_key(behind) > order_key(name)
            assert dns.name.from_wire(behind, 0)[0] > dns.name.from_wire(name, 0)[0]


@pytest.mark.parametrize(
    ("types", "less", "left"),
    [
        ((1, 28, 46, 47), 28, (1, 46, 47)),
        ((1, 28, 46, 47), 15, (1, 28, 46, 47)),
        ((1, 46, 47), 47, (1, 46)),
        ((1, 257), 257, (1,)),
        ((1, 257), 1, (257,)),
        ((257,), 257, ()),
        ((1, 64, 65), 65, (1, 64)),
        ((1, 64), 64, (1,)),
    ],
)
def test_types_without_one(types: tuple[int, ...], less: int, left: tuple[int, ...]) -> None:
    """The bitmap is the one that the rest has."""
    assert without_type(type_bitmap(types), less) == type_bitmap(left)
