"""The history as others read it: series, counts by dimensions, samples, round trips, changes.

Reads the file alone, so that it works where the writer is dead or has never run: then there is nothing. Each method
opens it for itself and sees one moment of it; any thread may ask. All times are unix seconds.
"""

from __future__ import annotations

import contextlib
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from lbdns.base.errors import LbdnsError
from lbdns.health.events import HealthChange, parse_change
from lbdns.telemetry.history import history_series
from lbdns.telemetry.history.history_block import summed
from lbdns.telemetry.history.history_cells import (
    TIME,
    CellRow,
    Tallied,
    Where,
    decoded,
    exact_counting,
    exact_rows,
    is_cell_dimension,
    sampled_rows,
)
from lbdns.telemetry.history.history_file import HistoryDamaged, HistoryNewer, history_path, open_for_reading
from lbdns.telemetry.history.history_series import POINTS_MAX, HistorySeries, SpanSums
from lbdns.telemetry.history.history_spans import HistorySpans
from lbdns.telemetry.history.history_status import history_status, unreadable
from lbdns.telemetry.history.history_words import CELL_DIMENSIONS, LISTED, MINUTE_S, STEPS, HistoryKind
from lbdns.telemetry.history.name_book import ids_beginning, names_of
from lbdns.telemetry.history.sample_dimensions import sample_values
from lbdns.telemetry.history.sample_rows import decode_samples
from lbdns.telemetry.samples import TrafficSample

SPAN_MAX_S: Final = 10 * 366 * 86_400
SAMPLES_MAX: Final = 200_000
EVENTS_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class RoundTrips:
    """What steering took a pool to be away from a region, in ms, from `since_s` on for `step_s`."""

    since_s: int
    step_s: int
    pool: str
    region: str
    rtt_ms: float


