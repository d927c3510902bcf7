"""Counts by any dimensions: from the counters where these tell them apart, else from cells, which samples give.

| dimensions asked for, in `by` and `where` together  | counted by                                      | exact |
|-----------------------------------------------------|-------------------------------------------------|-------|
| none; rcode; qtype; location_source                 | the server's counters                           | yes   |
| some of load_balancer, type, view                   | the load balancers' counters                    | yes   |
| pool                                                | the pools' counters                             | yes   |
| some of pool, endpoint                              | the endpoints' counters                         | yes   |
| rule, and some of load_balancer, type, view         | the rules' counters                             | yes   |
| others of CELL_DIMENSIONS                           | cells: each load balancer's add up to its count | no    |
| others of samples: resolver_network, qname...       | the samples that are kept                       | no    |

"time" is a dimension as well. Each endpoint of an answer counts, and each rule that matched; by "endpoints" and
"rules", the lists of these, each answer counts once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final, NamedTuple

import numpy as np

from lbdns.base.errors import LbdnsError
from lbdns.model.view_names import parted
from lbdns.telemetry.history.history_block import HistoryBlock, decode_block, merged, summed
from lbdns.telemetry.history.history_spans import CoveredRange, HistorySpans
from lbdns.telemetry.history.history_words import CELL_DIMENSIONS, LISTED, RCODE, SOURCE, TYPE, HistoryKind
from lbdns.telemetry.history.name_book import Name, names_of

TIME: Final = "time"
CELL_ROWS_MAX: Final = 100_000
_BALANCER: Final = frozenset({"load_balancer", "type", "view"})
_PARTS_MAX: Final = 64  # blocks that wait to be added up

WHOLE: Final = frozenset(LISTED.values())
"""Dimensions that are whole lists, each that differs in its order; by LISTED's keys each member counts for itself."""

Value = str | int | tuple[str, ...]
Where = Mapping[str, str | Collection[str]]
Row = tuple[Name | int, ...]


@dataclass(frozen=True, slots=True)
class CellRow:
    """A count by some dimensions: texts by their names, lists as tuples, "time" as unix seconds. Where it is not
    `exact` it is drawn from so many `samples`; those of an exact one are not told (0)."""

    dimensions: Mapping[str, Value]
    count: int
    exact: bool
    samples: int


class Counting(NamedTuple):
    """What counts some dimensions exactly: a kind, the group of SERVER, and the dimensions of one of its names."""

    kind: HistoryKind
    group: str
    knows: frozenset[str]
    dimensions: Callable[[Name], Mapping[str, str]]


def _balancer_in(name: Name) -> dict[str, str]:
    plain, view = parted(name[0])
    return {"load_balancer": plain, "type": name[1], "view": view}


def _in_group(dimension: str) -> Callable[[Name], Mapping[str, str]]:
    return lambda name: {dimension: name[-1]}


COUNTINGS: Final = (
    Counting(HistoryKind.SERVER, RCODE, frozenset({"rcode"}), _in_group("rcode")),
    Counting(HistoryKind.SERVER, TYPE, frozenset({"qtype"}), _in_group("qtype")),
    Counting(HistoryKind.SERVER, SOURCE, frozenset({"location_source"}), _in_group("location_source")),
    Counting(HistoryKind.LOAD_BALANCERS, "", _BALANCER, _balancer_in),
    Counting(HistoryKind.POOLS, "", frozenset({"pool"}), lambda name: {"pool": name[0]}),
    Counting(
        HistoryKind.ENDPOINTS,
        "",
        frozenset({"pool", "endpoint"}),
        lambda name: {"pool": name[0], "endpoint": name[1]},
    ),
    Counting(HistoryKind.RULES, "", _BALANCER | {"rule"}, lambda name: {**_balancer_in(name), "rule": name[2]}),
)
"""The first that knows all dimensions counts them."""


def exact_counting(dimensions: Iterable[str]) -> Counting | None:
    """Return what counts some dimensions exactly, None where nothing does."""
    wanted = set(dimensions) - {TIME}
    return next((one for one in COUNTINGS if wanted <= one.knows), None)


def is_cell_dimension(dimension: str) -> bool:
    """Whether cells are told apart by a dimension."""
    return dimension in (TIME, *LISTED, *CELL_DIMENSIONS)


