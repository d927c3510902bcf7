"""Which files are read, when they are read again, folders of two files, AS numbers."""

from __future__ import annotations

import os
import shutil
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.places.database_files import knows_coordinates
from lbdns.places.geodata import Geodata
from lbdns.places.place import Place
from tests.places.databases import write_database

IPV4 = [("192.0.2.0/24", {"country_code": "DE", "latitude": 52.5, "longitude": 13.4})]
IPV6 = [
    ("2001:db8::/32", {"country_code": "FR"}),
    ("2001:db8:8000::/33", {"country_code": "DE", "latitude": 52.5, "longitude": 13.4}),
]


def test_read_once_while_unchanged(tmp_path: Path) -> None:
    """A reload costs nothing; a new file, even one of the same age and size, is seen."""
    path = write_database(tmp_path / "city.mmdb", IPV4)
    first = Geodata.open(path)
    assert Geodata.open(path).tree is first.tree
    status = path.stat()
    other = write_database(tmp_path / "new.mmdb", [("192.0.2.0/24", IPV4[0][1] | {"country_code": "AT"})])
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert other.stat().st_size == status.st_size
    other.rename(path)
    second = Geodata.open(path)
    assert second.locate(ip_address("192.0.2.1")).place.country == "AT"
    assert first.locate(ip_address("192.0.2.1")).place.country == "DE"
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert Geodata.open(path).tree is not second.tree


def test_file_emptied_under_us(tmp_path: Path) -> None:
    """A file that is written over in place must not take the process down: nothing of it stays mapped."""
    path = write_database(tmp_path / "city.mmdb", IPV4)
    geodata = Geodata.open(path)
    os.truncate(path, 0)
    assert geodata.locate(ip_address("192.0.2.1")).place.country == "DE"
    with pytest.raises(LbdnsError, match=r"city\.mmdb: geolocation database: cut short"):
        Geodata.open(path)


def test_folder_of_two_files(tmp_path: Path) -> None:
    """One file per family makes one tree, and equal places of both share an id."""
    write_database(tmp_path / "a-ipv4.mmdb", IPV4, ip_version=4, record_bits=28)
    write_database(tmp_path / "b-ipv6.mmdb", IPV6, ip_version=6)
    (tmp_path / "LICENSE").write_text("not a database")
    for geodata in (Geodata.open(tmp_path), Geodata.open(tmp_path, lookups_only=True)):
        assert geodata.locate(ip_address("192.0.2.1")).place == Place("DE", "", 52.5, 13.4)
        assert geodata.locate(ip_address("192.0.2.1")).prefix_len == 24
        assert geodata.locate(ip_address("2001:db8::1")).place == Place("FR")
        assert str(geodata.locate(ip_address("2001:db8:8001::")).network) == "2001:db8:8000::/33"
        assert [source.path.name for source in geodata.sources] == ["b-ipv6.mmdb", "a-ipv4.mmdb"]
    tree = Geodata.open(tmp_path).tree
    assert tree.lookup(ip_address("192.0.2.1"))[0] == tree.lookup(ip_address("2001:db8:8000::1"))[0]
    assert len(tree.places) == 3
    assert Geodata.open(tmp_path).tree is tree


def test_folder_of_one_file(tmp_path: Path) -> None:
    write_database(tmp_path / "only.mmdb", IPV4)
    assert Geodata.open(tmp_path).locate(ip_address("192.0.2.1")).place.country == "DE"


def test_one_family_alone(tmp_path: Path) -> None:
    """The other family is unknown as a whole: a network of length 0."""
    path = write_database(tmp_path / "four.mmdb", IPV4, ip_version=4)
    for geodata in (Geodata.open(path), Geodata.open(path, lookups_only=True)):
        located = geodata.locate(ip_address("2001:db8::1"))
        assert (located.place, located.prefix_len, str(located.network)) == (Place(), 0, "::/0")


@pytest.mark.parametrize(
    ("record", "asn", "holder"),
    [
        ({"autonomous_system_number": 64496, "autonomous_system_organization": "Example Net"}, 64496, "Example Net"),
        ({"asn": "AS4200000000", "as_name": "Example"}, 4_200_000_000, "Example"),
        ({"as_number": "64500"}, 64500, ""),
    ],
)
def test_as_numbers(tmp_path: Path, record: dict[str, object], asn: int, holder: str) -> None:
    """In the spellings that are about, beside places from another file."""
    path = write_database(tmp_path / "asn.mmdb", [("193.0.0.0/16", record)])
    for geodata in (Geodata.open(None, path), Geodata.open(None, path, lookups_only=True)):
        located = geodata.locate(ip_address("193.0.6.139"))
        assert (located.asn, located.asn_org, located.place) == (asn, holder, Place("NL"))
        assert geodata.locate(ip_address("10.0.0.1")).asn == 0
        assert geodata.has_asn
        assert geodata.sources[-1].path == path


