"""Samples of a span of time: from the history, which keeps an hour of them at least, and what the rings hold since.

Where there are more than are asked again, a part of each of some slices of the span is read, the same of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.mapped.run_directory import RunDirectory
from lbdns.places.geodata import Geodata
from lbdns.telemetry.history.history_reader import HistoryReader
from lbdns.telemetry.recorded_queries import QUERIES_MAX
from lbdns.telemetry.samples import SampleReader, TrafficSample

SLICES: Final = 60
READ_MAX: Final = 4 * QUERIES_MAX
"""Samples that are read where there are more; those that are asked are chosen from them."""
_NS: Final = 1e9


@dataclass(frozen=True, slots=True)
class RecordedTraffic:
    """Samples, each of which stands for so many; `is_elsewhere`: they are of a file, not of this server's last hour;
    `problem`: why there may be less than there was, "" where nothing is known to be wrong."""

    samples: Sequence[TrafficSample]
    stands_for: float = 1.0
    is_elsewhere: bool = False
    problem: str = ""


def recorded_traffic(state_dir: Path, since_s: float, until_s: float, geodata: Geodata) -> RecordedTraffic:
    """Return what the server of a state directory recorded of a span (unix seconds)."""
    problem, part = "", 1.0
    samples: list[TrafficSample] = []
    try:
        reader = HistoryReader(state_dir)
        part = _part(reader, since_s, until_s)
        width_s = (until_s - since_s) / SLICES
        for number in range(SLICES):
            first_s = since_s + number * width_s
            samples += reader.samples(first_s, first_s + width_s * part, READ_MAX)
    except LbdnsError as error:
        problem = str(error)
    known_ns = max((one.unix_ns for one in samples), default=int(since_s * _NS))
    # A part of them is enough of the past; the newest seconds are in the rings alone.
    if part == 1.0:
        samples += [one for one in _in_rings(state_dir, geodata, known_ns) if one.unix_ns <= until_s * _NS]
    return RecordedTraffic(samples, 1.0 / part, problem=problem)


def _part(reader: HistoryReader, since_s: float, until_s: float) -> float:
    """Return what part of each slice is to be read, by how many samples are kept since when."""
    kept = reader.status()["samples"]
    rows, since = int(kept["rows"]), kept["since"]
    if not rows or since is None or since >= until_s:
        return 1.0
    # What is kept began at some time, which may lie within the span.
    count = rows * (until_s - max(since_s, float(since))) / max(until_s - float(since), 1.0)
    return min(1.0, READ_MAX / max(count, 1.0))


def _in_rings(state_dir: Path, geodata: Geodata, since_unix_ns: int) -> list[TrafficSample]:
    """Return what the rings of a running server hold that is newer."""
    try:
        reader = SampleReader(RunDirectory(state_dir), geodata, since_unix_ns)
    except LbdnsError:
        return []  # whose run directory is not ours has no rings for us
    try:
        return reader.read().samples
    finally:
        reader.close()
