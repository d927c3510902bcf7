"""The fast path over TCP in a responder process: on the event loop, for all connections, a round of one at a time.

    read --> answered where it lies, while nothing waits for a turn --> one write
      '----> waits for a turn: rounds of the fast path, and messages of the slow one, in the order in which they came

A round is ROUND_MESSAGES at most, which take no longer than a message on the slow path. What it answers from is asked
for after it was read: what arrives after a reload is answered from that.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from lbdns.answer.steered import halves
from lbdns.dns.codes import FLAG_QR, OPCODE_MASK
from lbdns.fastpath.layout import STREAM_LENGTH_BYTES
from lbdns.fastpath.read import Server
from lbdns.processes.responder.fast_port import served
from lbdns.processes.responder.view_answerer import ViewAnswerer

if TYPE_CHECKING:
    from lbdns.answer.serving_view import ServingView

ROUND_MESSAGES: Final = 32
READ_BYTES: Final = 16 * 1024
"""At a time; what is longer is the slow path's."""
WRITTEN_BYTES: Final = 64 * 1024
"""Of replies, in a round."""
NS: Final = 1_000_000_000
FLAGS_AT: Final = STREAM_LENGTH_BYTES + 2
NO_QUERY_BITS: Final = (FLAG_QR | OPCODE_MASK) >> 8


class StreamClient(NamedTuple):
    """Who sends what comes on a connection: IP version, the two halves of the address, port; nobody where that is 0."""

    version: int = 4
    high: int = 0
    low: int = 0
    port: int = 0


def stream_client(address: bytes, port: int) -> StreamClient:
    """Return who has a packed address, and a port."""
    return StreamClient(4 if len(address) == 4 else 6, *halves(address), port)


class FastStreams:
    """Answers what the fast path can of what has come; the first message that it leaves stays where it is."""

    def __init__(self, answerer: ViewAnswerer) -> None:
        """Answer from what an answerer has in force."""
        self._answerer = answerer
        self.reading = memoryview(bytearray(READ_BYTES))
        self._written = memoryview(bytearray(WRITTEN_BYTES))
        self._rounds = answerer.stream_rounds(self.reading, self._written)
        self._servers: dict[str, Server] = {}  # by listener
        self._view: ServingView | None = None
        self.taken = 0  # octets that the last round has answered

    def follow(self) -> None:
        """Let go of a view that is no longer in force."""
        view = self._answerer.views.current()
        if view is not self._view:
            self._view = view
            self._servers.clear()

    def answer(self, listener: str, client: StreamClient, size: int) -> bytes:
        """Answer the first `size` octets of `reading`, which came from a client to a listener; return the replies, each
        with its length before it."""
        self.taken = 0
        if not client.port or not _may_be_fast(self.reading):  # without a port a proxy's, whom nobody can answer
            return b""
        rounds = self._rounds
        server = self._server(listener)
        server.query.now_s = time.monotonic_ns() // NS
        server.unix_s = int(time.time())
        written = rounds.answer(server, size, ROUND_MESSAGES, *client)
        self.taken = rounds.taken
        return self._written[:written].tobytes()

    def answer_waiting(self, listener: str, client: StreamClient, waiting: bytearray) -> bytes:
        """Answer what has been waiting, and take it from there; return the replies."""
        if not _may_be_fast(waiting):
            return b""
        size = min(len(waiting), READ_BYTES)
        with memoryview(waiting) as octets:
            self.reading[:size] = octets[:size]
        replies = self.answer(listener, client, size)
        del waiting[: self.taken]
        return replies

    def _server(self, listener: str) -> Server:
        self.follow()
        view = self._view
        assert view is not None
        server = self._servers.get(listener)
        if server is None:
            server = self._servers[listener] = Server(*served(view, listener))
            self._rounds.adopt(server)
        self._answerer.begin_watching(view, listener)
        self._answerer.show_life()
        return server


def _may_be_fast(octets: memoryview | bytearray) -> bool:
    """Tell whether the first message may be one that is answered here: no reply, and of no opcode but QUERY."""
    return len(octets) <= FLAGS_AT or not octets[FLAGS_AT] & NO_QUERY_BITS
