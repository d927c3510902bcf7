"""Real data: the country database that lbdns ships, and GeoLite2 City of July 2018."""

from __future__ import annotations

import hashlib
import random
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import maxminddb
import pytest
from geolite2 import geolite2

from lbdns.places.geodata import Geodata
from lbdns.places.place import Place
from lbdns.places.schema import place_of
from lbdns.places.shipped import country_database, geodata_dir
from tests.places.databases import addresses

pytestmark = pytest.mark.slow

CITY_2018 = Path(geolite2.filename)


@pytest.fixture(scope="module")
def city() -> Geodata:
    """GeoLite2 City: MaxMind's schema, 28-bit records, 3.4 million networks, IPv4 reached by several ways."""
    return Geodata.open(CITY_2018)


@pytest.mark.parametrize(
    ("address", "country", "network"),
    [
        ("8.8.8.8", "US", "8.8.0.0/15"),
        ("193.0.6.139", "NL", "193.0.0.0/20"),
        ("1.1.1.1", "AU", "1.1.1.0/24"),
        ("200.160.2.3", "BR", None),
        ("2001:4860:4860::8888", "US", "2001:4860::/32"),
        ("2001:67c:2e8:22::c100:68b", "NL", None),
        ("10.0.0.1", "", "10.0.0.0/8"),
        ("172.16.0.1", "", "172.16.0.0/12"),
        ("192.168.1.1", "", "192.168.0.0/16"),
        ("127.0.0.1", "", None),
        ("203.0.113.1", "", "203.0.113.0/24"),
        ("2001:db8::1", "", "2001:db8::/32"),
        ("fd00::1", "", None),
        ("::1", "", None),
    ],
)
def test_shipped_country_database(address: str, country: str, network: str | None) -> None:
    """Well-known addresses; private and documentation ones are nowhere."""
    located = Geodata.open(None, None).locate(ip_address(address))
    assert located.place == Place(country)
    assert (located.asn, located.asn_org) == (0, "")
    assert network is None or str(located.network) == network


def test_shipped_database_is_the_documented_one() -> None:
    """SOURCES.md names the file by its hash, and every file of data is spoken of there."""
    sources = (geodata_dir() / "SOURCES.md").read_text(encoding="utf-8")
    assert hashlib.sha256(country_database().read_bytes()).hexdigest() in sources
    for path in geodata_dir().iterdir():
        assert path.name in sources or path.suffix not in (".mmdb", ".csv"), path


@pytest.mark.slow
def test_city_database(city: Geodata) -> None:
    """Places with subdivisions and coordinates; a subdivision is the largest one."""
    montreal = city.locate(ip_address("24.48.0.1"))
    assert montreal.place == Place("CA", "QC", 46.7749, -71.3344)
    assert str(montreal.network) == "24.48.0.0/23"
    assert city.locate(ip_address("81.2.69.160")).place == Place("GB", "ENG", 51.5333, -0.2333)
    assert city.locate(ip_address("2001:4860:4860::8888")).place == Place("US", "CA", 37.4192, -122.0574)
    assert city.locate(ip_address("127.0.0.1")).place == Place()
    assert len(city.tree.places) == len(set(city.tree.places)) == 133_647
    assert city.tree.places[0] == Place()
    assert city.tree.nodes.shape == (3_606_567, 2)


def test_same_as_maxminddb_shipped() -> None:
    assert_same(country_database(), Geodata.open(), 4000)


def test_same_as_maxminddb_city(city: Geodata) -> None:
    assert_same(CITY_2018, city, 3000)


def assert_same(path: Path, geodata: Geodata, count: int) -> None:
    """Compare places and prefix lengths of seeded random addresses of both families with maxminddb's own look-up."""
    rng = random.Random(2018)
    tree = geodata.tree
    lengths: set[int] = set()
    known = 0
    with maxminddb.open_database(str(path)) as reader:
        for version in (4, 6):
            for address in addresses(rng, tree, version, count):
                record, prefix_len = reader.get_with_prefix_len(address)
                place_id, found_len = tree.lookup(address)
                assert (tree.places[place_id], found_len) == (place_of(record), prefix_len), address
                lengths.add(found_len)
                known += place_id != 0
    assert known > count / 2
    assert len(lengths) > 25


def test_place_ids_are_all_in_use(city: Geodata) -> None:
    """The snapshot's tables have a row per place: none may be idle, and no leaf may be beyond them."""
    leaves = ~city.tree.nodes[city.tree.nodes < 0]
    assert leaves.min() == 0
    assert set(leaves.tolist()) == set(range(len(city.tree.places)))


def test_look_ups_without_a_tree_agree(city: Geodata) -> None:
    """What `lbdns locate` says of an address is what is served."""
    rng = random.Random(4)
    alone = Geodata.open(CITY_2018, lookups_only=True)
    for version in (4, 6):
        for address in addresses(rng, city.tree, version, 500):
            assert alone.locate(address) == city.locate(address)


def test_scoped_and_mapped_addresses(city: Geodata) -> None:
    """Oddities of IPv6 notation do no harm."""
    assert city.locate(ip_address("fe80::1%eth0")).place == Place()
    assert city.locate(IPv6Address("::ffff:81.2.69.160")).place.country == "GB"
    assert city.locate(IPv4Address(2**32 - 1)).place == Place()
