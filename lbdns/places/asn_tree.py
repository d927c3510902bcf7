"""The look-up tree over AS numbers: what rules on them are compiled from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lbdns.places.mmdb import Nodes, SearchTree
from lbdns.places.mmdb_reader import refusal
from lbdns.places.mmdb_records import ABSENT, DataSection, Positions
from lbdns.places.nodes_at_rest import rested
from lbdns.places.place import Address
from lbdns.places.place_tree import leaf_at, root_of, sampled
from lbdns.places.schema import ASN_KEYS, FLAT_ASN_KEYS, autonomous_system_of

UNKNOWN_AS = 0
"""The id of an address whose AS is not known; the number that stands for it is 0 too, which no AS has (RFC 7607)."""

Numbers = npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True, eq=False)
class AsnTree:
    """A binary tree over address bits, most significant first, whose leaves are ids of AS numbers.

    nodes: int32[n, 2], read-only, as a PlaceTree's; a negative value is `~id`. root_v4, root_v6: where a look-up in a
    family starts, in the same encoding. numbers: uint32 by id, ascending; id 0 is the unknown one, number 0.
    """

    nodes: Nodes
    root_v4: int
    root_v6: int
    numbers: Numbers

    def lookup(self, address: Address) -> tuple[int, int]:
        """Return the AS number of an address, 0 where it is not known, and the length of the undivided network around
        it in its own family."""
        found, depth = leaf_at(self.nodes, self.root_v4 if address.version == 4 else self.root_v6, address)
        return int(self.numbers[found]), depth


def build_asn_tree(tree: SearchTree) -> AsnTree:
    """Return the tree over the AS numbers of a file; raises LbdnsError where a record is damaged.

    Takes the search tree over: its nodes become the result's.
    """
    records = tree.records()
    found = _numbers(tree.section, records)
    _check_sample(tree, records, found)
    numbers, ids = np.unique(np.concatenate((np.zeros(1, dtype=np.uint32), found)), return_inverse=True)
    id_by_leaf = np.full(tree.section.size + 1, UNKNOWN_AS, dtype=np.int32)
    id_by_leaf[records + 1] = ids[1:]
    leaves = tree.nodes < 0
    tree.nodes[leaves] = ~id_by_leaf[~tree.nodes[leaves]]
    root_v4, root_v6 = (root_of(root, 0, id_by_leaf, ~UNKNOWN_AS) for root in (tree.root_v4, tree.root_v6))
    return AsnTree(rested(tree.nodes), root_v4, root_v6, numbers)


def _numbers(section: DataSection, records: Positions) -> Numbers:
    """Return the AS numbers of all records: the rules of `schema.autonomous_system_of`, column by column."""
    own, traits, *flat = section.fields(records, (*ASN_KEYS, *FLAT_ASN_KEYS))
    distinct, which = np.unique(traits, return_inverse=True)
    (inner,) = section.fields(distinct, ASN_KEYS[:1])
    first = flat[-1]
    for positions in (*reversed(flat[:-1]), inner[which], own):
        first = np.where(positions == ABSENT, first, positions)
    found, is_plain = section.unsigned(first)
    others = np.flatnonzero(~is_plain & (first != ABSENT))
    values, index = section.values(first[others])
    asns = [autonomous_system_of({FLAT_ASN_KEYS[0]: value})[0] for value in values]
    found[others] = np.array(asns, dtype=np.int64)[index] if asns else 0
    return np.where((found > 0) & (found < 1 << 32), found, 0).astype(np.uint32)


def _check_sample(tree: SearchTree, records: Positions, numbers: Numbers) -> None:
    """Refuse a file of whose sampled records the columns say another number than is said of each alone."""
    rows = sampled(records)
    read, index = tree.section.values(records[rows])
    for number, record in zip(numbers[rows].tolist(), (read[which] for which in index.tolist()), strict=True):
        alone, _ = autonomous_system_of(record)
        if alone != number:
            raise refusal(tree.path, f"a record is read in two ways: as AS {number} and as AS {alone}")
