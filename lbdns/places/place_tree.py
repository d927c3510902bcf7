"""The look-up tree over places: what snapshots are compiled from, and what a look-up walks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lbdns.base.sorted_set import sorted_set
from lbdns.places.mmdb import NO_DATA, Nodes, SearchTree
from lbdns.places.mmdb_reader import refusal
from lbdns.places.mmdb_records import Positions
from lbdns.places.nodes_at_rest import rested
from lbdns.places.place import Address, Place
from lbdns.places.place_columns import place_ids
from lbdns.places.schema import place_of

UNKNOWN_PLACE = 0
"""The place id of `Place()`."""

GLOBAL_UNICAST_BITS = (0, 0, 1)
"""2000::/3: all IPv6 addresses that are given to anybody (RFC 4291 section 2.4)."""

SAMPLED_RECORDS = 200
"""How many records of a file are looked at one by one when it is checked."""


@dataclass(frozen=True, slots=True, eq=False)
class PlaceTree:
    """A binary tree over address bits, most significant first, whose leaves are place ids.

    nodes: int32[n, 2], read-only; column = next bit; a value >= 0 is a node's index, a negative one is `~place_id`.
    root_v4, root_v6: where a look-up in a family starts, in the same encoding. Two ways may lead to one node; no walk
    is longer than the address. places: by place id, no two equal; place 0 is the unknown one.
    """

    nodes: Nodes
    root_v4: int
    root_v6: int
    places: tuple[Place, ...]

    def lookup(self, address: Address) -> tuple[int, int]:
        """Return the place id of an address, and the length of the undivided network around it in its own family."""
        return leaf_at(self.nodes, self.root_v4 if address.version == 4 else self.root_v6, address)

    def knows(self, version: int) -> bool:
        """Return whether the place of any address of a family is known."""
        return has_leaf(self.nodes, self.root_v4, self.root_v6, version)


def leaf_at(nodes: Nodes, root: int, address: Address) -> tuple[int, int]:
    """Return the id at an address's leaf, below the root of its family, and how many of its bits lead there."""
    number, bits = int(address), address.max_prefixlen
    value, depth = root, 0
    while value >= 0:
        depth += 1
        value = nodes.item(value, (number >> (bits - depth)) & 1)
    return ~value, depth


def build_place_tree(trees: list[SearchTree]) -> PlaceTree:
    """Return the tree over the places of one file, or of two: one that knows IPv6, then one that knows IPv4 alone.

    Raises LbdnsError where a record is damaged and where no record names a place. Takes the search trees over: their
    nodes become the place tree's.
    """
    records = [tree.records() for tree in trees]
    ids, places = place_ids([(tree.section, found) for tree, found in zip(trees, records, strict=True)])
    if len(places) == 1 and any(found.size for found in records):
        raise refusal(trees[0].path, "its records name no country and no coordinates, so it is of another kind")
    for tree, found, id_by_record in zip(trees, records, ids, strict=True):
        _check_sample(tree, found, [places[place_id] for place_id in id_by_record[sampled(found)].tolist()])
    root_v4 = root_v6 = ~UNKNOWN_PLACE
    start = 0
    for tree, found, id_by_record in zip(trees, records, ids, strict=True):
        id_by_leaf = np.full(tree.section.size + 1, UNKNOWN_PLACE, dtype=np.int32)
        id_by_leaf[found + 1] = id_by_record
        leaves = tree.nodes < 0
        tree.nodes[leaves] = ~id_by_leaf[~tree.nodes[leaves]]
        if start:
            tree.nodes[~leaves] += start
        root_v4 = root_of(tree.root_v4, start, id_by_leaf, root_v4)
        root_v6 = root_of(tree.root_v6, start, id_by_leaf, root_v6)
        start += len(tree.nodes)
    nodes = trees[0].nodes if len(trees) == 1 else np.concatenate([tree.nodes for tree in trees])
    return PlaceTree(rested(nodes), root_v4, root_v6, places)


def sampled(records: Positions) -> npt.NDArray[np.intp]:
    """Return which of a file's records are read once more: some, from all over the file."""
    return sorted_set(np.linspace(0, len(records) - 1, min(len(records), SAMPLED_RECORDS)).astype(np.intp))


def _check_sample(tree: SearchTree, records: Positions, places: list[Place]) -> None:
    """Refuse a file of whose sampled records the columns say another place than geoip2 does, or the flat schema."""
    read, index = tree.section.values(records[sampled(records)])
    for place, record in zip(places, (read[which] for which in index.tolist()), strict=True):
        if place_of(record) != place:
            raise refusal(tree.path, f"a record is read in two ways: as {place} and as {place_of(record)}")


def tell_apart(trees: list[SearchTree]) -> list[SearchTree] | None:
    """Return two trees as `build_place_tree` takes them, None where they are not one for IPv6 and one for IPv4.

    A file of IPv6's depth that has IPv4 addresses alone is one for IPv4.
    """
    by_bits = {tree.bits: tree for tree in trees}
    if by_bits.keys() == {32, 128}:
        return [by_bits[128], by_bits[32]]
    known = [{version for version in (4, 6) if _says_of(tree, version)} for tree in trees]
    if by_bits.keys() != {128} or sorted(known, key=sorted) != [{4}, {6}]:
        return None
    of_ipv4, of_ipv6 = (trees[known.index({version})] for version in (4, 6))
    of_ipv4.root_v6 = of_ipv6.root_v4 = None
    return [of_ipv6, of_ipv4]


def _says_of(tree: SearchTree, version: int) -> bool:
    root_v4, root_v6 = (NO_DATA if root is None else root for root in (tree.root_v4, tree.root_v6))
    return has_leaf(tree.nodes, root_v4, root_v6, version)


def has_leaf(nodes: Nodes, root_v4: int, root_v6: int, version: int) -> bool:
    """Return whether a tree has a leaf for a family that says anything; of IPv6, among the addresses that are in use.

    The one that says nothing is -1 in search trees and place trees. Elsewhere in IPv6 stand IPv4 addresses, mapped in
    several ways; where one tree stands for all of them, 6to4 leads there too.
    """
    assert NO_DATA == ~UNKNOWN_PLACE
    value = root_v4
    if version == 6:
        value = root_v6
        for bit in GLOBAL_UNICAST_BITS:
            value = int(nodes[value, bit]) if value >= 0 else value
    level = np.array([value], dtype=np.int32)
    while level.size:
        if (level < NO_DATA).any():
            return True
        inner = level[level >= 0]
        if version == 6:
            inner = inner[inner != root_v4]
        if len(inner) > len(nodes):
            inner = sorted_set(inner)
        level = nodes[inner].ravel()
    return False


def root_of(root: int | None, start: int, id_by_leaf: npt.NDArray[np.int32], otherwise: int) -> int:
    """Return a search tree's root in the place tree, `otherwise` where the file does not know the family."""
    if root is None:
        return otherwise
    return root + start if root >= 0 else ~int(id_by_leaf[~root])
