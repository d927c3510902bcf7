"""Lock, control socket and API's socket, removed or replaced while the server runs: they are made again."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.base.words import API_SOCKET, CONTROL_SOCKET, LOCK_FILE
from lbdns.mapped.run_directory import StateLock
from lbdns.testing import LbdnsServer
from tests.processes.load import NAME
from tests.processes.test_reload import OLD, OLD_FILES, eventually
from tests.processes.test_status import rows

pytestmark = pytest.mark.process

Start = Callable[..., LbdnsServer]

FILES = (LOCK_FILE, CONTROL_SOCKET, API_SOCKET)
MADE_AGAIN = "was removed or replaced: made again"


def connects(path: Path) -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(1)
        sock.connect(str(path))
        return True
    return False


def is_locked(state: Path) -> bool:
    try:
        StateLock(state).release()
    except LbdnsError:
        return True
    return False


@pytest.mark.parametrize("lost", [*([name] for name in FILES), FILES, None], ids=str)
def test_what_is_lost_is_made_again_and_said_once(lbdns_server: Start, lost: tuple[str, ...] | None) -> None:
    """None: the whole directory."""
    server = lbdns_server(OLD_FILES)
    state = server.state_dir
    if lost is None:
        state.rename(state.with_name("removed"))  # all at once: the server is just keeping what it serves
    for name in lost or ():
        (state / name).unlink()
    eventually(lambda: all((state / name).exists() for name in FILES))
    assert connects(state / CONTROL_SOCKET) and connects(state / API_SOCKET) and is_locked(state)
    assert (state / CONTROL_SOCKET).stat().st_mode & 0o777 == 0o600
    eventually(lambda: (state / LOCK_FILE).read_text().strip() == str(server.pid))  # it is made, then written
    assert server.status()["pid"] == server.pid and server.addresses(NAME) == sorted(OLD[1])
    assert rows(server)["management"]["problems"] == []
    assert server.log.count(MADE_AGAIN) == len(lost or FILES)
    assert server.stop() == 0
    assert not any((state / name).exists() for name in FILES)


def test_no_second_server_starts_before_a_lost_lock_is_made_again(lbdns_server: Start) -> None:
    server = lbdns_server(OLD_FILES)
    os.kill(server.pid, signal.SIGSTOP)  # it makes nothing again meanwhile
    try:
        (server.state_dir / LOCK_FILE).unlink()
        with pytest.raises(LbdnsError, match=rf"another lbdns server \(pid {server.pid}\) already uses"):
            StateLock(server.state_dir)
        removed = server.state_dir.with_name("removed")
        server.state_dir.rename(removed)
        with pytest.raises(LbdnsError, match=rf"another lbdns server \(pid {server.pid}\) already uses"):
            StateLock(server.state_dir)
        removed.rename(server.state_dir)
    finally:
        os.kill(server.pid, signal.SIGCONT)
    eventually(lambda: (server.state_dir / LOCK_FILE).exists())
    assert server.addresses(NAME) == sorted(OLD[1])


def test_an_api_that_was_asked_before_is_found_again(lbdns_server: Start) -> None:
    server = lbdns_server(OLD_FILES)
    path = server.state_dir / API_SOCKET

    def answers() -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(5)
            sock.connect(str(path))
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return sock.recv(100).startswith(b"HTTP/1.1 ")
        return False

    eventually(answers)
    path.unlink()
    eventually(answers)


def test_what_is_anothers_is_not_taken_back_and_said_once(lbdns_server: Start) -> None:
    """Two servers told to use one socket do not take it from each other for ever."""
    server = lbdns_server(OLD_FILES)
    path = server.state_dir / CONTROL_SOCKET
    path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        eventually(lambda: "another process has put its own socket there" in server.log)
        identity = path.stat().st_ino
        eventually(lambda: server.log.count("another process") == 1 and path.stat().st_ino == identity)
        assert server.addresses(NAME) == sorted(OLD[1])
    eventually(lambda: f"the control socket {path} is there again" in server.log)
    assert server.status()["pid"] == server.pid and server.log.count("another process") == 1
