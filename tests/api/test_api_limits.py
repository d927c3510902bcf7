"""How much, how often, how slowly: every bound of the API's border."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from lbdns.manage.api import hosting
from lbdns.manage.api.frame import gate, limits
from lbdns.manage.api.frame.limits import (
    BUCKETS_MAX,
    DRAIN_BYTES_MAX,
    TOKEN_BURST,
    TOKEN_PER_S,
    Buckets,
)
from lbdns.manage.reading.request_bounds import BODY_BYTES_MAX
from tests.api.conftest import Api

pytestmark = pytest.mark.slow

SECOND_S = 5.0  # far more than what is waited for, far less than what would be without a limit


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_empties_and_fills() -> None:
    clock = Clock()
    buckets = Buckets(3, 0.5, clock)
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 2.0]
    assert buckets.take("b") == 0
    clock.now = 1.0
    assert buckets.take("a") == buckets.wait_s("a") == 1.0
    clock.now = 2.0
    assert [buckets.take("a") for _ in range(2)] == [0, 2.0]
    clock.now = 1000.0
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 2.0]


def test_a_crowd_of_keys_takes_bounded_room() -> None:
    buckets = Buckets(1, 1.0, Clock())
    for number in range(2 * BUCKETS_MAX):
        buckets.take(str(number))
    assert len(buckets._buckets) == BUCKETS_MAX


def test_a_token_makes_1200_requests_in_five_minutes() -> None:
    assert TOKEN_BURST >= 1200 and TOKEN_PER_S * 300 >= 1200


@pytest.fixture
def few_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "TOKEN_BURST", 3)
    monkeypatch.setattr(gate, "WRONG_BURST", 3)


@pytest.mark.usefixtures("few_requests")
def test_too_many_requests_of_one_token(own_api: Api) -> None:
    with (
        own_api.client(own_api.read_token) as client,
        own_api.client(own_api.write_token) as other,
        own_api.local() as local,
    ):
        assert [client.get("/accounts").status_code for _ in range(3)] == [200] * 3
        refused = client.get("/accounts")
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.json()["errors"][0]["code"] == 10013
        assert other.get("/accounts").status_code == 200
        assert [local.get("/accounts").status_code for _ in range(10)] == [200] * 10


@pytest.mark.usefixtures("few_requests")
def test_too_many_wrong_tokens_from_one_address(own_api: Api) -> None:
    with own_api.client(own_api.write_token) as known, own_api.client("A" * 43) as guesser:
        assert known.get("/accounts").status_code == 200
        assert [guesser.get("/accounts").status_code for _ in range(4)] == [403, 403, 403, 429]
        assert known.get("/accounts").status_code == 200, "who was let in before stays in"
        with own_api.client(own_api.read_token) as fresh:
            assert fresh.get("/accounts").status_code == 429, "a guesser may not tell right from wrong"


def pieces(byte_count: int) -> Iterator[bytes]:
    """Yield a body in pieces, so that nothing says beforehand how long it is."""
    piece = b" " * 65536
    for _ in range(byte_count // len(piece)):
        yield piece
    yield b"{}"


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("byte_count", [BODY_BYTES_MAX, 3 * BODY_BYTES_MAX])
def test_a_body_of_more_than_a_mebibyte(api: Api, client: httpx.Client, chunked: bool, byte_count: int) -> None:
    body = pieces(byte_count) if chunked else b"".join(pieces(byte_count))
    response = client.post(f"{api.account}/monitors", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 413
    assert response.json()["errors"][0]["code"] == 1009
    assert client.get("/accounts").status_code == 200


def test_a_body_of_a_mebibyte_is_read(api: Api, client: httpx.Client) -> None:
    body = json.dumps({"description": "x" * 100}).encode().ljust(BODY_BYTES_MAX)
    headers = {"Content-Type": "application/json"}
    assert client.post(f"{api.account}/monitors", content=body, headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/client/v4/zones/x/dns_records/import", "/lbdns/v1/apply"])
def test_whole_zones_and_configurations_may_be_longer(path: str) -> None:
    assert limits.body_bytes_max(path) == 64 << 20
    assert limits.body_bytes_max(path + "er/x") in (BODY_BYTES_MAX, 64 << 20)
    assert limits.body_bytes_max("/client/v4/zones/x/dns_records/batch") == BODY_BYTES_MAX


def connect(api: Api) -> socket.socket:
    address = urlsplit(api.server.address or "")
    sock = socket.create_connection((address.hostname or "", address.port or 0), SECOND_S)
    sock.settimeout(SECOND_S)
    return sock


def answer(sock: socket.socket) -> bytes:
    """Return everything until the other end closes, or cuts off."""
    received = b""
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        while piece := sock.recv(65536):
            received += piece
    return received


def test_a_body_that_is_refused_unread_ends_the_connection(api: Api) -> None:
    with connect(api) as sock:
        sock.sendall(b"POST /client/v4/accounts HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        piece = b"10000\r\n" + b" " * 65536 + b"\r\n"
        with contextlib.suppress(OSError):
            for _ in range(DRAIN_BYTES_MAX // 65536 + 8):
                sock.sendall(piece)
        received = answer(sock)
    assert b" 400 " in received and b"9106" in received and b"connection: close" in received


def test_who_asks_before_sending_is_not_asked_to_send_what_is_refused(api: Api) -> None:
    head = b"POST /client/v4/accounts HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nExpect: 100-continue\r\n"
    with connect(api) as sock:
        sock.sendall(head + b"\r\n")
        received = answer(sock)
    assert received.startswith(b"HTTP/1.1 400 ") and b"connection: close" in received


def test_what_is_not_http_is_told_so_in_the_envelope(api: Api) -> None:
    with connect(api) as sock:
        sock.sendall(b"what?\r\n\r\n")
        received = answer(sock)
    assert received.startswith(b"HTTP/1.1 400 ")
    assert json.loads(received.partition(b"\r\n\r\n")[2])["errors"][0]["code"] == 1008


def test_a_head_without_end(api: Api) -> None:
    with connect(api) as sock:
        with contextlib.suppress(OSError):
            for _ in range(64):
                sock.sendall(b"GET / HTTP/1.1\r\n" + b"X" * 4096)
        assert answer(sock)[:13] in (b"HTTP/1.1 400 ", b"")


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in (
        (hosting, "HEAD_S"),
        (hosting, "READ_S"),
        (hosting, "LINGER_S"),
        (limits, "BODY_WAIT_S"),
        (limits, "DRAIN_S"),
    ):
        monkeypatch.setattr(module, name, 0.2)


@pytest.mark.usefixtures("short_waits")
@pytest.mark.parametrize("begun", [b"", b"GET /client/v4/acc"])
def test_who_does_not_finish_a_head_is_cut_off(api: Api, begun: bytes) -> None:
    with connect(api) as sock:
        sock.sendall(begun)
        assert answer(sock) == b""


@pytest.mark.usefixtures("short_waits")
def test_who_does_not_finish_a_second_head_is_cut_off(api: Api) -> None:
    with connect(api) as sock:
        sock.sendall(b"GET /client/v4/accounts HTTP/1.1\r\nHost: x\r\n\r\n")
        received = b""
        while not received.endswith(b"}"):
            received += sock.recv(65536)
        assert received.startswith(b"HTTP/1.1 400 ")
        time.sleep(0.3)
        sock.sendall(b"GET /client")
        assert answer(sock) == b""


@pytest.mark.usefixtures("short_waits")
def test_who_does_not_finish_a_body_is_told(api: Api) -> None:
    token = api.write_token.encode()
    with connect(api) as sock:
        sock.sendall(b"POST /client/v4" + api.account.encode() + b"/monitors HTTP/1.1\r\nHost: x\r\n")
        sock.sendall(b"Authorization: Bearer " + token + b"\r\nContent-Length: 50\r\n\r\n{")
        received = answer(sock)
    assert received.startswith(b"HTTP/1.1 408 ") and b"connection: close" in received


@pytest.mark.usefixtures("short_waits")
def test_who_does_not_read_is_cut_off(own_api: Api) -> None:
    with connect(own_api) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        request = b"GET /client/v4/openapi.json HTTP/1.1\r\nHost: x\r\n"
        request += b"Authorization: Bearer " + own_api.read_token.encode() + b"\r\n\r\n"
        with contextlib.suppress(OSError):
            sock.sendall(request * 100)
        started = time.monotonic()
        while own_api.server.connection_count and time.monotonic() - started < SECOND_S:
            time.sleep(0.02)
        assert own_api.server.connection_count == 0


def test_who_leaves_in_the_middle_of_a_body_is_no_news(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    with connect(api) as sock:
        sock.sendall(b"POST /client/v4" + api.account.encode() + b"/monitors HTTP/1.1\r\nHost: x\r\n")
        sock.sendall(b"Authorization: Bearer " + api.write_token.encode() + b"\r\nContent-Length: 50\r\n\r\n{")
        time.sleep(0.1)
    with api.client(api.read_token) as client:
        assert client.get("/accounts").status_code == 200
    assert not caplog.records
    assert api.manager.state.revision == 0
