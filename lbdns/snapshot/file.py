"""A snapshot as a file: written once by the supervisor, mapped read-only by every worker.

    magic 8 bytes | length of the directory, u64 | directory, JSON | padding | column | padding | column ...

Columns start on multiples of 64 bytes, in the byte order of the machine: the file never leaves it.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import struct
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lbdns.errors import LbdnsError
from lbdns.snapshot.columns import COLUMNS

MAGIC = b"lbdns\x00s1"
ALIGNMENT = 64
PIECE_BYTES = 2 << 20
MADV_POPULATE_READ = 22  # linux/mman.h; not in the mmap module
PREFIX = struct.Struct("=8sQ")


class Snapshot:
    """One compiled configuration: `columns` (name -> flat memoryview) and `meta` (small facts: generation, PoP,
    counts)."""

    def __init__(self, columns: dict[str, memoryview], meta: dict[str, Any], mapping: mmap.mmap | None = None) -> None:
        self.columns = columns
        self.meta = meta
        self._mapping = mapping

    @classmethod
    def of(cls, columns: Mapping[str, array[int]], meta: dict[str, Any]) -> Snapshot:
        """Return a snapshot over columns in this process's memory."""
        return cls({name: memoryview(column).toreadonly() for name, column in columns.items()}, meta)

    @property
    def generation(self) -> int:
        """The number of the publication, rising."""
        return int(self.meta["generation"])

    @property
    def layout_id(self) -> int:
        """The id of the health table layout that the slots belong to."""
        return int(self.meta["layout_id"])

    @property
    def size(self) -> int:
        """Bytes of all columns."""
        return sum(column.nbytes for column in self.columns.values())

    def write(self, path: Path) -> None:
        """Write the snapshot to `path`, whole or not at all."""
        directory: dict[str, Any] = {"meta": self.meta, "columns": {}}
        offset = 0
        for name, column in self.columns.items():
            directory["columns"][name] = [offset, len(column)]
            offset = _aligned(offset + column.nbytes)
        text = json.dumps(directory).encode()
        partial = path.with_name(path.name + ".partial")
        try:
            with partial.open("wb") as file:
                file.write(PREFIX.pack(MAGIC, len(text)) + text)
                start = _aligned(file.tell())
                for name, column in self.columns.items():
                    file.seek(start + directory["columns"][name][0])
                    file.write(column)
                file.truncate(max(start + offset, start + 1))
            os.replace(partial, path)
        except OSError:
            partial.unlink(missing_ok=True)  # where the disk is full, what is left of it would keep it so
            raise

    def fault_in(self) -> Iterator[None]:
        """Let this process have the pages of an opened file, a piece each step, so that no reader waits for one."""
        return self._advise(MADV_POPULATE_READ)

    def let_go(self) -> Iterator[None]:
        """Give the pages of an opened file back, a piece each step: to unmap it costs little then."""
        return self._advise(mmap.MADV_DONTNEED)

    def _advise(self, advice: int) -> Iterator[None]:
        if self._mapping is None:
            return
        for start in range(0, len(self._mapping), PIECE_BYTES):
            # A kernel that knows no such advice (Linux before 5.14) faults pages in as they are read.
            with contextlib.suppress(OSError):
                self._mapping.madvise(advice, start, min(PIECE_BYTES, len(self._mapping) - start))
            yield

    @classmethod
    def open(cls, path: Path) -> Snapshot:
        """Map the snapshot at `path` read-only; LbdnsError where the file is not one."""
        with path.open("rb") as file:
            mapping = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        whole = memoryview(mapping)
        magic, length = PREFIX.unpack_from(whole) if len(whole) >= PREFIX.size else (b"", 0)
        if magic != MAGIC:
            raise LbdnsError(f"{path}: not a snapshot of this version of lbdns")
        directory = json.loads(bytes(whole[PREFIX.size : PREFIX.size + length]))
        start = _aligned(PREFIX.size + length)
        columns = {}
        for name, code in COLUMNS.items():
            offset, count = directory["columns"][name]
            begin = start + offset
            columns[name] = whole[begin : begin + count * struct.calcsize("=" + code)].cast(code)  # type: ignore[call-overload]
        return cls(columns, directory["meta"], mapping)


def _aligned(offset: int) -> int:
    return (offset + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
