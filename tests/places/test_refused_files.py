"""Files that are cut short, damaged, cyclic or of another kind: refused at open, by name and reason; never later."""

from __future__ import annotations

import random
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.places.geodata import Geodata
from tests.places.databases import encoded, write_database, write_raw

GERMANY = encoded({"country_code": "DE"})
COUNTRY_KEY = b"\xe1\x4ccountry_code"  # the beginning of a map of one pair
LEAF = 1 + 16  # where the first record stands, in a tree of one node
NO_DATA = 1

ENTRIES = [
    (
        "192.0.2.0/24",
        {"country": {"iso_code": "US"}, "subdivisions": [{"iso_code": "CA"}], "location": {"latitude": 1.5}},
    ),
    ("198.51.100.0/25", {"country": {"iso_code": "DE"}, "location": {"latitude": 52.5, "longitude": 13.4}}),
    ("2001:db8::/32", {"country_code": "FR", "state1": "Bretagne", "latitude": 48.0, "longitude": -4.0, "asn": 64496}),
]
ASN_ENTRIES = [("192.0.2.0/24", {"autonomous_system_number": 64496, "autonomous_system_organization": "Example"})]


def reason(city: Path | None, asn: Path | None = None) -> str:
    """Return why files are refused; the file must be named."""
    with pytest.raises(LbdnsError) as refused:
        Geodata.open(city, asn)
    text = str(refused.value)
    assert text.startswith(f"{asn or city}: geolocation database: "), text
    assert "\n" not in text
    return text.removeprefix(f"{asn or city}: geolocation database: ")


def test_no_such_file(tmp_path: Path) -> None:
    assert reason(tmp_path / "none.mmdb") == "cannot be read: No such file or directory"
    assert reason(None, tmp_path / "none.mmdb") == "cannot be read: No such file or directory"


@pytest.mark.parametrize("content", [b"", b"no database\n" * 100, bytes(1000)])
def test_something_else(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.mmdb"
    path.write_bytes(content)
    assert reason(path) == "cut short, damaged, or no MMDB file"


def test_cut_short_anywhere(tmp_path: Path) -> None:
    """Whatever is missing at the end, or in the middle of the tree, is noticed."""
    whole = write_database(tmp_path / "whole.mmdb", ENTRIES).read_bytes()
    path = tmp_path / "cut.mmdb"
    for length in range(0, len(whole) - 1, 37):
        path.write_bytes(whole[:length])
        assert reason(path)
    metadata = whole.rindex(b"\xab\xcd\xefMaxMind.com")
    path.write_bytes(whole[:300] + whole[metadata:])
    assert reason(path).startswith(("cut short", "damaged"))


@pytest.mark.parametrize(
    ("nodes", "ip_version", "why"),
    [
        ([(0, NO_DATA)], 4, "its search tree has a cycle or is deeper than 32 bits"),
        ([(0, NO_DATA)], 6, "its search tree has a cycle or is deeper than 128 bits"),
        ([(1, 1), (2, 2), (0, 0)], 6, "its search tree has a cycle or is deeper than 128 bits"),
        ([(node + 1, node + 1) for node in range(33)], 4, "its search tree has a cycle or is deeper than 32 bits"),
        ([(NO_DATA, NO_DATA + 1)], 4, "node 0 points outside the data section"),
        ([(NO_DATA, NO_DATA + 15)], 4, "node 0 points outside the data section"),
        ([(LEAF, LEAF + len(GERMANY))], 4, "node 0 points outside the data section"),
        ([(LEAF, 2**32 - 1)], 4, "node 0 points outside the data section"),
    ],
)
def test_broken_trees(tmp_path: Path, nodes: list[tuple[int, int]], ip_version: int, why: str) -> None:
    path = write_raw(tmp_path / "tree.mmdb", nodes, GERMANY, ip_version=ip_version)
    assert reason(path) == f"damaged: {why}"


def test_depth_of_exactly_the_address(tmp_path: Path) -> None:
    """32 bits are not too many."""
    nodes = [(node + 1, 32) for node in range(31)] + [(32 + 16, 32)]
    geodata = Geodata.open(write_raw(tmp_path / "deep.mmdb", nodes, GERMANY))
    assert geodata.locate(ip_address("0.0.0.0")).place.country == "DE"
    assert str(geodata.locate(ip_address("0.0.0.0")).network) == "0.0.0.0/32"


@pytest.mark.parametrize(
    ("metadata", "why"),
    [
        ({"ip_version": 5}, "IP version 5 is neither 4 nor 6"),
        ({"record_size": 20}, "a record size of 20 is not 24, 28 or 32"),
        ({"node_count": 1000}, "cut short: 1000 nodes do not fit into its "),
        ({"node_count": 2**31}, "damaged"),
        ({"build_epoch": 2**63}, "damaged: its metadata make no sense"),
    ],
)
def test_broken_metadata(tmp_path: Path, metadata: dict[str, Any], why: str) -> None:
    """maxminddb notices some of it itself, and says less."""
    text = reason(write_raw(tmp_path / "metadata.mmdb", [(LEAF, NO_DATA)], GERMANY, **metadata))
    assert why in text or text == "cut short, damaged, or no MMDB file"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (COUNTRY_KEY + b"\x42D", "a value runs over the end of the data section"),
        (b"\xe1", "a value lies outside the data section"),
        (b"\xe1\xa1\x02\x42DE", "the key of a map is not text"),
        (b"\xe1\x20\x06\x42DE\x20\x03", "a pointer points to a pointer"),
        (b"\xe1\x3f\xff\xff\xff\xff\x42DE", "a value lies outside the data section"),
        (COUNTRY_KEY + b"\x00\x20", "a value has an unknown type"),
        (b"\xff\xff\xff\xff", "a map or an array has more than 256 entries"),
        (b"\xe2\x41a" + b"\x01\x04" * 5000, "a record holds more than 4096 values"),
        (COUNTRY_KEY + b"\x42\xff\xfe", "a record cannot be decoded"),
    ],
)
def test_broken_records(tmp_path: Path, data: bytes, why: str) -> None:
    """What the specification forbids in a data section."""
    path = write_raw(tmp_path / "records.mmdb", [(LEAF, NO_DATA)], data)
    assert reason(path) == f"damaged: {why}"


