"""MMDB files, record by record: the reader, what it raises, how a file is refused. Light to import: no numpy."""

from __future__ import annotations

import struct
from pathlib import Path

import maxminddb
import maxminddb.reader

from lbdns.base.errors import LbdnsError

DECODE_ERRORS = (
    maxminddb.InvalidDatabaseError,
    ValueError,
    TypeError,
    LookupError,
    RecursionError,
    OverflowError,
    struct.error,
)
"""What maxminddb raises on a record that cannot be decoded, or on an address that the file has no tree for."""


def refusal(path: Path, reason: str) -> LbdnsError:
    """Return the error that refuses a geolocation database."""
    return LbdnsError(f"{path}: geolocation database: {reason}")


def open_reader(path: Path, *, in_memory: bool = False) -> maxminddb.reader.Reader:
    """Open a file for look-ups of single records; raise LbdnsError with the file's name and what is wrong.

    With in_memory the file is read whole; else it is mapped, and must not be written over in place meanwhile.
    The reader is maxminddb's in Python: the one in C, on some damaged files, ends the process.
    """
    try:
        return maxminddb.reader.Reader(str(path), maxminddb.MODE_MEMORY if in_memory else maxminddb.MODE_MMAP)
    except OSError as error:
        raise refusal(path, f"cannot be read: {error.strerror or error}") from error
    except DECODE_ERRORS as error:
        raise refusal(path, "cut short, damaged, or no MMDB file") from error
