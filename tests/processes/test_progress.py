"""Progress of long loads: reported by the jobs, shown on a terminal alone."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from lbdns.base.progress import JobProgress, report, watched_by
from lbdns.cli.frame.bar import Bar
from lbdns.config.loading import load

pytestmark = pytest.mark.process

RECORDS = 20_000
APEX = "$TTL 300\n@ SOA ns1 hostmaster 1 7200 3600 1209600 60\n@ NS ns1.example.net.\nns1 A 192.0.2.53\n"


@pytest.fixture
def large(tmp_path: Path) -> Path:
    lines = "".join(f"h{number} A 10.0.{number >> 8}.{number & 255}\n" for number in range(RECORDS))
    (tmp_path / "example.com.zone").write_text(APEX + lines)
    return tmp_path


def test_a_load_reports_how_far_it_is(large: Path) -> None:
    heard: list[tuple[str, int, int]] = []
    with watched_by(lambda *said: heard.append(said)):
        load(large)
    report("nobody hears", 1, 1)
    stages = {stage for stage, _, _ in heard}
    assert stages == {"reading example.com.zone"}
    assert [done for _, done, _ in heard] == sorted(done for _, done, _ in heard)
    assert heard[-1][1] > RECORDS // 2
    assert all(total == RECORDS + 4 for _, _, total in heard)


def test_a_terminal_shows_it(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = "import lbdns.cli.frame.bar as b; b.PATIENCE_S = 0; from lbdns.cli.main import main; main()"
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        arguments = [sys.executable, "-c", program, "check", str(large)]
        done = subprocess.run(arguments, stderr=theirs, stdout=subprocess.PIPE, text=True, timeout=60)
        os.close(theirs)
        shown = terminal.read(65_536)
    assert b"reading example.com.zone" in shown
    assert done.stdout.startswith("1 zone, 20,003 records")


def test_no_terminal_no_bar(large: Path) -> None:
    program = "import lbdns.cli.frame.bar as b; b.PATIENCE_S = 0; from lbdns.cli.main import main; main()"
    arguments = [sys.executable, "-c", program, "check", str(large)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_last_stage_ends_it() -> None:
    shown = Bar("last")
    shown._begun -= 60
    shown.watch("first", 1, 2)
    shown.watch("last", 2, 2)
    assert shown._is_over
    shown.watch("first", 2, 2)
    assert set(shown._tasks) == {"first", "last"}


def test_how_far_a_job_has_come_is_there_while_it_is_under_way() -> None:
    progress = JobProgress()
    assert progress.told is None
    with pytest.raises(ZeroDivisionError), progress.followed():
        report("signing records", 3, 7)
        assert progress.told == ("signing records", 3, 7)
        raise ZeroDivisionError
    assert progress.told is None


def test_a_terminal_shows_what_another_process_does() -> None:
    program = """
import time
import lbdns.cli.frame.bar as b
from lbdns.base.errors import LbdnsError
b.PATIENCE_S = b.POLL_S = 0
answers = [None, LbdnsError("gone"), ("signing records", 3, 7)]
def ask():
    said = answers.pop(0) if len(answers) > 1 else answers[0]
    if isinstance(said, Exception):
        raise said
    asked.append(said)
    return said
asked = []
with b.bar_elsewhere(ask):
    while not asked or asked[-1] is None:
        time.sleep(0.01)
    time.sleep(0.3)
"""
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        done = subprocess.run([sys.executable, "-c", program], stderr=theirs, timeout=60, check=False)
        os.close(theirs)
        shown = terminal.read(65_536)
    assert done.returncode == 0 and b"signing records" in shown


def test_a_terminal_shows_what_comes_next_until_all_is_quiet() -> None:
    program = """
import lbdns.cli.frame.bar as b
b.PATIENCE_S = b.POLL_S = 0
answers = [("signing records", 3, 7)] * 3
b.show_until_quiet(lambda: answers.pop() if answers else None, 60.0)
assert not answers
answers = iter(lambda: ("for ever", 1, 2), None)
b.show_until_quiet(lambda: next(answers), 0.05)
"""
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        done = subprocess.run([sys.executable, "-c", program], stderr=theirs, timeout=60, check=False)
        os.close(theirs)
        shown = terminal.read(65_536)
    assert done.returncode == 0 and b"signing records" in shown
