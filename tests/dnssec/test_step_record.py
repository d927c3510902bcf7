"""Steps of keys: kept on disk within a bound, shown by `lbdns events` among what changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lbdns.base.words import DNSSEC_STEPS_FILE, OLDER_DNSSEC_STEPS_FILE
from lbdns.dnssec import step_record
from lbdns.dnssec.step_record import TRANSFERS, StepRecord, read_steps
from lbdns.dnssec.zone_step import Level, ZoneStep
from lbdns.health.events import HealthChange, Record
from tests.cli.commands import done, run


def event(at_s: float, zone: str = "example.com", level: Level = "info") -> ZoneStep:
    return ZoneStep(at_s, zone, f"step {at_s:g}", level)


def test_steps_are_kept_in_order_within_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_record, "FILE_BYTES_MAX", 1000)
    record = StepRecord(tmp_path)
    for at_s in range(100):
        record.add(event(at_s))
    kept = read_steps(tmp_path)
    assert kept[-1] == ZoneStep(99, "example.com", "step 99") and 10 < len(kept) < 40
    assert [one.at_s for one in kept] == sorted(one.at_s for one in kept)
    assert read_steps(tmp_path, 98) == kept[-2:]
    assert all((tmp_path / name).stat().st_size < 1200 for name in (DNSSEC_STEPS_FILE, OLDER_DNSSEC_STEPS_FILE))
    with (tmp_path / DNSSEC_STEPS_FILE).open("a") as file:
        file.write('{"at_s": 3, "zo\n')
    assert read_steps(tmp_path) == kept


def test_a_disk_that_refuses_stops_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / DNSSEC_STEPS_FILE).mkdir()
    StepRecord(tmp_path).add(event(1))
    assert "cannot note what happens to keys" in caplog.text


def test_transfers_have_files_of_their_own_and_stand_among_the_steps_of_keys(tmp_path: Path) -> None:
    keys, transfers = StepRecord(tmp_path), StepRecord(tmp_path, TRANSFERS)
    transfers.add(event(2, "b.example", "error"))
    keys.add(event(1, "a.example"))
    transfers.add(event(3, "a.example"))
    assert [(one.at_s, one.zone) for one in read_steps(tmp_path)] == [
        (1, "a.example"),
        (2, "b.example"),
        (3, "a.example"),
    ]
    assert (tmp_path / DNSSEC_STEPS_FILE).read_text().count("\n") == 1
    (line,) = done("events", "--state", str(tmp_path), "--zone", "b.example").splitlines()
    assert line.endswith("zone b.example: step 2")


def test_events_show_steps_among_changes(tmp_path: Path) -> None:
    assert "of the zone other.org" in run("events", "--state", str(tmp_path), "--zone", "other.org").err
    record = StepRecord(tmp_path)
    record.add(event(1_000))
    record.add(event(3_000, "example.net", "error"))
    health = Record(tmp_path)
    health.append(HealthChange(2_000, "pool", "eu", "healthy", "critical", pool="eu"))
    health.close()
    lines = done("events", "--state", str(tmp_path)).splitlines()
    assert [line.split("  ", 1)[1].split(" is ")[0] for line in lines] == [
        "zone example.com: step 1000",
        "pool eu",
        "zone example.net: step 3000",
    ]
    assert len(done("events", "--state", str(tmp_path), "--pool", "eu").splitlines()) == 1
    (one,) = json.loads(done("events", "--state", str(tmp_path), "--zone", "Example.NET.", "--json"))
    assert (one["kind"], one["zone"], one["what"], one["level"]) == ("zone", "example.net", "step 3000", "error")
