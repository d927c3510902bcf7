"""A real server whose state directory's disk is full, or cannot be written to: answers and API go on, and the history
when it can again."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.history.recorded import eventually
from tests.processes.load import NAME
from tests.processes.namespaces import filled, read_only, small_disk, with_mounts
from tests.processes.test_last_served import row
from tests.processes.test_state_unusable import SecludedServer

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(240)]

WRITTEN_S = 40.0
TROUBLE = "the history is not written"
READ = """
import sys, time
from pathlib import Path
from lbdns.telemetry.history.history_reader import HistoryReader
rows = HistoryReader(Path(sys.argv[1])).cells(float(sys.argv[2]), time.time() + 60, ["load_balancer"])
print(sum(row.count for row in rows))
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SecludedServer]:
    """A server of files that has not started yet."""
    with contextlib.closing(SecludedServer(tmp_path)) as server:
        yield server


def counted(server: SecludedServer, since_s: float, python: str) -> int:
    """Return how many decisions the history has, as who is in the server's namespace reads it."""
    made = subprocess.run(
        ["nsenter", f"--mount=/proc/{server.pid}/ns/mnt", python, "-c", READ, str(server.state_dir), str(since_s)],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(made.stdout)


def send(server: SecludedServer, count: int) -> int:
    """Ask so often, each of which is answered; returns how often."""
    for _ in range(count):
        assert server.addresses(NAME)
    return count


def test_a_disk_that_runs_full(server: SecludedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is counted meanwhile is written when there is room."""
    python = sys.executable
    with_mounts(monkeypatch, tmp_path, small_disk(server.state_dir, "4m"))
    since_s = time.time() - 60
    server.start()
    sent = send(server, 40)
    eventually(lambda: counted(server, since_s, python) == sent, "not what was sent", WRITTEN_S)
    filling = server.state / "filling"
    subprocess.run(["dd", "if=/dev/zero", f"of={filling}", "bs=4096"], capture_output=True, check=False)
    sent += send(server, 30)
    eventually(lambda: TROUBLE in server.log, "nothing is said", WRITTEN_S)
    sent += send(server, 20)
    assert server.status()["history"]["restarts"] == 0
    assert counted(server, since_s, python) < sent  # readers have what was written
    filling.unlink()
    eventually(lambda: counted(server, since_s, python) == sent, "what waited is not written", WRITTEN_S)
    assert server.log.count(TROUBLE) == 1
    assert "the history is written again" in server.log
    assert not row(server, "history")["problems"]
    assert server.stop() == 0 and "Traceback" not in server.log


def test_a_disk_that_is_full_from_the_start(
    server: SecludedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was counted since the start is written when there is room."""
    python = sys.executable
    with_mounts(monkeypatch, tmp_path, small_disk(server.state_dir, "4m"), filled(server.state_dir))
    since_s = time.time() - 60
    server.start()
    sent = send(server, 40)
    eventually(lambda: TROUBLE in server.log, "nothing is said", WRITTEN_S)
    (server.state / "filling").unlink()
    sent += send(server, 5)
    eventually(lambda: counted(server, since_s, python) == sent, "what waited is not written", WRITTEN_S)


def test_a_directory_that_is_read_only(server: SecludedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers go on, and the history when it can be written to."""
    server.state_dir.mkdir()
    python = sys.executable
    with_mounts(monkeypatch, tmp_path, read_only(server.state_dir))
    since_s = time.time() - 60
    server.start()
    sent = send(server, 40)
    eventually(lambda: TROUBLE in server.log, "nothing is said", WRITTEN_S)
    enter = ["nsenter", f"--mount=/proc/{server.pid}/ns/mnt", "mount", "-o"]
    subprocess.run([*enter, "remount,bind,rw", str(server.state_dir)], check=True)
    sent += send(server, 5)
    eventually(lambda: counted(server, since_s, python) == sent, "what waited is not written", WRITTEN_S)
    assert server.log.count(TROUBLE) == 1
