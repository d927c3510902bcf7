"""The columns of a snapshot: names and types, once. Compilers fill them, the file maps them, the kernels read them.

Types are those of `array` and `memoryview.cast`: B, H, I, Q unsigned with 8, 16, 32, 64 bits. A row's index is its
identity within one snapshot; `*_slot` leads to the health table, `*_text` and `*_name` to the blob.
"""

from __future__ import annotations

from array import array
from typing import Final

NONE_32: Final = 0xFFFFFFFF

COLUMNS: Final[dict[str, str]] = {
    # Load balancers.
    "lb_select": "B",
    "lb_flags": "B",
    "lb_ttl": "I",
    "lb_fallback": "I",
    "lb_ecs_trie": "I",
    "lb_resolver_trie": "I",
    "lb_pop_class": "I",
    "lb_lists": "I",
    "lb_ecs_lists": "I",
    "lb_slot": "I",
    "lb_text": "I",
    "lb_policy": "B",
    # Place class -> list (from lb_lists), and the lists' members.
    "class_list": "I",
    "list_start": "I",
    "list_count": "I",
    "list_flags": "B",
    "member_pool": "I",
    "member_weight": "I",
    # Pools; shape has three entries a pool (A, AAAA, named), shedding two (per query, per session).
    "pool_slot": "I",
    "pool_flags": "B",
    "pool_endpoint_start": "I",
    "pool_endpoint_count": "I",
    "pool_shape": "B",
    "pool_hash": "Q",
    "pool_shed_threshold": "Q",
    "pool_shed_policy": "B",
    "pool_minimum": "I",
    "pool_text": "I",
    # Endpoints; address has 16 bytes each, target is a wire name in the blob.
    "endpoint_slot": "I",
    "endpoint_weight": "B",
    "endpoint_families": "B",
    "endpoint_flags": "B",
    "endpoint_hash": "Q",
    "endpoint_address": "B",
    "endpoint_target": "I",
    "endpoint_port": "H",
    "endpoint_priority": "H",
    "endpoint_enabled": "B",
    "endpoint_text": "I",
    # Unit vectors (x, y, z) of coordinate units, and of pools (0, 0, 0 without coordinates), for SELECT_NEAREST.
    "unit_vector": "d",
    "pool_vector": "d",
    # Tries: two roots each (IPv4, IPv6), 16 records a node.
    "trie_root": "I",
    "trie_nodes": "I",
    # Names of all zones in one hash table, and the zone directory in the same table under zone 0.
    # A slot of the table is a name's number + 1 (0: free) and the high half of its hash; a name is a row of
    # NAME_ROW (codes.py): one cache line, or half of one, tells what stands at it.
    "table": "I",
    "name_row": "I",
    "rrset_type": "H",
    "rrset_ttl": "I",
    "rrset_rdata_start": "I",
    "rrset_rdata_count": "I",
    "rdata_offset": "I",
    "rdata_length": "H",
    # Zones: index of the apex name.
    "zone_apex": "I",
    # Templates: replies rendered beforehand for the fast path (fastpath/layout.py), and which one answers an RRset, a
    # referral at a name, a negative reply of a zone, as offsets.
    "rrset_template": "I",
    "name_template": "I",
    "zone_template": "I",
    # Of endpoints that are hostnames: the zone here that the hostname stands in (NONE_32: none), whether others here
    # stand above that, and what follows the endpoint's records in that zone (A, AAAA, named: three entries each).
    "endpoint_zone": "I",
    "endpoint_is_nested": "B",
    "endpoint_template": "I",
    "template_blob": "B",
    "blob": "B",
}


def empty_columns() -> dict[str, array[int]]:
    """Return every column, with no rows."""
    return {name: array(code) for name, code in COLUMNS.items()}


class Blob:
    """The byte column that texts, names and rdata stand in; equal texts are stored once."""

    def __init__(self, column: array[int]) -> None:
        self._column = column
        self._offsets: dict[bytes, int] = {}

    def add(self, data: bytes) -> int:
        """Return the offset of `data`, appended where it is new."""
        offset = self._offsets.get(data)
        if offset is None:
            offset = self._offsets[data] = len(self._column)
            self._column.frombytes(data)
        return offset

    def offsets(self) -> dict[bytes, int]:
        """Return the offset of everything stored so far."""
        return dict(self._offsets)

    def add_text(self, text: str) -> int:
        """Return the offset of a text: its length in two bytes, then UTF-8."""
        data = text.encode()
        return self.add(len(data).to_bytes(2, "little") + data)


def read_text(blob: memoryview, offset: int) -> str:
    """Return the text that `Blob.add_text` stored at `offset`."""
    length = blob[offset] | blob[offset + 1] << 8
    return str(blob[offset + 2 : offset + 2 + length], "utf-8")
