"""Room for what is counted of networks of clients (answer/rate_table.py), shared by all processes of a server."""

from __future__ import annotations

import contextlib
import mmap
import os
import secrets
from pathlib import Path
from typing import Final

from lbdns.mapped.allocation import allocate
from lbdns.mapped.rate_words import RATE_HEAD_MAGIC, RATE_HEAD_SEED, RATE_MAGIC, RATE_WORDS

_BYTES: Final = RATE_WORDS * 8
_SEED_BITS: Final = 64


def fresh_rates() -> memoryview:
    """Return a table in this process's memory, in which nobody owes anything."""
    words = memoryview(bytearray(_BYTES)).cast("Q")
    _begin(words)
    return words


def allocate_rates(path: Path) -> None:
    """Allocate the file; one of this layout that is there stays as it is: it is counted in.

    Raises OSError where there is no room.
    """
    with contextlib.suppress(FileNotFoundError, ValueError):
        open_rates(path).release()
        return
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        allocate(handle, 0, _BYTES)
        _begin(_map(handle))
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)


def open_rates(path: Path) -> memoryview:
    """Map the file; raises OSError, or ValueError where it is none of this layout."""
    handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        if os.fstat(handle).st_size != _BYTES:
            raise ValueError(f"{path}: no rates of this release")
        words = _map(handle)
    finally:
        os.close(handle)
    if words[RATE_HEAD_MAGIC] != RATE_MAGIC:
        raise ValueError(f"{path}: no rates of this release")
    return words


def _map(handle: int) -> memoryview:
    return memoryview(mmap.mmap(handle, _BYTES)).cast("Q")


def _begin(words: memoryview) -> None:
    """Fill the head: the seed keeps clients from choosing whose place they take."""
    words[RATE_HEAD_MAGIC], words[RATE_HEAD_SEED] = RATE_MAGIC, secrets.randbits(_SEED_BITS)
