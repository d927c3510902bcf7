"""A block: the rows of one kind in one span of time, names' numbers and what is counted of them, as columns.

On disk a column is the differences of its numbers (the first) or its numbers, the lowest bytes of all first, then the
next lowest, compressed: most bytes are zeros, and a row of a minute takes some two bytes.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from lbdns.base.errors import LbdnsError

Ids = np.ndarray[Any, np.dtype[np.uint32]]
Numbers = np.ndarray[Any, np.dtype[np.uint64]]

_HEAD: Final = struct.Struct("<BBI")  # columns of names, columns of numbers, rows
_LEVEL: Final = 6
ROWS_MAX: Final = 10_000_000
"""Bounds what a damaged head can ask for."""


@dataclass(frozen=True, slots=True, eq=False)
class HistoryBlock:
    """Rows in the order of their names' numbers, no two of the same: `keys` (rows, names), `values` (rows, numbers)."""

    keys: Ids
    values: Numbers

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self.keys)


def empty_block(names: int, numbers: int) -> HistoryBlock:
    """Return a block without rows."""
    return HistoryBlock(np.zeros((0, names), np.uint32), np.zeros((0, numbers), np.uint64))


def block_of(counts: Mapping[tuple[int, ...], Sequence[int]], names: int, numbers: int) -> HistoryBlock:
    """Return the block of some rows, by the numbers of their names."""
    if not counts:
        return empty_block(names, numbers)
    keys = np.array(list(counts), np.uint32).reshape(len(counts), names)
    return summed(keys, np.array(list(counts.values()), np.uint64).reshape(len(counts), numbers))


def summed(keys: Ids, values: Numbers) -> HistoryBlock:
    """Return the block of rows in any order, those of the same names added up."""
    if not len(keys):
        return HistoryBlock(keys, values)
    order = np.lexsort(keys.T[::-1])
    keys, values = keys[order], values[order]
    begins = np.flatnonzero(np.append(True, (keys[1:] != keys[:-1]).any(axis=1)))
    return HistoryBlock(keys[begins], np.add.reduceat(values, begins, axis=0))


def merged(blocks: Sequence[HistoryBlock]) -> HistoryBlock:
    """Return the sums of some blocks of one kind, one at least."""
    if len(blocks) == 1:
        return blocks[0]
    width = max(block.keys.shape[1] for block in blocks)
    return summed(
        np.concatenate([widened(block, width).keys for block in blocks]),
        np.concatenate([block.values for block in blocks]),
    )


def widened(block: HistoryBlock, names: int) -> HistoryBlock:
    """Return a block with so many names a row: what an earlier release did not tell apart is nothing (0)."""
    lacking = names - block.keys.shape[1]
    return block if lacking <= 0 else HistoryBlock(np.pad(block.keys, ((0, 0), (0, lacking))), block.values)


def encode_block(block: HistoryBlock) -> bytes:
    """Return a block's bytes."""
    first = np.diff(block.keys[:, :1], axis=0, prepend=np.uint32(0))
    keys = np.concatenate((first, block.keys[:, 1:]), axis=1).astype("<u4")
    parts = [_planes(keys, 4), _planes(block.values.astype("<u8"), 8)]
    head = _HEAD.pack(block.keys.shape[1], block.values.shape[1], block.rows)
    return head + zlib.compress(b"".join(parts), _LEVEL)


def decode_block(data: bytes) -> HistoryBlock:
    """Return the block of some bytes; raises LbdnsError where they are damaged."""
    try:
        names, numbers, rows = _HEAD.unpack_from(data)
        size = rows * (4 * names + 8 * numbers)
        if rows > ROWS_MAX or not names:
            raise LbdnsError("a block of the history is damaged")
        inflating = zlib.decompressobj()
        plain = inflating.decompress(data[_HEAD.size :], size + 1)
        if len(plain) != size or not inflating.eof:
            raise LbdnsError("a block of the history is damaged")
    except (struct.error, zlib.error) as error:
        raise LbdnsError(f"a block of the history is damaged: {error}") from error
    keys = _from_planes(plain[: rows * 4 * names], rows, names, "<u4")
    np.cumsum(keys[:, 0], out=keys[:, 0], dtype=np.uint32)
    return HistoryBlock(keys, _from_planes(plain[rows * 4 * names :], rows, numbers, "<u8"))


def _planes(columns: np.ndarray[Any, Any], item: int) -> bytes:
    """Return the bytes of columns: of each, the lowest of all rows, then the next."""
    rows, count = columns.shape
    whole = np.ascontiguousarray(columns.T).view(np.uint8).reshape(count, rows, item)
    return whole.transpose(0, 2, 1).tobytes()


def _from_planes(data: bytes, rows: int, count: int, code: str) -> np.ndarray[Any, Any]:
    item = np.dtype(code).itemsize
    planes = np.frombuffer(data, np.uint8).reshape(count, item, rows)
    columns = np.ascontiguousarray(planes.transpose(0, 2, 1)).view(code).reshape(count, rows)
    return np.ascontiguousarray(columns.T).astype(code.replace("<", "="))
