"""Room for connections: a crowd that says nothing, or nothing whole, keeps nobody from the API."""

from __future__ import annotations

import contextlib
import resource
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import trustme

from lbdns.base.accepting import FILES_SHARE
from lbdns.base.connection_room import WAITING_SHARE
from lbdns.manage.api import hosting
from lbdns.manage.api.frame.site import ApiSite
from lbdns.manage.api.hosting import ApiServer
from lbdns.manage.store.manager import StoreManager
from lbdns.manage.store.sqlite import Store
from lbdns.model.settings import Settings
from tests.api.conftest import Api
from tests.loop_thread import LoopThread

pytestmark = pytest.mark.slow

CROWD = 600
GOOD = 35
WAIT_S = 10.0
REQUEST = b"GET /client/v4/accounts HTTP/1.1\r\nHost: x\r\n%b\r\n"
PIPELINED = 20


@pytest.fixture(autouse=True)
def many_files() -> Iterator[None]:
    """Room for both ends of the crowd's connections in this process, and for all of the server's places."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_SHARE * CROWD
    if before[1] != resource.RLIM_INFINITY and before[1] < wanted:
        pytest.skip(f"the process may open {before[1]} files alone")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], wanted), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def connect(address: str) -> socket.socket:
    place = urlsplit(address)
    return socket.create_connection((place.hostname or "", place.port or 0), WAIT_S)


def answered(sock: socket.socket, token: str = "") -> None:
    """Ask once, read the answer, and stay connected."""
    sock.sendall(REQUEST % (f"Authorization: Bearer {token}\r\n".encode() if token else b""))
    sock.settimeout(WAIT_S)
    received = b""
    while not received.endswith(b"}"):
        piece = sock.recv(65536)
        if not piece:
            raise ConnectionResetError
        received += piece
    assert received.startswith(b"HTTP/1.1 200" if token else b"HTTP/1.1 400")


def answered_and_more(sock: socket.socket) -> None:
    """Ask once, read the answer, and begin to ask again."""
    answered(sock)
    sock.sendall(b"GET /")


KINDS: dict[str, Callable[[socket.socket], object]] = {
    "idle": lambda sock: None,
    "half a head": lambda sock: sock.sendall(b"GET /client/v4/accounts HTTP/1.1\r\nHost: "),
    "one octet": lambda sock: sock.sendall(b"G"),
    "half a body": lambda sock: sock.sendall(
        b"POST /lbdns/v1/apply HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{"
    ),
    "kept alive": answered,
    "half of a second request": answered_and_more,
    "asks without end and reads nothing": lambda sock: sock.sendall(REQUEST % b"" * PIPELINED),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_crowd_of_one_kind_keeps_nobody_out(own_api: Api, kind: str) -> None:
    address = own_api.server.address or ""
    with contextlib.ExitStack() as held:
        for _ in range(CROWD):
            sock = held.enter_context(connect(address))
            with contextlib.suppress(ConnectionError):  # of those whose place went to others already
                KINDS[kind](sock)
        for _ in range(GOOD):
            with own_api.client(own_api.read_token) as client:
                assert client.get("/accounts").status_code == 200
        assert own_api.server.connection_count <= hosting.CONNECTIONS_MAX
        with own_api.local() as local:
            assert local.get("/accounts").status_code == 200


def test_a_crowd_at_the_unix_socket_keeps_nobody_out(own_api: Api) -> None:
    with contextlib.ExitStack() as held:
        for _ in range(CROWD):
            sock = held.enter_context(socket.socket(socket.AF_UNIX))
            sock.connect(str(own_api.server.socket_path))
        for _ in range(GOOD):
            with own_api.local() as local:
                assert local.get("/accounts").status_code == 200


def test_who_has_spoken_keeps_a_place_against_one_network_that_has_not(own_api: Api) -> None:
    address = own_api.server.address or ""
    with contextlib.ExitStack() as held, own_api.client(own_api.read_token) as client:
        assert client.get("/accounts").status_code == 200
        spoke = held.enter_context(connect(address))
        answered(spoke, own_api.read_token)
        for _ in range(CROWD):
            held.enter_context(connect(address))
        answered(spoke, own_api.read_token)
        assert own_api.server.connection_count <= hosting.CONNECTIONS_MAX // WAITING_SHARE + 2


def test_who_waits_for_news_with_a_token_gives_way(own_api: Api) -> None:
    address = own_api.server.address or ""
    asked = "GET /lbdns/v1/changes?after=0&wait=30 HTTP/1.1"
    head = f"{asked}\r\nHost: x\r\nAuthorization: Bearer {own_api.read_token}\r\n\r\n"
    with contextlib.ExitStack() as held:
        for _ in range(CROWD):
            sock = held.enter_context(connect(address))
            with contextlib.suppress(ConnectionError):  # of those whose place went to others before they were known
                sock.sendall(head.encode())
        for _ in range(GOOD):
            with own_api.client(own_api.write_token) as client:
                assert client.get("/accounts").status_code == 200


@pytest.fixture
def over_tls(loop: LoopThread, tmp_path: Path) -> Iterator[tuple[ApiServer, ssl.SSLContext]]:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    issued.cert_chain_pems[0].write_to_path(certificate)
    issued.private_key_pem.write_to_path(key)
    api = {"listen": "127.0.0.1:0", "certificate": str(certificate), "key": str(key)}
    settings = Settings.model_validate({"state": tmp_path / "state", "api": api})
    store = Store(settings.state_dir())
    server = ApiServer(ApiSite(StoreManager(store, settings), store, settings))
    loop.run(server.start())
    context = ssl.create_default_context()
    authority.configure_trust(context)
    yield server, context
    loop.run(server.close())
    store.close()


def test_a_crowd_that_does_not_shake_hands_keeps_nobody_out(over_tls: tuple[ApiServer, ssl.SSLContext]) -> None:
    server, context = over_tls
    address = server.address or ""
    with contextlib.ExitStack() as held:
        crowd = [held.enter_context(connect(address)) for _ in range(CROWD)]
        for sock in crowd[::2]:
            with contextlib.suppress(ConnectionError):
                sock.sendall(b"\x16\x03\x01\x02\x00\x01")  # the beginning of a hello
        for _ in range(GOOD):
            with httpx.Client(verify=context, trust_env=False, timeout=WAIT_S) as client:
                assert client.get(f"{address}/client/v4/accounts").status_code == 400
        open_still = 0
        for sock in crowd:
            sock.setblocking(False)
            try:
                open_still += bool(sock.recv(1))
            except BlockingIOError:
                open_still += 1
            except ConnectionError:
                pass
        assert open_still <= hosting.CONNECTIONS_MAX // WAITING_SHARE, "who has not shaken hands is counted too"