def test_of_another_kind(tmp_path: Path) -> None:
    """A place database given for AS numbers, and the other way round."""
    places = write_database(tmp_path / "places.mmdb", ENTRIES[:2])
    numbers = write_database(tmp_path / "numbers.mmdb", ASN_ENTRIES)
    assert reason(numbers) == "its records name no country and no coordinates, so it is of another kind"
    assert reason(None, places) == "its records name no AS number, so it is of another kind"


def test_folders(tmp_path: Path) -> None:
    """A folder says what it must hold."""
    expected = "a folder holds one .mmdb file, or one for IPv4 and one for IPv6; here: "
    assert reason(tmp_path) == expected + "none"
    for name in ("a.mmdb", "b.mmdb"):
        write_database(tmp_path / name, ENTRIES)
    assert reason(tmp_path) == expected + "a.mmdb, b.mmdb"


@pytest.mark.slow
def test_random_damage(tmp_path: Path) -> None:
    """Flipped bytes are refused at open or do no harm: nothing else is raised, and no look-up raises."""
    rng = random.Random(20)
    whole = write_database(tmp_path / "whole.mmdb", ENTRIES).read_bytes()
    asked = [ip_address(text) for text in ("192.0.2.1", "198.51.100.1", "10.0.0.1", "2001:db8::1", "::", "ff02::1")]
    refused = 0
    for turn in range(400):
        path = tmp_path / f"{turn}.mmdb"
        damaged = bytearray(whole)
        start = 0 if turn % 2 else whole.rindex(bytes(16))  # the tree is the larger part: give the rest its share
        for _ in range(rng.randint(1, 4)):
            damaged[rng.randrange(start, len(damaged))] = rng.getrandbits(8)
        path.write_bytes(damaged)
        for city, asn, lookups_only in ((path, None, False), (None, path, False), (path, path, True)):
            try:
                geodata = Geodata.open(city, asn, lookups_only=lookups_only)
            except LbdnsError as error:
                assert str(path) in str(error)
                refused += 1
                continue
            for address in asked:
                geodata.locate(address)
        path.unlink()
    assert refused > 400
