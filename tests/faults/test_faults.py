"""A short run of scripts/faults: servers under load with a few faults at once; and how rounds are drawn."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults import run
from tests.faults.fault import Fault, Seen, took
from tests.faults.kills import measure_kills
from tests.faults.run import Verdict, arguments, rounds, wanted
from tests.faults.table import FAULTS
from tests.strain.endpoints import PlayedElsewhere
from tests.strain.subject import LoadPlan, send

ROOT = Path(__file__).resolve().parents[2]
SLACK = "6"  # other tests run beside it
QUICK_ROWS = "2,3,4,5,8"


def play(*arguments: str) -> str:
    """Run scripts/faults' program; returns what it says, raises AssertionError with it where something fails."""
    command = [sys.executable, "-m", "tests.faults.run", "--slack", SLACK, "--rate", "150", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.process
@pytest.mark.parametrize("seed", ["1", "2"])
def test_faults_at_once_take_no_answer_away(seed: str) -> None:
    assert "1 round, 0 failed" in play("--rows", QUICK_ROWS, "--seed", seed, "--rounds", "1")


@pytest.mark.process
def test_the_slowest_answer_of_each_kill_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.closing(PlayedElsewhere()) as played:
        measure_kills(2, tmp_path / "work", played, LoadPlan(100.0, 1), 1)
    told = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in told] == ["kill   1", "kill   2", "2 kills"]
    assert ", 0 lost; " in told[-1]


class EverythingKilled(Fault):
    """Nobody is left, and nobody comes back."""

    row = 0
    what = "everything killed"
    recovers_s = 0.5

    def inject(self) -> None:
        self.rig.end(graceful=False)
        for one in self.rig.subject.processes():
            send(one.pid, signal.SIGKILL)


@pytest.mark.process
def test_a_fault_that_takes_answers_away_is_found(tmp_path: Path) -> None:
    with contextlib.closing(PlayedElsewhere()) as played:
        asked = arguments(["--rate", "100"])
        verdict = run.play(run.Round("harm", "files", (EverythingKilled,)), tmp_path / "work", played, asked)
    failed = {one.what for one in verdict.seen if not one.is_met(float(SLACK))}
    assert {"lost", "whole again", "a change is served"} <= failed


def test_rounds_follow_from_the_seed_and_have_only_what_their_server_can() -> None:
    asked = arguments(["--rounds", "40", "--seed", "7"])
    drawn = list(rounds(asked, FAULTS))
    assert drawn == list(rounds(asked, FAULTS)) and len(drawn) == 40
    assert drawn != list(rounds(arguments(["--rounds", "40", "--seed", "8"]), FAULTS))
    assert all(one.kind in fault.kinds for one in drawn for fault in one.faults)
    assert {len(one.faults) for one in drawn} == {1, 2, 3}
    every = list(rounds(arguments([]), FAULTS))
    assert {fault for one in every for fault in one.faults} == set(FAULTS)


@pytest.mark.parametrize("row", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16])
def test_every_row_that_can_happen_to_a_running_server_has_a_fault(row: int) -> None:
    assert wanted(arguments(["--rows", str(row)]))


def test_faults_have_names_of_their_own() -> None:
    assert len({one.what for one in FAULTS}) == len(FAULTS)
    assert all(issubclass(one, Fault) for one in FAULTS)


def test_slack_is_of_times_alone() -> None:
    verdict = Verdict(slack=3.0)
    verdict.seen.append(took("it", 2.0, 1.0))
    assert verdict.holds
    verdict.seen.append(took("it", 4.0, 1.0))
    assert not verdict.holds
    assert not Seen("lost", False, "1").is_met(100.0)
