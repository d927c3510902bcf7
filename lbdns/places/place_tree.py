"""The look-up tree over places: what snapshots are compiled from, and what a look-up walks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lbdns.places.mmdb import Nodes, SearchTree
from lbdns.places.mmdb_records import Positions, refusal
from lbdns.places.place import Address, Place
from lbdns.places.place_columns import place_ids
from lbdns.places.schema import place_of

UNKNOWN_PLACE = 0
"""The place id of `Place()`."""

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
        number, bits = int(address), address.max_prefixlen
        value = self.root_v4 if address.version == 4 else self.root_v6
        depth = 0
        while value >= 0:
            depth += 1
            value = self.nodes.item(value, (number >> (bits - depth)) & 1)
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
        _check_sample(tree, found, [places[place_id] for place_id in id_by_record[_sample(found)].tolist()])
    root_v4 = root_v6 = ~UNKNOWN_PLACE
    start = 0
    for tree, found, id_by_record in zip(trees, records, ids, strict=True):
        id_by_leaf = np.full(tree.section.size + 1, UNKNOWN_PLACE, dtype=np.int32)
        id_by_leaf[found + 1] = id_by_record
        leaves = tree.nodes < 0
        tree.nodes[leaves] = ~id_by_leaf[~tree.nodes[leaves]]
        if start:
            tree.nodes[~leaves] += start
        root_v4 = _root(tree.root_v4, start, id_by_leaf, root_v4)
        root_v6 = _root(tree.root_v6, start, id_by_leaf, root_v6)
        start += len(tree.nodes)
    nodes = trees[0].nodes if len(trees) == 1 else np.concatenate([tree.nodes for tree in trees])
    nodes.flags.writeable = False
    return PlaceTree(nodes, root_v4, root_v6, places)


def _sample(records: Positions) -> npt.NDArray[np.intp]:
    """Return which of a file's records are read once more: some, from all over the file."""
    return np.unique(np.linspace(0, len(records) - 1, min(len(records), SAMPLED_RECORDS)).astype(np.intp))


def _check_sample(tree: SearchTree, records: Positions, places: list[Place]) -> None:
    """Refuse a file of whose sampled records the columns say another place than geoip2 does, or the flat schema."""
    read, index = tree.section.values(records[_sample(records)])
    for place, record in zip(places, (read[which] for which in index.tolist()), strict=True):
        if place_of(record) != place:
            raise refusal(tree.path, f"a record is read in two ways: as {place} and as {place_of(record)}")


def _root(root: int | None, start: int, id_by_leaf: npt.NDArray[np.int32], otherwise: int) -> int:
    """Return a search tree's root in the place tree, `otherwise` where the file does not know the family."""
    if root is None:
        return otherwise
    return root + start if root >= 0 else ~int(id_by_leaf[~root])
