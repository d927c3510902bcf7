"""Which serial of each zone was served last, on disk: so that none goes backwards, whatever becomes of this process.

Lines of JSON, each with a checksum; the last of a zone holds. They are appended before what they tell of is in force,
all those of a publication at once, and the file is written anew where most of it is past. A line that is not whole, at
its end, is one of a publication that never was.
"""

from __future__ import annotations

import json
import logging
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lbdns.base.errors import LbdnsError
from lbdns.base.whole_file import write_whole
from lbdns.transfer.content.zone_difference import ContentSum

ZoneKey = tuple[bytes, tuple[str, ...]]
"""A zone as some views see it: its apex, and the labels of these views ("" for the public one)."""
PAST_BYTES_MIN: Final = 1 << 20
"""Of lines that no longer hold, before the file is written anew."""

log = logging.getLogger("lbdns.transfer")


@dataclass(frozen=True, slots=True)
class ServedSerial:
    """The serial that was served last, and what the content with it came to."""

    serial: int
    sum: ContentSum


class SerialLog:
    """The file; `served`: what it says, by zone."""

    def __init__(self, path: Path) -> None:
        """Read what is there; a file that is damaged says what it says up to there, and is written anew."""
        self.path = path
        self.served: dict[ZoneKey, ServedSerial] = {}
        self._unsaved: dict[ZoneKey, ServedSerial | None] = {}
        self._size = self._live = 0
        self._read()

    def append(self, changed: Mapping[ZoneKey, ServedSerial | None]) -> None:
        """Put what is served, or None for zones that are seen so no longer, on the disk, with what could not be put
        there before; raises LbdnsError."""
        for key, one in changed.items():
            if one is None:
                self.served.pop(key, None)
            else:
                self.served[key] = one
        self._unsaved |= changed
        if not self._unsaved:
            return
        if self._size > PAST_BYTES_MIN and self._size > 4 * self._live:
            self._write_anew()
            return
        data = b"".join(_line(key, one) for key, one in self._unsaved.items())
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with open(self.path, "ab", opener=_private) as out:
                if out.tell() != self._size:
                    out.truncate(self._size)  # what a full disk left of a line
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
        except OSError as error:
            raise LbdnsError(f"{self.path}: the serials of zones cannot be kept: {error.strerror}") from error
        self._size += len(data)
        self._unsaved = {}

    def _read(self) -> None:
        try:
            lines = self.path.read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return
        except OSError as error:
            log.error("%s: cannot be read, so serials of zones may go backwards: %s", self.path, error.strerror)
            return
        for number, line in enumerate(lines, 1):
            document = _document(line)
            if document is None:
                if number < len(lines):
                    log.error("%s:%d: damaged; what follows is not read", self.path, number)
                self._write_anew()
                return
            key = bytes.fromhex(document["apex"]), tuple(document["views"])
            if document["serial"] is None:
                self.served.pop(key, None)
            else:
                total = ContentSum(int(document["digest"], 16), document["octets"])
                self.served[key] = ServedSerial(document["serial"], total)
            self._size += len(line)
        self._live = sum(len(_line(key, one)) for key, one in self.served.items())

    def _write_anew(self) -> None:
        text = b"".join(_line(key, one) for key, one in self.served.items())
        write_whole(self.path, text.decode(), "the serials of zones", is_lasting=True)
        self._size = self._live = len(text)
        self._unsaved = {}


def _line(key: ZoneKey, one: ServedSerial | None) -> bytes:
    document: dict[str, Any] = {"apex": key[0].hex(), "views": list(key[1]), "serial": None}
    if one is not None:
        document |= {"serial": one.serial, "digest": f"{one.sum.digest:x}", "octets": one.sum.octets}
    text = json.dumps(document, ensure_ascii=False).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _document(line: bytes) -> dict[str, Any] | None:
    """Return what a line says, None where it is not whole."""
    check, _, text = line.rstrip(b"\n").partition(b" ")
    if not line.endswith(b"\n") or check != b"%08x" % zlib.crc32(text):
        return None
    document: dict[str, Any] = json.loads(text)
    return document


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
