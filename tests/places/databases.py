"""Small MMDB files for tests: written by mmdb_writer, or node by node where a file must be wrong or unusual."""

from __future__ import annotations

import random
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import Any

from mmdb_writer import METADATA_MAGIC, Encoder, MMDBWriter, TreeWriter
from netaddr import IPSet

from lbdns.places.place import Address, Network
from lbdns.places.place_tree import PlaceTree

BUILD_EPOCH = 1_750_000_000
SEPARATOR = bytes(16)

Entries = Iterable[tuple[str, Any]]


class WideTreeWriter(TreeWriter):
    """A writer whose records have the size it is told, not the smallest that is enough."""

    wanted_record_bits = 24

    def _adjust_record_size(self) -> None:
        super()._adjust_record_size()
        assert self.record_size <= self.wanted_record_bits
        self.record_size = self.wanted_record_bits


def writer(ip_version: int, entries: Entries, database_type: str = "Test") -> MMDBWriter:
    """Return a writer that holds these (network, record) entries; IPv4 ones go to ::/96 of an IPv6 tree."""
    made = MMDBWriter(ip_version, database_type, ipv4_compatible=ip_version == 6)
    for network, record in entries:
        made.insert_network(IPSet([network]), record)
    return made


def write_database(
    path: Path, entries: Entries, ip_version: int = 6, record_bits: int = 24, database_type: str = "Test"
) -> Path:
    """Write a file with these (network, record) entries and return its path."""
    made = writer(ip_version, entries, database_type)
    tree_writer = WideTreeWriter(made.tree, made._build_meta())
    tree_writer.wanted_record_bits = record_bits
    tree_writer.write(str(path))
    return path


def write_raw(
    path: Path,
    nodes: Iterable[tuple[int, int]],
    data: bytes,
    record_bits: int = 32,
    ip_version: int = 4,
    **metadata: Any,
) -> Path:
    """Write a file from the records of its nodes and the bytes of its data section, right or wrong."""
    nodes = list(nodes)
    width = record_bits // 4
    packed = b"".join(_pack(left, right, record_bits) for left, right in nodes)
    assert len(packed) == width * len(nodes)
    said = {
        "node_count": len(nodes),
        "record_size": record_bits,
        "ip_version": ip_version,
        "database_type": "Raw",
        "languages": [],
        "binary_format_major_version": 2,
        "binary_format_minor_version": 0,
        "build_epoch": BUILD_EPOCH,
        "description": {},
    } | metadata
    path.write_bytes(packed + SEPARATOR + data + METADATA_MAGIC + Encoder(cache=False).encode_meta(said))
    return path


def _pack(left: int, right: int, record_bits: int) -> bytes:
    """Return a node's bytes as the format's specification draws them."""
    if record_bits == 28:
        shared = (left >> 24) << 4 | right >> 24
        return (left & 0xFFFFFF).to_bytes(3, "big") + bytes([shared]) + (right & 0xFFFFFF).to_bytes(3, "big")
    return left.to_bytes(record_bits // 8, "big") + right.to_bytes(record_bits // 8, "big")


def encoded(value: Any) -> bytes:
    """Return a value of the data section, without pointers."""
    made: bytes = Encoder(cache=False).encode(value)
    return made


def random_networks(rng: random.Random, version: int, count: int) -> list[Network]:
    """Return networks of one family, shorter ones first, so that longer ones split them when written in order."""
    made: list[Network] = []
    for _ in range(count):
        if version == 4:
            made.append(IPv4Network((rng.getrandbits(32), rng.randint(6, 32)), strict=False))
        else:
            made.append(IPv6Network((rng.getrandbits(125) | 1 << 125, rng.randint(12, 128)), strict=False))
    return sorted(made, key=lambda network: network.prefixlen)


def addresses(rng: random.Random, tree: PlaceTree, version: int, count: int) -> list[Address]:
    """Return random addresses of one family, half of them by a random walk down the tree: those reach long prefixes."""
    bits = 32 if version == 4 else 128
    made: list[Address] = []
    for index in range(count):
        number = rng.getrandbits(bits)
        if index % 2:
            value, depth, path = tree.root_v4 if version == 4 else tree.root_v6, 0, 0
            while value >= 0:
                bit = rng.getrandbits(1)
                value, depth, path = int(tree.nodes[value, bit]), depth + 1, path << 1 | bit
            number = path << (bits - depth) | number & ((1 << (bits - depth)) - 1)
        made.append(IPv4Address(number) if version == 4 else IPv6Address(number))
    return made