def test_as_database_is_read_again_when_changed(tmp_path: Path) -> None:
    path = write_database(tmp_path / "asn.mmdb", [("192.0.2.0/24", {"asn": 64496})])
    assert Geodata.open(None, path).locate(ip_address("192.0.2.1")).asn == 64496
    shutil.move(write_database(tmp_path / "new.mmdb", [("192.0.2.0/24", {"asn": 64511})]), path)
    assert Geodata.open(None, path).locate(ip_address("192.0.2.1")).asn == 64511


def test_no_tree_for_look_ups_only() -> None:
    with pytest.raises(LbdnsError, match="have no tree"):
        _ = Geodata.open(lookups_only=True).tree


HALVES = {"a-ipv4.mmdb": (IPV4, 4), "b-ipv6.mmdb": (IPV6, 6)}
DEEP_HALVES = {"a-ipv4.mmdb": (IPV4, 6), "b-ipv6.mmdb": (IPV6, 6)}  # both in trees of IPv6's depth
LACKS_IPV4 = (
    "b-ipv6.mmdb: this file knows no IPv4 addresses, so every IPv4 client is at an unknown place; give both files, "
    "the one for IPv4 and the one for IPv6, or their folder"
)


def write_halves(folder: Path, halves: dict[str, Any]) -> list[Path]:
    return [write_database(folder / name, entries, ip_version=bits) for name, (entries, bits) in halves.items()]


@pytest.mark.parametrize("halves", [HALVES, DEEP_HALVES])
@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("lookups_only", [False, True])
def test_two_files_are_named_in_any_order(
    tmp_path: Path, halves: dict[str, Any], order: int, lookups_only: bool
) -> None:
    """Each tells of its family, in a tree of IPv6's depth too; their folder is the same."""
    paths = write_halves(tmp_path, halves)[::order]
    for city in (paths, tmp_path):
        geodata = Geodata.open(city, lookups_only=lookups_only)
        assert geodata.locate(ip_address("192.0.2.1")).place == Place("DE", "", 52.5, 13.4)
        assert geodata.locate(ip_address("192.0.2.1")).prefix_len == 24
        assert geodata.locate(ip_address("2001:db8::1")).place == Place("FR")
        assert geodata.locate(ip_address("198.51.100.1")).place == Place()
        assert lookups_only or geodata.lacks() == []


def test_two_files_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    first, second = (write_database(tmp_path / name, IPV4 + IPV6) for name in ("a.mmdb", "b.mmdb"))
    for city in ([first, second], [first, first]):
        with pytest.raises(
            LbdnsError, match=r"a list holds one \.mmdb file, or one for IPv4 and one for IPv6; here: a"
        ):
            Geodata.open(city)


@pytest.mark.parametrize(
    ("halves", "lacking"),
    [
        ({"b-ipv6.mmdb": (IPV6, 6)}, [LACKS_IPV4]),
        ({"a-ipv4.mmdb": (IPV4, 4)}, [LACKS_IPV4.replace("IPv4", "IPv6", 2).replace("b-ipv6", "a-ipv4")]),
        ({"a-ipv4.mmdb": (IPV4, 6)}, [LACKS_IPV4.replace("IPv4", "IPv6", 2).replace("b-ipv6", "a-ipv4")]),
        (
            {"none.mmdb": ([], 6)},
            ["none.mmdb: this file knows no addresses, so every client is at an unknown place"],
        ),
        ({"both.mmdb": (IPV4 + IPV6, 6)}, []),
        (HALVES, []),
    ],
)
def test_a_family_of_which_nothing_is_known_is_told(tmp_path: Path, halves: dict[str, Any], lacking: list[str]) -> None:
    assert Geodata.open(write_halves(tmp_path, halves)).lacks() == lacking


def test_the_shipped_database_lacks_no_family() -> None:
    assert Geodata.open().lacks() == []


@pytest.mark.parametrize(
    ("record", "known"),
    [(IPV4[0][1], True), ({"country_code": "DE"}, False), ({"latitude": 200, "longitude": 0}, False)],
)
def test_whether_coordinates_are_known(tmp_path: Path, record: dict[str, Any], known: bool) -> None:
    path = write_database(
        tmp_path / "some.mmdb", [("192.0.2.0/24", record), ("198.51.100.0/24", {"country_code": "FR"})]
    )
    assert knows_coordinates(path) is knows_coordinates([path]) is known
    assert knows_coordinates() is False  # the shipped one
    write_database(tmp_path / "other.mmdb", [("2001:db8::/32", {**record, "longitude": 1})]).rename(path)
    assert knows_coordinates(path) is known
