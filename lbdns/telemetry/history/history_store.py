"""The history's one writer: minutes, samples and changes go in, in one transaction; roll-ups follow from minutes.

    a minute, while it lasts --(each time replaced, with what the file had of it before)--> its blocks
    60 s --(all of 15 minutes are over)--> 900 s --(the UTC day is over)--> 86,400 s
    a minute of a span that is rolled up already: the time of day was set --> added to the roll-up too

Who writes holds a lock on a file of its own, whatever SQLite allows.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from lbdns.base.errors import LbdnsError
from lbdns.base.words import HISTORY_LOCK
from lbdns.telemetry.history.cell_room import CELLS_MAX, within_room
from lbdns.telemetry.history.history_block import HistoryBlock, block_of, decode_block, encode_block, merged
from lbdns.telemetry.history.history_file import history_path, open_for_reading, open_for_writing
from lbdns.telemetry.history.history_words import DAY_S, MINUTE_S, QUARTER_S, STEPS, HistoryKind
from lbdns.telemetry.history.minute_counts import MinuteCounts, number_count
from lbdns.telemetry.history.name_book import NOTHING, NameBook

LOOK_BACK_S: Final = 2 * DAY_S
"""How far back what is not rolled up yet is looked for, but for the first time."""
_ROLL_UPS: Final = ((QUARTER_S, MINUTE_S), (DAY_S, QUARTER_S))

Facts = Mapping[str, Any]


class SampleBatch(NamedTuple):
    """Samples of some seconds, encoded (sample_rows.py)."""

    first_s: float
    last_s: float
    rows: int
    data: bytes


class EventRow(NamedTuple):
    """A change of health: when (unix seconds), and its line in the record."""

    at_s: float
    line: bytes


class HistoryStore:
    """The file of one state directory, open for writing. Every method raises sqlite3.Error, with nothing changed."""

    def __init__(self, state_dir: Path) -> None:
        """Take the lock and open the file; raises LbdnsError where another process has it, OSError, HistoryDamaged,
        HistoryNewer and sqlite3.Error."""
        self.path = history_path(state_dir)
        self._handle = _take_lock(state_dir)
        self._looked_back = False
        try:
            self.connection = open_for_writing(self.path)
            try:
                self.names = NameBook(self.connection)
                self._known = os.stat(self.path)
            except BaseException:
                self.connection.close()
                raise
        except BaseException:
            os.close(self._handle)
            raise
        self.file_id = self._identify()
        self.damaged_blocks = 0

    def _identify(self) -> str:
        """Return what tells this file from others that were at its place."""
        found = self.fact("id")
        if found is None:
            found = secrets.token_hex(8)
            self._write_facts({"id": found})
        return str(found)

    def close(self) -> None:
        """Close the file and give the lock up."""
        try:
            self.connection.close()
        finally:
            os.close(self._handle)

    def is_lost(self) -> bool:
        """Whether the file was removed or replaced: what is written to it is nowhere then."""
        try:
            return not os.path.samestat(os.stat(self.path), self._known)
        except OSError:
            return True

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Have all that is done within be in the file, or nothing of it."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield self.connection
            self.connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self.connection.execute("ROLLBACK")
            raise

    # --- what is read back ---

    def fact(self, name: str) -> Any:
        """Return a fact, None where it is not known."""
        found = self.connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if found is None else json.loads(found[0]) if isinstance(found[0], str) else found[0]

    def block(self, kind: HistoryKind, step_s: int, start_s: int) -> HistoryBlock | None:
        """Return a block, None where there is none; one that is damaged is counted and is none."""
        query = "SELECT data FROM blocks WHERE kind = ? AND step_s = ? AND start_s = ?"
        found = self.connection.execute(query, (kind, step_s, start_s)).fetchone()
        return None if found is None else self._decoded(found[0])

    def _decoded(self, data: bytes) -> HistoryBlock | None:
        try:
            return decode_block(data)
        except LbdnsError:
            self.damaged_blocks += 1
            return None

    def prove(self) -> None:
        """Read as others do what was written last: what is in this process's memory says nothing of the file.

        Raises sqlite3.Error and HistoryDamaged.
        """
        connection = open_for_reading(self.path)
        if connection is not None:
            with contextlib.closing(connection):
                query = "SELECT data FROM blocks WHERE kind = ? AND step_s = ? ORDER BY start_s DESC LIMIT 1"
                connection.execute(query, (HistoryKind.SERVER, MINUTE_S)).fetchall()

    # --- what is written ---

    def write(
        self,
        now_s: float,
        minutes: Sequence[MinuteCounts],
        facts: Facts,
        samples: Sequence[SampleBatch] = (),
        events: Sequence[EventRow] = (),
    ) -> None:
        """Write minutes as they are now; what the file had of one before this writer stays in it."""
        with self.transaction() as connection:
            for minute in minutes:
                self._write_minute(minute)
            rows = [(one.first_s, one.last_s, one.rows, len(one.data), one.data) for one in samples]
            query = "INSERT INTO samples(first_s, last_s, rows, bytes, data) VALUES (?, ?, ?, ?, ?)"
            connection.executemany(query, rows)
            lines = [(one.at_s, zlib.compress(one.line)) for one in events]
            query = "INSERT INTO events(at_s, bytes, data) VALUES (?, ?, ?)"
            connection.executemany(query, [(at_s, len(data), data) for at_s, data in lines])
            self._write_facts({**facts, **self._beginning(minutes), "written_s": now_s})
            self.names.write(connection, now_s)
        self.names.written()

    def _beginning(self, minutes: Sequence[MinuteCounts]) -> Facts:
        """Return the fact since when the file tells anything, where these minutes make it another: roll-ups begin
        before that."""
        first_s = min((one.start_s for one in minutes), default=None)
        known_s = self.fact("began_s")
        return {} if first_s is None or (known_s is not None and known_s <= first_s) else {"began_s": first_s}

    def _write_facts(self, facts: Facts) -> None:
        rows = [
            (name, value if isinstance(value, bytes | int | float) else json.dumps(value))
            for name, value in facts.items()
        ]
        self.connection.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", rows)

    def _write_minute(self, minute: MinuteCounts) -> None:
        """Write a minute, also to the roll-ups that its span is in: there are none, unless the time of day was set."""
        if minute.file != self.file_id:
            minute.file, minute.before = self.file_id, {}
        blocks = {kind: self._block_of(minute, kind) for kind in minute.kinds()}
        for step_s in STEPS:
            start_s = minute.start_s // step_s * step_s
            if step_s != MINUTE_S and self.block(HistoryKind.SERVER, step_s, start_s) is None:
                continue
            for kind, block in blocks.items():
                if (step_s, kind) not in minute.before:
                    minute.before[step_s, kind] = self.block(kind, step_s, start_s)
                self._put(kind, step_s, start_s, block, minute.before[step_s, kind])

    def _block_of(self, minute: MinuteCounts, kind: HistoryKind) -> HistoryBlock:
        ids_of = self.names.ids_of
        rows = {ids_of(key): numbers for key, numbers in minute.numbers(kind).items()}
        width = len(next(iter(rows))) if rows else 1
        return block_of(rows, width, number_count(kind))

    def _put(
        self, kind: HistoryKind, step_s: int, start_s: int, block: HistoryBlock, before: HistoryBlock | None = None
    ) -> None:
        if before is not None:
            block = merged((before, block)) if block.rows else before
        if kind is HistoryKind.CELLS:
            block = within_room(block, CELLS_MAX[step_s])
        if not block.rows:
            return
        query = """INSERT INTO blocks VALUES (?, ?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET rows = excluded.rows, data = excluded.data"""
        self.connection.execute(query, (kind, step_s, start_s, block.rows, encode_block(block)))

    # --- roll-ups ---

    def roll_up(self, now_s: float) -> bool:
        """Roll one span up that is over; return whether there was one."""
        since_s = now_s - LOOK_BACK_S if self._looked_back else 0
        for step_s, finer_s in _ROLL_UPS:
            start_s = self._to_roll_up(step_s, finer_s, since_s, now_s)
            if start_s is not None:
                self._roll_up_span(step_s, finer_s, start_s)
                return True
        self._looked_back = True
        return False

    def _to_roll_up(self, step_s: int, finer_s: int, since_s: float, now_s: float) -> int | None:
        """Return the start of the first span that is over and not rolled up."""
        query = """SELECT DISTINCT start_s / :step * :step FROM blocks
            WHERE kind = :kind AND step_s = :finer AND start_s >= :since AND start_s < :before
            EXCEPT SELECT start_s FROM blocks WHERE kind = :kind AND step_s = :step ORDER BY 1 LIMIT 1"""
        before_s = int(now_s) // step_s * step_s
        given = {"kind": HistoryKind.SERVER, "step": step_s, "finer": finer_s, "since": since_s, "before": before_s}
        found = self.connection.execute(query, given).fetchone()
        return None if found is None else int(found[0])

    def _roll_up_span(self, step_s: int, finer_s: int, start_s: int) -> None:
        query = (
            "SELECT data FROM blocks WHERE kind = ? AND step_s = ? AND start_s >= ? AND start_s < ? ORDER BY start_s"
        )
        with self.transaction() as connection:
            used: set[int] = set()
            for kind in HistoryKind:
                sums: HistoryBlock | None = None
                for (data,) in connection.execute(query, (kind, finer_s, start_s, start_s + step_s)):
                    block = self._decoded(data)
                    if block is not None:
                        sums = block if sums is None else merged((sums, block))
                        if kind is HistoryKind.CELLS:
                            sums = within_room(sums, CELLS_MAX[step_s])
                if sums is not None:
                    used.update(sums.keys.ravel().tolist())
                    self._put(kind, step_s, start_s, sums)
            if step_s == DAY_S:
                self.names.note_used(connection, used - {NOTHING}, start_s + step_s)
            # Where nothing of it could be read it is not tried for ever.
            if self.block(HistoryKind.SERVER, step_s, start_s) is None:
                empty = encode_block(block_of({}, 1, 1))
                connection.execute(
                    "INSERT OR REPLACE INTO blocks VALUES (?, ?, ?, 0, ?)",
                    (HistoryKind.SERVER, step_s, start_s, empty),
                )


def _take_lock(state_dir: Path) -> int:
    path = state_dir / HISTORY_LOCK
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise LbdnsError(f"{history_path(state_dir)}: another process writes the history") from None
    return handle
