"""Seeded damage to good messages, for fuzzing: what a broken or hostile client may send."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from random import Random

from tests.answer.packets import OPTION_ECS, opt, option, query, record, subnet, tsig, u16, wire_name

HEADER_BYTES = 12
MESSAGE_BYTES_MAX = 1400
NAME_BYTES_MAX = 255
LABEL_BYTES_MAX = 63

_NAMES = [
    "static.example.com.", "www.example.com.", "both.example.com.", "geo.example.com.", "sticky.example.com.",
    "alias2.example.com.", "one.old.example.com.", "x.ring1.example.com.", "to-apps.example.com.", "x.sub.example.com.",
    "nothing.example.com.", "foo.bar.example.", "_https._tcp.example.com.", "post.example.com.", "hop0.chain.test.",
    "full.big.test.", "x.cut.big.test.", "apex.test.", "some.example.com.", r"a\.b\000\255.odd.example.com.",
    "example.net.", ".", "ruled.example.com.", "sets.example.com.", "_ruled._tcp.example.com.", "to-ruled.example.com.",
    "api.b.words.example.com.", "aww.orders.example.com.", "x.y.lengths.example.com.", "web1.python.example.com.",
    r"\000a\.b\255.words.example.com.", "to-words.example.com.", "wa.worded.example.com.",
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

_STEERED_TYPES = ("A", "A", "AAAA", "CNAME", "MX", "SRV", "TXT")
_RULED_NAMES = [name for name in _NAMES if "rule" in name or "words" in name or name.count(".") > 4]
_OCTETS = b"aabw019.*\\\0\xff[{@"
_ECS_BASES = {
    4: [int(ip_address(text)) for text in ("192.0.2.0", "203.0.113.0", "198.51.100.64", "10.0.0.0")],
    6: [int(ip_address(text)) for text in ("2001:db8::", "2001:db8:1::", "fc00::")],
}


def good_messages() -> list[bytes]:
    """Return the messages that are damaged: names of every kind, with and without EDNS, ECS, TSIG."""
    options = [option(OPTION_ECS, subnet("192.0.2.0/24")), option(3), option(11), option(10, bytes(8)), option(65001)]
    found = []
    for index, name in enumerate(_NAMES):
        qtype = _TYPES[index % len(_TYPES)]
        found.append(query(name, "A").wire)
        found.append(query(name, qtype, edns=opt(*options)).wire)
        found.append(query(name, qtype, ecs="2001:db8:1::/56").wire)
        found.append(query(name, qtype, edns=opt(flags=0x8000 | index << 14 & 0x4000)).wire)
        found.append(query(name, "A", edns=True, additional=[tsig(name), record(name, "A", bytes(4))]).wire)
    return found


def sound_message(random: Random) -> bytes:
    """Return a well-formed query, of what only sound ones reach: a name or one below it, in any case, and any ECS."""
    name = wire_name(random.choice(_NAMES if random.random() < 0.4 else _RULED_NAMES))
    room = NAME_BYTES_MAX - len(name) - 1
    for _ in range(random.choice((0, 0, 0, 1, 1, 2, 5))):
        size = min(room, random.choice((1, 1, 2, 3, 5, 20, LABEL_BYTES_MAX)))
        if size < 1:
            break
        label = bytes(random.choice(_OCTETS) for _ in range(size))
        name = bytes((size,)) + label + name
        room -= size + 1
    if random.random() < 0.5:
        name = bytes(octet ^ 0x20 if chr(octet).isalpha() and random.random() < 0.5 else octet for octet in name)
    version, width = random.choice(((4, 32), (6, 128)))
    base = random.choice(_ECS_BASES[version])
    bits = random.choice((0, 1, 8, 24, 25, 33, 48, 56, width))
    kept = min(bits, width)
    address = (base ^ random.getrandbits(width) >> random.randrange(width)) >> (width - kept) << (width - kept)
    ecs = None if random.random() < 0.3 else f"{ip_address(address.to_bytes(width // 8))}/{kept}"
    return query(name, random.choice(_STEERED_TYPES), ecs=ecs).wire


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
