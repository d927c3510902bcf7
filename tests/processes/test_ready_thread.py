"""Threads that a spare responder has before it needs them: a task limit takes no answers away."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.processes.responder.ready_thread import ReadyThread
from lbdns.testing import LbdnsServer
from tests.processes.load import NAME, configuration
from tests.processes.test_reload import OLD, eventually

TASKS = Path("/sys/fs/cgroup/pids")
LIMITED_S = 1.0


def test_a_thread_waits_for_its_work() -> None:
    thread, done = ReadyThread(), threading.Event()
    assert not done.is_set()
    thread.begin(done.set)
    eventually(lambda: not thread.is_alive())
    assert done.is_set()


def test_where_none_can_be_made_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(LbdnsError, match="no thread can be made: can't start new thread"):
        ReadyThread()


@pytest.fixture
def group() -> Iterator[Path]:
    """A group of tasks that can be limited; skips where there is none."""
    made = TASKS / f"lbdns-test-{os.getpid()}"
    try:
        made.mkdir()
    except OSError as error:
        pytest.skip(f"no control group of tasks can be made here: {error.strerror}")
    yield made
    for pid in (made / "cgroup.procs").read_text().split():
        (TASKS / "cgroup.procs").write_text(pid)
    made.rmdir()


@pytest.mark.process
def test_a_responder_killed_at_the_task_limit_is_stood_in_for(
    lbdns_server: Callable[..., LbdnsServer], group: Path
) -> None:
    server = lbdns_server(configuration())
    eventually(lambda: server.status()["spare_responder"]["pid"] != 0)
    time.sleep(1.0)  # until it stands ready
    (before,), spare = server.status()["responders"], server.status()["spare_responder"]["pid"]
    for pid in (server.pid, spare):
        (group / "cgroup.procs").write_text(str(pid))
    (group / "pids.max").write_text("1")
    os.kill(before["pid"], signal.SIGKILL)
    limited = time.monotonic()
    assert server.addresses(NAME) == sorted(OLD[1])
    assert time.monotonic() - limited < LIMITED_S
    assert server.addresses(NAME, tcp=True) == sorted(OLD[1])
    assert server.status()["responders"][0]["pid"] == spare
    eventually(lambda: "Resource temporarily unavailable" in server.log)  # of the next spare
    (group / "pids.max").write_text("max")
    eventually(lambda: server.status()["spare_responder"]["pid"] not in (0, spare))
    assert "Traceback" not in server.log
