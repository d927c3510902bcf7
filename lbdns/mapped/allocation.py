"""Room in a file that is to be mapped, had when the file is made: a hole in a full file system kills its writer."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from typing import Final

_BLOCK_BYTES: Final = 512  # of st_blocks, whatever the file system's are
_PARTS_MAX: Final = 512
"""Parts that are written at once; the system takes 1,024 (IOV_MAX)."""


def allocate(handle: int, offset: int, size: int) -> None:
    """Allocate `size` bytes of an open file; raises OSError, which says how much there is where that is too little."""
    try:
        os.posix_fallocate(handle, offset, size)
    except OSError as error:
        raise _told(error, handle, size) from error


def write_parts(handle: int, parts: Sequence[bytes | memoryview]) -> None:
    """Write parts one behind the other into an open file, which then has no hole; raises as `allocate` does."""
    left = [memoryview(part).cast("B") for part in parts if memoryview(part).nbytes]
    size = sum(map(len, left))
    while left:
        try:
            written = os.writev(handle, left[:_PARTS_MAX])
        except OSError as error:
            raise _told(error, handle, size) from error
        while left and written >= len(left[0]):
            written -= len(left.pop(0))
        if written:
            left[0] = left[0][written:]


def _told(error: OSError, handle: int, size: int) -> OSError:
    """Return an error that says how much room there is where that is too little; what the file has already counts."""
    if error.errno != errno.ENOSPC:
        return error
    free = os.fstatvfs(handle)
    room = free.f_bavail * free.f_frsize + os.fstat(handle).st_blocks * _BLOCK_BYTES
    told = f"{os.strerror(errno.ENOSPC)} ({size:,} bytes are needed at once, {room:,} free)"
    return OSError(errno.ENOSPC, told)
