"""Round-trip times that steer: an exponentially weighted mean per pool and region, in the table and on disk.

alpha = 1 - exp(-dt / 200 s), whatever the times between samples; a pool's sample is the mean over its healthy
endpoints, an endpoint's the mean over its voting monitors.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from lbdns.base.whole_file import write_whole
from lbdns.base.words import LATENCY_FILE
from lbdns.mapped.columns import REGION_COUNT
from lbdns.places.regions import REGION_CODES

TIME_CONSTANT_S: Final = 200.0
KEPT_S: Final = 24 * 3600.0  # a figure older than this says nothing of today
_ALL_REGIONS: Final = tuple(range(REGION_COUNT))


def ewma(value: float, sample: float, dt_s: float) -> float:
    """Return the mean after one more sample `dt_s` after the last; 0 means that there is none yet."""
    if value <= 0.0:
        return sample
    return value + (sample - value) * (1.0 - math.exp(-max(dt_s, 0.0) / TIME_CONSTANT_S))


def regions_of(region: str) -> tuple[int, ...]:
    """Return the columns that a vantage point's figures go to: its region's, or all where it has no known one.

    A machine that does not know its region measures for whoever asks it.
    """
    return (REGION_CODES.index(region),) if region in REGION_CODES else _ALL_REGIONS


def sample(columns: Mapping[str, memoryview[Any]], pool_slot: int, region: str, sample_ms: float, now_s: float) -> None:
    """Put one sample of a pool's round-trip time into the table."""
    for index in regions_of(region):
        at = pool_slot * REGION_COUNT + index
        columns["pool_rtt"][at] = ewma(columns["pool_rtt"][at], sample_ms, now_s - columns["pool_rtt_at"][at])
        columns["pool_rtt_at"][at] = now_s


def save(
    state_dir: Path,
    columns: Mapping[str, memoryview[Any]],
    pools: Iterable[tuple[str, int]],
    wall_offset_s: float = 0.0,
) -> None:
    """Write the figures of (name, slot) pools to disk, with the time of day of each; raises LbdnsError.

    `wall_offset_s`: by how much that is ahead of the table's clock.
    """
    figures: dict[str, dict[str, list[float]]] = {}
    for name, slot in pools:
        for index, code in enumerate(REGION_CODES):
            at = slot * REGION_COUNT + index
            if columns["pool_rtt"][at] > 0.0:
                figures.setdefault(name, {})[code] = [
                    round(columns["pool_rtt"][at], 4),
                    columns["pool_rtt_at"][at] + wall_offset_s,
                ]
    write_whole(state_dir / LATENCY_FILE, json.dumps(figures), "the round-trip times")


def load(state_dir: Path, now_s: float, unix_s: float | None = None) -> dict[str, dict[int, tuple[float, float]]]:
    """Return the figures on disk that still say something: pool name -> region index -> (ms, when by the clock of
    `now_s`); `unix_s` is the time of day, where it is another.

    None where there is no file or none that can be read: they come back by measuring.
    """
    unix_s = now_s if unix_s is None else unix_s
    try:
        document = json.loads((state_dir / LATENCY_FILE).read_text(encoding="utf-8"))
        return {
            name: {
                REGION_CODES.index(code): (float(value), now_s - max(unix_s - float(at_s), 0.0))
                for code, (value, at_s) in regions.items()
                if code in REGION_CODES and unix_s - at_s < KEPT_S and value > 0.0
            }
            for name, regions in document.items()
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def restore(columns: Mapping[str, memoryview[Any]], pool_slot: int, kept: Mapping[int, tuple[float, float]]) -> None:
    """Put kept figures into the table where it has none."""
    for index, (value, at_s) in kept.items():
        at = pool_slot * REGION_COUNT + index
        if columns["pool_rtt"][at] <= 0.0:
            columns["pool_rtt"][at], columns["pool_rtt_at"][at] = value, at_s
