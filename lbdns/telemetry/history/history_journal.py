"""What the history process counts, on its way into the file: kept in memory while the file takes nothing.

    take -> minutes that are not over, or not written -> write -> roll up, prune
              |                                            |
              | too many of them: the oldest are one      | damaged, newer, removed: put aside, another one is begun
              |                                            | full disk, read-only, locked: said once, tried again

Times are unix seconds.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from lbdns.base.errors import LbdnsError
from lbdns.base.lasting_trouble import LastingTrouble
from lbdns.base.wording import counted
from lbdns.telemetry.history.event_feed import EventPlace, read_on
from lbdns.telemetry.history.history_bounds import HistoryBounds, prune
from lbdns.telemetry.history.history_file import (
    HistoryDamaged,
    HistoryNewer,
    file_bytes,
    history_path,
    is_damage,
    move_aside,
)
from lbdns.telemetry.history.history_store import HistoryStore, SampleBatch
from lbdns.telemetry.history.history_words import MINUTE_S
from lbdns.telemetry.history.minute_counts import MinuteCounts
from lbdns.telemetry.history.sample_rows import encode_samples
from lbdns.telemetry.samples import TrafficSample

WAITING_ROWS_MAX: Final = 400_000
"""Rows of minutes that wait for the file."""
WAITING_SAMPLES_MAX: Final = 20_000
DAMAGED_ENDING: Final = "damaged"
NEWER_ENDING: Final = "newer"
PROVE_WRITES: Final = 6
"""Every so many writes what was written is read as others read it."""
STEADY_S: Final = 3600.0
"""So long the time of day has to go on evenly before anything is deleted for its age."""
JUMP_S: Final = 60.0

log = logging.getLogger("lbdns.history")


class HistoryJournal:
    """The way into one state directory's file."""

    def __init__(self, state_dir: Path, bounds: HistoryBounds) -> None:
        """Open it when it is asked for."""
        self._state_dir = state_dir
        self._bounds = bounds
        self._store: HistoryStore | None = None
        self._trouble = LastingTrouble(log, "the history is written again")
        self._minutes: list[MinuteCounts] = []
        self._samples: list[TrafficSample] = []
        self._events_at: EventPlace | None = None
        self._lost: dict[str, int] = {}
        self._offset_s: float | None = None
        self._steady_since_s = time.monotonic()
        self._pruned_minute = 0
        self._writes = 0

    # --- what comes ---

    def minute(self, start_s: int) -> MinuteCounts:
        """Return the minute that begins at a time, to count in: the last from now on."""
        if not self._minutes or self._minutes[-1].start_s != start_s:
            self._minutes.append(MinuteCounts(start_s))
        return self._minutes[-1]

    def add_samples(self, samples: Sequence[TrafficSample]) -> None:
        """Take samples."""
        self._samples += samples
        over = len(self._samples) - WAITING_SAMPLES_MAX
        if over > 0:
            del self._samples[:over]
            self.lose("samples", over)

    def lose(self, what: str, count: int) -> None:
        """Take it that so much is not in the history."""
        if count:
            self._lost[what] = self._lost.get(what, 0) + count

    def bound_waiting(self) -> None:
        """Let the oldest minutes that wait be counted as one where there is no more room for them in memory: no count
        is lost. What a file has a part of already stays as it is, and so does the minute that lasts."""
        rows = sum(minute.rows for minute in self._minutes)
        while rows > WAITING_ROWS_MAX:
            waiting = [minute for minute in self._minutes[:-1] if not minute.is_written]
            if len(waiting) < 2:
                return
            oldest, following = waiting[:2]
            rows -= oldest.rows + following.rows
            following.add_all(oldest)
            rows += following.rows
            self._minutes.remove(oldest)

    # --- the file ---

    def open(self) -> bool:
        """Open the file where it is not open; return whether it is. What is wrong goes to the log, once."""
        if self._store is not None and self._store.is_lost():
            log.error("%s was removed or replaced; another one is begun", self._store.path)
            self._close()
        if self._store is not None:
            return True
        try:
            self._store = self._opened()
            self._events_at = EventPlace.of(self._store.fact("events_at"))
            for what, count in (self._store.fact("lost") or {}).items():
                self.lose(what, int(count))
            return True
        except (LbdnsError, OSError, sqlite3.Error) as error:
            self._trouble.begin(
                f"{history_path(self._state_dir)}: the history is not written, and it is tried again: {error}"
            )
            self._close()
            return False

    def _opened(self) -> HistoryStore:
        try:
            return HistoryStore(self._state_dir)
        except HistoryDamaged as error:
            self._put_aside(DAMAGED_ENDING, error)
        except HistoryNewer as error:
            self._put_aside(NEWER_ENDING, error)
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            self._put_aside(DAMAGED_ENDING, error)
        return HistoryStore(self._state_dir)

    def _put_aside(self, ending: str, error: Exception) -> None:
        path = history_path(self._state_dir)
        size = file_bytes(path)
        aside = move_aside(path, ending)
        told = "%s; its %d KiB are put aside as %s, and a history begins anew: what was before now is not shown"
        log.error(told, error, size >> 10, aside.name)
        self.lose("files", 1)

    def fact(self, name: str) -> Any:
        """Return what the open file says under a name; None where it says nothing, or is not open."""
        try:
            return self._store.fact(name) if self._store is not None else None
        except sqlite3.Error as error:
            self._fail(error)
            return None

    def write(self, now_s: float, baseline: bytes) -> bool:
        """Write what has come, with where it was counted to; return whether that was done."""
        self._note_time(now_s)
        if not self.open() or self._store is None:
            self.bound_waiting()
            return False
        store = self._store
        try:
            events, place = read_on(self._state_dir, self._events_at or EventPlace())
        except OSError as error:
            log.debug("the record of changes cannot be read: %s", error)
            events, place = [], self._events_at or EventPlace()
        batches = self._batches()
        if store.damaged_blocks:
            self.lose("blocks", store.damaged_blocks)
            log.error("%s: %s cannot be read and passed over", store.path, counted(store.damaged_blocks, "block"))
            store.damaged_blocks = 0
        facts = {"counted_to": baseline, "events_at": place.fact(), "lost": self._lost}
        try:
            store.write(now_s, self._minutes, facts, batches, events)
        except sqlite3.Error as error:
            self._fail(error)
            self.bound_waiting()
            return False
        self._trouble.end()
        self._writes += 1
        for minute in self._minutes:
            minute.is_written = True
        self._samples.clear()
        self._events_at = place
        del self._minutes[:-1]
        return True

    def _batches(self) -> list[SampleBatch]:
        if not self._samples:
            return []
        times = [one.unix_ns / 1e9 for one in self._samples]
        return [SampleBatch(min(times), max(times), len(self._samples), encode_samples(self._samples))]

    def tend(self, now_s: float) -> bool:
        """Roll one span up, or delete what is beyond the bounds, once a minute; return whether there is more to do."""
        if self._store is None:
            return False
        try:
            if self._writes % PROVE_WRITES == 0:
                self._store.prove()
            if self._store.roll_up(now_s):
                return True
            this_minute = int(now_s) // MINUTE_S
            if this_minute != self._pruned_minute:
                self._pruned_minute = this_minute
                prune(self._store, self._bounds, now_s, time.monotonic() - self._steady_since_s >= STEADY_S)
        except (sqlite3.Error, HistoryDamaged) as error:
            self._fail(error)
        return False

    def _note_time(self, now_s: float) -> None:
        """Note whether the time of day has jumped."""
        offset_s = now_s - time.monotonic()
        if self._offset_s is not None and abs(offset_s - self._offset_s) > JUMP_S:
            log.warning(
                "the time of day jumped by %.0f s; counts go on under the time that it is now",
                offset_s - self._offset_s,
            )
            self._steady_since_s = time.monotonic()
        self._offset_s = offset_s

    def _fail(self, error: sqlite3.Error | HistoryDamaged) -> None:
        """Say what is wrong; a file that is damaged is put aside, another one is opened next time."""
        self._close()
        if isinstance(error, sqlite3.Error) and not is_damage(error):
            self._trouble.begin(
                f"{history_path(self._state_dir)}: the history is not written, and it is tried again: {error}"
            )
            return
        try:
            self._put_aside(DAMAGED_ENDING, error)
        except OSError as failure:
            self._trouble.begin(
                f"{history_path(self._state_dir)}: the history is damaged and cannot be put aside: {failure}"
            )

    def _close(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            with contextlib.suppress(sqlite3.Error):  # nothing is left to be written
                store.close()

    def close(self) -> None:
        """Close the file."""
        self._close()
