"""Child processes, the log's forms, systemd's notifications, and the wall behind `respond`."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.base.log import start_log
from lbdns.mapped.counter_words import BEAT_NS
from lbdns.mapped.counters import open_counters
from lbdns.processes.responder import view_answerer as worker
from lbdns.processes.responder.view_answerer import ViewAnswerer
from lbdns.processes.supervisor import children
from lbdns.processes.supervisor.children import Child
from lbdns.processes.supervisor.pulse import Pulse
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


def test_a_child_is_tried_again_whatever_kept_it_from_starting(
    program: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(children, "RESTART_FIRST_S", 0.01)
    monkeypatch.setattr(children, "RESTART_MAX_S", 0.04)
    faults = [
        BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"),
        RuntimeError("no thread"),
        MemoryError(),
    ]
    popen = subprocess.Popen

    def start(*arguments: Any, **keywords: Any) -> Any:
        if len(faults) > 0:
            raise faults.pop(0)
        return popen(*arguments, **keywords)

    monkeypatch.setattr(subprocess, "Popen", start)

    async def scenario() -> None:
        child = Child("test process", program("import time; time.sleep(60)"), [])
        await child.start()
        await until(lambda: child.pid)
        assert child.restarts == 3
        descriptors = len(os.listdir("/proc/self/fd"))
        await child.stop(1.0)
        assert len(os.listdir("/proc/self/fd")) == descriptors - 2  # its eventfd, its pidfd

    asyncio.run(scenario())
    assert "the test process died (cannot be started: Resource temporarily unavailable)" in caplog.text
    assert "RuntimeError('no thread')" in caplog.text and "MemoryError()" in caplog.text


def test_a_child_takes_no_thread(program: Any) -> None:
    async def scenario() -> None:
        before = threading.active_count()
        child = Child("test process", program("import time; time.sleep(60)"), [])
        await child.start()
        await until(lambda: child.pid)
        assert threading.active_count() == before
        await child.stop(1.0)

    asyncio.run(scenario())


def test_a_child_that_falls_silent_is_killed_and_started_again(program: Any, caplog: pytest.LogCaptureFixture) -> None:
    started_ns = time.monotonic_ns() + int(60e9)

    async def scenario() -> None:
        pulse = Pulse(lambda: (time.monotonic_ns() if beating else started_ns,), limit_s=0.05)
        child = Child("test process", program(f"{READY}; time.sleep(60)"), [], says_ready=True, pulse=pulse)
        await child.start()
        first = child.pid
        for _ in range(3):
            child.look()
            await asyncio.sleep(0.02)
        assert child.pid == first and child.hangs == 0
        beating.clear()

        def is_another() -> bool:
            if child.hangs == 0:
                child.look()
            return child.hangs == 1 and child.pid not in (0, first)

        await until(is_another)
        assert child.restarts == 1
        await child.stop(1.0)

    beating = {"it beats"}
    asyncio.run(scenario())
    assert "hangs, silent for 0." in caplog.text


def test_a_process_that_waits_stands_in_at_once(program: Any) -> None:
    async def scenario() -> None:
        module = program(f"{READY}; time.sleep(60)")
        spare = Child("spare", module, [], says_ready=True, listens=True)
        child = Child("test process", module, [], says_ready=True, substitute=spare.give_away)
        await child.start()
        await spare.start()
        waiting = spare.pid
        os.kill(child.pid, signal.SIGKILL)
        await until(lambda: child.pid == waiting)
        assert child.restarts == 1
        await until(lambda: spare.pid not in (0, waiting))
        await asyncio.gather(child.stop(1.0), spare.stop(1.0))
        assert not (child.pid or spare.pid or spare.restarts)

    asyncio.run(scenario())


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


class NoView:
    """What is served, as far as one asks it who answers where `respond` itself is replaced."""

    signatures = None
    columns = MappingProxyType({"proxy_trie": (), "rate_limit": ()})
    sampled_bits = (32, 64)

    def listener_view(self, _: str) -> int:
        return 0


class NoViews:
    def current(self) -> NoView:
        return NoView()


def test_a_fault_of_ours_costs_one_answer_and_one_log_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    def fail(*_: object) -> bytes:
        raise ZeroDivisionError

    monkeypatch.setattr(worker, "respond", fail)
    words = open_counters(tmp_path / "counters", writable=True)
    answer = ViewAnswerer(NoViews(), words).udp_batch()  # type: ignore[arg-type]
    query = bytes.fromhex("abcd010000010000000000000377777700 00010001".replace(" ", ""))
    for _ in range(3):
        assert answer(query, b"\x7f\0\0\1", 1234) == bytes.fromhex("abcd81020000000000000000")
    assert answer(b"short", b"\x7f\0\0\1", 1234) is None
    assert len([record for record in caplog.records if "lbdns failed on the query abcd" in record.getMessage()]) == 1


def test_each_answer_of_the_slow_path_is_a_sign_of_life(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Clients that ask for much at once make a turn of the loop long; they are not to have a responder killed."""

    monkeypatch.setattr(worker, "respond", lambda *_: None)
    words = open_counters(tmp_path / "counters", writable=True)
    answerer = ViewAnswerer(NoViews(), words)  # type: ignore[arg-type]
    for answer in (answerer.udp_batch(), answerer.tcp_batch()):
        for _ in range(2):
            before = words[BEAT_NS]
            answer(b"", b"\x7f\0\0\1", 1234)
            assert words[BEAT_NS] > before
