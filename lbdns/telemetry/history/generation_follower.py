"""The generations that come into force, as they come: a thread of its own, so that none is missed while others write.

The publisher keeps what it wrote for the last two; a change that is followed by two more at once is still heard of.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
from collections import deque
from typing import Final, NamedTuple

from lbdns.base.errors import LbdnsError
from lbdns.mapped.control import Control
from lbdns.mapped.health_table import HealthTable
from lbdns.mapped.run_directory import RunDirectory
from lbdns.mapped.snapshot_file import MappedPart
from lbdns.publish.slots_document import decode_slots
from lbdns.snapshot.slots import Slots

LOOK_S: Final = 0.2
KEPT_MAX: Final = 8  # of older ones the publisher has kept none


class FollowedGeneration(NamedTuple):
    """One generation: its number, who has which slot in it, and the health table that these are in."""

    number: int
    slots: Slots
    table: HealthTable


class GenerationFollower:
    """Reads each generation once; `waiting` are those that nobody has taken yet."""

    def __init__(self, control: Control, run: RunDirectory, wake_fd: int | None) -> None:
        """Follow a control file; `wake_fd`: an eventfd that is written when it has news, else only time tells."""
        self._control = control
        self._run = run
        self._wake_fd = wake_fd
        self._read = 0
        self._table: HealthTable | None = None
        self._ends = threading.Event()
        self._changed = threading.Condition()
        self.waiting: deque[FollowedGeneration] = deque()
        self._thread = threading.Thread(target=self._follow, name="generations", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, soon."""
        self._ends.set()
        self._thread.join()

    def caught_up(self, timeout_s: float) -> bool:
        """Wait until what is in force now has been read; return whether it was."""
        wanted = self._control.generation
        with self._changed:
            return self._changed.wait_for(lambda: self._read >= wanted, timeout_s)

    def _follow(self) -> None:
        while not self._ends.is_set():
            self.look()
            self._pause()

    def _pause(self) -> None:
        if self._wake_fd is None:
            self._ends.wait(LOOK_S)
        elif select.select([self._wake_fd], [], [], LOOK_S)[0]:
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(self._wake_fd)

    def look(self) -> None:
        """Read what came since."""
        last = self._control.generation
        for number in range(max(self._read + 1, last - KEPT_MAX), last + 1):
            # What is gone was followed by another already; what cannot be read is tried again.
            with contextlib.suppress(LbdnsError, OSError, ValueError, KeyError, TypeError):
                found = self._load(number)
                with self._changed:
                    self.waiting.append(found)
                    self._read = number
                    self._changed.notify_all()

    def _load(self, number: int) -> FollowedGeneration:
        slots = decode_slots(self._run.slots(number).read_text())
        path = self._run.table(int(MappedPart(self._run.snapshot(number)).meta["layout_id"]))
        if self._table is None or self._table.path != path:
            self._table = HealthTable.attach(path)
        return FollowedGeneration(number, slots, self._table)
