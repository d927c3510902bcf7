"""Room in a file that is to be mapped, had when the file is made: a hole in a full file system kills its writer."""

from __future__ import annotations

import errno
import os


def allocate(handle: int, offset: int, size: int) -> None:
    """Allocate `size` bytes of an open file; raises OSError, which says how much there is where that is too little."""
    try:
        os.posix_fallocate(handle, offset, size)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        free = os.fstatvfs(handle)
        told = (
            f"{os.strerror(errno.ENOSPC)} ({size:,} bytes are needed at once, {free.f_bavail * free.f_frsize:,} free)"
        )
        raise OSError(errno.ENOSPC, told) from error
