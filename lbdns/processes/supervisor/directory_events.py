"""What happens in a directory, heard of on the event loop as it happens: inotify(7)."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from typing import Final

from asyncinotify import Inotify, Mask, Watch

_WATCHED: Final = (
    Mask.MODIFY
    | Mask.ATTRIB
    | Mask.CLOSE_WRITE
    | Mask.MOVED_FROM
    | Mask.MOVED_TO
    | Mask.CREATE
    | Mask.DELETE
    | Mask.ONLYDIR
)
_READ_BYTES: Final = 1 << 16


class DirectoryEvents:
    """Sets `happened` whenever a file in a directory comes, goes or changes; made on a running loop, then closed."""

    def __init__(self, directory: Path, happened: asyncio.Event) -> None:
        """Begin to listen; raises OSError where the kernel cannot."""
        self._directory = directory
        self._happened = happened
        self._inotify = Inotify()
        try:
            self._watch = self._begin()
        except OSError:
            self._inotify.close()
            raise
        asyncio.get_running_loop().add_reader(self._inotify.fd, self._read)

    def renew(self) -> None:
        """Follow the directory where another has its name by now; one that is not there is looked for next time."""
        with contextlib.suppress(OSError):
            watch = self._begin()
            if watch is not self._watch:
                before, self._watch = self._watch, watch
                self._happened.set()
                self._inotify.rm_watch(before)  # which the kernel may have ended already

    def close(self) -> None:
        """Hear no more."""
        asyncio.get_running_loop().remove_reader(self._inotify.fd)
        self._inotify.close()

    def _begin(self) -> Watch:
        return self._inotify.add_watch(self._directory, _WATCHED)

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._inotify.fd, _READ_BYTES)  # what it was is seen by a look
        self._happened.set()
