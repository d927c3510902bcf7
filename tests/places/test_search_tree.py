"""Built databases of every shape: the place tree says what maxminddb's own reader says."""

from __future__ import annotations

import random
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import maxminddb
import pytest
from mmdb_writer import MmdbF32, SearchTreeNode, TreeWriter
from netaddr import IPSet

from lbdns.places.geodata import Geodata
from lbdns.places.place import Place
from lbdns.places.schema import place_of
from tests.places.databases import addresses, encoded, random_networks, write_database, write_raw, writer

STATES = ("California", "New York", "Québec", "Bayern", "", "TX")
COUNTRIES = ("US", "CA", "DE", "BR", "")


def flat_record(rng: random.Random) -> dict[str, Any]:
    return {
        "country_code": rng.choice(COUNTRIES),
        "state1": rng.choice(STATES),
        "city": "a city",
        "latitude": rng.randint(-9000, 9000) / 100,
        "longitude": rng.randint(-18000, 18000) / 100,
        "timezone": "",
    }


def nested_record(rng: random.Random) -> dict[str, Any]:
    record: dict[str, Any] = {
        "city": {"names": {"en": "A city", "de": "Eine Stadt"}},
        "country": {"geoname_id": rng.randint(1, 2**31), "iso_code": rng.choice(COUNTRIES), "names": {"en": "x" * 40}},
        "subdivisions": [{"iso_code": rng.choice(("CA", "NY", "QC")), "names": {"en": "S"}}, {"iso_code": "ZZZ"}],
        "location": {"latitude": rng.uniform(-90, 90), "longitude": rng.uniform(-180, 180), "time_zone": "Etc/UTC"},
        "traits": {"is_anycast": True},
    }
    for key in rng.sample(sorted(record), rng.randint(0, 3)):
        del record[key]
    return record


def assert_same(path: Path, rng: random.Random, count: int) -> None:
    """Compare places and networks of random addresses with what maxminddb finds."""
    geodata = Geodata.open(path)
    with maxminddb.open_database(str(path), mode=maxminddb.MODE_MEMORY) as reader:
        for version in (4, 6) if reader.metadata().ip_version == 6 else (4,):
            for address in addresses(rng, geodata.tree, version, count):
                record, prefix_len = reader.get_with_prefix_len(address)
                located = geodata.locate(address)
                assert located.place == place_of(record), address
                assert located.prefix_len == prefix_len, address
                assert address in located.network
                assert located.network.prefixlen == prefix_len


@pytest.mark.parametrize("make_record", [flat_record, nested_record])
@pytest.mark.parametrize("ip_version", [4, 6])
@pytest.mark.parametrize("record_bits", [24, 28, 32])
def test_same_as_maxminddb(tmp_path: Path, record_bits: int, ip_version: int, make_record: Any) -> None:
    """Every record size, IP version and schema."""
    rng = random.Random(record_bits * 10 + ip_version)
    networks = random_networks(rng, 4, 150)
    if ip_version == 6:
        networks += random_networks(rng, 6, 150)
    entries = [(str(network), make_record(rng)) for network in networks]
    assert_same(write_database(tmp_path / "built.mmdb", entries, ip_version, record_bits), rng, 400)


@pytest.mark.parametrize("record_bits", [28, 32])
def test_high_bits_of_records(tmp_path: Path, record_bits: int) -> None:
    """Records beyond 24 bits, left and right: the byte that two records of 28 bits share."""
    germany, france = encoded({"country_code": "DE"}), encoded({"country_code": "FR"})
    far = bytes(1 << 24)
    left = 1 + 16 + len(far)
    path = write_raw(tmp_path / "far.mmdb", [(left, left + len(germany))], far + germany + france, record_bits)
    geodata = Geodata.open(path)
    assert geodata.locate(ip_address("1.2.3.4")).place == Place("DE")
    assert geodata.locate(ip_address("201.2.3.4")).place == Place("FR")


def test_ipv4_reached_by_several_ways(tmp_path: Path) -> None:
    """MaxMind's files lead to the IPv4 tree from 2002::/16 and others too: a graph, not a tree."""
    rng = random.Random(7)
    made = writer(6, [(str(network), flat_record(rng)) for network in random_networks(rng, 4, 100)])
    made.insert_network(IPSet(["2002::/16"]), {"country_code": "XX"})
    ipv4: Any = made.tree
    for _ in range(96):
        ipv4 = ipv4[0]
    node: Any = made.tree
    for bit in format(0x2002, "016b")[:-1]:
        node = node[int(bit)]
    node[0x2002 & 1] = ipv4
    assert isinstance(ipv4, SearchTreeNode)
    path = tmp_path / "aliased.mmdb"
    TreeWriter(made.tree, made._build_meta()).write(str(path))
    assert_same(path, rng, 500)
    geodata = Geodata.open(path)
    plain = geodata.locate(ip_address("81.2.69.160"))
    aliased = geodata.locate(ip_address("2002:5102:45a0::1"))
    assert (aliased.place, aliased.prefix_len) == (plain.place, plain.prefix_len + 16)


