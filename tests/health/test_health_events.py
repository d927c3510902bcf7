"""The record of changes: lines in words, bounded files, and crashes."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbdns.health.events import HealthChange, Record, duration_text, read_events


def change(at_s: float = 0.0, **more: object) -> HealthChange:
    fields: dict[str, object] = {"at_s": at_s, "kind": "pool", "name": "eu", "before": "healthy", "after": "critical"}
    return HealthChange(**{**fields, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "less than 1 s"),
        (59, "59 s"),
        (245, "4 min 5 s"),
        (300, "5 min"),
        (11_520, "3 h 12 min"),
        (9 * 86400 + 7500, "9 d 2 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_a_change_in_words() -> None:
    endpoint = change(
        kind="endpoint",
        pool="eu",
        endpoint="eu-1",
        address="192.0.2.10",
        before="healthy",
        after="unhealthy",
        reason="Response code mismatch error",
        detail="got 503",
        was_for_s=60,
    )
    assert endpoint.text == (
        "pool eu endpoint eu-1 (192.0.2.10) is unhealthy: Response code mismatch error (got 503); was healthy for 1 min"
    )
    assert change(detail="0 of 1 endpoints up").text == "pool eu is critical: 0 of 1 endpoints up; was healthy"


def test_the_record_is_bounded_and_keeps_the_latest(tmp_path: Path) -> None:
    record = Record(tmp_path, file_bytes_max=4000)
    for number in range(200):
        record.append(change(float(number)))
    record.close()
    kept = [event.at_s for event in read_events(tmp_path)]
    assert kept[-1] == 199.0 and kept == sorted(kept) and 10 < len(kept) < 200
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 9000
    assert [event.at_s for event in read_events(tmp_path, since_s=198)] == [198.0, 199.0]
    assert [event.at_s for event in read_events(tmp_path, limit=1)] == [199.0]
    assert read_events(tmp_path, limit=0) == [] and read_events(tmp_path / "none") == []


def test_a_line_cut_short_by_a_crash_costs_itself_alone(tmp_path: Path) -> None:
    record = Record(tmp_path)
    record.append(change(1.0))
    record.append(change(2.0))
    record.close()
    path = tmp_path / "events.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    record = Record(tmp_path)
    record.append(change(3.0, name="é"))
    record.close()
    assert [event.at_s for event in read_events(tmp_path)] == [1.0, 3.0]


def test_keys_of_a_newer_release_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text(
        '{"at_s": 1, "kind": "pool", "name": "p", "before": "a", "after": "b", "mood": 1}\n[]\n{"at_s": 2}\n'
    )
    assert [event.name for event in read_events(tmp_path)] == ["p"]
