"""Which blocks cover a span of time: those of the step that it is read by, and finer ones at its edges, and where that
step is not made yet.

    |-- minutes --|-- quarter hours --|-- days --|-- days --|-- quarter hours --|- minutes -|
    since                                                     the day is not over           until

So few blocks of a step are read at most that a chart over 90 days costs what one over a day does.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from lbdns.telemetry.history.history_words import STEPS, HistoryKind

STEPS_MAX: Final = 1500
"""Of one step: of minutes a little more than a day, of quarter hours two weeks."""


class CoveredRange(NamedTuple):
    """Blocks of one step that lie one behind the other, from `since_s` to before `until_s`."""

    step_s: int
    since_s: int
    until_s: int


class HistorySpans:
    """The spans that one reading finds in a file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Look what is kept since when."""
        self._connection = connection
        query = "SELECT min(start_s) FROM blocks WHERE kind = ? AND step_s = ?"
        found = {step_s: connection.execute(query, (HistoryKind.SERVER, step_s)).fetchone()[0] for step_s in STEPS}
        self.kept_since: Mapping[int, int] = {step_s: first for step_s, first in found.items() if first is not None}
        began = connection.execute("SELECT value FROM facts WHERE name = 'began_s'").fetchone()
        self.began_s = int(began[0]) if began is not None else 0

    @property
    def oldest_s(self) -> int | None:
        """Since when anything is kept; None where nothing is. The first roll-up begins before what it is made of."""
        first_s = min(self.kept_since.values(), default=None)
        return None if first_s is None else max(first_s, self.began_s)

    def step_for(self, since_s: float, until_s: float) -> int:
        """Return the step to read a span by: the finest of which there are not too many and that is kept for all of it,
        as far as anything is."""
        oldest_s = self.oldest_s
        if oldest_s is None:
            return STEPS[0]
        since_s = max(since_s, oldest_s)
        for step_s in STEPS[:-1]:
            if (until_s - since_s) / step_s <= STEPS_MAX and self._is_kept(step_s, since_s):
                return step_s
        return STEPS[-1]

    def _is_kept(self, step_s: int, since_s: float) -> bool:
        """Whether all that is kept from a time on is kept by a step, or by finer ones until it is rolled up."""
        since_s = max(since_s, self.began_s)
        return any(one <= step_s and first < since_s + step_s for one, first in self.kept_since.items())

    def covering(self, since_s: float, until_s: float, step_s: int) -> list[CoveredRange]:
        """Return what covers a span, in the order of time; its edges as exactly as they are kept."""
        return list(_joined(self._covering(since_s, until_s, STEPS[STEPS.index(step_s) :: -1])))

    def _covering(self, since_s: float, until_s: float, steps: tuple[int, ...]) -> Iterator[CoveredRange]:
        step_s, finer = steps[0], steps[1:]
        first_s, last_s = _up(since_s, step_s), _down(until_s, step_s)
        if not finer or not self._is_kept(finer[0], since_s):
            first_s = _down(since_s, step_s)
        if not finer or not self._is_kept(finer[0], last_s):
            last_s = _up(until_s, step_s)
        if first_s >= last_s:  # within one step: finer ones are kept
            yield from self._covering(since_s, until_s, finer)
            return
        if since_s < first_s:
            yield from self._covering(since_s, first_s, finer)
        at_s = first_s
        for start_s in self._starts(step_s, first_s, last_s):
            if at_s < start_s and finer:
                yield from self._covering(at_s, start_s, finer)
            yield CoveredRange(step_s, start_s, start_s + step_s)
            at_s = start_s + step_s
        if at_s < until_s and finer:
            yield from self._covering(at_s, until_s, finer)

    def _starts(self, step_s: int, first_s: int, last_s: int) -> list[int]:
        query = "SELECT start_s FROM blocks WHERE kind = ? AND step_s = ? AND start_s >= ? AND start_s < ?"
        given = (HistoryKind.SERVER, step_s, first_s, last_s)
        return [start_s for (start_s,) in self._connection.execute(query + " ORDER BY start_s", given)]

    def blocks(self, kind: HistoryKind, covering: list[CoveredRange]) -> Iterator[tuple[int, bytes]]:
        """Yield start and bytes of the blocks of a kind."""
        query = "SELECT start_s, data FROM blocks WHERE kind = ? AND step_s = ? AND start_s >= ? AND start_s < ?"
        for one in covering:
            yield from self._connection.execute(query + " ORDER BY start_s", (kind, *one))


def _joined(ranges: Iterator[CoveredRange]) -> Iterator[CoveredRange]:
    """Yield ranges, those of one step that touch as one."""
    last: CoveredRange | None = None
    for one in ranges:
        if last is not None and (last.step_s, last.until_s) == (one.step_s, one.since_s):
            last = last._replace(until_s=one.until_s)
            continue
        if last is not None:
            yield last
        last = one
    if last is not None:
        yield last


def _down(at_s: float, step_s: int) -> int:
    return int(at_s // step_s) * step_s


def _up(at_s: float, step_s: int) -> int:
    return -int(-at_s // step_s) * step_s
