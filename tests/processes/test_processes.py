"""Child processes, the log's forms, systemd's notifications, and the wall behind `respond`."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.base.log import start_log
from lbdns.mapped.counters import open_counters
from lbdns.processes.responder import responder as worker
from lbdns.processes.responder.responder import ViewAnswerer
from lbdns.processes.supervisor import children
from lbdns.processes.supervisor.children import Child
from lbdns.processes.supervisor.systemd import notify

pytestmark = pytest.mark.process

READY = "import os, sys, time; os.write(int(sys.argv[sys.argv.index('--ready-fd') + 1]), b'1')"


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that makes a module of some source, which a Child can run by the name `program`."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def make(source: str) -> str:
        (tmp_path / "program.py").write_text(source)
        return "program"

    return make


async def until(condition: Any, seconds: float = 10.0) -> None:
    """Wait for a condition."""
    for _ in range(round(seconds / 0.02)):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not happen in time")


def test_a_child_that_dies_is_started_again_with_rising_delays(program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "RESTART_FIRST_S", 0.01)
    monkeypatch.setattr(children, "RESTART_MAX_S", 0.04)

    async def scenario() -> None:
        child = Child("test process", program("raise SystemExit(3)"), [])
        await child.start()
        await until(lambda: child.restarts >= 3)
        await child.stop(1.0)
        assert child.pid == 0

    asyncio.run(scenario())


def test_a_child_that_never_gets_ready_fails_the_start(program: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        child = Child("test process", program("raise SystemExit(3)"), [], says_ready=True)
        with pytest.raises(LbdnsError, match="the test process does not start"):
            await child.start()
        assert child.pid == 0

    asyncio.run(scenario())
    told = "the test process ended before it was ready (exit status 3)"
    assert [record.message for record in caplog.records] == [f"{told}; it is started again"] * 2 + [told]


def test_a_child_killed_before_it_was_ready_is_started_again(
    program: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stone = tmp_path / "killed"
    first = f"import os, pathlib, signal; stone = pathlib.Path({str(stone)!r})"
    second = "stone.exists() or (stone.touch(), os.kill(os.getpid(), signal.SIGKILL))"

    async def scenario() -> None:
        child = Child("test process", program(f"{first}; {second}; {READY}; time.sleep(60)"), [], says_ready=True)
        await child.start()
        assert child.pid != 0 and child.restarts == 1
        await child.stop(1.0)

    asyncio.run(scenario())
    told = "the test process ended before it was ready (signal SIGKILL); it is started again"
    assert [record.message for record in caplog.records] == [told]


def test_a_child_that_does_not_stop_is_killed(program: Any) -> None:
    async def scenario() -> None:
        source = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {READY}; time.sleep(60)"
        child = Child("test process", program(source), [], says_ready=True)
        await child.start()
        pid = child.pid
        await child.stop(0.2)
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

    asyncio.run(scenario())


def test_a_child_inherits_its_descriptors_and_nothing_else(program: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            source = f"{READY}; import socket; socket.socket(fileno=int(sys.argv[1])).send(b'hello'); time.sleep(60)"
            child = Child("test process", program(source), [str(theirs.fileno())], [theirs.fileno()], says_ready=True)
            await child.start()
            ours.settimeout(5)
            assert await asyncio.to_thread(ours.recv, 10) == b"hello"
            assert os.getsid(child.pid) == child.pid
            await child.stop(1.0)

    asyncio.run(scenario())


def test_log_lines_for_people_for_collectors_and_for_the_journal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log = logging.getLogger("lbdns.processes")
    start_log("supervisor", "text")
    log.warning("two\nlines")
    start_log("responder 0", "json")
    log.error("words of %s", "an operator")
    text, json_line = capsys.readouterr().err.split("\n    lines\n")
    assert text.endswith(" warning supervisor: two")
    fields = json.loads(json_line)
    assert (fields["level"], fields["process"], fields["message"]) == ("error", "responder 0", "words of an operator")
    with (tmp_path / "journal").open("w") as journal:
        monkeypatch.setattr(sys, "stderr", journal)
        found = os.fstat(journal.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
        start_log("supervisor", "text")
        log.error("two\nlines")
    assert (tmp_path / "journal").read_text() == "<3>supervisor: two\n<3>supervisor: lines\n"


def test_systemd_is_told_where_it_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notify("READY=1")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        notify("READY=1", "MAINPID=7")
        assert manager.recv(100) == b"READY=1\nMAINPID=7"


def test_a_fault_of_ours_costs_one_answer_and_one_log_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    def fail(*_: object) -> bytes:
        raise ZeroDivisionError

    class NoViews:
        def current(self) -> None:
            return None

    monkeypatch.setattr(worker, "respond", fail)
    words = open_counters(tmp_path / "counters", writable=True)
    answer = ViewAnswerer(NoViews(), words).udp_batch()  # type: ignore[arg-type]
    query = bytes.fromhex("abcd010000010000000000000377777700 00010001".replace(" ", ""))
    for _ in range(3):
        assert answer(query, b"\x7f\0\0\1", 1234) == bytes.fromhex("abcd81020000000000000000")
    assert answer(b"short", b"\x7f\0\0\1", 1234) is None
    assert len([record for record in caplog.records if "lbdns failed on the query abcd" in record.getMessage()]) == 1
