"""UPDATE messages octet by octet, and random ones."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterable, Mapping, Sequence

from lbdns.dns.name import encode_canonical
from tests.transfer.naive_update import Asked

APEX = encode_canonical("example.com")
APEX_LABELS = ("example", "com")
ZONE = APEX + struct.pack("!HH", 6, 1)
Labels = tuple[str, ...]

DATA: Mapping[int, Sequence[bytes]] = {
    1: [bytes((192, 0, 2, last)) for last in range(3)],
    5: [b"\1a" + APEX, b"\1b" + APEX],
    16: [b"\1a", b"\1b", b"\1a\1b"],
    65280: [b"", b"\0"],
}
"""Types that stand anywhere, and some data of each."""
APEX_DATA: Mapping[int, Sequence[bytes]] = {
    **DATA,
    2: [b"\3ns1" + APEX, b"\3ns2" + APEX],
    6: [b"\3ns1" + APEX + b"\1h" + APEX + struct.pack("!5I", serial, 1, 2, 3, 4) for serial in (9, 10, 11, 12, 2**31)],
}


def message(
    zone: bytes,
    *records: bytes,
    sections: tuple[int, int] = (0, 1),
    opcode: int = 5,
    zones: int = 1,
    number: int = 1,
) -> bytes:
    """Return a message of an ID: how many zones it says that there are, and how many prerequisites and updates."""
    return struct.pack("!6H", number, opcode << 11, zones, *sections, 0) + zone + b"".join(records)


def raw(owner: bytes, rdtype: int, rclass: int, ttl: int, data: bytes = b"") -> bytes:
    """Return a record."""
    return owner + struct.pack("!HHIH", rdtype, rclass, ttl, len(data)) + data


def encoded(name: Labels) -> bytes:
    """Return a name in wire format."""
    return b"".join(bytes((len(label),)) + label.encode() for label in name) + b"\0"


def whole_message(needed: Iterable[Asked], wanted: Iterable[Asked], number: int = 1) -> bytes:
    """Return the UPDATE of some prerequisites and updates."""
    sections = list(needed), list(wanted)
    records = (raw(encoded(one.name), one.type, one.rclass, one.ttl, one.data) for part in sections for one in part)
    return message(ZONE, *records, sections=(len(sections[0]), len(sections[1])), number=number)


def random_asked(
    chance: random.Random, is_update: bool, names: Sequence[Labels], data_of: Mapping[int, Sequence[bytes]]
) -> Asked:
    """Return a prerequisite or an update of one of some names; now and then one that cannot be meant."""
    name = (*chance.choice(names), *APEX_LABELS) if chance.random() > 0.03 else ("other", "example", "net")
    rclass = chance.choice((1, 1, 1, 254, 255)) if chance.random() > 0.02 else 3
    rdtype = chance.choice([*data_of]) if rclass == 1 or chance.random() > 0.25 else 255
    has_data = rclass == 1 or (is_update and rclass == 254)
    if rdtype == 255 and chance.random() > 0.1 and rclass == 254 and is_update:
        rdtype = 1
    data = chance.choice(data_of[rdtype]) if has_data and rdtype in data_of else b""
    if rclass == 255 and chance.random() < 0.02:
        data = b"\0"
    ttl = chance.choice((60, 300)) if is_update and rclass == 1 else int(chance.random() < 0.02)
    return Asked(name, rdtype, rclass, ttl, data)


def random_update(
    chance: random.Random, names: Sequence[Labels], data_of: Mapping[int, Sequence[bytes]]
) -> tuple[list[Asked], list[Asked]]:
    """Return the prerequisites and the updates of one."""
    needed = [random_asked(chance, False, names, data_of) for _ in range(chance.choice((0, 0, 0, 1, 2)))]
    return needed, [random_asked(chance, True, names, data_of) for _ in range(chance.randrange(1, 5))]
