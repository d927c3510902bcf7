"""The ways to ask: `respond` in this process and a running server, each over UDP and over TCP.

A lane sends bytes and returns what came back. No waiting for silence: other queries follow each message, and when they
are answered the message has been.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from lbdns.answer.reply import Client, Transport
from lbdns.answer.respond import respond
from lbdns.answer.serving_view import ServingView
from lbdns.answer.steered import halves
from lbdns.dns.cookie_words import SECRET_BYTES
from lbdns.fastpath.layout import DEFERRED, DROPPED
from lbdns.fastpath.read import Server
from lbdns.fastpath.serve import serve
from lbdns.fastpath.templates import add_templates
from lbdns.mapped.health_table import HealthTable
from lbdns.model.configuration import Configuration
from lbdns.places.geodata import Geodata
from lbdns.snapshot.compile.compiler import compile_snapshot
from lbdns.snapshot.slots import Slots
from tests.answer.packets import Query, query, slow_query
from tests.answer.replies import Reply, check_laws

PATIENCE_S = 5.0
CLIENT = Client(bytes((127, 0, 0, 1)), 40_000)
FAST_REPLY_BYTES = 2048
DRAW = 0x9E3779B97F4A7C15
COOKIE_SECRETS = tuple(bytes([number]) * SECRET_BYTES for number in (1, 2, 3))
GOOD_NAME = "static.example.com."
GOOD_ANSWER = ["static.example.com. 300 A 192.0.2.80"]


class Lane(Protocol):
    """A way to ask."""

    over_tcp: bool

    def send(self, message: bytes) -> bytes | None:
        """Return the reply to a message, None where it gets none; the next good query is answered either way."""


def ask(lane: Lane, asked: Query) -> Reply:
    """Return the reply to a query, which must get one; every law of replies is checked."""
    wire = lane.send(asked.wire)
    assert wire is not None, "no reply"
    reply = Reply(wire)
    check_laws(asked, reply, lane.over_tcp)
    return reply


_ids = itertools.count(1)


def good_query() -> Query:
    """Return a query that has an answer, under an ID of its own."""
    return query(GOOD_NAME).with_id(next(_ids) & 0x3FFF)


def barrier_query() -> Query:
    """Return a message that gets a reply and is nothing for a fast path, under an ID of its own."""
    return slow_query("example.com.", "SOA").with_id(next(_ids) & 0x3FFF | 0x4000)


def check_good(asked: Query, wire: bytes | None, over_tcp: bool) -> None:
    """Assert that `good_query` got its answer."""
    assert wire is not None, "the next good query is not answered"
    reply = Reply(wire)
    check_laws(asked, reply, over_tcp)
    assert (reply.rcode, reply.aa, reply.answer) == ("NOERROR", True, GOOD_ANSWER)


class InProcess:
    """`respond` over a compiled configuration, at a fixed draw; the fast path's bytes must equal its."""

    def __init__(self, view: ServingView, over_tcp: bool, draw: int = DRAW) -> None:
        self.over_tcp = over_tcp
        self._view = view
        self._draw = draw
        self._fast = Server(view.columns, view.table.columns, view.region_index)
        self._fast.is_stream = over_tcp
        self._out = memoryview(bytearray(FAST_REPLY_BYTES))

    def send(self, message: bytes) -> bytes | None:
        """Ask `respond`."""
        reply = self.respond(message)
        good = good_query()
        check_good(good, self.respond(good.wire), self.over_tcp)
        return reply

    def respond(self, message: bytes, client: Client = CLIENT) -> bytes | None:
        """Return `respond`'s reply, nothing else asked."""
        transport = Transport.TCP if self.over_tcp else Transport.UDP
        now_s, unix_s = int(time.monotonic()), int(time.time())
        reply = respond(self._view, message, client, transport, now_s, self._draw, unix_s=unix_s)
        if client.port:
            self._fast.unix_s = unix_s
            self._check_fast(self._fast, message, client, now_s, reply)
        return reply

    def _check_fast(self, server: Server, message: bytes, client: Client, now_s: int, slow: bytes | None) -> None:
        """Assert that the fast path gives the same bytes, or leaves the message to the slow path."""
        query = server.query
        query.resolver_version = 4 if len(client.address) == 4 else 6
        query.resolver_high, query.resolver_low = halves(client.address)
        query.now_s, query.draw_base = now_s, self._draw
        server.incoming, server.outgoing = memoryview(message), self._out
        size = serve(server, 0, len(message), 0)
        if size != DEFERRED:
            fast = None if size == DROPPED else bytes(self._out[:size])
            assert fast == slow, "the fast path's bytes are not the slow path's"


