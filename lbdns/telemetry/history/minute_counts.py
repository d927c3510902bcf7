"""What came in one minute: counts by name, and the cells that samples give, brought to the exact counts.

    exact count of a load balancer ----------------.
    weights of its samples, by cell --(in proportion, in whole numbers, largest remainders first)--> its cells

A load balancer's cells add up to its count; what no sample tells apart is a cell with names alone that are known. The
same holds of queries that no load balancer answered, beside all replies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from lbdns.model.view_names import parted
from lbdns.telemetry.history.history_block import HistoryBlock
from lbdns.telemetry.history.history_words import CELL_DIMENSIONS, RCODE, VALUE_COUNTS, HistoryKind
from lbdns.telemetry.history.name_book import Name

CellKey = tuple[Name, ...]
"""A name for each of CELL_DIMENSIONS; () where it is not known, or there is none."""

_UNKNOWN: Final[tuple[Name, ...]] = ((),) * len(CELL_DIMENSIONS)


@dataclass(slots=True)
class MinuteCounts:
    """What this process counted of one minute, which began at `start_s` (unix seconds).

    `before`: the blocks, by step and kind, that the file `file` had of its span before this process wrote any; what is
    written is those and these counts, so that it may be written again and again.
    """

    start_s: int
    counts: dict[HistoryKind, dict[Name, list[int]]] = field(default_factory=dict)
    cells: dict[CellKey, list[float]] = field(default_factory=dict)  # the samples' weight, and how many they are
    is_written: bool = False  # whether a file has any of it
    file: str = ""
    before: dict[tuple[int, HistoryKind], HistoryBlock | None] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return len(self.cells) + sum(map(len, self.counts.values()))

    def add(self, kind: HistoryKind, name: Name, *numbers: int) -> None:
        """Count something."""
        rows = self.counts.setdefault(kind, {})
        before = rows.get(name)
        if before is None:
            rows[name] = list(numbers)
        else:
            for index, number in enumerate(numbers):
                before[index] += number

    def add_cell(self, cell: CellKey, weight: float) -> None:
        """Take a sample that stands for so many decisions."""
        before = self.cells.setdefault(cell, [0.0, 0])
        before[0] += weight
        before[1] += 1

    def add_all(self, other: MinuteCounts) -> None:
        """Take all that another has."""
        for kind, rows in other.counts.items():
            for name, numbers in rows.items():
                self.add(kind, name, *numbers)
        for cell, (weight, samples) in other.cells.items():
            before = self.cells.setdefault(cell, [0.0, 0])
            before[0] += weight
            before[1] += samples

    def scaled_cells(self) -> dict[CellKey, tuple[int, int]]:
        """Return count and samples by cell."""
        exact = {
            _balancer_key(name): numbers[0] for name, numbers in self.counts.get(HistoryKind.LOAD_BALANCERS, {}).items()
        }
        replies = sum(
            numbers[0] for name, numbers in self.counts.get(HistoryKind.SERVER, {}).items() if name[0] == RCODE
        )
        exact[_UNKNOWN[:3]] = max(replies - sum(exact.values()), 0)
        groups: dict[CellKey, list[CellKey]] = {}
        for cell in self.cells:
            groups.setdefault(cell[:3], []).append(cell)
        scaled: dict[CellKey, tuple[int, int]] = {}
        for key, count in exact.items():
            members = groups.get(key, ())
            shares = in_proportion(count, [self.cells[cell][0] for cell in members])
            for cell, share in zip(members, shares, strict=True):
                scaled[cell] = share, int(self.cells[cell][1])
            left = count - sum(shares)
            if left:
                scaled[key + _UNKNOWN[3:]] = left, 0
        return scaled

    def numbers(self, kind: HistoryKind) -> Mapping[tuple[Name, ...], Sequence[int]]:
        """Return the rows of a kind as they are to be kept: by their names, a number or more each."""
        if kind is HistoryKind.CELLS:
            return self.scaled_cells()
        return {(name,): numbers for name, numbers in self.counts.get(kind, {}).items()}

    def kinds(self) -> Iterable[HistoryKind]:
        """Return the kinds that it has rows of."""
        return [*self.counts, HistoryKind.CELLS]


def _balancer_key(name: Name) -> CellKey:
    """Return the first three names of the cells of a load balancer, known by its label and type."""
    plain, view = parted(name[0])
    return cell_name(plain), cell_name(name[1]), cell_name(view)


def cell_name(text: str) -> Name:
    """Return the name of one text, () where it says nothing."""
    return (text,) if text else ()


def in_proportion(count: int, weights: Sequence[float]) -> list[int]:
    """Return whole numbers in proportion to weights that add up to `count`; none where no weight is above 0."""
    total = sum(weights)
    if not total:
        return [0] * len(weights)
    parts = [count * weight / total for weight in weights]
    shares = [int(part) for part in parts]
    order = sorted(range(len(parts)), key=lambda place: shares[place] - parts[place])
    for place in order[: count - sum(shares)]:
        shares[place] += 1
    return shares


def spread(minute: MinuteCounts, starts: Sequence[int]) -> list[MinuteCounts]:
    """Return minutes that begin at `starts` and have what one has, evenly: their sums are its counts."""
    parts = [MinuteCounts(start) for start in starts]
    for kind, rows in minute.counts.items():
        for name, numbers in rows.items():
            for place, part in enumerate(parts):
                share = [number * (place + 1) // len(parts) - number * place // len(parts) for number in numbers]
                if any(share):
                    part.add(kind, name, *share)
    return parts


def number_count(kind: HistoryKind) -> int:
    """Return how many numbers a row of a kind has."""
    return VALUE_COUNTS.get(kind, 1)
