"""The signature table: one file in shared memory, mapped by one writer (the signer) and readers without locks.

    head 64 bytes | secret | rows: key, state, signature | when it ends | ... | padding to a page | signed_used

Each key (signature_lookup.py) has its place in one window of SIGNATURE_WINDOW slots. A full window gives up what has
expired, then what was sent longest ago of the names that clients choose below wildcards: who asks for names at random
drives out other such names, never what load balancers answer to their own, unless nobody asked for that for
IDLE_SHARES.

A slot's version is odd while it is written. A writer that is killed then leaves it so: readers pass it by, and whoever
opens the table for writing next empties it. Readers write one column alone, when a signature was sent last.
"""

from __future__ import annotations

import mmap
import os
import secrets
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from lbdns.base.errors import LbdnsError
from lbdns.mapped.allocation import allocate
from lbdns.mapped.columns import SIGNATURE_COLUMNS, SIGNATURE_HEAD_BYTES, SIGNATURE_WINDOW
from lbdns.mapped.fence import write_fence
from lbdns.mapped.run_directory import RunDirectory
from lbdns.mapped.signature_words import (
    LENGTH_SHIFT,
    ROW_OCTETS,
    ROW_STATE,
    USED_SHIFT,
    VERSION_MASK,
    WORD_BYTES,
)
from lbdns.mapped.snapshot_file import SIGNATURES, Snapshot

SLOTS_MIN: Final = 16_384
SLOTS_MAX: Final = 1 << 21
SLOTS_PER_BALANCER: Final = 16
"""Two families, now and with each of some endpoints the other way round."""
IDLE_SHARES: Final = 3600 >> USED_SHIFT
"""What was not sent for so long gives way to names that clients choose."""

SECRET_BYTES: Final = 16
COPY_SLOTS: Final = 64

_MAGIC = b"LBDNSSIG"
_VERSION = 2
_HEADER = struct.Struct("<8sIIIIQ")  # magic, version, header bytes, slots, width, file bytes
_HEADER_BYTES = 64
_ALIGN = 64
_WIDTH_ALIGN = 8
_WIDTH_MAX = SIGNATURE_HEAD_BYTES + 518  # RSA with 4096 bits, up to the next multiple of _WIDTH_ALIGN
_SHAPES = {one.name: one.shape for one in SIGNATURE_COLUMNS}


def slots_for(balancers: int) -> int:
    """Return how many slots a table for so many load balancers has: a power of two."""
    wanted = min(max(SLOTS_MIN, balancers * SLOTS_PER_BALANCER), SLOTS_MAX)
    return int(1 << (wanted - 1).bit_length())


class Signed(NamedTuple):
    """A signature and its key (signature_lookup.py). `rdata`: the RRSIG's without the signer's name; `expiry_s`: when
    it ends, unix s; `is_passing`: of a name that a client chose, below a wildcard."""

    high: int
    low: int
    rdata: bytes
    expiry_s: int
    is_passing: bool = False


NOTHING: Final = Signed(0, 0, b"", 0)


class SignatureTable:
    """A mapped signature table; `columns` are flat memoryviews by name, read-only but for what readers mark.

    `width`: the longest signature with its head that it has room for, in bytes; `row_words`: of a slot's row.
    """

    def __init__(self, path: Path, writable: bool = False) -> None:
        """Map the table at `path`; raises LbdnsError saying what is wrong with it."""
        try:
            handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise LbdnsError(f"{path}: cannot open the signature table: {error.strerror}") from error
        try:
            self._map(path, handle, writable)
        finally:
            os.close(handle)

    def _map(self, path: Path, handle: int, writable: bool) -> None:
        slots, width, size = _read_header(path, os.pread(handle, _HEADER.size, 0), os.fstat(handle).st_size)
        self.path = path
        self.slots = slots
        self.width = width
        self.row_words = _row_bytes(width) // WORD_BYTES
        self.inode = os.fstat(handle).st_ino
        extents = _extents(slots, width)
        marked_from = min(start for name, _, start, _ in extents if _SHAPES[name].is_marked)
        self._mappings = [mmap.mmap(handle, size, access=mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ)]
        whole = marked = memoryview(self._mappings[0])
        self._views = [whole]
        if not writable:
            # A stray write of a reader meets a page that is read-only, but for the marks.
            self._mappings.append(mmap.mmap(handle, size - marked_from, access=mmap.ACCESS_WRITE, offset=marked_from))
            marked = memoryview(self._mappings[1])
            self._views.append(marked)
        self.columns: dict[str, memoryview[Any]] = {}
        for name, code, start, stop in extents:
            is_own = _SHAPES[name].is_marked and not writable
            view = marked[start - marked_from : stop - marked_from] if is_own else whole[start:stop]
            column = view.cast(code)  # type: ignore[call-overload]
            self._views += [view, column]
            self.columns[name] = column

    def lengths(self) -> list[int]:
        """Return the length of what each slot holds, 0 for nothing."""
        return [state >> LENGTH_SHIFT for state in self._states()]

    def _states(self) -> list[int]:
        states: list[int] = self.columns["signed_word"][ROW_STATE :: self.row_words].tolist()
        return states

    def _length(self, slot: int) -> int:
        return self._state(slot) >> LENGTH_SHIFT

    def _state(self, slot: int) -> int:
        state: int = self.columns["signed_word"][slot * self.row_words + ROW_STATE]
        return state

    @property
    def secret(self) -> tuple[int, int]:
        """What keys of this table are hashed with."""
        return self.columns["signed_secret"][0], self.columns["signed_secret"][1]

    @property
    def secret_bytes(self) -> bytes:
        """The same, as `create_signatures` takes it."""
        return bytes(self.columns["signed_secret"].cast("B"))

    def close(self) -> None:
        """Release the mappings; columns handed out become unusable."""
        self.columns.clear()
        for view in reversed(self._views):
            view.release()
        self._views.clear()
        for mapping in self._mappings:
            mapping.close()


