"""Lines over time from the history: a second's rate, or ms of round-trip time, a value for each span of a chart.

| what           | a line for each                          | `name`               | `by`                |
|----------------|------------------------------------------|----------------------|---------------------|
| queries        | all together                             |                      | transport, path     |
| rcodes         | RCODE                                    | an RCODE             |                     |
| types          | type asked for                           | a type               |                     |
| sources        | what told the client's place             | one of them          |                     |
| load_balancers | load balancer and type                   | a load balancer      | a dimension of cells |
| pools          | pool                                     | a pool               | a dimension of cells |
| endpoints      | endpoint                                 | a pool, POOL/ENDPOINT |                    |
| rules          | rule of a load balancer                  | a load balancer      |                     |
| rtt            | pool and region                          | a pool               |                     |
| checks         | endpoint: the share that failed, 0 to 1  | a pool, POOL/ENDPOINT |                    |
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from lbdns.base.errors import LbdnsError
from lbdns.telemetry.history.history_block import HistoryBlock
from lbdns.telemetry.history.history_words import (
    CELL_DIMENSIONS,
    COVERED,
    LISTED,
    PATH,
    RCODE,
    SOURCE,
    TRANSPORT,
    TYPE,
    HistoryKind,
)
from lbdns.telemetry.history.name_book import Name, ids_beginning, names_of

LINES_MAX: Final = 50
"""Those that have most; the others are one line together."""
OTHERS: Final = "(others)"
POINTS_MAX: Final = 2000

Values = np.ndarray[Any, np.dtype[np.float64]]


class SeriesPlan:
    """What a word of `what` reads: the kind, the group of SERVER, and how its numbers become values."""

    def __init__(self, kind: HistoryKind, group: str = "", numerator: int = 0, denominator: int | None = None) -> None:
        """Take the number `numerator` a second, or by the number `denominator`."""
        self.kind = kind
        self.group = group
        self.numerator = numerator
        self.denominator = denominator


PLANS: Final = {
    "queries": SeriesPlan(HistoryKind.SERVER, TRANSPORT),
    "rcodes": SeriesPlan(HistoryKind.SERVER, RCODE),
    "types": SeriesPlan(HistoryKind.SERVER, TYPE),
    "sources": SeriesPlan(HistoryKind.SERVER, SOURCE),
    "load_balancers": SeriesPlan(HistoryKind.LOAD_BALANCERS),
    "pools": SeriesPlan(HistoryKind.POOLS),
    "endpoints": SeriesPlan(HistoryKind.ENDPOINTS),
    "rules": SeriesPlan(HistoryKind.RULES),
    "rtt": SeriesPlan(HistoryKind.ROUND_TRIPS, denominator=1),
    "checks": SeriesPlan(HistoryKind.CHECKS, numerator=1, denominator=0),
}
"""By `what`."""
GROUPS_OF_QUERIES: Final = (TRANSPORT, PATH)
SPLIT_BY_CELLS: Final = {"load_balancers": "load_balancer", "pools": "pool"}
"""What cells split further, and the dimension that it is."""
DIMENSIONS: Final = tuple({column: name for name, column in LISTED.items()}.get(one, one) for one in CELL_DIMENSIONS)
"""The dimensions of cells as they are asked for."""


@dataclass(frozen=True, slots=True)
class SeriesLine:
    """One line: its name, and a value for each time; None where nothing is known."""

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class HistorySeries:
    """Lines over the same times: spans of `step_s` seconds from `since_s` to before `until_s` (unix seconds), each
    known by its start. `exact`: each query is counted, not only samples."""

    since_s: int
    until_s: int
    step_s: int
    exact: bool
    times: tuple[int, ...]
    lines: tuple[SeriesLine, ...]


class SpanSums:
    """Sums by name and span of a chart, as blocks are added to it."""

    def __init__(self, since_s: int, step_s: int, count: int, numbers: int) -> None:
        """Begin with `count` spans of `step_s`, and so many numbers a row."""
        self._since_s, self._step_s, self._count = since_s, step_s, count
        self._place_of = np.full(1024, -1, np.int64)
        self._ids: list[int] = []
        self._sums = np.zeros((numbers, 64, count))

    def add(self, start_s: int, block: HistoryBlock, wanted: np.ndarray[Any, Any] | None = None) -> None:
        """Add a block that begins at a time; `wanted`: the numbers of names that count, None for all."""
        at = (start_s - self._since_s) // self._step_s
        if not 0 <= at < self._count or not block.rows:
            return
        ids, values = block.keys[:, 0].astype(np.int64), block.values
        if wanted is not None:
            mask = np.isin(ids, wanted)
            ids, values = ids[mask], values[mask]
        places = self._places(ids)
        for number in range(len(self._sums)):
            self._sums[number, places, at] += values[:, number]

    def _places(self, ids: np.ndarray[Any, np.dtype[np.int64]]) -> np.ndarray[Any, np.dtype[np.int64]]:
        if not len(ids):
            return ids
        highest = int(ids.max())
        if highest >= len(self._place_of):
            self._place_of = np.append(self._place_of, np.full(highest + 1024 - len(self._place_of), -1, np.int64))
        new = ids[self._place_of[ids] < 0]
        if len(new):
            self._place_of[new] = np.arange(len(self._ids), len(self._ids) + len(new))
            self._ids += new.tolist()
            lacking = len(self._ids) - self._sums.shape[1]
            if lacking > 0:
                more = np.zeros((len(self._sums), lacking + self._sums.shape[1] // 2, self._count))
                self._sums = np.concatenate((self._sums, more), axis=1)
        places: np.ndarray[Any, np.dtype[np.int64]] = self._place_of[ids]
        return places

    def lines(self) -> tuple[list[int], Values]:
        """Return the numbers of the names, and their sums: (numbers a row, names, spans)."""
        return self._ids, self._sums[:, : len(self._ids)]


def plan_for(what: str) -> SeriesPlan:
    """Return how a word of `what` is read; raises LbdnsError."""
    if what not in PLANS:
        raise LbdnsError(f'what: "{what}" is not known; expected one of {", ".join(PLANS)}')
    return PLANS[what]


def check_by(what: str, by: str | None) -> None:
    """Raise LbdnsError where lines of that kind are not split by a word."""
    if what == "queries":
        known: Iterable[str] = GROUPS_OF_QUERIES
    elif what in SPLIT_BY_CELLS:
        known = [name for name in DIMENSIONS if name != SPLIT_BY_CELLS[what]]
    else:
        known = ()
    if by is not None and by not in known:
        expected = f"; expected one of {', '.join(known)}" if known else ""
        raise LbdnsError(f'by: "{by}" does not go with what={what}{expected}')


def wanted_ids(connection: sqlite3.Connection, what: str, name: str | None, by: str | None) -> list[int] | None:
    """Return the numbers of the names that lines are asked for, None for all of the kind."""
    plan = plan_for(what)
    if plan.group:
        group = by or plan.group
        return ids_beginning(connection, (group,) if name is None else (group, name))
    if name is None:
        return None
    begins: list[Name] = [(name,)]
    if what in ("endpoints", "checks"):
        begins += [(name[:place], name[place + 1 :]) for place, letter in enumerate(name) if letter == "/"]
    return [number for begin in begins for number in ids_beginning(connection, begin)]


def covered_s(connection: sqlite3.Connection, blocks: Iterable[tuple[int, HistoryBlock]], spread: SpanSums) -> Values:
    """Return for how long each span of a chart was counted, in seconds."""
    wanted = np.array(ids_beginning(connection, (COVERED,)))
    for start_s, block in blocks:
        spread.add(start_s, block, wanted)
    _, sums = spread.lines()
    covered: Values = sums[0].sum(axis=0) / 1000
    return covered


def valued(plan: SeriesPlan, sums: Values, seconds: Values) -> Values:
    """Return the values of lines: (names, spans), NaN where nothing is known."""
    divisor = seconds[np.newaxis] if plan.denominator is None else sums[plan.denominator]
    with np.errstate(divide="ignore", invalid="ignore"):
        values: Values = np.where(divisor > 0, sums[plan.numerator] / divisor, np.nan)
    if plan.kind is HistoryKind.ROUND_TRIPS:
        values = values / 1000
    if plan.kind is HistoryKind.CHECKS:
        values = 1 - values
    return values


def named_lines(
    connection: sqlite3.Connection, plan: SeriesPlan, ids: list[int], sums: Values, seconds: Values
) -> tuple[SeriesLine, ...]:
    """Return lines by name, those that have most first, and what is beyond LINES_MAX together where that says
    anything."""
    order = np.argsort(-sums[plan.numerator].sum(axis=1), kind="stable")
    shown, others = order[:LINES_MAX], order[LINES_MAX:]
    values = valued(plan, sums[:, shown], seconds)
    known = names_of(connection, [ids[place] for place in shown])
    names = [known.get(ids[place], ()) for place in shown]
    called = [_line_name(plan, name) for name in names]
    clashes = {one for one, count in Counter(called).items() if count > 1}
    called = [" ".join(name) if one in clashes else one for one, name in zip(called, names, strict=True)]
    lines = [SeriesLine(one, line_values(row)) for one, row in zip(called, values, strict=True)]
    if len(others) and plan.denominator is None:
        together = valued(plan, sums[:, others].sum(axis=1, keepdims=True), seconds)
        lines.append(SeriesLine(OTHERS, line_values(together[0])))
    return tuple(lines)


def line_values(row: Values) -> tuple[float | None, ...]:
    """Return values as they are told: None for what is not known."""
    return tuple(None if value != value else float(value) for value in row)


def _line_name(plan: SeriesPlan, name: Name) -> str:
    """Return what a line is called: an endpoint is POOL/ENDPOINT, a rule LOAD BALANCER/RULE, a load balancer of
    another type than "A" has that behind it."""
    if plan.group:
        return name[-1] if name else ""
    if plan.kind in (HistoryKind.ENDPOINTS, HistoryKind.CHECKS):
        return "/".join(name[:2])
    if plan.kind in (HistoryKind.LOAD_BALANCERS, HistoryKind.RULES):
        balancer = " ".join(name[:1] if name[1:2] == ("A",) else name[:2])
        return "/".join((balancer, *name[2:]))
    return " ".join(name)
