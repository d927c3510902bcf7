"""The look-up tree over AS numbers: what it says of an address is what a look-up of the single record does."""

from __future__ import annotations

import random
import shutil
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.places.asn_tree import AsnTree
from lbdns.places.geodata import Geodata
from tests.places.databases import write_database

RECORDS: list[tuple[Any, int]] = [
    ({"autonomous_system_number": 64496, "autonomous_system_organization": "Example Net"}, 64496),
    ({"autonomous_system_number": 4_200_000_000}, 4_200_000_000),
    ({"autonomous_system_number": "AS64497"}, 64497),
    ({"traits": {"autonomous_system_number": 64498}, "country": {"iso_code": "DE"}}, 64498),
    ({"autonomous_system_number": 64499, "traits": {"autonomous_system_number": 1}}, 64499),
    ({"asn": "AS4200000001", "as_name": "Example"}, 4_200_000_001),
    ({"as_number": "64500"}, 64500),
    ({"asn": 64501, "as_number": 1}, 64501),
    ({"asn": 0}, 0),
    ({"asn": 1 << 40}, 0),
    ({"asn": 64502.0}, 0),
    ({"asn": "none"}, 0),
    ({"name": "x"}, 0),
    ("text", 0),
]


def tree_of(path: Path) -> AsnTree:
    tree = Geodata.open(None, path).asn_tree()
    assert tree is not None
    return tree


@pytest.mark.parametrize("ip_version", [4, 6])
def test_every_spelling_of_a_number(tmp_path: Path, ip_version: int) -> None:
    networks = [f"192.0.{index}.0/24" for index in range(len(RECORDS))]
    entries = [(network, record) for network, (record, _) in zip(networks, RECORDS, strict=True)]
    tree = tree_of(write_database(tmp_path / "asn.mmdb", entries, ip_version=ip_version))
    for network, (_, asn) in zip(networks, RECORDS, strict=True):
        assert tree.lookup(ip_network(network)[1])[0] == asn
    assert tree.lookup(IPv4Address("198.51.100.1"))[0] == 0
    assert tree.lookup(IPv6Address("2001:db8::1"))[0] == 0
    assert tree.numbers[0] == 0 and sorted(set(tree.numbers.tolist())) == tree.numbers.tolist()
    assert not tree.nodes.flags.writeable


def test_tree_and_single_records_agree(tmp_path: Path) -> None:
    draw = random.Random(10)
    entries = [("10.0.0.0/8", {"autonomous_system_number": 64496}), ("2001:db8::/32", {"asn": "AS64497"})]
    entries += [
        (
            f"10.{draw.randrange(256)}.{draw.randrange(256)}.0/24",
            {"autonomous_system_number": draw.randrange(1, 1 << 32)},
        )
        for _ in range(200)
    ]
    path = write_database(tmp_path / "asn.mmdb", entries)
    geodata = Geodata.open(None, path)
    tree = tree_of(path)
    for _ in range(2_000):
        address = ip_address(draw.randrange(9 << 24, 12 << 24))
        assert tree.lookup(address)[0] == geodata.locate(address).asn
    assert tree.lookup(ip_address("2001:db8::5")) == (64497, 32)


def test_tree_is_kept_while_the_file_stays(tmp_path: Path) -> None:
    path = write_database(tmp_path / "asn.mmdb", [("192.0.2.0/24", {"asn": 64496})])
    tree = tree_of(path)
    assert tree_of(path) is tree
    shutil.move(write_database(tmp_path / "new.mmdb", [("192.0.2.0/24", {"asn": 64511})]), path)
    assert tree_of(path).lookup(ip_address("192.0.2.1")) == (64511, 24)


def test_without_a_database_there_is_no_tree() -> None:
    assert Geodata.open(None, None).asn_tree() is None


def test_a_damaged_record_is_refused(tmp_path: Path) -> None:
    path = write_database(tmp_path / "asn.mmdb", [("192.0.2.0/24", {"asn": 64496}), ("10.0.0.0/8", {"asn": 64497})])
    geodata = Geodata.open(None, path)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(LbdnsError, match=r"asn\.mmdb"):
        geodata.asn_tree()