class SignatureWriter(SignatureTable):
    """The one writer of a table. `used`: slots that hold something; `evicted`, `refused`: how many gave way, and found
    no place, since it was opened."""

    def __init__(self, path: Path) -> None:
        """Map the table at `path`, and empty what a writer left that was killed; raises LbdnsError."""
        super().__init__(path, writable=True)
        self.used = self.slots - self.lengths().count(0)
        self.evicted = 0
        self.refused = 0
        for slot, state in enumerate(self._states()):
            if state & 1:
                self.drop(slot)

    def find(self, high: int, low: int) -> int | None:
        """Return the slot of a key, None where it has none."""
        words = self.columns["signed_word"]
        for slot in self._window(low):
            at = slot * self.row_words
            if words[at] == high and words[at + 1] == low and words[at + ROW_STATE] >> LENGTH_SHIFT:
                return slot
        return None

    def _window(self, low: int) -> range:
        first = low & (self.slots - SIGNATURE_WINDOW)
        return range(first, first + SIGNATURE_WINDOW)

    def read(self, slot: int) -> Signed | None:
        """Return what a slot holds, None where that is nothing."""
        columns, at = self.columns, slot * self.row_words
        size = self._length(slot)
        if not size:
            return None
        high, low = columns["signed_word"][at], columns["signed_word"][at + 1]
        octets = at * WORD_BYTES + ROW_OCTETS
        rdata = bytes(columns["signed_octet"][octets : octets + size])
        return Signed(high, low, rdata, columns["signed_expiry"][slot], bool(columns["signed_passing"][slot]))

    def copying_from(self, other: SignatureWriter, now_s: int, unix_s: int) -> Iterator[bool]:
        """Take over what another table holds, one made with the same secret, a piece each step. Clocks: as in `put`."""
        for slot in range(other.slots):
            found = other.read(slot)
            if found is not None and self.find(found.high, found.low) is None:
                self.put(found, now_s, unix_s)
            if slot % COPY_SLOTS == 0:
                yield True

    def put(self, signed: Signed, now_s: int, unix_s: int) -> bool:
        """Keep a signature, in place of one that is there under its key; return False where its window has no room.

        `now_s`: of CLOCK_MONOTONIC; `unix_s`: the time of day.
        """
        share = now_s >> USED_SHIFT
        slot = self.find(signed.high, signed.low)
        if slot is None:
            slot = self._free(signed.low, share, unix_s, signed.is_passing)
            if slot is None:
                self.refused += 1
                return False
            is_taken = self._length(slot) != 0
            self.evicted += is_taken
            self.used += not is_taken
        self.columns["signed_used"][slot] = share
        self._write(slot, signed)
        return True

    def _free(self, low: int, share: int, unix_s: int, is_passing: bool) -> int | None:
        """Return the slot of a window that what is new may have.

        | in order | of those, the one |
        |---|---|
        | empty, or expired | any |
        | passing | sent longest ago |
        | lasting, where what is new is lasting, or it was not sent for IDLE_SHARES | sent longest ago |
        """
        columns = self.columns
        found: tuple[bool, int, int] | None = None  # lasting, sent, slot: the least gives way
        for slot in self._window(low):
            if not self._length(slot) or columns["signed_expiry"][slot] <= unix_s:
                return slot
            is_lasting = not columns["signed_passing"][slot]
            sent = columns["signed_used"][slot]
            if is_lasting and is_passing and share - sent < IDLE_SHARES:
                continue
            if found is None or (is_lasting, sent, slot) < found:
                found = (is_lasting, sent, slot)
        return None if found is None else found[2]

    def drop(self, slot: int) -> None:
        """Empty a slot."""
        self.used -= self._length(slot) != 0
        self._write(slot, NOTHING)

    def _write(self, slot: int, signed: Signed) -> None:
        columns, at = self.columns, slot * self.row_words
        words, octets = columns["signed_word"], at * WORD_BYTES + ROW_OCTETS
        version = self._state(slot) & VERSION_MASK | 1
        words[at + ROW_STATE] = version
        write_fence()
        words[at] = signed.high
        words[at + 1] = signed.low
        columns["signed_expiry"][slot] = signed.expiry_s
        columns["signed_passing"][slot] = signed.is_passing
        columns["signed_octet"][octets : octets + len(signed.rdata)] = signed.rdata
        write_fence()
        words[at + ROW_STATE] = (version + 1) & VERSION_MASK | len(signed.rdata) << LENGTH_SHIFT


