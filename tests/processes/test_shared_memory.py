"""Shared memory that is full, or too small: nothing that serves dies of it, and what cannot be done is said."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from lbdns.mapped.counter_room import allocate_counters
from lbdns.mapped.counter_words import LOAD_BALANCERS_FIRST
from lbdns.testing import LbdnsServer, ServerError, write_files
from tests.processes.load import NAME, configuration
from tests.processes.namespaces import shared_memory, with_shared_memory
from tests.processes.test_reload import eventually

Start = Callable[..., LbdnsServer]


def fill(pid: int) -> Path:
    """Fill the shared memory of a server in a namespace of its own, to the last page."""
    filler = shared_memory(pid) / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(1 << 16)):
            pass
        while file.write(bytes(1)):
            pass
    left = os.statvfs(shared_memory(pid)).f_bavail
    assert left == 0
    return filler


def ask_everything(server: LbdnsServer) -> None:
    """Ask for each type, so that every counter of replies is written to, over both transports."""
    for rdtype in range(1, 260):
        with contextlib.suppress(Exception):
            server.query("nothing.example.com", f"TYPE{rdtype}")
    server.query(NAME, "TXT", tcp=True)


@pytest.mark.process
def test_full_shared_memory_changes_nothing_that_serves(
    lbdns_server: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_shared_memory(monkeypatch, tmp_path, "8m")
    server = lbdns_server(configuration(("192.0.2.1", "192.0.2.2")))
    filler = fill(server.pid)
    before = server.status()["responders"]
    ask_everything(server)
    assert server.addresses(NAME) == ["192.0.2.1", "192.0.2.2"]
    assert server.status()["responders"] == before
    os.kill(before[0]["pid"], signal.SIGKILL)
    eventually(lambda: server.status()["responders"][0]["pid"] not in (0, before[0]["pid"]))
    assert server.addresses(NAME) == ["192.0.2.1", "192.0.2.2"]
    assert server.status()["responders"][0]["restarts"] == 1
    write_files(configuration(("192.0.2.3",)), server.directory)
    eventually(lambda: "No space left on device" in server.log)
    assert server.addresses(NAME) == ["192.0.2.1", "192.0.2.2"]
    filler.unlink()
    server.ask("reload")
    assert server.addresses(NAME) == ["192.0.2.3"]
    assert "SIGBUS" not in server.log and "Traceback" not in server.log


@pytest.mark.process
def test_a_start_in_too_little_shared_memory_fails_with_a_sentence(
    lbdns_server: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_shared_memory(monkeypatch, tmp_path, "64k")
    with pytest.raises(ServerError) as refused:
        lbdns_server(configuration())
    told = str(refused.value)
    assert "No space left on device" in told and "Traceback" not in told


def test_counters_have_the_pages_that_are_counted_in_and_no_others(tmp_path: Path) -> None:
    path = tmp_path / "counters"
    allocate_counters(path, 1, 1, 1, 1)
    first = path.stat()
    assert LOAD_BALANCERS_FIRST * 8 <= first.st_blocks * 512 < 64 << 10 < first.st_size
    allocate_counters(path, 20_000, 10_000, 100_000, 50_000)
    grown = path.stat()
    assert grown.st_size == first.st_size and grown.st_blocks * 512 >= 180_000 * 8
