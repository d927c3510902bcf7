"""Room for tapped messages (tap_ring.py), had before any is written: a hole in a full file system kills its writer."""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
from pathlib import Path
from typing import Final

from lbdns.mapped.allocation import allocate
from lbdns.mapped.tap_words import TAP_HEAD_BYTES, TAP_HEAD_MAGIC, TAP_HEAD_SIZE, TAP_MAGIC

RING_BYTES: Final = 4 << 20
_HEAD = struct.Struct("=QQ")  # TAP_HEAD_MAGIC and TAP_HEAD_SIZE


def allocate_tap(path: Path, ring_bytes: int = RING_BYTES) -> None:
    """Allocate a thread's file; one of this layout that is there stays as it is: it may be written to.

    Raises OSError where there is no room.
    """
    with contextlib.suppress(FileNotFoundError, ValueError):
        open_tap(path).release()
        return
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        allocate(handle, 0, TAP_HEAD_BYTES + ring_bytes)
        os.pwrite(handle, _HEAD.pack(TAP_MAGIC, ring_bytes), 0)
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)


def open_tap(path: Path) -> memoryview:
    """Map a thread's file, for its writer or its reader, who write to it both; raises OSError, or ValueError where it
    is none of this layout."""
    handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        size = os.fstat(handle).st_size
        room = memoryview(mmap.mmap(handle, size))
    finally:
        os.close(handle)
    words = room.cast("Q") if size > TAP_HEAD_BYTES and size % 8 == 0 else ()
    if not words or words[TAP_HEAD_MAGIC] != TAP_MAGIC or TAP_HEAD_BYTES + words[TAP_HEAD_SIZE] != size:
        raise ValueError(f"{path}: no tapped messages of this release")
    return room
