"""Whether files that processes have mapped are still where others find them.

A mapping outlives its file: who has it sees nothing when the file is removed or another is put in its place, but who
begins later finds none, or the other one.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path


class HeldFiles:
    """The files of a process that are to stay as they are."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[int, ...]] = {}

    def lost(self, paths: Iterable[Path]) -> list[Path]:
        """Return those that are not there, or not as they were when they were first asked for; links are none of ours.

        What is asked for no more is forgotten. A look costs a microsecond a file.
        """
        known, self._known, lost = self._known, {}, []
        for path in paths:
            found = _identity(path)
            held = known.get(path, found)
            if found is None or found != held:
                lost.append(path)
            if held is not None:
                self._known[path] = held
        return lost

    def forget(self) -> None:
        """Take files as they are found from now on."""
        self._known.clear()


def is_given_away(directory: Path, before: os.stat_result) -> bool:
    """Whether a directory is the one that it was, and another user's: root starts a server for that user, which takes
    over what is in it."""
    try:
        found = os.lstat(directory)
    except OSError:
        return False
    return (found.st_dev, found.st_ino) == (before.st_dev, before.st_ino) and found.st_uid != before.st_uid


def _identity(path: Path) -> tuple[int, ...] | None:
    """Return what a file is known by: device, inode, mode, owner and size."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    size = 0 if stat.S_ISDIR(found.st_mode) else found.st_size  # a directory's changes with what is in it
    return found.st_dev, found.st_ino, found.st_mode, found.st_uid, size
