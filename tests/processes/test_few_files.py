"""A process that may open few files: DNS is answered, good clients of every socket are, and the log stays short."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.store.served import StoreServer, free_port

pytestmark = pytest.mark.slow

FILES_MAX = 64
CROWD = 150
LINES_MAX = 40
PATIENCE_S = 30.0
ZONE = "@ 60 IN SOA ns hostmaster 1 7200 900 1209600 60\n@ 60 IN NS ns\nns 60 IN A 192.0.2.53"


class SmallServer(StoreServer):
    """A server whose processes may open FILES_MAX files each."""

    def command(self) -> list[str]:
        """Return the command under a limit."""
        return ["sh", "-c", f'ulimit -n {FILES_MAX}; exec "$@"', "sh", *super().command()]


@pytest.fixture
def server(starts_processes: None, tmp_path: Path) -> Iterator[tuple[SmallServer, str]]:
    metrics = f"127.0.0.1:{free_port()}"
    made = SmallServer(tmp_path, f"metrics: '{metrics}'\nworkers: 1")
    try:
        made.start()
        made.wait_for_api()
        with made.local as client:
            body = {"configuration": {"zones": {"example.com": ZONE}}}
            assert client.post("/lbdns/v1/apply", json=body).status_code == 200
        yield made, metrics
    finally:
        made.close()


def first_line(host: str, port: int, request: bytes) -> bytes:
    """Return the beginning of what is answered."""
    with socket.create_connection((host, port), PATIENCE_S) as sock:
        sock.sendall(request)
        return sock.recv(12)


def test_a_crowd_on_every_socket(server: tuple[SmallServer, str]) -> None:
    running, metrics = server
    api = urlsplit(running.api)
    ports = [running.port, api.port or 0, int(metrics.rpartition(":")[2])]
    with contextlib.ExitStack() as held:
        for number in range(CROWD):
            for port in ports:
                sock = held.enter_context(socket.create_connection((running.host, port), PATIENCE_S))
                if number % 2:
                    with contextlib.suppress(OSError):
                        sock.sendall(b"\0")
        for _ in range(35):
            assert running.addresses("ns.example.com") == ["192.0.2.53"]
            assert running.addresses("ns.example.com", tcp=True) == ["192.0.2.53"]
            assert first_line("127.0.0.1", ports[1], b"GET /client/v4/accounts HTTP/1.0\r\n\r\n") == b"HTTP/1.1 400"
            assert first_line("127.0.0.1", ports[2], b"GET /metrics HTTP/1.0\r\n\r\n") == b"HTTP/1.0 200"
        with running.local as client:
            assert client.get("/client/v4/accounts").status_code == 200
    assert len(running.log.splitlines()) < LINES_MAX, running.log


def test_processes_with_no_file_left_go_on(server: tuple[SmallServer, str]) -> None:
    """Where the limit sinks under what is open, as it never does by itself, connections are refused for a while."""
    import resource

    running, _ = server
    pids = [running.pid, *(one["pid"] for one in running.status()["responders"])]
    before = [resource.prlimit(pid, resource.RLIMIT_NOFILE) for pid in pids]
    for pid, (_, hard) in zip(pids, before, strict=True):
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (8, hard))
    api = urlsplit(running.api)
    with contextlib.ExitStack() as held:
        for _ in range(20):
            held.enter_context(socket.create_connection((running.host, running.port), 5))
            held.enter_context(socket.create_connection(("127.0.0.1", api.port or 0), 5))
        began_s = time.monotonic()
        while time.monotonic() - began_s < 3:
            assert running.addresses("ns.example.com") == ["192.0.2.53"]
            time.sleep(0.01)
    said = [line for line in running.log.splitlines() if "cannot accept connections" in line]
    assert said and len(said) <= 12, running.log
    assert "out of system resource" not in running.log
    for pid, limits in zip(pids, before, strict=True):
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    assert running.addresses("ns.example.com", tcp=True) == ["192.0.2.53"]
    with running.local as client:
        assert client.get("/client/v4/accounts").status_code == 200
