"""The control file: a page of 64-bit words through which the supervisor tells the workers what to serve.

Each word has one writer, named below, and is written whole: a reader sees the old number or the new one.
"""

from __future__ import annotations

import functools
import mmap
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lbdns.base.errors import LbdnsError
from lbdns.mapped.allocation import allocate

_MAGIC = int.from_bytes(b"LBDNSCTL", "little")
_BYTES = 4096

_WORDS = {
    "magic": 0,
    "generation": 1,  # supervisor: of the snapshot and targets in force; 0 = none yet
    "supervisor_pid": 2,  # supervisor
    "ready": 3,  # supervisor: 1 once everything listens
    "monitor_pid": 4,  # monitor worker
    "monitor_generation": 5,  # monitor worker: of the targets that it has adopted
    "supervisor_beat_ns": 6,  # supervisor: CLOCK_MONOTONIC
    "forced_version": 7,  # supervisor: raised after each change of the forced states' file
    "monitor_adopting": 8,  # monitor worker: the generation that it takes up just now; 0 = none
    "monitor_step": 9,  # monitor worker: the mark of the check that has the processor; 0 = none
    "notifications_waiting": 10,  # monitor worker: alerts that are to go out, each as often as it has receivers
    "notification_ns": 11,  # monitor worker: CLOCK_MONOTONIC since when the first of them waits; 0 = none does
    "counters_began_ns": 12,  # supervisor: unix ns of when responders began to count from 0; 0 = not known
}


class Control:
    """The mapped control file; any word by `get` and `set`, the common ones as attributes."""

    def __init__(self, path: Path, mapping: mmap.mmap, writable: bool) -> None:
        """Wrap a checked mapping; use `create` or `attach`."""
        self.path = path
        self.writable = writable
        self._mapping = mapping
        self._whole = memoryview(mapping)
        self._words: memoryview[Any] = self._whole.cast("Q")
        self._former: Control | None = None

    @classmethod
    def create(cls, path: Path) -> Control:
        """Make a control file of zeros at `path`, replacing whatever is there, and attach to it for writing."""
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            handle = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                allocate(handle, 0, _BYTES)
                os.pwrite(handle, _MAGIC.to_bytes(8, "little"), 0)
            finally:
                os.close(handle)
            fresh.replace(path)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise LbdnsError(f"{path}: cannot make the control file: {error.strerror}") from error
        return cls.attach(path, writable=True)

    @classmethod
    def attach(cls, path: Path, writable: bool = False) -> Control:
        """Map the control file at `path`; raises LbdnsError saying what is wrong with it."""
        try:
            handle = os.open(path, (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC)
        except OSError as error:
            raise LbdnsError(f"{path}: cannot open the control file: {error.strerror}") from error
        try:
            head = os.pread(handle, 8, 0)
            if os.fstat(handle).st_size != _BYTES or int.from_bytes(head, "little") != _MAGIC:
                raise LbdnsError(f"{path}: not a control file of this release")
            access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
            return cls(path, mmap.mmap(handle, _BYTES, access=access), writable)
        finally:
            os.close(handle)

    def get(self, word: str) -> int:
        """Return a word by its name in `_WORDS`."""
        value: int = self._words[_WORDS[word]]
        return value

    def set(self, word: str, value: int) -> None:
        """Write a word by its name; a TypeError where the file was attached read-only."""
        self._words[_WORDS[word]] = value
        if self._former is not None:
            self._former.set(word, value)

    def renew(self, path: Path) -> None:
        """Make the file anew at `path`, with the words as they are, for processes that begin; raises LbdnsError.

        What is set is set in the one before as well, for those that have it mapped, until `forget_former`.
        """
        fresh = Control.create(path)
        for word in _WORDS:
            fresh.set(word, self.get(word))
        former = Control(self.path, self._mapping, self.writable)
        former._former = self._former
        self.path, self._mapping, self._whole, self._words = path, fresh._mapping, fresh._whole, fresh._words
        self._former = former

    def forget_former(self) -> None:
        """Let go of the files before `renew`: nobody reads them any more."""
        self._former = None

    def writer(self, word: str) -> Callable[[int], None]:
        """Return what writes one word again and again."""
        return functools.partial(self._words.__setitem__, _WORDS[word])

    @property
    def generation(self) -> int:
        """The generation in force; 0 before the first."""
        return self.get("generation")

    @generation.setter
    def generation(self, value: int) -> None:
        self.set("generation", value)

    @property
    def supervisor_pid(self) -> int:
        """The process id of the supervisor that last wrote the file."""
        return self.get("supervisor_pid")

    @supervisor_pid.setter
    def supervisor_pid(self, value: int) -> None:
        self.set("supervisor_pid", value)

    @property
    def monitor_pid(self) -> int:
        """The process id of the monitor worker in charge of the health table; 0 before the first."""
        return self.get("monitor_pid")

    @monitor_pid.setter
    def monitor_pid(self, value: int) -> None:
        self.set("monitor_pid", value)

    @property
    def ready(self) -> bool:
        """Whether the supervisor says that everything listens."""
        return bool(self.get("ready"))

    @ready.setter
    def ready(self, value: bool) -> None:
        self.set("ready", int(value))

    def close(self) -> None:
        """Release the mapping."""
        self._words.release()
        self._whole.release()
        self._mapping.close()