class HistoryReader:
    """The history of one state directory."""

    def __init__(self, state_dir: Path) -> None:
        """Read what is there, whenever it is asked for."""
        self.path = history_path(state_dir)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection | None]:
        """Yield the file, None where there is none; raises HistoryUnreadable."""
        try:
            connection = open_for_reading(self.path)
            if connection is None:
                yield None
                return
            with contextlib.closing(connection):
                yield connection
        except (OSError, sqlite3.Error, HistoryDamaged, HistoryNewer) as error:
            raise unreadable(error) from error

    def series(
        self,
        what: str,
        since_s: float,
        until_s: float,
        points: int = 300,
        name: str | None = None,
        by: str | None = None,
    ) -> HistorySeries:
        """Return lines over a span, of `points` values at most; history_series.py says what they are of.

        Raises LbdnsError where nothing is meant by what is asked for, or the file cannot be read.
        """
        _check_span(since_s, until_s)
        points = min(max(points, 1), POINTS_MAX)
        plan = history_series.plan_for(what)
        history_series.check_by(what, by)
        with self._opened() as connection:
            spans = None if connection is None else HistorySpans(connection)
            step_s = MINUTE_S if spans is None else spans.step_for(since_s, until_s)
            width_s = step_s * max(-int(-(until_s - since_s) // (step_s * points)), 1)
            first_s, last_s = int(since_s // width_s) * width_s, -int(-until_s // width_s) * width_s
            times = tuple(range(first_s, last_s, width_s))
            is_split = by is not None and not plan.group
            if connection is None or spans is None:
                return HistorySeries(first_s, last_s, width_s, not is_split, times, ())
            covering = spans.covering(first_s, last_s, step_s)

            def spread(numbers: int = 1) -> SpanSums:
                return SpanSums(first_s, width_s, len(times), numbers)

            server = decoded(spans.blocks(HistoryKind.SERVER, covering))
            seconds = history_series.covered_s(connection, server, spread())
            if is_split:
                found = _split(connection, spans.blocks(HistoryKind.CELLS, covering), spread(2), what, name, by or "")
            else:
                wanted = history_series.wanted_ids(connection, what, name, by)
                numbers = np.array(wanted) if wanted is not None else None
                found = spread(4 if plan.kind is HistoryKind.CHECKS else 2 if plan.denominator is not None else 1)
                for start_s, block in decoded(spans.blocks(plan.kind, covering)):
                    found.add(start_s, block, numbers)
            ids, sums = found.lines()
            if what == "queries" and by is None:
                ids, sums = ids[:1], sums.sum(axis=1, keepdims=True)[:, : len(ids[:1])]
            lines = history_series.named_lines(connection, plan, ids, sums, seconds)
            if what == "queries" and by is None:
                lines = tuple(history_series.SeriesLine("queries", line.values) for line in lines)
            return HistorySeries(first_s, last_s, width_s, not is_split, times, lines)

    def cells(
        self,
        since_s: float,
        until_s: float,
        by: Sequence[str] = (),
        where: Where | None = None,
        step_s: int = MINUTE_S,
    ) -> list[CellRow]:
        """Return counts by some dimensions, largest first, of what has one of the values that `where` names by
        dimension; history_cells.py says which are exact. `step_s`: of the dimension "time", whole minutes.

        Raises LbdnsError where a dimension is not known, or the file cannot be read.
        """
        _check_span(since_s, until_s)
        where = where or {}
        dimensions = list(dict.fromkeys((*by, *where)))
        tallied = Tallied(by, where)
        if not all(map(is_cell_dimension, dimensions)):
            return self._cells_of_samples(since_s, until_s, dimensions, tallied, step_s)
        with self._opened() as connection:
            if connection is None:
                return []
            spans = HistorySpans(connection)
            # Sums are the same by any step, and fewest blocks are read by the coarsest: finer ones cover the edges.
            read_s = STEPS[-1]
            if TIME in dimensions:
                fitting = max(one for one in STEPS if one == MINUTE_S or step_s % one == 0)
                read_s = max(fitting, spans.step_for(since_s, until_s))
            covering = spans.covering(since_s, until_s, read_s)
            counting = exact_counting(dimensions)
            if counting is not None:
                return exact_rows(connection, spans, covering, counting, tallied, step_s)
            return sampled_rows(connection, spans, covering, dimensions, tallied, step_s)

    def _cells_of_samples(
        self, since_s: float, until_s: float, dimensions: Sequence[str], tallied: Tallied, step_s: int
    ) -> list[CellRow]:
        for sample in self.samples(since_s, until_s, SAMPLES_MAX):
            values = {name: sample_values(sample, name) for name in dimensions if name != TIME}
            at_s = int(sample.unix_ns / 1e9) // step_s * step_s
            tallied.add({**values, TIME: (at_s,)}, sample.interval, 1)
        return tallied.rows(exact=False)

    def samples(self, since_s: float, until_s: float, limit: int = 10_000) -> list[TrafficSample]:
        """Return the last `limit` samples of a span that are kept, newest first: an hour's at least."""
        _check_span(since_s, until_s)
        found: list[TrafficSample] = []
        with self._opened() as connection:
            if connection is None:
                return found
            query = "SELECT data FROM samples WHERE last_s >= ? AND first_s < ? ORDER BY last_s DESC, id DESC"
            for (data,) in connection.execute(query, (since_s, until_s)):
                with contextlib.suppress(LbdnsError):
                    some = decode_samples(data)
                    found += [one for one in reversed(some) if since_s <= one.unix_ns / 1e9 < until_s]
                if len(found) >= min(limit, SAMPLES_MAX):
                    break
        found.sort(key=lambda one: one.unix_ns / 1e9, reverse=True)
        return found[: min(limit, SAMPLES_MAX)]

    def round_trips(self, since_s: float, until_s: float, pool: str | None = None) -> list[RoundTrips]:
        """Return the round-trip times of pools and regions over a span, in the order of time."""
        _check_span(since_s, until_s)
        with self._opened() as connection:
            if connection is None:
                return []
            spans = HistorySpans(connection)
            covering = spans.covering(since_s, until_s, spans.step_for(since_s, until_s))
            rows = [
                (start_s, one.step_s, number, *numbers)
                for one in covering
                for start_s, block in decoded(spans.blocks(HistoryKind.ROUND_TRIPS, [one]))
                for number, numbers in zip(block.keys[:, 0].tolist(), block.values.tolist(), strict=True)
            ]
            names = names_of(connection, (row[2] for row in rows))
        return [
            RoundTrips(start_s, step_s, names[number][0], names[number][1], total_us / count / 1000)
            for start_s, step_s, number, total_us, count in rows
            if count and len(names.get(number, ())) == 2 and pool in (None, names[number][0])
        ]

    def events(self, since_s: float, until_s: float, limit: int = 1000) -> list[HealthChange]:
        """Return the last `limit` changes of health in a span, oldest first."""
        _check_span(since_s, until_s)
        found: list[HealthChange] = []
        with self._opened() as connection:
            if connection is None:
                return found
            query = "SELECT data FROM events WHERE at_s >= ? AND at_s < ? ORDER BY at_s DESC, id DESC LIMIT ?"
            for (data,) in connection.execute(query, (since_s, until_s, min(limit, EVENTS_MAX))):
                with contextlib.suppress(zlib.error, UnicodeDecodeError):
                    change = parse_change(zlib.decompress(data).decode())
                    found += [change] if change is not None else []
        return found[::-1]

    def status(self) -> dict[str, Any]:
        """Return how the history stands, as plain values (history_status.py); raises HistoryUnreadable."""
        return history_status(self.path.parent)


def _split(
    connection: sqlite3.Connection,
    blocks: Iterator[tuple[int, bytes]],
    spread: SpanSums,
    what: str,
    name: str | None,
    by: str,
) -> SpanSums:
    """Return the cells of a load balancer or pool, or of all, by one of their dimensions."""
    own = history_series.SPLIT_BY_CELLS[what]
    at, of = CELL_DIMENSIONS.index(LISTED.get(by, by)), CELL_DIMENSIONS.index(own)
    wanted = None if name is None else np.array(ids_beginning(connection, (name,)))
    for start_s, block in decoded(blocks):
        rows = np.arange(block.rows) if wanted is None else np.flatnonzero(np.isin(block.keys[:, of], wanted))
        spread.add(start_s, summed(block.keys[rows][:, [at]], block.values[rows]))
    return spread


def _check_span(since_s: float, until_s: float) -> None:
    if not (0 <= since_s < until_s and until_s - since_s <= SPAN_MAX_S):
        raise LbdnsError(f"since: a span of the history begins before its end, {SPAN_MAX_S // 86_400} days at most")
