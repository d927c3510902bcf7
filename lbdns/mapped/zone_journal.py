"""The journal of a zone: what changed in it from serial to serial, so that others need not take all of it (RFC 1995).

    magic 8 bytes | step | step ...
    step: length u32 | CRC-32 u32 | from serial u32 | to serial u32 | number of deleted records u32 | record ...
    records: the SOA before, the SOA after, those deleted, those added
    record: length u32 | the record in wire form, uncompressed, its owner in lower case

One writer, who appends a step before what it leads to is in force; readers take the file as it is and leave the end
alone where it is not whole. It never leaves the machine.
"""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

STEPS_MAX: Final = 1000
"""Steps that are kept: one for whoever lags further behind is the whole zone."""
BYTES_MIN: Final = 1 << 16
"""Bytes that are kept of the journal of any zone, however small that is."""
_MAGIC: Final = b"lbdnsj1\n"
_FRAME: Final = struct.Struct("<II")
_STEP: Final = struct.Struct("<III")
_LENGTH: Final = struct.Struct("<I")
_NAME_BYTES: Final = 16
_SOAS: Final = 2


@dataclass(frozen=True, slots=True)
class Differences:
    """What leads from one serial of a zone to another: records in wire form, uncompressed, SOA records among neither of
    `deleted` and `added`; each record is at most in one of these."""

    old_soa: bytes
    new_soa: bytes
    deleted: tuple[bytes, ...]
    added: tuple[bytes, ...]

    @property
    def octets(self) -> int:
        """How many octets its records take, each SOA twice (RFC 1995 section 4)."""
        return 2 * (len(self.old_soa) + len(self.new_soa)) + sum(map(len, self.deleted)) + sum(map(len, self.added))


class _Step(NamedTuple):
    """A step as it stands in the file, and where it ends there."""

    from_serial: int
    to_serial: int
    body: bytes
    end: int


def journal_directory(state_dir: Path) -> Path:
    """Return where the journals of all zones are."""
    return state_dir / "transfers" / "journals"


def journal_path(state_dir: Path, apex: bytes, view: str) -> Path:
    """Return where the journal of a zone (wire name, lower case) is, as a view sees it."""
    name = blake2b(apex + view.encode(), digest_size=_NAME_BYTES).hexdigest()
    return journal_directory(state_dir) / f"{name}.journal"


def read_differences(state_dir: Path, apex: bytes, view: str, from_serial: int, to_serial: int) -> Differences | None:
    """Return what leads from one serial to another, condensed: what came and went in between is not told. None where
    the journal does not say."""
    try:
        with journal_path(state_dir, apex, view).open("rb") as file:
            steps = _wanted(file, from_serial, to_serial)
    except OSError:
        return None
    return condensed(steps) if steps else None


def _wanted(file: BinaryIO, from_serial: int, to_serial: int) -> list[Differences]:
    """Return the steps of a journal that lead from one serial to another, none where it does not say; those before are
    passed by, as a journal may be as long as its zone."""
    found: list[Differences] = []
    at_serial = from_serial
    if file.read(len(_MAGIC)) != _MAGIC:
        return []
    while len(head := file.read(_FRAME.size + _STEP.size)) == _FRAME.size + _STEP.size:
        length, check = _FRAME.unpack_from(head)
        before, after, _ = _STEP.unpack_from(head, _FRAME.size)
        rest = length - _STEP.size
        if rest < 0:
            break
        if before != at_serial:
            if found:
                break
            file.seek(rest, os.SEEK_CUR)
            continue
        body = head[_FRAME.size :] + file.read(rest)
        if len(body) != length or zlib.crc32(body) != check:
            break
        found.append(_decode(body))
        if after == to_serial:
            return found
        at_serial = after
    return []


def condensed(steps: Sequence[Differences]) -> Differences:
    """Return what several differences come to, one after the other."""
    deleted: dict[bytes, None] = {}
    added: dict[bytes, None] = {}
    for step in steps:
        for record in step.deleted:
            if record in added:
                del added[record]
            else:
                deleted[record] = None
        for record in step.added:
            if record in deleted:
                del deleted[record]
            else:
                added[record] = None
    return Differences(steps[0].old_soa, steps[-1].new_soa, tuple(deleted), tuple(added))