class OverUdp:
    """A running server, over one UDP socket.

    A fast path may answer before the slow one has answered what came earlier. So each message is followed by a good
    query, which the fast path takes, and a barrier, which it leaves to the slow one: each path keeps its own order, and
    when both replies are here, no other is under way.
    """

    over_tcp = False

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect((host, port))
        self._socket.settimeout(PATIENCE_S)

    def send(self, message: bytes) -> bytes | None:
        """Return the reply to a datagram."""
        replies, good = self.send_all([message])
        check_good(good, replies.pop(good.id), False)
        assert len(replies) <= 1
        return next(iter(replies.values()), None)

    def send_all(self, messages: Sequence[bytes]) -> tuple[dict[int, bytes], Query]:
        """Send datagrams under IDs that differ; return every reply by its ID, and the good query among them."""
        good, barrier = good_query(), barrier_query()
        for message in (*messages, good.wire, barrier.wire):
            self._socket.send(message)
        replies: dict[int, bytes] = {}
        while good.id not in replies or barrier.id not in replies:
            wire = self._socket.recv(65535)
            message_id = int.from_bytes(wire[:2], "big")
            assert message_id not in replies, "two replies to one message"
            replies[message_id] = wire
        del replies[barrier.id]
        return replies, good

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class OverTcp:
    """A running server, over a TCP connection for each message that goes on with a good query."""

    over_tcp = True

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port

    def send(self, message: bytes) -> bytes | None:
        """Send a message and a good query on one connection; where it is closed instead, on the next."""
        good = good_query()
        with self.connect() as connection:
            connection.sendall(frame(message, good.wire))
            with contextlib.suppress(ConnectionResetError):
                reply = receive(connection)
                if reply is not None:
                    check_good(good, receive(connection), True)
                    return reply
        with self.connect() as connection:
            connection.sendall(frame(good.wire))
            check_good(good, receive(connection), True)
        return None

    def connect(self) -> socket.socket:
        """Return a new connection."""
        return socket.create_connection(self._address, PATIENCE_S)


def frame(*messages: bytes) -> bytes:
    """Return messages with their lengths before them (RFC 1035 section 4.2.2)."""
    return b"".join(len(message).to_bytes(2, "big") + message for message in messages)


def receive(connection: socket.socket) -> bytes | None:
    """Return one message, None where the connection ended before it."""
    length = _receive_exactly(connection, 2)
    return None if length is None else _receive_exactly(connection, int.from_bytes(length, "big"))


def _receive_exactly(connection: socket.socket, count: int) -> bytes | None:
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            assert not data, "the connection ended within a message"
            return None
        data += more
    return data


def compiled_view(configuration: Configuration, folder: Path) -> ServingView:
    """Compile a configuration into a view whose endpoints have no health yet."""
    slots = Slots().assign(configuration)
    geodata = Geodata.open(configuration.settings.geodata.city, configuration.settings.geodata.asn)
    table = HealthTable.create(folder / "health.bin", slots.endpoint_count, slots.pool_count, 1)
    snapshot = compile_snapshot(configuration, geodata, slots, 1, table.layout_id, cookie_secrets=COOKIE_SECRETS)
    return ServingView(add_templates(snapshot, ServingView(snapshot, table)), table)
