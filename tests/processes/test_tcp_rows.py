"""When a running server closes a TCP connection (RFC 7766, 7828); tests/wire asks it everything else over TCP."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Iterator

import dns.edns
import dns.message
import dns.query
import pytest

from lbdns.dns.options.keepalive import TCP_IDLE_S
from lbdns.processes.responder.tcp_port import FIRST_MESSAGE_S
from lbdns.testing import LbdnsServer, running_server
from tests.processes.load import NAME, configuration

pytestmark = pytest.mark.process

PATIENCE_S = 3.0


@pytest.fixture(scope="module")
def server(starts_processes: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LbdnsServer]:
    """One server for all tests here."""
    with running_server(configuration(), tmp_path_factory.mktemp("server")) as running:
        yield running


@contextlib.contextmanager
def connected(server: LbdnsServer) -> Iterator[socket.socket]:
    """Connect to the server."""
    with socket.create_connection((server.host, server.port), PATIENCE_S) as sock:
        yield sock


def query(identity: int) -> bytes:
    """Return a query with its length before it."""
    message = dns.message.make_query(NAME, "A", id=identity).to_wire()
    return len(message).to_bytes(2) + message


def receive(sock: socket.socket) -> dns.message.Message:
    """Read one whole message."""
    return dns.query.receive_tcp(sock, time.time() + PATIENCE_S)[0]


def is_closed(sock: socket.socket) -> bool:
    """Whether the server closes the connection, in good time, without saying anything."""
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("sent", [b"\0\0", b"\0\x05abcde", b"\0\x0c" + b"\x12\x34\x80\0" + bytes(8)])
def test_what_is_no_query_closes_the_connection(server: LbdnsServer, sent: bytes) -> None:
    with connected(server) as sock:
        sock.sendall(sent)
        assert is_closed(sock)
    assert server.query(NAME, tcp=True).answer


def test_keepalive_is_answered_on_tcp_only(server: LbdnsServer) -> None:
    asked = dns.message.make_query(
        NAME, "A", use_edns=0, options=[dns.edns.GenericOption(dns.edns.OptionType.make(11), b"")]
    )
    over_tcp = dns.query.tcp(asked, server.host, PATIENCE_S, server.port)
    (option,) = (option for option in over_tcp.options if option.otype == 11)
    assert int.from_bytes(option.to_wire() or b"") == TCP_IDLE_S * 10  # units of 100 ms
    over_udp = dns.query.udp(asked, server.host, PATIENCE_S, server.port)
    assert not [option for option in over_udp.options if option.otype == 11]


def test_silence_ends_after_two_seconds_at_first_and_at_the_idle_time_later(server: LbdnsServer) -> None:
    with connected(server) as silent, connected(server) as claiming, connected(server) as asking:
        began = time.monotonic()
        claiming.sendall(b"\xff\xff" + bytes(100))
        for sock in (silent, claiming, asking):
            sock.settimeout(TCP_IDLE_S + PATIENCE_S)
        time.sleep(FIRST_MESSAGE_S / 2)
        claiming.sendall(bytes(100))
        asking.sendall(query(1))
        assert receive(asking).id == 1
        asked = time.monotonic()
        assert is_closed(silent) and is_closed(claiming)
        assert time.monotonic() - began > FIRST_MESSAGE_S - 0.5
        assert not select.select([asking], [], [], 0)[0]  # it has longer, and is the last to end
        assert is_closed(asking)
        assert time.monotonic() - asked > TCP_IDLE_S - 0.5
