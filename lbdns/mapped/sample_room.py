"""Room for samples (sample_ring.py), had before any is written: a hole in a full file system kills its writer."""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
from pathlib import Path
from typing import Final

from lbdns.mapped.allocation import allocate
from lbdns.mapped.sample_words import HEAD_CAPACITY, HEAD_MAGIC, SAMPLE_BYTES, SAMPLE_MAGIC

RESPONDER_BYTES: Final = 2 << 20  # for all threads of one responder
CAPACITY_MAX: Final = 1024  # records of a thread
CAPACITY_MIN: Final = 16
_HEAD = struct.Struct("=QQ")  # HEAD_MAGIC and HEAD_CAPACITY


def capacity_for(threads: int) -> int:
    """Return how many records each of a responder's threads has room for."""
    return max(CAPACITY_MIN, min(CAPACITY_MAX, RESPONDER_BYTES // SAMPLE_BYTES // threads - 1))


def allocate_samples(path: Path, capacity: int) -> None:
    """Allocate a file for so many records; one of this layout that is there stays as it is: it may be written to.

    Raises OSError where there is no room.
    """
    with contextlib.suppress(FileNotFoundError, ValueError):
        open_samples(path).release()
        return
    size = (1 + capacity) * SAMPLE_BYTES
    # Whoever has the other one mapped goes on with that.
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        allocate(handle, 0, size)
        os.pwrite(handle, _HEAD.pack(SAMPLE_MAGIC, capacity), 0)
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)


def open_samples(path: Path, writable: bool = False) -> memoryview:
    """Map a file of samples; raises OSError, or ValueError where it is none of this layout."""
    handle = os.open(path, (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC)
    try:
        size = os.fstat(handle).st_size
        access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
        room = memoryview(mmap.mmap(handle, size, access=access))
    finally:
        os.close(handle)
    words = room.cast("Q") if size >= SAMPLE_BYTES and size % SAMPLE_BYTES == 0 else ()
    if not words or words[HEAD_MAGIC] != SAMPLE_MAGIC or (1 + words[HEAD_CAPACITY]) * SAMPLE_BYTES != size:
        raise ValueError(f"{path}: no samples of this release")
    return room
