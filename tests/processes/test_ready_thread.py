"""Threads that a spare responder has before it needs them: a task limit takes no answers away."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.processes.responder.ready_thread import ReadyThread
from lbdns.testing import LbdnsServer
from tests.processes.load import NAME, configuration
from tests.processes.test_reload import HANG_S, OLD, eventually
from tests.processes.test_status import rows

TASKS = Path("/sys/fs/cgroup/pids")


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
    eventually(lambda: is_removed(made))


def is_removed(made: Path) -> bool:
    """Take all processes out of a group and remove it; False where another one began in it meanwhile."""
    for pid in (made / "cgroup.procs").read_text().split():
        with contextlib.suppress(ProcessLookupError):
            (TASKS / "cgroup.procs").write_text(pid)
    with contextlib.suppress(OSError):
        made.rmdir()
    return not made.exists()


@pytest.mark.process
def test_a_responder_killed_at_the_task_limit_is_stood_in_for(
    lbdns_server: Callable[..., LbdnsServer], group: Path
) -> None:
    server = lbdns_server(configuration())
    eventually(lambda: "; a spare waits" in rows(server)["processes"]["text"])
    (before,), spare = server.status()["responders"], server.status()["spare_responder"]["pid"]
    for pid in (server.pid, spare):
        (group / "cgroup.procs").write_text(str(pid))
    (group / "pids.max").write_text("1")
    os.kill(before["pid"], signal.SIGKILL)
    for tcp in (False, True):  # the first one waits for the spare, however busy the machine is
        reply = server.query(NAME, tcp=tcp, timeout_s=HANG_S)
        assert sorted(str(rdata) for rrset in reply.answer for rdata in rrset) == sorted(OLD[1])
    (after,) = server.status()["responders"]
    assert (after["pid"], after["restarts"]) == (spare, 1)  # at once: no other was tried
    eventually(lambda: "Resource temporarily unavailable" in server.log)  # of the next spare
    (group / "pids.max").write_text("max")
    eventually(lambda: server.status()["spare_responder"]["pid"] not in (0, spare))
    assert "Traceback" not in server.log
