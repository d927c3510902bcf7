"""A supervisor that is killed while shared memory is full: the next start says so, and who serves serves on."""

from __future__ import annotations

import os
import re
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lbdns.testing import LbdnsServer, ServerError
from tests.processes.load import configuration, load_on
from tests.processes.namespaces import shared_memory, with_shared_memory
from tests.processes.test_reload import OLD, eventually
from tests.processes.test_shared_memory import fill
from tests.processes.test_survival import is_alive, kill_supervisor

pytestmark = pytest.mark.process

Start = Callable[..., LbdnsServer]


def starts_beside(monkeypatch: pytest.MonkeyPatch, work: Path, pid: int, python: str) -> None:
    """Have servers that are started from now on see the mounts of a process in a namespace of its own."""
    beside = work / "python-beside"
    inside = shlex.join(["nsenter", f"--mount=/proc/{pid}/ns/mnt", python])
    beside.write_text(f'#!/bin/sh\nexec {inside} "$@"\n')
    beside.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(beside))


def refusal(server: LbdnsServer) -> str:
    """Start a server, which is refused; returns what it says last."""
    before = len(server.log)
    with pytest.raises(ServerError, match="ended with status 1"):
        server.start()
    told = server.log[before:]
    assert "Traceback" not in told and "another program" not in told
    return told


def test_a_start_without_room_says_so_and_takes_over_when_there_is(
    lbdns_server: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = sys.executable
    with_shared_memory(monkeypatch, tmp_path, "8m")
    server = lbdns_server(configuration(workers=2))
    pids = [one["pid"] for one in server.status()["responders"]]
    filler = fill(server.pid)
    starts_beside(monkeypatch, tmp_path, pids[0], python)
    with load_on(server.host, server.port) as load:
        kill_supervisor(server)
        told = refusal(server)
        assert re.search(r"No space left on device \([\d,]+ bytes are needed at once, 0 free\)\n$", told)
        assert re.search(rf"2 responders of an earlier start \(pid ({pids[0]}, {pids[1]}|{pids[1]}, {pids[0]})\)", told)
        load.wait_for(20)
        assert all(is_alive(pid) for pid in pids)
        shared_memory(pids[0]).joinpath(filler.name).unlink()
        server.start()
        load.wait_for(20)
    assert load.lost == 0 and set(load.answers) == {OLD}
    assert "took over from 2 responders" in server.log
    assert server.stop() == 0


def test_who_could_make_no_socket_is_named_and_taken_over_later(
    lbdns_server: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = sys.executable
    with_shared_memory(monkeypatch, tmp_path, "8m,nr_inodes=60")
    server = lbdns_server(configuration(workers=1))
    memory = shared_memory(server.pid)
    made = []
    with pytest.raises(OSError, match="No space left"):
        for number in range(60):
            made.append(memory / f"filler-{number}")
            made[-1].touch()
    before = server.status()["responders"][0]["pid"]
    with load_on(server.host, server.port) as load:
        (memory / server.run_directory.name / f"responder-{before}.sock").rename(memory / "taken")
        os.kill(before, signal.SIGKILL)
        eventually(lambda: server.status()["responders"][0]["pid"] not in (0, before))
        pid = server.status()["responders"][0]["pid"]
        starts_beside(monkeypatch, tmp_path, pid, python)
        eventually(lambda: "the next supervisor cannot take over from this responder" in server.log)
        kill_supervisor(server)
        told = refusal(server)
        assert f"(pid {pid}) serve on, and cannot be taken over" in told
        assert is_alive(pid)
        for path in made[:-1]:
            shared_memory(pid).joinpath(path.name).unlink()
        server.start()
        load.wait_for(20)
    assert load.lost == 0 and set(load.answers) == {OLD}
    assert "took over from 1 responder" in server.log
