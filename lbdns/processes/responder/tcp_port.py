"""DNS over TCP (RFC 7766, 9210): messages with a two-octet length before each, pipelined, answered in order.

A connection is closed by an idle time that only whole messages reset, so that a client which sends a byte now and
then, or never reads its replies, holds nothing for long; the first message is waited for less long. Input is bounded by
one message, output by the transport's high-water mark. The number of connections and each address's share are bounded,
and each network's share of those that wait for a message to be whole (base/connection_room.py):

    connected --> WAITING --(a whole message, nothing behind it)--> IDLE --(a part of the next)--> WAITING ...
"""

from __future__ import annotations

import asyncio
import socket
from typing import cast

from lbdns.base import accepting
from lbdns.base.connection_room import ConnectionRoom, Standing, network_of
from lbdns.dns.options.keepalive import TCP_IDLE_S
from lbdns.processes.responder.datagram_port import Answerer, RespondOne

CONNECTIONS_MAX = 150
CONNECTIONS_PER_ADDRESS_MAX = 25
FIRST_MESSAGE_S = 2.0
BATCH_MESSAGES = 16  # answered before UDP and other connections get their turn
REPLIES_WAITING_BYTES = 256 * 1024  # unread replies at which a client's queries are no longer read
LENGTH_BYTES = 2


class TcpPort:
    """The connections of one worker: counts them and bounds them."""

    def __init__(
        self,
        answerer: Answerer,
        connections_max: int = CONNECTIONS_MAX,
        idle_s: float = TCP_IDLE_S,
        first_message_s: float = FIRST_MESSAGE_S,
    ) -> None:
        """Make the protocol factory for every listener of a worker."""
        self.answerer = answerer
        self.idle_s = idle_s
        self.first_message_s = first_message_s
        self.draining = False
        self.room = ConnectionRoom(accepting.connections_max(connections_max))
        self._per_address: dict[bytes, int] = {}
        self._open: set[Connection] = set()

    def __call__(self) -> Connection:
        """Return the protocol of a new connection."""
        return Connection(self)

    def __len__(self) -> int:
        """The number of open connections."""
        return len(self._open)

    def admit(self, connection: Connection) -> bool:
        """Count a new connection in, as one that waits; False where its address has its share already."""
        held = self._per_address.get(connection.address, 0)
        if held >= CONNECTIONS_PER_ADDRESS_MAX or self.draining:
            return False
        if not self.room.admit(connection, connection.network):
            return False
        self._per_address[connection.address] = self._per_address.get(connection.address, 0) + 1
        self._open.add(connection)
        return True

    def heard(self, connection: Connection, is_whole: bool) -> None:
        """Note that a connection sent a message, and whether nothing is behind it."""
        self.room.move(connection, Standing.IDLE if is_whole else Standing.WAITING)

    def release(self, connection: Connection) -> None:
        """Count a connection out; more than once does no harm."""
        if connection not in self._open:
            return
        self._open.discard(connection)
        self.room.release(connection)
        left = self._per_address[connection.address] - 1
        if left:
            self._per_address[connection.address] = left
        else:
            del self._per_address[connection.address]

    async def drain(self, grace_s: float) -> None:
        """Let messages under way be answered, then close every connection; returns within about `grace_s`."""
        self.draining = True
        for connection in tuple(self._open):
            connection.finish()
        deadline = asyncio.get_running_loop().time() + grace_s
        while len(self) and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.02)
        for connection in tuple(self._open):
            connection.abort()


class Connection(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, port: TcpPort) -> None:
        """Wait to be connected."""
        self._port = port
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self.address = self.network = b""
        self._client_port = 0
        self._input = bytearray()
        self._has_spoken = False  # a whole message has come
        self._working = False
        self._writable = True
        self._ended = False  # the client half-closed
        self._finishing = False  # the server drains
        self._idle: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the idle clock, or refuse."""
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        if not peer:  # reset before it was accepted
            self._transport.abort()
            return
        host, self._client_port = peer[0].partition("%")[0], peer[1]  # without the zone of a link-local address
        self.address = socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
        self.network = network_of(peer)
        if not self._port.admit(self):
            self._transport.abort()
            return
        self._transport.set_write_buffer_limits(high=REPLIES_WAITING_BYTES)
        self._idle = self._loop.call_later(self._port.first_message_s, self.abort)

    def data_received(self, data: bytes) -> None:
        """Take input; answering happens in turns."""
        self._input += data
        self._work()

    def eof_received(self) -> bool:
        """Keep writing after the client's half-close until everything it asked is answered."""
        self._ended = True
        self._work()
        return True

    def pause_writing(self) -> None:
        """Stop answering a client that does not read."""
        self._writable = False

    def resume_writing(self) -> None:
        """Go on answering."""
        self._writable = True
        self._work()

    def connection_lost(self, error: Exception | None) -> None:
        """Forget the connection."""
        if self._idle is not None:
            self._idle.cancel()
        self._port.release(self)
        self._transport = None

    def finish(self) -> None:
        """Answer what has come and close."""
        self._finishing = True
        self._work()

    def abort(self) -> None:
        """Close at once."""
        self._port.release(self)
        if self._transport is not None:
            self._transport.abort()

    def _restart_idle_clock(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        self._idle = self._loop.call_later(self._port.idle_s, self.abort)

    def _work(self) -> None:
        """Answer a turn's worth of whole messages; what is left gets the next turn of the loop."""
        transport = self._transport
        if transport is None or transport.is_closing() or self._working or not self._writable:
            return
        respond_one = self._port.answerer.tcp_batch()
        for _ in range(BATCH_MESSAGES):
            if not self._writable or not self._answer_one(transport, respond_one):
                break
        if transport.is_closing():
            return
        self._port.heard(self, is_whole=self._has_spoken and not self._input)
        if self._message_waits():
            transport.pause_reading()
            if self._writable:
                self._working = True
                self._loop.call_soon(self._next_turn)
        elif self._ended or (self._finishing and not self._input):
            transport.close()
        else:
            transport.resume_reading()

    def _next_turn(self) -> None:
        self._working = False
        self._work()

    def _message_waits(self) -> bool:
        have = len(self._input)
        return have >= LENGTH_BYTES and have >= LENGTH_BYTES + int.from_bytes(self._input[:LENGTH_BYTES])

    def _answer_one(self, transport: asyncio.Transport, respond_one: RespondOne) -> bool:
        """Take one message from the input and answer it; False where there is no whole one or the connection ended."""
        if len(self._input) < LENGTH_BYTES:
            return False
        length = int.from_bytes(self._input[:LENGTH_BYTES])
        if length == 0:
            transport.close()
            return False
        if len(self._input) < LENGTH_BYTES + length:
            return False
        message = bytes(self._input[LENGTH_BYTES : LENGTH_BYTES + length])
        del self._input[: LENGTH_BYTES + length]
        reply = respond_one(message, self.address, self._client_port)
        if reply is None:  # not a query: nothing that this client says next can be trusted to be one
            transport.close()
            return False
        self._has_spoken = True
        self._restart_idle_clock()
        # Length and body in one write, so that they leave in one segment (RFC 7766 section 8).
        transport.write(len(reply).to_bytes(LENGTH_BYTES) + reply)
        return True
