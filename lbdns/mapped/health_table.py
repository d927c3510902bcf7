"""The health table: one file in shared memory, mapped by one writer (the monitor worker) and any number of readers.

The file is a header and then columns, each a flat array that starts on a cache line. A state is one byte, so a reader
sees the old one or the new one and never half of either; no locks. Only `endpoint_state` and `pool_state` decide
answers. The rest informs people, who read an endpoint's columns together (`endpoint_rows`).

A table carries the layout id of the snapshots it belongs to; a reader pairs only equal ids. Slots with nothing in them
are all zero, which reads as unknown.
"""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path
from typing import Any

from lbdns.base.errors import LbdnsError
from lbdns.mapped.allocation import allocate
from lbdns.mapped.columns import HEALTH_COLUMNS

_MAGIC = b"LBDNSHLT"
_VERSION = 3
_HEADER = struct.Struct("<8sIIQIIQ")  # magic, version, header bytes, layout id, endpoints, pools, file bytes
_HEADER_BYTES = 64
_ALIGN = 64
_CAPACITY_MAX = 4_000_000  # slots of either kind: bounds what a damaged header can ask for


class TableError(LbdnsError):
    """A health table that cannot be used: missing, cut short, of another version."""


class HealthTable:
    """A mapped health table; `columns` are flat memoryviews by name, read-only unless attached as writable."""

    def __init__(self, path: Path, mapping: mmap.mmap, writable: bool) -> None:
        """Wrap a mapping whose header has been checked; use `create` or `attach`."""
        self.path = path
        self.writable = writable
        self._mapping = mapping
        _, _, _, layout_id, endpoints, pools, _ = _HEADER.unpack_from(mapping, 0)
        self.layout_id: int = layout_id
        self.endpoint_capacity: int = endpoints
        self.pool_capacity: int = pools
        whole = memoryview(mapping)
        self._views = [whole]
        self.columns: dict[str, memoryview[Any]] = {}
        for name, kind, start, stop in _extents(endpoints, pools):
            view = whole[start:stop]
            column = view.cast(kind)  # type: ignore[call-overload]
            self._views += [view, column]
            self.columns[name] = column

    @classmethod
    def create(cls, path: Path, endpoint_capacity: int, pool_capacity: int, layout_id: int) -> HealthTable:
        """Make an all-unknown table at `path` (replacing whatever is there, at once and whole) and attach to it."""
        if not (0 <= endpoint_capacity <= _CAPACITY_MAX and 0 <= pool_capacity <= _CAPACITY_MAX):
            raise TableError(f"{path}: a health table holds at most {_CAPACITY_MAX} endpoints and as many pools")
        size = _size(endpoint_capacity, pool_capacity)
        header = _HEADER.pack(
            _MAGIC, _VERSION, _HEADER_BYTES, layout_id & (2**64 - 1), endpoint_capacity, pool_capacity, size
        )
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            handle = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                # Allocated now: on a full memory file system this fails here and not as SIGBUS at the first write.
                allocate(handle, 0, size)
                os.pwrite(handle, header, 0)
            finally:
                os.close(handle)
            fresh.replace(path)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise TableError(f"{path}: cannot make the health table: {error.strerror}") from error
        return cls.attach(path, writable=True)

    @classmethod
    def attach(cls, path: Path, writable: bool = False) -> HealthTable:
        """Map the table at `path`; raises TableError saying what is wrong with it."""
        try:
            handle = os.open(path, (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC)
        except OSError as error:
            raise TableError(f"{path}: cannot open the health table: {error.strerror}") from error
        try:
            size = os.fstat(handle).st_size
            _check_header(path, os.pread(handle, _HEADER.size, 0), size)
            access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
            return cls(path, mmap.mmap(handle, size, access=access), writable)
        finally:
            os.close(handle)

    def copy_from(self, other: HealthTable) -> None:
        """Take over every slot that both tables have, so that a larger table starts with what the smaller knew."""
        for name, kind, per, items in HEALTH_COLUMNS:
            owners = {"endpoint": "endpoint_capacity", "pool": "pool_capacity"}.get(per)
            count = items * (1 if owners is None else min(getattr(self, owners), getattr(other, owners)))
            if count:
                assert self.columns[name].format == kind
                self.columns[name][:count] = other.columns[name][:count]

    def copy_endpoint(self, other: HealthTable, theirs: int, ours: int) -> None:
        """Take over one endpoint's columns from a slot of another table, or of this one."""
        self._copy("endpoint", other, theirs, ours)

    def copy_pool(self, other: HealthTable, theirs: int, ours: int) -> None:
        """Take over one pool's columns from a slot of another table, or of this one."""
        self._copy("pool", other, theirs, ours)

    def _copy(self, owner: str, other: HealthTable, theirs: int, ours: int) -> None:
        for name, _, per, items in HEALTH_COLUMNS:
            if per == owner:
                self.columns[name][ours * items : (ours + 1) * items] = other.columns[name][
                    theirs * items : (theirs + 1) * items
                ]

    def clear_endpoint(self, slot: int) -> None:
        """Make a slot nobody's: unknown, no addresses, nothing counted."""
        self._clear("endpoint", slot)

    def clear_pool(self, slot: int) -> None:
        """Make a pool's slot nobody's."""
        self._clear("pool", slot)

    def _clear(self, owner: str, slot: int) -> None:
        for name, kind, per, items in HEALTH_COLUMNS:
            if per == owner:
                zeros = memoryview(bytes(items * struct.calcsize(kind))).cast(kind)  # type: ignore[call-overload]
                self.columns[name][slot * items : (slot + 1) * items] = zeros

    def close(self) -> None:
        """Release the mapping; columns handed out become unusable."""
        self.columns.clear()
        for view in reversed(self._views):
            view.release()
        self._views.clear()
        self._mapping.close()


def _extents(endpoints: int, pools: int) -> list[tuple[str, str, int, int]]:
    """Return (name, format, first byte, end byte) of each column."""
    extents = []
    offset = _HEADER_BYTES
    for name, kind, per, items in HEALTH_COLUMNS:
        count = items * {"endpoint": endpoints, "pool": pools, "once": 1}[per]
        stop = offset + count * struct.calcsize(kind)
        extents.append((name, kind, offset, stop))
        offset = -(-stop // _ALIGN) * _ALIGN
    return extents


def _size(endpoints: int, pools: int) -> int:
    return -(-_extents(endpoints, pools)[-1][3] // _ALIGN) * _ALIGN


def _check_header(path: Path, header: bytes, size: int) -> None:
    if len(header) < _HEADER.size or not header.startswith(_MAGIC):
        raise TableError(f"{path}: not a health table")
    _, version, _, _, endpoints, pools, said = _HEADER.unpack(header)
    if version != _VERSION:
        raise TableError(f"{path}: a health table of format {version}; this release reads format {_VERSION}")
    if max(endpoints, pools) > _CAPACITY_MAX or said != size or _size(endpoints, pools) != size:
        raise TableError(f"{path}: the health table is cut short or damaged")
