"""What happens in a directory, heard of from the kernel as it happens: inotify(7).

libc is called by ctypes: a library for this looks for news in a thread of its own fifty times a second, which is a
sixth of what an idle server computes.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
from functools import cache
from pathlib import Path
from typing import Final

_IN_MODIFY: Final = 0x2
_IN_ATTRIB: Final = 0x4
_IN_CLOSE_WRITE: Final = 0x8
_IN_MOVED_FROM: Final = 0x40
_IN_MOVED_TO: Final = 0x80
_IN_CREATE: Final = 0x100
_IN_DELETE: Final = 0x200
_IN_ONLYDIR: Final = 0x1000000
_WATCHED: Final = (
    _IN_MODIFY | _IN_ATTRIB | _IN_CLOSE_WRITE | _IN_MOVED_FROM | _IN_MOVED_TO | _IN_CREATE | _IN_DELETE | _IN_ONLYDIR
)
_READ_BYTES: Final = 1 << 16


class DirectoryEvents:
    """Sets `happened` whenever a file in a directory comes, goes or changes; made on a running loop, then closed."""

    def __init__(self, directory: Path, happened: asyncio.Event) -> None:
        """Begin to listen; raises OSError where the kernel cannot."""
        self._directory = os.fsencode(directory)
        self._happened = happened
        self._fd = _checked(_libc().inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        try:
            self._watch = self._begin()
        except OSError:
            os.close(self._fd)
            raise
        asyncio.get_running_loop().add_reader(self._fd, self._read)

    def renew(self) -> None:
        """Follow the directory where another has its name by now; one that is not there is looked for next time."""
        with contextlib.suppress(OSError):
            watch = self._begin()
            if watch != self._watch:
                _libc().inotify_rm_watch(self._fd, self._watch)  # which the kernel may have ended already
                self._watch = watch
                self._happened.set()

    def close(self) -> None:
        """Hear no more."""
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)

    def _begin(self) -> int:
        return _checked(_libc().inotify_add_watch(self._fd, self._directory, _WATCHED))

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._fd, _READ_BYTES)  # what it was is seen by a look
        self._happened.set()


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
