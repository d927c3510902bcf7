"""Everything works in what contrib/lbdns.service lets the processes do."""

from __future__ import annotations

import os
import signal
import socket
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from lbdns.base.words import API_SOCKET, STORE_FILE
from lbdns.processes.supervisor.systemd import notify_alive
from lbdns.testing import LbdnsServer, running_server, write_files
from tests.processes.load import NAME, configuration, load_on
from tests.processes.test_reload import eventually
from tests.processes.test_survival import MONITORED, kill_supervisor
from tests.processes.test_user import WITHIN_S, low_port, processes
from tests.processes.unit_sandbox import needs_sandbox, sandboxed
from tests.processes.users import USER_ID, public_directory, who

pytestmark = pytest.mark.process

FILTERED = "2"  # of Seccomp in /proc/PID/status


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch, starts_processes: None) -> Iterator[Path]:
    """A directory for a server that is started as the unit starts it."""
    needs_sandbox()
    with public_directory() as directory:
        sandboxed(monkeypatch, directory)
        yield directory


def check_confined(server: LbdnsServer) -> None:
    """Hold that no process got out of the sandbox, and that none but the supervisor may bind to port 53."""
    for kind, pids in processes(server).items():
        for pid in pids:
            said = who(pid)
            assert set(said["Seccomp"]) == {FILTERED} and set(said["NoNewPrivs"]) == {"1"}
            assert set(said["Uid"]) == {"\t".join([str(USER_ID)] * 4)}
            assert kind == "supervisor" or {int(one, 16) for one in said["CapPrm"]} == {0}


def write_by_api(server: LbdnsServer) -> None:
    """Make a token, which is kept in the store."""
    eventually(lambda: "the API listens at" in server.log, WITHIN_S)
    transport = httpx.HTTPTransport(uds=str(server.state_dir / API_SOCKET))
    with httpx.Client(transport=transport, base_url="http://lbdns", timeout=WITHIN_S) as client:
        made = client.post("/lbdns/v1/tokens", json={"name": "test", "scope": "write"})
        assert made.status_code == 200, made.text
    assert (server.state_dir / STORE_FILE).stat().st_uid == USER_ID


def test_a_server_does_all_that_it_does_in_the_units_sandbox(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    with told:
        told.bind(str(work / "notify"))
        (work / "notify").chmod(0o777)
        told.settimeout(WITHIN_S)
        monkeypatch.setenv("NOTIFY_SOCKET", str(work / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "30000000")
        port = low_port()
        with socket.create_server(("127.0.0.1", 0)) as free:
            metrics = "{}:{}".format(*free.getsockname())
        settings = {"listen": [f"127.0.0.1:{port}"], "metrics": metrics, "api": {"listen": "127.0.0.1:0"}}
        with running_server({**MONITORED, "settings": settings}, work, override=False) as server:
            while not told.recv(4096).startswith(b"READY=1"):
                pass
            while told.recv(4096) != b"WATCHDOG=1":
                pass
            eventually(lambda: server.status()["spare_responder"]["pid"] != 0, WITHIN_S)
            check_confined(server)
            assert server.addresses(NAME) == server.addresses(NAME, tcp=True) == ["127.0.0.11"]
            server.set_endpoint("primary/p", up=False)
            eventually(lambda: server.addresses(NAME) == ["127.0.0.12"], WITHIN_S)
            assert b"lbdns_queries_total" in urllib.request.urlopen(f"http://{metrics}/metrics").read()
            write_by_api(server)
            more = settings | {"listen": [f"127.0.0.1:{port}", f"127.0.0.2:{port}"], "workers": 2}
            write_files({**configuration(), "settings": more}, server.directory)
            server.ask("reload")
            server.host = "127.0.0.2"
            assert server.addresses(NAME) == ["192.0.2.1", "192.0.2.2"]
            before = server.status()
            os.kill(before["responders"][0]["pid"], signal.SIGKILL)
            os.kill(before["monitor"]["pid"], signal.SIGKILL)
            eventually(lambda: server.status()["monitor"]["pid"] not in (0, before["monitor"]["pid"]), WITHIN_S)
            eventually(
                lambda: server.status()["responders"][0]["pid"] not in (0, before["responders"][0]["pid"]), WITHIN_S
            )
            with load_on(server.host, server.port) as load:
                kill_supervisor(server)
                server.start()
            assert load.lost == 0, server.log
            eventually(lambda: "took over from 2 responders" in server.log, WITHIN_S)
            eventually(lambda: server.status()["spare_responder"]["pid"] != 0, WITHIN_S)
            check_confined(server)
            assert server.stop() == 0
            assert "Operation not permitted" not in server.log and "Traceback" not in server.log


def test_a_watchdog_that_does_not_read_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "30000000")
        began = time.monotonic()
        for _ in range(2000):  # more than its queue takes
            notify_alive()
        assert time.monotonic() - began < WITHIN_S
        assert told.recv(4096) == b"WATCHDOG=1"
