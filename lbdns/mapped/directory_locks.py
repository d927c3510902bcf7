"""Locks on directories themselves (flock(2)): a lock's file may be removed from one while its holder goes on, and
another be put there.

What others than the owner may open is not locked: they could keep a server from starting.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Container
from pathlib import Path
from typing import Final

OTHERS_READ: Final = 0o044
LOCKS: Final = Path("/proc/locks")


class DirectoryLocks:
    """The directories that this process has locked, by their paths."""

    def __init__(self) -> None:
        self._held: dict[Path, int] = {}

    def take(self, path: Path, owners: Container[int] | None = None) -> None:
        """Lock the directory that is at a path now, where there is one, of one of `owners` (any: None), and its file
        system knows locks; raises BlockingIOError where another process has it."""
        if self.holds(path):
            return
        try:
            handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return
        with contextlib.ExitStack() as undo:
            undo.callback(os.close, handle)
            found = os.fstat(handle)
            if stat.S_IMODE(found.st_mode) & OTHERS_READ or (owners is not None and found.st_uid not in owners):
                return
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BlockingIOError(lock_holder(found)) from None
            except OSError:
                return
            self._let_go(path)
            self._held[path] = handle
            undo.pop_all()

    def holds(self, path: Path) -> bool:
        """Whether the directory that is at a path now is one that this process has locked."""
        handle = self._held.get(path)
        if handle is None:
            return False
        with contextlib.suppress(OSError):
            return os.path.samestat(os.lstat(path), os.fstat(handle))
        return False

    def release(self) -> None:
        """Give all of them up."""
        for path in tuple(self._held):
            self._let_go(path)

    def _let_go(self, path: Path) -> None:
        handle = self._held.pop(path, None)
        if handle is not None:
            os.close(handle)


def lock_holder(file: os.stat_result) -> str:
    """Return the process id of who has a file locked, "" where it is not told (proc(5): /proc/locks)."""
    identity = f"{os.major(file.st_dev):02x}:{os.minor(file.st_dev):02x}:{file.st_ino}"
    with contextlib.suppress(OSError):
        for line in LOCKS.read_text().splitlines():
            words = line.split()
            if words[1:2] == ["FLOCK"] and words[5] == identity and int(words[4]) > 0:
                return words[4]
    return ""
