"""What each vantage point sees of each endpoint, for people: a file beside the health table, where there are several.

The monitor worker makes it anew when its vantage points or the health table change, and is its only writer. An
endpoint has one number for each vantage point, in the order of the names in the file's head; a number is written in one
piece, so that a reader has all of it or the one before:

    rtt in us (32 bits) | response code (16) | reason (8) | state (8)         0: no result yet
"""

from __future__ import annotations

import json
import mmap
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from lbdns.base.errors import LbdnsError
from lbdns.mapped.allocation import allocate

FILE: Final = "vantages.bin"
_MAGIC: Final = b"LBDNSVAN"
_HEADER: Final = struct.Struct("<8sIIQ")  # magic, first byte of the numbers, endpoints, layout id of the health table
_ALIGN: Final = 64
_NUMBER_BYTES: Final = 8
RTT_MAX_US: Final = 0xFFFFFFFF


class VantageView(NamedTuple):
    """What one vantage point sees of one endpoint: a state of health.verdict, and the result that says why."""

    state: int
    reason: int
    code: int
    rtt_us: int


class VantageRows:
    """The mapped file; `names` are the vantage points in their order."""

    def __init__(self, path: Path, mapping: mmap.mmap) -> None:
        """Wrap a mapping whose head has been checked; use `create` or `attach`."""
        self.path = path
        self._mapping = mapping
        _, start, self._endpoint_capacity, self.layout_id = _HEADER.unpack_from(mapping, 0)
        self.names: tuple[str, ...] = tuple(json.loads(mapping[_HEADER.size : start].rstrip(b"\0")))
        self._whole = memoryview(mapping)
        self._part = self._whole[start:]
        self._numbers: memoryview[Any] = self._part.cast("Q")

    @classmethod
    def create(cls, path: Path, names: Sequence[str], endpoint_capacity: int, layout_id: int) -> VantageRows:
        """Make a file in which nobody has seen anything, replacing whatever is there, and map it; raises LbdnsError."""
        told = json.dumps(list(names)).encode()
        start = -(-(_HEADER.size + len(told)) // _ALIGN) * _ALIGN
        size = start + endpoint_capacity * len(names) * _NUMBER_BYTES
        head = _HEADER.pack(_MAGIC, start, endpoint_capacity, layout_id) + told
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            handle = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                allocate(handle, 0, size)  # on a full file system this fails here, and not at a first write
                os.pwrite(handle, head, 0)
                mapping = mmap.mmap(handle, size)
            finally:
                os.close(handle)
            fresh.replace(path)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise LbdnsError(f"{path}: cannot be made: {error.strerror}") from error
        return cls(path, mapping)

    @classmethod
    def attach(cls, path: Path, layout_id: int) -> VantageRows | None:
        """Map the file of a health table's layout to read it; None where there is none, or another table's."""
        try:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            size = os.fstat(handle).st_size
            head = os.pread(handle, _HEADER.size, 0)
            if len(head) < _HEADER.size or not head.startswith(_MAGIC) or _HEADER.unpack(head)[3] != layout_id:
                return None
            return cls(path, mmap.mmap(handle, size, access=mmap.ACCESS_READ))
        finally:
            os.close(handle)

    def view(self, slot: int, name: str) -> VantageView | None:
        """Return what a vantage point sees of the endpoint in a slot; None where it has no result."""
        number = self._numbers[self._place(slot, name)] if name in self.names and slot < self._endpoint_capacity else 0
        if not number:
            return None
        return VantageView(number & 0xFF, number >> 8 & 0xFF, number >> 16 & 0xFFFF, number >> 32)

    def write(self, slot: int, name: str, view: VantageView | None) -> None:
        """Write what a vantage point sees; None: nothing, any more."""
        number = 0
        if view is not None:
            rtt_us = min(view.rtt_us, RTT_MAX_US)
            number = view.state | view.reason << 8 | view.code << 16 | rtt_us << 32
        self._numbers[self._place(slot, name)] = number

    def clear(self, slot: int) -> None:
        """Take it that nobody has seen anything of the endpoint in a slot."""
        for name in self.names:
            self.write(slot, name, None)

    def close(self) -> None:
        """Release the mapping."""
        for view in (self._numbers, self._part, self._whole):
            view.release()
        self._mapping.close()

    def _place(self, slot: int, name: str) -> int:
        return slot * len(self.names) + self.names.index(name)
