"""MMDB files: the search tree as numpy columns, checked before use.

An MMDB file is a binary tree over address bits, then 16 zero bytes, then a data section, then metadata. A tree node is
two records of 24, 28 or 32 bits, one per value of the next bit: below node_count another node, node_count itself for
"no data", above it a place in the data section (record - node_count - 16). A tree of IP version 6 holds IPv4 at ::/96
and may point there from elsewhere, so it is a directed graph without cycles rather than a tree.
(Format: MaxMind DB File Format Specification 2.0.)

Whatever such a file can break is found while it is opened: afterwards a walk from a root ends within the address's
bits, on "no data" or inside the data section.
"""

from __future__ import annotations

from pathlib import Path

import maxminddb
import maxminddb.reader
import numpy as np
import numpy.typing as npt

from lbdns.base.sorted_set import sorted_set
from lbdns.places.mmdb_reader import refusal
from lbdns.places.mmdb_records import DataSection, Positions

Nodes = npt.NDArray[np.int32]

NO_DATA = -1
"""The leaf of a search tree that says nothing; a leaf with data is `-2 - offset in the data section`."""

DATA_SEPARATOR_BYTES = 16
METADATA_MARKER = b"\xab\xcd\xefMaxMind.com"
METADATA_BYTES_MAX = 128 * 1024
NODE_COUNT_MAX = 2**30
UNPACK_ROWS = 1 << 15  # what is worked on stays in the processor's cache


class SearchTree:
    """The search tree of one file.

    nodes: int32[node_count, 2]; a value >= 0 is a node's index, a negative one a leaf (see NO_DATA).
    root_v4, root_v6: node index or leaf that a look-up starts from; None where the file has no addresses of the family.
    bits: 32 or 128, the depth of the whole tree. section: the data section that the leaves point into.
    """

    def __init__(self, path: Path, metadata: maxminddb.reader.Metadata) -> None:
        """Read and check the tree of the file at path; raise LbdnsError with the file's name and what is wrong."""
        self.path = path
        self.bits = 128 if metadata.ip_version == 6 else 32
        node_count, node_bytes = _checked_shape(path, metadata)
        content = np.fromfile(path, dtype=np.uint8)
        data_start = node_count * node_bytes + DATA_SEPARATOR_BYTES
        data_end = _metadata_start(path, content)
        if data_end < data_start:
            raise refusal(path, f"cut short: {node_count} nodes do not fit into its {content.size} bytes")
        self.section = DataSection(path, content[data_start:data_end])
        packed = content[: node_count * node_bytes].reshape(node_count, node_bytes)
        self.nodes = self._unpack(packed, metadata.record_size)
        self._check_depth()
        self.root_v6: int | None = 0 if self.bits == 128 else None
        self.root_v4: int | None = self._ipv4_root() if self.bits == 128 else 0

    def _unpack(self, packed: npt.NDArray[np.uint8], record_bits: int) -> Nodes:
        """Return the nodes as int32[n, 2], leaves negative; refuse leaves outside the data section."""
        node_count = len(packed)
        nodes = np.empty((node_count, 2), dtype=np.int32)
        data_end = DATA_SEPARATOR_BYTES + self.section.size
        for start in range(0, node_count, UNPACK_ROWS):
            rows = packed[start : start + UNPACK_ROWS]
            for bit, record in enumerate(_records(rows, record_bits)):
                behind = record - node_count  # above 0 in the data, which begins behind the separator
                leaf = np.where(behind > 0, DATA_SEPARATOR_BYTES - 2 - behind, NO_DATA)
                outside = (behind > 0) & ((behind < DATA_SEPARATOR_BYTES) | (behind >= data_end))
                if outside.any():
                    node = start + int(np.argmax(outside))
                    raise refusal(self.path, f"damaged: node {node} points outside the data section")
                nodes[start : start + len(rows), bit] = np.where(behind < 0, record, leaf)
        return nodes

    def _check_depth(self) -> None:
        """Walk the tree level by level; refuse one in which a path outlives the address."""
        level = np.zeros(1, dtype=np.int32)
        for _ in range(self.bits):
            children = self.nodes.take(level, axis=0).ravel()
            level = children[children >= 0]
            if not level.size:
                return
            if level.size > len(self.nodes):  # many ways into few nodes: without this a small file costs 2**128 steps
                level = sorted_set(level)
        raise refusal(self.path, f"damaged: its search tree has a cycle or is deeper than {self.bits} bits")

    def _ipv4_root(self) -> int:
        """Return where ::/96 leads in a tree of 128 bits."""
        value = 0
        for _ in range(96):
            if value < 0:
                break
            value = int(self.nodes[value, 0])
        return value

    def records(self) -> Positions:
        """Return the positions in the data section that the tree points to, each once, ascending."""
        used = np.zeros(self.section.size, dtype=np.bool_)
        used[-2 - self.nodes[self.nodes < NO_DATA]] = True
        return np.flatnonzero(used)


def _checked_shape(path: Path, metadata: maxminddb.reader.Metadata) -> tuple[int, int]:
    """Return node count and bytes per node; refuse shapes that the format does not know."""
    if metadata.ip_version not in (4, 6):
        raise refusal(path, f"damaged: IP version {metadata.ip_version} is neither 4 nor 6")
    if metadata.record_size not in (24, 28, 32):
        raise refusal(path, f"damaged: a record size of {metadata.record_size} is not 24, 28 or 32")
    if not isinstance(metadata.node_count, int) or not 1 <= metadata.node_count <= NODE_COUNT_MAX:
        raise refusal(path, f"damaged: a node count of {metadata.node_count} is not within 1 and {NODE_COUNT_MAX}")
    return metadata.node_count, metadata.record_size // 4


def _metadata_start(path: Path, content: npt.NDArray[np.uint8]) -> int:
    """Return where the metadata begins, which is where the data section ends."""
    tail_start = max(0, content.size - METADATA_BYTES_MAX)
    found = content[tail_start:].tobytes().rfind(METADATA_MARKER)
    if found < 0:
        raise refusal(path, "cut short: it has no metadata")
    return tail_start + found


def _records(rows: npt.NDArray[np.uint8], record_bits: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the left and right records of nodes given as rows of 6, 7 or 8 bytes."""
    left, right = _words(rows, 0), _words(rows, rows.shape[1] - 4)
    if record_bits == 28:  # the byte between holds the top four bits of both
        return left >> 8 | (left & 0xF0) << 20, right & 0x0FFFFFFF
    if record_bits == 32:
        return left, right
    return left >> 8, right & 0xFFFFFF


def _words(rows: npt.NDArray[np.uint8], start: int) -> npt.NDArray[np.int64]:
    """Return the four bytes from a place in each row as a number."""
    return np.ndarray(len(rows), ">u4", rows, start, (rows.strides[0],)).astype(np.int64)
