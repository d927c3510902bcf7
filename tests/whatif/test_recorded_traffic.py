"""Samples of a span, from history and rings: all of them, or the same part of each slice where they are many."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lbdns.places.geodata import Geodata
from lbdns.telemetry import recorded_traffic as module
from lbdns.telemetry.recorded_traffic import READ_MAX, recorded_traffic
from lbdns.telemetry.samples import TrafficSample
from tests.whatif.recorded import NOW_S, sample


class History:
    """A history of so many samples, one every so many seconds until now."""

    count = 0
    every_s = 1.0

    def __init__(self, _: Path) -> None: ...

    def status(self) -> dict[str, Any]:
        since = NOW_S - self.count * self.every_s if self.count else None
        return {"samples": {"rows": self.count, "since": since}}

    def samples(self, since_s: float, until_s: float, limit: int) -> list[TrafficSample]:
        first = max(0, int((NOW_S - until_s) / self.every_s))
        found = []
        for number in range(first, self.count):
            at_s = NOW_S - number * self.every_s
            if at_s < since_s:
                break
            if at_s < until_s:
                found.append(sample(ago_s=number * self.every_s))
        return found[:limit]


@pytest.mark.parametrize(
    ("count", "every_s", "span_s"),
    [(0, 1.0, 3600.0), (50, 0.01, 3600.0), (3000, 1.0, 3600.0), (3600 * 30, 1 / 30, 3600.0), (3600 * 30, 1 / 30, 60.0)],
)
def test_samples_stand_for_all_that_there_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, count: int, every_s: float, span_s: float
) -> None:
    monkeypatch.setattr(History, "count", count)
    monkeypatch.setattr(History, "every_s", every_s)
    monkeypatch.setattr(module, "HistoryReader", History)
    monkeypatch.setattr(module, "_in_rings", lambda *_: [])
    found = recorded_traffic(tmp_path, NOW_S - span_s, NOW_S, Geodata.open(None, None))
    there = min(count, span_s / every_s)
    assert len(found.samples) <= 1.1 * READ_MAX
    assert len(found.samples) * found.stands_for == pytest.approx(there, rel=0.02, abs=1)
    assert (found.stands_for == 1.0) == (there <= READ_MAX)
