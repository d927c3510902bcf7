"""What the benchmark asks: names and addresses that every server under test holds, and the queries of each load."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

NAMES = 1000
ZONE = "example.com"
RECORD_BYTES = 80  # load.c: 4 octets about the query, then the query
HEAD_BYTES = 4
TYPE_A, TYPE_TXT, TYPE_OPT = 1, 16, 41
CLASS_IN, CLASS_CHAOS = 1, 3
NOERROR, NXDOMAIN, REFUSED = 0, 3, 5
OPTION_ECS = 8
EDNS_BYTES = 1232
SEED = 4

APEX = f"""$ORIGIN {ZONE}.
$TTL 300
@ SOA ns1 host 1 7200 3600 1209600 300
@ NS ns1
@ NS ns2
ns1 A 127.0.0.1
ns2 A 127.0.0.1
"""
COUNTRIES = {"DE": "EU", "FR": "EU", "GB": "EU", "US": "NA", "CA": "NA", "BR": "SA", "JP": "AS", "IN": "AS", "AU": "OC"}
WEIGHTS = (10, 20, 30)


def addresses(number: int) -> list[tuple[int, str]]:
    """Return a name's weights and addresses."""
    return [(weight, f"192.0.{net}.{number % 250 + 1}") for net, weight in enumerate(WEIGHTS, start=2)]


def static_lines(count: int) -> str:
    """Return the master-file lines of the names with an address record of their own."""
    return "".join(f"st{number} 300 A {addresses(number)[0][1]}\n" for number in range(count))


@dataclass(frozen=True)
class Question:
    """A query and what has to come back."""

    name: str
    rcode: int = NOERROR
    has_answer: bool = True
    rtype: int = TYPE_A
    rclass: int = CLASS_IN
    has_edns: bool = False
    has_ecs: bool = False

    def record(self) -> bytes:
        """Return the record that load.c reads."""
        labels = b"".join(bytes([len(label)]) + label.encode() for label in self.name.split("."))
        wire = bytes((0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, int(self.has_edns or self.has_ecs))) + labels + b"\0"
        wire += self.rtype.to_bytes(2) + self.rclass.to_bytes(2)
        ecs = b""
        if self.has_ecs:
            # Family 1, SOURCE 24, SCOPE 0, three octets that load.c overwrites.
            ecs = OPTION_ECS.to_bytes(2) + bytes((0, 7, 0, 1, 24, 0, 203, 0, 113))
        if self.has_edns or self.has_ecs:
            wire += b"\0" + TYPE_OPT.to_bytes(2) + EDNS_BYTES.to_bytes(2) + bytes(4) + len(ecs).to_bytes(2) + ecs
        if len(wire) > RECORD_BYTES - HEAD_BYTES:
            raise ValueError(
                f"{self.name} makes a query of {len(wire)} octets; load.c takes {RECORD_BYTES - HEAD_BYTES}"
            )
        head = bytes((len(wire), self.rcode, int(self.has_answer), len(wire) - 3 if self.has_ecs else 0))
        return (head + wire).ljust(RECORD_BYTES, b"\0")


def _plain() -> Iterator[Question]:
    for number in range(NAMES):
        yield Question(f"lb{number}.{ZONE}")


def _geo() -> Iterator[Question]:
    for number in range(NAMES):
        yield Question(f"geo{number}.{ZONE}", has_ecs=True)


def _static() -> Iterator[Question]:
    for number in range(NAMES):
        yield Question(f"st{number}.{ZONE}")


def _nxdomain() -> Iterator[Question]:
    for number in range(NAMES):
        yield Question(f"no{number}.{ZONE}", NXDOMAIN, has_answer=False)


def _nodata() -> Iterator[Question]:
    for number in range(NAMES):
        yield Question(f"st{number}.{ZONE}", has_answer=False, rtype=TYPE_TXT)


def _refused() -> Iterator[Question]:
    for number in range(NAMES):
        yield Question(f"st{number}.example.net", REFUSED, has_answer=False)


def _mixed() -> Iterator[Question]:
    """Half steered, a fifth static, the rest negative; every second query with EDNS."""
    draw = random.Random(SEED)
    kinds = [list(kind()) for kind in (_plain, _static, _nxdomain, _nodata, _refused)]
    for number in range(4 * NAMES):
        question = draw.choice(draw.choices(kinds, (50, 20, 15, 10, 5))[0])
        yield Question(
            question.name,
            question.rcode,
            question.has_answer,
            question.rtype,
            question.rclass,
            has_edns=number % 2 == 0,
        )


def _chaos() -> Iterator[Question]:
    for number in range(NAMES):
        yield Question(f"lb{number}.{ZONE}", REFUSED, has_answer=False, rtype=TYPE_TXT, rclass=CLASS_CHAOS)


LOADS: dict[str, Callable[[], Iterator[Question]]] = {
    "plain": _plain,
    "geo": _geo,
    "static": _static,
    "nxdomain": _nxdomain,
    "nodata": _nodata,
    "refused": _refused,
    "mixed": _mixed,
    "chaos": _chaos,
}


def write_load(load: str, path: Path) -> Path:
    """Write the records of a load and return the file."""
    path.write_bytes(b"".join(question.record() for question in LOADS[load]()))
    return path


def write_size_load(count: int, path: Path) -> Path:
    """Write the records that ask for each of `count` static names once, in random order."""
    numbers = list(range(count))
    random.Random(SEED).shuffle(numbers)
    with path.open("wb") as file:
        file.writelines(Question(f"st{number}.{ZONE}").record() for number in numbers)
    return path
