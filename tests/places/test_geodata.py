"""Which files are read, when they are read again, folders of two files, AS numbers."""

from __future__ import annotations

import os
import shutil
from ipaddress import ip_address
from pathlib import Path

import pytest

from lbdns.base.errors import LbdnsError
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
