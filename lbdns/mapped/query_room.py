"""Room for queries that a process has in hand: memory without a name, which the supervisor holds as it holds sockets.

It is allocated when it is made. What is in it stays when the process that wrote it is gone, for the one that goes on.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from typing import Final

from lbdns.mapped.allocation import allocate

BEAT_BYTES: Final = 8  # of a process that waits to have queries


def allocate_query_room(size: int) -> int:
    """Return the descriptor of `size` bytes of zeros; raises OSError where there is no room."""
    handle = os.memfd_create("lbdns queries in hand", os.MFD_CLOEXEC)
    with contextlib.ExitStack() as undo:
        undo.callback(os.close, handle)
        allocate(handle, 0, size)
        undo.pop_all()
    return handle


def map_query_room(handle: int | None, size: int) -> memoryview:
    """Map and return `size` bytes, all pages had; where `handle` is None or has another size, bytes of this process
    alone, zeros: another release made it."""
    flags = mmap.MAP_SHARED | mmap.MAP_POPULATE
    if handle is None or os.fstat(handle).st_size != size:
        return memoryview(mmap.mmap(-1, size, flags=flags | mmap.MAP_ANONYMOUS))
    return memoryview(mmap.mmap(handle, size, flags=flags))
