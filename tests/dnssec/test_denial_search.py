"""The search for the record that denies a name, against dnspython's order of names and a walk over all of them."""

from __future__ import annotations

import importlib
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from random import Random
from types import ModuleType
from typing import Any

import dns.name
import pytest

from lbdns.dns.canonical import order_key
from lbdns.dns.name import WILDCARD_LABEL
from lbdns.mapped.columns import HEALTH_COLUMNS, empty_columns
from lbdns.mapped.typed_columns import TypedColumns
from lbdns.snapshot.lookup.name_rows import NO_NAME, NO_ROW, NSEC3_HASH_BYTES
from lbdns.snapshot.lookup.name_table import Suffixes, set_name
from tests.interpreted import standing_in

OCTETS = b"\0\1\2*+,-az\xff"
APEX = b"\7example\0"


@pytest.fixture(params=["interpreted", "compiled"])
def denial(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    """Both forms of the search."""
    if request.param == "interpreted":
        with standing_in("snapshot.lookup.denial") as module:
            yield module
        return
    module = importlib.import_module("lbdns.snapshot.lookup.denial")
    if str(module.__file__).endswith(".py"):
        pytest.skip("the compiled kernel is not installed")
    yield module


def columns_of(chains: list[list[bytes]], hashes: list[list[bytes]]) -> TypedColumns:
    """Return the columns of zones with these names in their chains; a name's row is its place among all of them."""
    columns: dict[str, Any] = empty_columns()
    blob = columns["blob"]
    for names, hashed in zip(chains, hashes, strict=True):
        columns["zone_nsec_start"].append(len(columns["nsec_name"]))
        columns["zone_nsec_count"].append(len(names))
        for name in names:
            key = order_key(name)
            columns["nsec_name"].append(len(columns["nsec_name"]))
            columns["nsec_order"].append(len(blob))
            blob.frombytes(len(key).to_bytes(2, "little") + key)
        columns["zone_nsec3_start"].append(len(columns["nsec3_hash"]) // NSEC3_HASH_BYTES)
        columns["zone_nsec3_count"].append(len(hashed))
        columns["nsec3_hash"].frombytes(b"".join(hashed))
    health = {one.name: memoryview(array(one.code)) for one in HEALTH_COLUMNS}
    return TypedColumns({name: memoryview(column) for name, column in columns.items()}, health)


def random_name(chance: Random, labels: int) -> bytes:
    """Return a name below the apex, of labels that are easily mixed up."""
    made = b""
    for _ in range(labels):
        label = bytes(chance.choice(OCTETS) for _ in range(chance.choice((1, 1, 2, 3))))
        made += bytes((len(label),)) + label
    return made + APEX


def canonical(name: bytes) -> dns.name.Name:
    """Return a name as dnspython compares it."""
    return dns.name.from_wire(name, 0)[0]


def test_nsec(denial: ModuleType) -> None:
    chance = Random(13)
    for size in (1, 2, 3, 40, 300):
        names = {APEX, *(random_name(chance, chance.randrange(1, 4)) for _ in range(size - 1))}
        names |= {WILDCARD_LABEL + name for name in list(names)[:3]}
        chain = sorted(names, key=canonical)
        ordered = [canonical(name) for name in chain]
        columns = columns_of([[APEX], chain, []], [[], [], []])
        suffixes = Suffixes()
        for _ in range(60):
            asked = chance.choice(chain) if chance.random() < 0.3 else random_name(chance, chance.randrange(1, 5))
            set_name(suffixes, asked)
            for label in range(suffixes.count - 1):
                suffix = asked[suffixes.starts[label] :]
                for is_wildcard, name in ((False, suffix), (True, WILDCARD_LABEL + suffix)):
                    wanted = bisect_right(ordered, canonical(name))
                    assert denial.find_nsec(columns, 1, suffixes, label, is_wildcard) == wanted, name
            assert denial.find_nsec(columns, 2, suffixes, 0, False) == NO_NAME


def test_nsec_of_the_root_zone(denial: ModuleType) -> None:
    columns = columns_of([[b"\0", b"\1*\0", b"\1a\0"]], [[]])
    suffixes = Suffixes()
    for name, is_wildcard, wanted in ((b"\0", False, 0), (b"\0", True, 1), (b"\1!\0", False, 0), (b"\1z\0", True, 2)):
        set_name(suffixes, name)
        assert denial.find_nsec(columns, 0, suffixes, 0, is_wildcard) == wanted


def test_nsec3(denial: ModuleType) -> None:
    chance = Random(14)
    for size in (1, 2, 3, 60):
        hashes = sorted(bytes(chance.choice((0, 7, 255)) for _ in range(2)) + chance.randbytes(18) for _ in range(size))
        columns = columns_of([[], []], [[bytes(20)], hashes])
        for _ in range(200):
            asked = bytes(chance.choice((0, 7, 255)) for _ in range(2)) + chance.randbytes(18)
            if chance.random() < 0.3:
                asked = chance.choice(hashes)
            wanted = bisect_right(hashes, asked) or size  # behind the one row of the zone before
            assert denial.find_nsec3(columns, 1, asked) == wanted
    assert denial.find_nsec3(columns_of([[]], [[]]), 0, bytes(20)) == NO_ROW
