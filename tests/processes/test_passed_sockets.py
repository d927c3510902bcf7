"""Socket activation: what systemd holds for the server is what it listens at, and stays over restarts."""

from __future__ import annotations

import os
import socket
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.message
import httpx
import pytest

from lbdns.base.passed_sockets import PassedSockets
from lbdns.testing import LbdnsServer, running_server, write_files
from tests.processes import passer
from tests.processes.load import NAME, configuration, load_on
from tests.processes.test_reload import eventually
from tests.processes.test_survival import kill_supervisor
from tests.processes.test_user import WITHIN_S, low_port, processes
from tests.processes.users import USER_ID, needs_root, open_python, public_directory, who

HOSTS = ("127.0.0.1", "127.0.0.2")


def bound(host: str, port: int, kind: socket.SocketKind) -> socket.socket:
    """Return a socket as systemd opens it."""
    sock = socket.socket(type=kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    if kind == socket.SOCK_STREAM:
        sock.listen()
    return sock


def unix(path: Path) -> socket.socket:
    """Return a socket for members of a group."""
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    path.chmod(0o660)
    sock.listen()
    return sock


def address(sock: socket.socket) -> str:
    """Return a socket's address as settings name it."""
    return "{}:{}".format(*sock.getsockname())


class Activated:
    """A user's server without any capability, which is passed its sockets; `settings` name their addresses."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.port = low_port()
        self.api, self.metrics = (bound("127.0.0.1", 0, socket.SOCK_STREAM) for _ in range(2))
        self.control = work / "control.sock"
        listen = [f"{host}:{self.port}" for host in HOSTS]
        self.settings: dict[str, Any] = {
            **{"listen": listen, "workers": 2, "api": {"listen": address(self.api)}},
            **{"metrics": address(self.metrics), "control": str(self.control)},
        }
        kinds = (socket.SOCK_DGRAM, socket.SOCK_STREAM)
        sockets = [bound(host, self.port, kind) for host in HOSTS for kind in kinds]
        self.sockets = [*sockets, self.api, self.metrics, unix(self.control)]


@pytest.fixture
def activated(monkeypatch: pytest.MonkeyPatch, starts_processes: None) -> Iterator[Activated]:
    """Sockets that are held, and Python for whoever is to be passed them."""
    needs_root()
    with public_directory() as work:
        made = Activated(work)
        state = work / "state"
        state.mkdir()
        os.chown(state, USER_ID, USER_ID)
        drop = ["setpriv", f"--reuid={USER_ID}", f"--regid={USER_ID}", "--clear-groups", "--no-new-privs"]
        through = [*drop, "--bounding-set=-all", sys.executable, passer.__file__, str(work / "passer")]
        open_python(monkeypatch, work, *through)
        with passer.holding(work / "passer", made.sockets):
            yield made


class _ActivatedServer(LbdnsServer):
    """A server that is asked at a control socket of its own."""

    def command(self) -> list[str]:
        """Say nothing of the state on the command line: that would put the control socket there."""
        return [sys.executable, "-P", "-m", "lbdns", "serve", *self.source()]


def test_what_was_passed_is_listened_at(activated: Activated) -> None:
    work, settings = activated.work, activated.settings | {"state": str(activated.work / "state")}
    write_files({**configuration(), "settings": settings}, work / "config")
    server = _ActivatedServer(work / "config", work, override=False)
    server.control = activated.control
    try:
        server.start()
        assert server.status()["listen"] == settings["listen"]
        for pids in processes(server).values():
            assert {int(one, 16) for pid in pids for one in who(pid)["CapPrm"]} == {0}
        for host in HOSTS:
            server.host = host
            for _ in range(20):  # from as many ports: whoever reads the socket answers
                assert server.addresses(NAME) == server.addresses(NAME, tcp=True) == ["192.0.2.1", "192.0.2.2"]
        assert b"lbdns_queries_total" in urllib.request.urlopen(f"http://{settings['metrics']}/metrics").read()
        eventually(lambda: "the API listens at" in server.log, WITHIN_S)
        assert httpx.get(f"http://{settings['api']['listen']}/client/v4/zones").status_code == 400
        assert "was passed to lbdns" not in server.log
        keeps_over_changes(server, settings)
        keeps_over_restarts(server)
        assert activated.control.is_socket(), "who passed it removes it"
    finally:
        server.close()


def keeps_over_changes(server: LbdnsServer, settings: dict[str, Any]) -> None:
    """An address goes and comes back, and so does a worker."""
    one_host = {"listen": [f"{HOSTS[0]}:{server.port}"], "workers": 1}
    for changed in (one_host, {}):
        write_files({**configuration(), "settings": {**settings, **changed}}, server.directory)
        server.ask("reload")
        server.host = HOSTS[0]
        for _ in range(20):
            assert server.addresses(NAME) == ["192.0.2.1", "192.0.2.2"]
    server.host = HOSTS[1]
    assert server.addresses(NAME) == server.addresses(NAME, tcp=True) == ["192.0.2.1", "192.0.2.2"]


def keeps_over_restarts(server: LbdnsServer) -> None:
    """What comes while no server runs is answered by the next; who takes over loses nothing."""
    host, port = server.host, server.port
    assert server.stop() == 0
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.settimeout(WITHIN_S)
        client.connect((host, port))
        client.send(dns.message.make_query(NAME, "A").to_wire())
        server.start()
        assert len(dns.message.from_wire(client.recv(4096)).answer) == 1
    with load_on(host, port) as load:
        kill_supervisor(server)
        server.start()
    assert load.lost == 0
    eventually(lambda: "took over from 2 responders" in server.log, WITHIN_S)


@pytest.mark.process
def test_what_nothing_listens_at_is_told(activated: Activated) -> None:
    with running_server(configuration(), activated.work) as server:
        eventually(lambda: f"127.0.0.1:{activated.port} was passed to lbdns, but nothing" in server.log, WITHIN_S)
        assert server.addresses(NAME)


def test_a_socket_is_known_by_its_address_and_whatever_descriptor_it_has() -> None:
    with bound("127.0.0.1", 0, socket.SOCK_STREAM) as sock, bound("127.0.0.1", 0, socket.SOCK_STREAM) as other:
        passed = PassedSockets([sock])
        taken = passed.take(socket.SOCK_STREAM, sock.getsockname())
        assert taken is not None and passed.not_taken() == []
        with taken:
            assert passed.holds(taken) and not passed.holds(other) and taken.fileno() != sock.fileno()
        assert passed.take(socket.SOCK_DGRAM, sock.getsockname()) is None
        assert passed.take(socket.SOCK_STREAM, other.getsockname()) is None
