"""The record of health changes (health/events.py), read on from where the history has it: two files that take turns."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from lbdns.base.words import EVENTS_FILE, OLDER_EVENTS_FILE
from lbdns.health.events import parse_change
from lbdns.telemetry.history.history_store import EventRow

BYTES_MAX: Final = 4 << 20
"""Of one reading."""


class EventPlace(NamedTuple):
    """How far the record has been read: the file by its inode, and the first byte that has not."""

    inode: int = 0
    offset: int = 0

    @staticmethod
    def of(fact: Any) -> EventPlace:
        """Return the place that a fact of the history says; the beginning where it says none."""
        with contextlib.suppress(KeyError, TypeError, ValueError):
            return EventPlace(int(fact["inode"]), int(fact["offset"]))
        return EventPlace()

    def fact(self) -> Mapping[str, int]:
        """Return the place as a fact."""
        return self._asdict()


def read_on(state_dir: Path, place: EventPlace) -> tuple[list[EventRow], EventPlace]:
    """Return whole lines that came since, and where the next begin; raises OSError."""
    older, newer = state_dir / OLDER_EVENTS_FILE, state_dir / EVENTS_FILE
    files = [found for path in (older, newer) if (found := _inode(path)) is not None]
    known = [inode for _, inode in files]
    if place.inode in known:
        files = files[known.index(place.inode) :]
    rows: list[EventRow] = []
    for path, inode in files:
        offset = place.offset if inode == place.inode else 0
        lines, offset = _lines(path, offset)
        place = EventPlace(inode, offset)
        for line in lines:
            change = parse_change(line.decode(errors="replace"))
            if change is not None:
                rows.append(EventRow(change.at_s, line))
        if sum(map(len, lines)) >= BYTES_MAX:
            break
    return rows, place


def _inode(path: Path) -> tuple[Path, int] | None:
    try:
        return path, os.stat(path).st_ino
    except (FileNotFoundError, NotADirectoryError):
        return None


def _lines(path: Path, offset: int) -> tuple[list[bytes], int]:
    """Return the whole lines from a place on, and where the next begins."""
    with path.open("rb") as file:
        if offset > os.fstat(file.fileno()).st_size:
            offset = 0  # another file that has the inode of one that was removed
        file.seek(offset)
        data = file.read(BYTES_MAX)
    end = data.rfind(b"\n") + 1
    if not end and len(data) == BYTES_MAX:
        end = len(data)
    return [line for line in data[:end].split(b"\n") if line], offset + end