class ZoneJournal:
    """The writer of one journal."""

    def __init__(self, path: Path) -> None:
        """Take up what is there; nothing is written yet. An end that is not whole is cut off with the next step."""
        self.path = path
        self._steps: list[tuple[int, int]] = []  # the end of each, and the serial that it leads to
        self._size = 0
        with contextlib.suppress(OSError):
            self._take(path.read_bytes())

    @property
    def serial(self) -> int | None:
        """The serial that its last step leads to, None where it has none."""
        return self._steps[-1][1] if self._steps else None

    def append(self, from_serial: int, to_serial: int, differences: Differences, bytes_max: int) -> None:
        """Append a step; the oldest go where there are more than STEPS_MAX of them, or they take more than `bytes_max`
        or BYTES_MIN bytes. Raises OSError."""
        frame = _encode(from_serial, to_serial, differences)
        room = max(bytes_max, BYTES_MIN)
        if self.serial != from_serial:
            self._rewrite(_MAGIC + frame)
        elif len(self._steps) == STEPS_MAX or self._steps[-1][0] + len(frame) > room:
            self._rewrite(_MAGIC + self._rest(room // 2 - len(frame)) + frame)
        else:
            end = self._steps[-1][0]
            if self._size != end:
                os.truncate(self.path, end)
            with self.path.open("ab") as out:
                out.write(frame)
            self._size = end + len(frame)
            self._steps.append((self._size, to_serial))

    def forget_last(self) -> None:
        """Take the last step back: it was never in force. Raises OSError."""
        self._steps.pop()
        end = self._steps[-1][0] if self._steps else len(_MAGIC)
        os.truncate(self.path, end)
        self._size = end

    def remove(self) -> None:
        """Remove it: what it says of what was is not known to hold. Raises OSError."""
        self._steps, self._size = [], 0
        self.path.unlink(missing_ok=True)

    def _rest(self, room: int) -> bytes:
        """Return the newest steps that take no more than `room`, and at most half as many as there may be, so that not
        every step moves them."""
        data = self.path.read_bytes()[: self._steps[-1][0]]
        starts = [len(_MAGIC), *(end for end, _ in self._steps[:-1])]
        fitting = (start for start in starts[-(STEPS_MAX // 2) :] if len(data) - start <= room)
        return data[next(fitting, len(data)) :]

    def _rewrite(self, data: bytes) -> None:
        fresh = self.path.with_name(f".{self.path.name}")
        with open(fresh, "wb", opener=_private) as out:
            out.write(data)
        fresh.replace(self.path)
        self._take(data)

    def _take(self, data: bytes) -> None:
        self._steps = [(step.end, step.to_serial) for step in _steps(data)]
        self._size = len(data)


def _encode(from_serial: int, to_serial: int, differences: Differences) -> bytes:
    parts = [_STEP.pack(from_serial, to_serial, len(differences.deleted))]
    for record in (differences.old_soa, differences.new_soa, *differences.deleted, *differences.added):
        parts += (_LENGTH.pack(len(record)), record)
    body = b"".join(parts)
    return _FRAME.pack(len(body), zlib.crc32(body)) + body


def _steps(data: bytes) -> Iterator[_Step]:
    """Yield each step that is whole."""
    at = len(_MAGIC)
    while data.startswith(_MAGIC) and at + _FRAME.size <= len(data):
        length, check = _FRAME.unpack_from(data, at)
        at += _FRAME.size
        body = data[at : at + length]
        if len(body) != length or zlib.crc32(body) != check:
            return
        at += length
        from_serial, to_serial, _ = _STEP.unpack_from(body)
        yield _Step(from_serial, to_serial, body, at)


def _decode(body: bytes) -> Differences:
    _, _, deleted = _STEP.unpack_from(body)
    records = []
    at = _STEP.size
    while at < len(body):
        (length,) = _LENGTH.unpack_from(body, at)
        at += _LENGTH.size + length
        records.append(body[at - length : at])
    changed = records[_SOAS:]
    return Differences(records[0], records[1], tuple(changed[:deleted]), tuple(changed[deleted:]))


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
