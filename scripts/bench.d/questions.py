"""What the benchmark asks: names and addresses that every server under test holds, and the queries of each load."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAMES = 1000
ZONE = "example.com"
RECORD_BYTES = 80  # load.c: 4 octets about the query, then the query
HEAD_BYTES = 4
TYPE_A, TYPE_MX, TYPE_TXT, TYPE_AAAA, TYPE_OPT, TYPE_TSIG, TYPE_ANY = 1, 15, 16, 28, 41, 250, 255
CLASS_IN, CLASS_ANY = 1, 255
NOERROR, NXDOMAIN, REFUSED, NOTAUTH = 0, 3, 5, 9
OPTION_NSID, OPTION_ECS, OPTION_COOKIE = 3, 8, 10
EDNS_BYTES = 1232
DO_OCTET = 0x80
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


KIND_NAMES = 50
SERVERS, HOSTS, MANY, OVER = 4, 20, 60, 100


def kind_lines() -> str:
    """Return the master-file lines of KIND_NAMES owners of each kind that the loads of KINDS ask for."""
    lines = [*(f"mx{host} A 198.51.100.{host}\nmx{host} AAAA 2001:db8::{host:x}" for host in range(HOSTS))]
    for number in range(KIND_NAMES):
        for server in range(SERVERS):
            lines += [f"cut{number} NS ns{server}.cut{number}", f"ns{server}.cut{number} A 192.0.2.{server}"]
            lines += [f"ns{server}.cut{number} AAAA 2001:db8:1::{server}"]
        lines += [f"old{number} DNAME new{number}", f"www.new{number} A 192.0.2.1", f"*.new{number} A 192.0.2.2"]
        lines += [
            f"away{number} DNAME example.net.",
            f"round{number} CNAME turn{number}",
            f"turn{number} CNAME round{number}",
        ]
        lines += [f"mail{number} MX {host} mx{host}" for host in range(HOSTS)]
        lines += [f"many{number} A 198.51.100.{host}" for host in range(MANY)]
        lines += [f"over{number} A 198.51.100.{host}" for host in range(OVER)]
        lines += [f"alias{number}-{hop} CNAME alias{number}-{hop + 1}" for hop in range(8)]
        lines += [f"alias{number}-8 A 192.0.2.3"]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Question:
    """A query and what has to come back."""

    name: str
    rcode: int = NOERROR
    has_answer: bool = True
    rtype: int = TYPE_A
    has_edns: bool = False
    has_nsid: bool = False
    is_signed: bool = False
    has_ecs: bool = False
    wants_signatures: bool = False  # DO (RFC 3225)
    cookie: bytes = b""  # of a Cookie option

    @property
    def has_opt(self) -> bool:
        """Whether it has an OPT record."""
        return self.has_edns or self.has_ecs or bool(self.cookie)

    def record(self) -> bytes:
        """Return the record that load.c reads."""
        labels = b"".join(bytes([len(label)]) + label.encode() for label in self.name.split("."))
        wire = bytes((0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, int(self.has_opt or self.is_signed))) + labels + b"\0"
        wire += self.rtype.to_bytes(2) + CLASS_IN.to_bytes(2)
        ecs = b""
        if self.has_ecs:
            # Family 1, SOURCE 24, SCOPE 0, three octets that load.c overwrites.
            ecs = OPTION_ECS.to_bytes(2) + bytes((0, 7, 0, 1, 24, 0, 203, 0, 113))
        if self.cookie:
            ecs += OPTION_COOKIE.to_bytes(2) + len(self.cookie).to_bytes(2) + self.cookie
        if self.has_nsid:
            ecs += OPTION_NSID.to_bytes(2) + bytes(2)
        if self.has_opt:
            flags = bytes((0, 0, DO_OCTET if self.wants_signatures else 0, 0))
            wire += b"\0" + TYPE_OPT.to_bytes(2) + EDNS_BYTES.to_bytes(2) + flags + len(ecs).to_bytes(2) + ecs
        if self.is_signed:
            # Key and algorithm are the root's name; time, fudge, no MAC, ID, error, no other data.
            data = b"\0" + bytes(6) + (300).to_bytes(2) + bytes(8)
            wire += b"\0" + TYPE_TSIG.to_bytes(2) + CLASS_ANY.to_bytes(2) + bytes(4) + len(data).to_bytes(2) + data
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
            has_edns=number % 2 == 0,
        )


def _of_kind(prefix: str, **fields: Any) -> Callable[[], Iterator[Question]]:
    """Return a load of a kind: `prefix` and a number make the names."""
    return lambda: (Question(f"{prefix}{number % KIND_NAMES}.{ZONE}", **fields) for number in range(NAMES))


KINDS: dict[str, Callable[[], Iterator[Question]]] = {
    "referral": _of_kind("www.cut", has_answer=False, has_edns=True),
    "DNAME": _of_kind("www.old"),
    "DNAME out of the zone": _of_kind("www.away"),
    "ANY": lambda: (Question(f"st{number}.{ZONE}", rtype=TYPE_ANY) for number in range(NAMES)),
    "20 MX": _of_kind("mail", rtype=TYPE_MX, has_edns=True),
    "60 A": _of_kind("many", has_edns=True),
    "100 A, truncated": _of_kind("over", has_answer=False, has_edns=True),
    "20 MX in 512 octets": _of_kind("mail", rtype=TYPE_MX),
    "8 aliases": lambda: (Question(f"alias{number % KIND_NAMES}-0.{ZONE}", has_edns=True) for number in range(NAMES)),
    "aliases that go round": _of_kind("round"),
    "NSID": lambda: (Question(f"st{number}.{ZONE}", has_edns=True, has_nsid=True) for number in range(NAMES)),
    "signed": lambda: (
        Question(f"st{number}.{ZONE}", NOTAUTH, has_answer=False, is_signed=True) for number in range(NAMES)
    ),
}
"""Answers of other kinds than the plain: static ones that are large or made anew, and what only the slow path has."""
LOADS: dict[str, Callable[[], Iterator[Question]]] = {
    "plain": _plain,
    "geo": _geo,
    "static": _static,
    "nxdomain": _nxdomain,
    "nodata": _nodata,
    "refused": _refused,
    "mixed": _mixed,
    **KINDS,
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
