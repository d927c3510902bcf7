"""UDP sockets: one view each batch, replies from the address that was asked, and errors that stay with one client."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from lbdns.processes.responder.datagram_port import BATCH_DATAGRAMS, DatagramPort, RespondOne
from lbdns.processes.supervisor.binding import ask_destination

PATIENCE_S = 10.0


class Counting:
    """Answers with the number of the batch; remembers who asked."""

    def __init__(self) -> None:
        self.batches = 0
        self.clients: list[tuple[bytes, int]] = []

    def udp_batch(self, listener: str = "") -> RespondOne:
        self.batches += 1
        reply = b"%d" % self.batches

        def respond_one(message: bytes, address: bytes, port: int) -> bytes | None:
            self.clients.append((address, port))
            return None if message == b"drop" else reply

        return respond_one

    def tcp_batch(self, listener: str = "") -> RespondOne:
        raise AssertionError("these tests speak UDP")


def bound(host: str) -> socket.socket:
    """Return a server's UDP socket at a free port."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.bind((host, 0))
    return sock


@pytest.fixture(params=["127.0.0.1", "::1"])
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A server's socket and a client's that is connected to it, for each family."""
    server = bound(request.param)
    client = socket.socket(server.family, socket.SOCK_DGRAM)
    client.settimeout(PATIENCE_S)
    client.connect(server.getsockname()[:2])
    with server, client:
        yield server, client


def test_a_batch_is_bounded_and_answered_from_one_view(pair: tuple[socket.socket, socket.socket]) -> None:
    server, client = pair
    answerer = Counting()
    port = DatagramPort(server, answerer)
    for _ in range(BATCH_DATAGRAMS + 1):
        client.send(b"query")
    assert port.read_batch() is True
    assert port.read_batch() is False
    replies = [client.recv(100) for _ in range(BATCH_DATAGRAMS + 1)]
    assert replies == [b"1"] * BATCH_DATAGRAMS + [b"2"]
    packed = socket.inet_pton(server.family, client.getsockname()[0])
    assert answerer.clients[0] == (packed, client.getsockname()[1])


def test_what_gets_no_reply_does_not_end_the_batch(pair: tuple[socket.socket, socket.socket]) -> None:
    server, client = pair
    client.send(b"drop")
    client.send(b"query")
    DatagramPort(server, Counting()).read_batch()
    assert client.recv(100) == b"1"


def test_drain_answers_everything_that_waits(pair: tuple[socket.socket, socket.socket]) -> None:
    server, client = pair
    for _ in range(3 * BATCH_DATAGRAMS):
        client.send(b"query")
    DatagramPort(server, Counting()).drain(batch_limit=10)
    assert [client.recv(100) for _ in range(3 * BATCH_DATAGRAMS)][-1] == b"3"


def test_a_client_that_cannot_be_reached_harms_no_other() -> None:
    with bound("127.0.0.1") as server:
        number = server.getsockname()[1]
        gone = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        gone.sendto(b"query", ("127.0.0.1", number))
        gone.close()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(PATIENCE_S)
            client.connect(("127.0.0.1", number))
            client.send(b"query")
            port = DatagramPort(server, Counting())
            port.read_batch()
            assert client.recv(100) == b"1"
            client.send(b"query")
            port.read_batch()
            assert client.recv(100) == b"2"


@pytest.mark.parametrize(
    ("wildcard", "asked"),
    [("0.0.0.0", "127.0.0.1"), ("0.0.0.0", "127.0.0.77"), ("0.0.0.0", "127.9.9.9"), ("::", "::1")],
)
def test_a_wildcard_socket_replies_from_the_address_that_was_asked(wildcard: str, asked: str) -> None:
    with bound(wildcard) as server, socket.socket(server.family, socket.SOCK_DGRAM) as client:
        ask_destination(server)
        client.settimeout(PATIENCE_S)
        client.sendto(b"query", (asked, server.getsockname()[1]))
        DatagramPort(server, Counting()).read_batch()
        reply, peer = client.recvfrom(100)
        assert (reply, peer[0]) == (b"1", asked)


def test_a_full_send_queue_drops_the_reply_and_reads_on() -> None:
    class Full(socket.socket):
        def sendto(self, *arguments: object) -> int:
            raise BlockingIOError

    with Full(socket.AF_INET, socket.SOCK_DGRAM) as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        server.setblocking(False)
        server.bind(("127.0.0.1", 0))
        answerer = Counting()
        for _ in range(3):
            client.sendto(b"query", server.getsockname())
        assert DatagramPort(server, answerer).read_batch() is False
        assert len(answerer.clients) == 3


def test_the_view_is_asked_for_after_the_last_datagram_was_read(pair: tuple[socket.socket, socket.socket]) -> None:
    server, client = pair
    for _ in range(3):
        client.send(b"query")

    class Late(Counting):
        def udp_batch(self, listener: str = "") -> RespondOne:
            with pytest.raises(BlockingIOError):
                server.recv(1)
            return super().udp_batch(listener)

    answerer = Late()
    assert DatagramPort(server, answerer).read_batch() is False
    assert len(answerer.clients) == 3