class Tallied:
    """Counts and samples by the values of `by`, of what `where` lets through."""

    def __init__(self, by: Sequence[str], where: Where) -> None:
        """Begin with nothing."""
        self._by = by
        self._where = {name: frozenset((one,) if isinstance(one, str) else one) for name, one in where.items()}
        self._sums: dict[tuple[Value, ...], list[int]] = {}

    def add(self, values: Mapping[str, Sequence[Value]], count: int, samples: int) -> None:
        """Add a count; a dimension has one value, or each of several: a list of none is one that is empty."""
        for name, wanted in self._where.items():
            if wanted.isdisjoint(map(str, values.get(name) or ("",))):
                return
        for key in product(*((values.get(name) or ("",)) for name in self._by)):
            before = self._sums.setdefault(key, [0, 0])
            before[0] += count
            before[1] += samples

    def rows(self, exact: bool) -> list[CellRow]:
        """Return the rows, largest first; raises LbdnsError where they are too many."""
        if len(self._sums) > CELL_ROWS_MAX:
            raise LbdnsError(f"more than {CELL_ROWS_MAX:,} rows: ask for fewer dimensions, or a shorter time")
        ordered = sorted(self._sums.items(), key=lambda one: (-one[1][0], tuple(map(str, one[0]))))
        return [
            CellRow(dict(zip(self._by, key, strict=True)), count, exact, samples) for key, (count, samples) in ordered
        ]


def exact_rows(
    connection: sqlite3.Connection,
    spans: HistorySpans,
    covering: list[CoveredRange],
    counting: Counting,
    tallied: Tallied,
    step_s: int,
) -> list[CellRow]:
    """Return rows that the counters give."""
    block = _summed_by(spans.blocks(counting.kind, covering), (0,), step_s)
    names = names_of(connection, block.keys[:, 1].tolist())
    for (at, number), count in zip(block.keys.tolist(), block.values[:, 0].tolist(), strict=True):
        name = names.get(number, ())
        if not name or (counting.group and (len(name) < 2 or name[0] != counting.group)):
            continue
        values = {key: (value,) for key, value in counting.dimensions(name).items()}
        tallied.add({**values, TIME: (at * step_s,)}, count, 0)
    return tallied.rows(exact=True)


def sampled_rows(
    connection: sqlite3.Connection,
    spans: HistorySpans,
    covering: list[CoveredRange],
    dimensions: Collection[str],
    tallied: Tallied,
    step_s: int,
) -> list[CellRow]:
    """Return rows that cells give."""
    wanted = [name for name in dimensions if name != TIME]
    columns = tuple(CELL_DIMENSIONS.index(LISTED.get(name, name)) for name in wanted)
    block = _summed_by(spans.blocks(HistoryKind.CELLS, covering), columns, step_s)
    names = names_of(connection, block.keys[:, 1:].ravel().tolist())
    for (at, *numbers), (count, samples) in zip(block.keys.tolist(), block.values.tolist(), strict=True):
        values: dict[str, Sequence[Value]] = {
            name: (names.get(number, ()),) if name in WHOLE else names.get(number, ())
            for name, number in zip(wanted, numbers, strict=True)
        }
        tallied.add({**values, TIME: (at * step_s,)}, count, samples)
    return tallied.rows(exact=False)


def _summed_by(blocks: Iterable[tuple[int, bytes]], columns: tuple[int, ...], step_s: int) -> HistoryBlock:
    """Return the sums of blocks by span of time (its number, from `step_s`) and some of their columns."""
    parts: list[HistoryBlock] = []
    for start_s, block in decoded(blocks):
        at = np.full((block.rows, 1), start_s // step_s, np.uint32)
        keys = [block.keys[:, [one]] if one < block.keys.shape[1] else np.zeros_like(at) for one in columns]
        parts.append(summed(np.concatenate((at, *keys), axis=1), block.values))
        if len(parts) > _PARTS_MAX:
            parts = [merged(parts)]
    if not parts:
        return HistoryBlock(np.zeros((0, 1 + len(columns)), np.uint32), np.zeros((0, 2), np.uint64))
    return merged(parts)


def decoded(blocks: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, HistoryBlock]]:
    """Yield blocks that are whole; the writer says which are not."""
    for start_s, data in blocks:
        try:
            yield start_s, decode_block(data)
        except LbdnsError:
            continue
