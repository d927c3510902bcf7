"""Which files a configuration was read from, each as it was just before that: what lies on disk now can be compared."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

Stamp = tuple[int, int, int]
"""Modification time (ns), size and inode of a file: what tells one state of it from another."""


class FilesRead:
    """The files of one reading, whether what was read is refused or not.

    They are those in a directory that end in one of some suffixes, hidden ones left out, and every other that is noted
    while it is read. A stamp is taken before its file is opened: a change from then on is seen.
    """

    def __init__(self, directory: Path | None = None, suffixes: tuple[str, ...] = ()) -> None:
        """Begin to read a directory's files; without one, only those that are noted."""
        self._directory = directory
        self._suffixes = suffixes
        self._stamps = {path: _stamp(path) for path in self._listed()}
        self._dnskeys: dict[bytes, dict[bytes, None]] = {}

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files, in the order in which they were noted."""
        return tuple(self._stamps)

    def note(self, path: Path) -> None:
        """Take the stamp of a file that is about to be read, or looked for; the first one counts."""
        if path not in self._stamps:
            self._stamps[path] = _stamp(path)

    def note_signed(self, apex: bytes, dnskeys: Iterable[bytes], keys: Path) -> None:
        """Note a zone that a file has with the DNSKEY records of another signer (rdata in wire format): it is refused
        until the file `keys` is there."""
        self.note(keys)
        self._dnskeys.setdefault(apex, {}).update(dict.fromkeys(dnskeys))

    def dnskeys(self, apex: bytes) -> tuple[bytes, ...]:
        """Return the rdata of the DNSKEY records that were noted of a zone, each once; none where it has none."""
        return tuple(self._dnskeys.get(apex, ()))

    def as_read(self) -> dict[Path, Stamp | None]:
        """Return the stamp of each file as it was read; None: it was not there."""
        return dict(self._stamps)

    def as_now(self) -> dict[Path, Stamp | None]:
        """Return the same as it is now, with files that have come to the directory since."""
        return {path: _stamp(path) for path in {*self._stamps, *self._listed()}}

    def _listed(self) -> list[Path]:
        if self._directory is None or not self._suffixes:
            return []
        try:
            paths = sorted(self._directory.iterdir())
        except OSError:  # what was noted of it is gone as well
            return []
        return [path for path in paths if path.name.endswith(self._suffixes) and not path.name.startswith(".")]


def _stamp(path: Path) -> Stamp | None:
    try:
        seen = path.stat()
    except OSError:
        return None
    return seen.st_mtime_ns, seen.st_size, seen.st_ino