def create_signatures(path: Path, slots: int, width: int, secret: bytes | None = None) -> None:
    """Make an empty table at `path`, whole or not at all; raises LbdnsError.

    `slots`: a power of two; `width`: of the longest signature with its head, in bytes; `secret`: SECRET_BYTES, those of
    a table whose signatures it will take over, else new ones.
    """
    width = -(-width // _WIDTH_ALIGN) * _WIDTH_ALIGN
    _check_shape(path, slots, width)
    size = _size(slots, width)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        handle = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            allocate(handle, 0, size)
            os.pwrite(handle, _HEADER.pack(_MAGIC, _VERSION, _HEADER_BYTES, slots, width, size), 0)
            starts = {name: start for name, _, start, _ in _extents(slots, width)}
            os.pwrite(handle, secret or secrets.token_bytes(SECRET_BYTES), starts["signed_secret"])
            os.pwrite(
                handle, (_row_bytes(width) // WORD_BYTES).to_bytes(WORD_BYTES, sys.byteorder), starts["signed_row"]
            )
        finally:
            os.close(handle)
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise LbdnsError(f"{path}: cannot make the signature table: {error.strerror}") from error


def open_signatures(
    snapshot: Snapshot, run: RunDirectory, before: SignatureTable | None = None
) -> SignatureTable | None:
    """Return the signatures for what a snapshot steers, None where it has no signed zone; raises LbdnsError, and
    FileNotFoundError. `before`: a mapped table, which is used where it is of the same file."""
    number = snapshot.meta.get(SIGNATURES, 0)
    if not number:
        return None
    path = run.signatures(number)
    return before if before and before.inode == path.stat().st_ino else SignatureTable(path)


def _extents(slots: int, width: int) -> list[tuple[str, str, int, int]]:
    """Return (name, type code, first byte, end byte) of each column; what readers write begins a page."""
    extents: list[tuple[str, str, int, int]] = []
    offset = _HEADER_BYTES
    for name, code, shape in SIGNATURE_COLUMNS:
        if shape.is_same:
            extents.append((name, code, *extents[-1][2:]))
            continue
        if shape.is_marked:
            offset = _aligned(offset, mmap.ALLOCATIONGRANULARITY)
        items = shape.items * struct.calcsize(code)
        size = _row_bytes(width) if shape.is_wide else items
        extents.append((name, code, offset, offset + size * (1 if shape.is_once else slots)))
        offset = _aligned(extents[-1][3], _ALIGN)
    return extents


def _row_bytes(width: int) -> int:
    """Return the length of a slot's row: whole cache lines."""
    return _aligned(ROW_OCTETS + width, _ALIGN)


def _aligned(offset: int, to: int) -> int:
    return -(-offset // to) * to


def _size(slots: int, width: int) -> int:
    return _aligned(_extents(slots, width)[-1][3], _ALIGN)


def _check_shape(path: Path, slots: int, width: int) -> None:
    is_power = slots & (slots - 1) == 0
    if not (is_power and SIGNATURE_WINDOW <= slots <= SLOTS_MAX and SIGNATURE_HEAD_BYTES < width <= _WIDTH_MAX):
        raise LbdnsError(f"{path}: no signature table has {slots} slots of {width} bytes")


def _read_header(path: Path, header: bytes, size: int) -> tuple[int, int, int]:
    """Return slots, width and size of the file; raises LbdnsError."""
    if len(header) < _HEADER.size or not header.startswith(_MAGIC):
        raise LbdnsError(f"{path}: not a signature table")
    _, version, _, slots, width, said = _HEADER.unpack(header)
    if version != _VERSION:
        raise LbdnsError(f"{path}: a signature table of format {version}; this release reads format {_VERSION}")
    _check_shape(path, slots, width)
    if said != size or _size(slots, width) != size:
        raise LbdnsError(f"{path}: the signature table is cut short or damaged")
    return slots, width, size