def test_ipv4_root_above_its_96_bits(tmp_path: Path) -> None:
    """A tree that ends on the way to ::/96: one place, or none, for all of IPv4, as a network of length 0."""
    path = write_database(
        tmp_path / "short.mmdb", [("::/8", {"country_code": "DE"}), ("2000::/3", {"country_code": "FR"})]
    )
    geodata = Geodata.open(path)
    assert geodata.tree.root_v4 == ~geodata.tree.places.index(Place("DE"))
    assert geodata.locate(ip_address("192.0.2.1")).place == Place("DE")
    assert str(geodata.locate(ip_address("192.0.2.1")).network) == "0.0.0.0/0"
    assert_same(path, random.Random(1), 50)


def test_equal_places_share_one_id(tmp_path: Path) -> None:
    """Records that differ in what is not asked for are one place; place 0 is the unknown one."""
    entries = [
        ("192.0.2.0/25", {"country_code": "US", "state1": "California", "city": "one"}),
        ("192.0.2.128/25", {"country_code": "us", "state1": "CA", "city": "another"}),
        ("198.51.100.0/24", {"country_code": "ZZ", "city": "nowhere"}),
    ]
    tree = Geodata.open(write_database(tmp_path / "same.mmdb", entries)).tree
    assert tree.places == (Place(), Place("US", "CA"))
    assert tree.lookup(ip_address("192.0.2.1")) == (1, 25)
    assert tree.lookup(ip_address("192.0.2.200")) == (1, 25)
    assert tree.lookup(ip_address("198.51.100.1")) == (0, 24)
    assert not tree.nodes.flags.writeable


def test_no_networks_at_all(tmp_path: Path) -> None:
    """An empty file is a file that knows nothing."""
    geodata = Geodata.open(write_raw(tmp_path / "empty.mmdb", [(1, 1)], b"", ip_version=6))
    for text in ("192.0.2.1", "2001:db8::1"):
        located = geodata.locate(ip_address(text))
        assert (located.place, located.prefix_len) == (Place(), 0 if text == "192.0.2.1" else 1)


def test_flat_numbers_that_are_whole(tmp_path: Path) -> None:
    """Coordinates stored as integers, of every width and sign, count."""
    entries = [
        ("192.0.2.0/24", {"country_code": "DE", "latitude": 52, "longitude": 13.4}),
        ("198.51.100.0/24", {"country_code": "AR", "latitude": -34, "longitude": -58}),
        ("203.0.113.0/24", {"country_code": "FR", "latitude": "48.8", "longitude": 2}),
    ]
    geodata = Geodata.open(write_database(tmp_path / "whole.mmdb", entries))
    assert geodata.locate(ip_address("192.0.2.1")).place == Place("DE", "", 52.0, 13.4)
    assert geodata.locate(ip_address("198.51.100.1")).place == Place("AR", "", -34.0, -58.0)
    assert geodata.locate(ip_address("203.0.113.1")).place == Place("FR")


def test_floats_of_32_bits(tmp_path: Path) -> None:
    """As in DB-IP's files: the noise of 37.422 in 32 bits (37.422000885009766) is not a place of its own."""
    coordinates = {"latitude": MmdbF32(37.422), "longitude": MmdbF32(-122.085)}
    entries = [
        ("192.0.2.0/24", {"country_code": "US", **coordinates}),
        ("198.51.100.0/24", {"country": {"iso_code": "US"}, "location": coordinates}),
    ]
    path = write_database(tmp_path / "single.mmdb", entries)
    with maxminddb.open_database(str(path)) as reader:
        record: Any = reader.get("192.0.2.1")
    assert record["latitude"] == 37.422000885009766
    assert Geodata.open(path).tree.places == (Place(), Place("US", "", 37.422, -122.085))
    assert_same(path, random.Random(5), 100)


def test_values_without_pointers_and_long_texts(tmp_path: Path) -> None:
    """Texts of every size class stand in the way of the wanted fields; nothing is shared by pointers."""
    data, leaves = b"", []
    for size in (0, 1, 28, 29, 284, 285, 65820, 65821):
        record = {"a" * 30: "x" * size, "postal": {"code": "y" * size}, "list": ["z" * size, 1, True]}
        leaves.append(15 + 16 + len(data))
        data += encoded(record | {"country_code": "BR", "latitude": float(size % 90), "longitude": 1.5})
    inner = [(2 * node + 1, 2 * node + 2) for node in range(7)]
    path = write_raw(tmp_path / "long.mmdb", [*inner, *((leaf, leaf) for leaf in leaves)], data)
    geodata = Geodata.open(path)
    assert [place.latitude for place in geodata.tree.places] == [None, 0.0, 1.0, 14.0, 15.0, 28.0, 29.0, 30.0, 31.0]
    with maxminddb.open_database(str(path)) as reader:
        for first in range(0, 256, 16):
            address = ip_address(f"{first}.0.0.1")
            assert geodata.locate(address).place == place_of(reader.get(address))
