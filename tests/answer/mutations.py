"""Seeded damage to good messages, for fuzzing: what a broken or hostile client may send."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.answer.packets import OPTION_ECS, opt, option, query, record, subnet, tsig, u16

HEADER_BYTES = 12
MESSAGE_BYTES_MAX = 1400

_NAMES = [
    "static.example.com.", "www.example.com.", "both.example.com.", "geo.example.com.", "sticky.example.com.",
    "alias2.example.com.", "one.old.example.com.", "x.ring1.example.com.", "to-apps.example.com.", "x.sub.example.com.",
    "nothing.example.com.", "foo.bar.example.", "_https._tcp.example.com.", "post.example.com.", "hop0.chain.test.",
    "full.big.test.", "x.cut.big.test.", "apex.test.", "some.example.com.", r"a\.b\000\255.odd.example.com.",
    "example.net.", ".",
]  # fmt: skip
_TYPES: list[int | str] = [
    "A",
    "AAAA",
    "NS",
    "CNAME",
    "SOA",
    "MX",
    "SRV",
    "TXT",
    "DNAME",
    "DS",
    "HTTPS",
    "ANY",
    "AXFR",
    "IXFR",
    65500,
]


def good_messages() -> list[bytes]:
    """Return the messages that are damaged: names of every kind, with and without EDNS, ECS, TSIG."""
    options = [option(OPTION_ECS, subnet("192.0.2.0/24")), option(3), option(11), option(10, bytes(8)), option(65001)]
    found = []
    for index, name in enumerate(_NAMES):
        qtype = _TYPES[index % len(_TYPES)]
        found.append(query(name, "A").wire)
        found.append(query(name, qtype, edns=opt(*options)).wire)
        found.append(query(name, qtype, ecs="2001:db8:1::/56").wire)
        found.append(query(name, "A", edns=True, additional=[tsig(name), record(name, "A", bytes(4))]).wire)
    return found


def mutate(message: bytes, random: Random, others: list[bytes]) -> bytes:
    """Return a message with one to four kinds of damage."""
    damaged = bytearray(message)
    for _ in range(random.randint(1, 4)):
        random.choice(_DAMAGES)(damaged, random, others)
    return bytes(damaged[:MESSAGE_BYTES_MAX])


def _place(damaged: bytearray, random: Random, start: int = 0) -> int:
    return random.randrange(start, max(len(damaged), start + 1))


def _flip_bits(damaged: bytearray, random: Random, others: list[bytes]) -> None:
    for _ in range(random.randint(1, 8)):
        if damaged:
            damaged[_place(damaged, random)] ^= 1 << random.randrange(8)


def _set_byte(damaged: bytearray, random: Random, others: list[bytes]) -> None:
    if damaged:
        damaged[_place(damaged, random)] = random.choice((0, 1, 0x3F, 0x40, 0x80, 0xC0, 0xFF))


def _truncate(damaged: bytearray, random: Random, others: list[bytes]) -> None:
    del damaged[_place(damaged, random) :]


def _extend(damaged: bytearray, random: Random, others: list[bytes]) -> None:
    damaged += random.randbytes(random.randint(1, 40))


def _set_count(damaged: bytearray, random: Random, others: list[bytes]) -> None:
    at = random.choice((4, 6, 8, 10))
    damaged[at : at + 2] = u16(random.choice((0, 1, 2, 3, 255, 65535)))


def _set_flags(damaged: bytearray, random: Random, others: list[bytes]) -> None:
    damaged[2:4] = random.randbytes(2)


def _put_pointer(damaged: bytearray, random: Random, others: list[bytes]) -> None:
    at = _place(damaged, random, HEADER_BYTES)
    damaged[at : at + 2] = u16(0xC000 | random.choice((0, HEADER_BYTES, at, at + 2, random.randrange(0x4000))))


def _insert(damaged: bytearray, random: Random, others: list[bytes]) -> None:
    at = _place(damaged, random)
    damaged[at:at] = random.randbytes(random.randint(1, 12))


def _delete(damaged: bytearray, random: Random, others: list[bytes]) -> None:
    at = _place(damaged, random)
    del damaged[at : at + random.randint(1, 12)]


def _repeat(damaged: bytearray, random: Random, others: list[bytes]) -> None:
    at = _place(damaged, random)
    damaged[at:at] = damaged[at : at + random.randint(1, 60)] * random.randint(1, 4)


def _splice(damaged: bytearray, random: Random, others: list[bytes]) -> None:
    other = random.choice(others)
    damaged[_place(damaged, random) :] = other[random.randrange(len(other)) :]


_DAMAGES: list[Callable[[bytearray, Random, list[bytes]], None]] = [
    _flip_bits, _set_byte, _truncate, _extend, _set_count, _set_flags, _put_pointer, _insert, _delete, _repeat, _splice,
]  # fmt: skip
