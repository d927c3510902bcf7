"""`lbdns events`: the record for people and for programs."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lbdns.base.errors import LbdnsError
from lbdns.cli.commands.events_command import events
from lbdns.cli.frame.common import parse_duration_s
from lbdns.health.events import HealthChange, Record, Seen, read_events


@pytest.fixture
def state(tmp_path: Path) -> Path:
    record = Record(tmp_path)
    now_s = time.time()
    record.append(HealthChange(now_s - 7000, "pool", "us", "healthy", "critical", pool="us"))
    record.append(
        HealthChange(
            now_s - 60, "endpoint", "eu/a", "healthy", "unhealthy", pool="eu", endpoint="a", address="192.0.2.1"
        )
    )
    record.append(HealthChange(now_s, "pool", "eu", "healthy", "degraded", pool="eu"))
    record.close()
    return tmp_path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(events, [str(one) for one in arguments])


def test_lines_oldest_first(state: Path) -> None:
    lines = run("--state", state).output.splitlines()
    assert [line.split("  ", 1)[1] for line in lines] == [
        "pool us is critical; was healthy",
        "pool eu endpoint a (192.0.2.1) is unhealthy; was healthy",
        "pool eu is degraded; was healthy",
    ]


def test_choosing(state: Path) -> None:
    assert len(run("--state", state, "--since", "1h").output.splitlines()) == 2
    assert len(run("--state", state, "--limit", "1").output.splitlines()) == 1
    assert len(run("--state", state, "--pool", "us").output.splitlines()) == 1
    assert [row["after"] for row in json.loads(run("--state", state, "--pool", "eu", "--json").output)] == [
        "unhealthy",
        "degraded",
    ]


def test_nothing_found_is_said_beside_the_output(state: Path) -> None:
    assert json.loads(run("--state", state / "none", "--json").output) == []
    for arguments, said in (
        ((state / "none",), f"no change is recorded in {state / 'none'}\n"),
        ((state, "--pool", "asia"), f'no change of pool "asia" is recorded in {state}\n'),
        ((state, "--pool", "us", "--since", "1h"), f'no change of pool "us" is recorded in {state} for the last 1h\n'),
    ):
        found = run("--state", *arguments)
        assert (found.exit_code, found.stdout, found.stderr) == (0, "", said)


def test_the_state_directory_comes_from_the_settings(state: Path, tmp_path: Path) -> None:
    directory = tmp_path / "conf"
    directory.mkdir()
    (directory / "lbdns.yaml").write_text(f"state: {state}\n")
    assert len(run("--config", directory).output.splitlines()) == 3


def test_the_probes_that_decided(tmp_path: Path) -> None:
    probes = tuple(
        Seen(1_800_000_000.5 + number, "ams", "web", "192.0.2.1", False, "Response code mismatch error", 503, 1234)
        for number in range(2)
    )
    record = Record(tmp_path)
    record.append(HealthChange(time.time(), "pool", "eu", "healthy", "critical", pool="eu", probes=probes))
    record.close()
    assert read_events(tmp_path)[0].probes == probes
    lines = run("--state", tmp_path, "--probes").output.splitlines()
    assert len(lines) == 3 and lines[1].endswith(
        ".500  ams  web  192.0.2.1  Response code mismatch error (503)  1.2 ms"
    )
    (row,) = json.loads(run("--state", tmp_path, "--json").output)
    assert row["probes"][0]["vantage"] == "ams" and len(row["probes"]) == 2
    assert len(run("--state", tmp_path).output.splitlines()) == 1


def test_durations() -> None:
    assert [parse_duration_s(text) for text in ("90s", "15min", "15m", "2 h", "1.5d")] == [90, 900, 900, 7200, 129600]
    with pytest.raises(LbdnsError, match="is no duration"):
        parse_duration_s("soon")
