"""DNS over TCP (RFC 7766, 9210): messages with a two-octet length before each, pipelined, answered in order.

A connection is closed by an idle time that only whole messages reset, so that a client which sends a byte now and
then, or never reads its replies, holds nothing for long; the first message is waited for less long. Input is bounded by
one message and one read, output by the transport's high-water mark and the kernel's buffer. The number of connections
and each address's share are bounded, and each network's share of those that wait for a message to be whole, or to be
read (base/connection_room.py):

    connected --> WAITING --(a whole message, nothing behind it)--> IDLE --(a part of the next)--> WAITING ...

Messages have turns with all that the slow path answers, by the client's network (turns.py): who sends thousands, or has
many connections, or many addresses of a network, waits for himself; who does not read has none.

What is answered later than at once (later_reply.py) does not keep what comes after it: streams have turns of their own,
a message each, and whatever else a connection asks is answered in between, which replies' IDs tell apart (RFC 7766
section 6.2.1.1). Of a connection so many are under way, and then it waits.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Callable
from typing import cast

from lbdns.answer.proxy_clients import pass_header
from lbdns.answer.reply import Client
from lbdns.base import accepting
from lbdns.base.connection_room import ConnectionRoom, Standing
from lbdns.base.networks import link_of, network_of, packed_address
from lbdns.dns.options.keepalive import TCP_IDLE_S
from lbdns.dns.proxy_words import PROXY_MORE
from lbdns.processes.responder.datagram_port import Answerer, RespondOne
from lbdns.processes.responder.later_reply import LaterReply, NextMessage
from lbdns.processes.responder.stream_turns import StreamTurns
from lbdns.processes.responder.turns import TURN_MESSAGES, NetworkQueues, Turns

CONNECTIONS_MAX = 150
CONNECTIONS_PER_ADDRESS_MAX = 25
FIRST_MESSAGE_S = 2.0
READ_BYTES = 16 * 1024  # at a time; with as much that waits and a whole message in it, no more is read
REPLIES_WAITING_BYTES = 64 * 1024  # unread replies at which a client's queries are no longer answered
REPLIES_SENT_BYTES = 64 * 1024  # and as many in the kernel, which doubles that for its own use
STREAM_SENT_BYTES = 1024 * 1024  # of a stream, as far as the kernel allows that (net.core.wmem_max)
UNDER_WAY_MAX = 8  # replies of a connection that come later; meanwhile no more of its messages are answered
LENGTH_BYTES = 2

log = logging.getLogger("lbdns.processes")


class TcpPort:
    """The connections of one worker: counts them and bounds them."""

    def __init__(
        self,
        answerer: Answerer,
        connections_max: int = CONNECTIONS_MAX,
        idle_s: float = TCP_IDLE_S,
        first_message_s: float = FIRST_MESSAGE_S,
        note_network: Callable[[bytes], None] = lambda address: None,
        is_proxy: Callable[[bytes], bool] = lambda address: False,
        note_header: Callable[[int], bool] = lambda size: size >= 0,
    ) -> None:
        """Begin with no connection. `note_network` is told the address of each client that has sent a query, which is
        surely its own; `is_proxy` whether an address is a proxy's, and `note_header` what came of a proxy's header: it
        returns whether the connection goes on."""
        self.answerer = answerer
        self.idle_s = idle_s
        self.first_message_s = first_message_s
        self.note_network = note_network
        self.is_proxy, self.note_header = is_proxy, note_header
        self.draining = False
        self.streams: StreamTurns[Connection] = StreamTurns()
        self.turns = Turns([self, self.streams])  # until others are given, where more than TCP has turns
        self.reading = memoryview(bytearray(READ_BYTES))
        self._queues: NetworkQueues[Connection] = NetworkQueues()
        self.room = ConnectionRoom(accepting.connections_max(connections_max))
        self._per_address: dict[bytes, int] = {}
        self._open: set[Connection] = set()

    def at(self, listener: str) -> Callable[[], Connection]:
        """Return what makes the protocol of each new connection to a listener, `IP:PORT`."""
        return lambda: Connection(self, listener)

    def __len__(self) -> int:
        """The number of open connections."""
        return len(self._open)

    def admit(self, connection: Connection) -> bool:
        """Count a new connection in, as one that waits; False where its address has its share already. A proxy has no
        share: its clients have."""
        held = self._per_address.get(connection.address, 0)
        if (held >= CONNECTIONS_PER_ADDRESS_MAX and not connection.is_proxied) or self.draining:
            return False
        if not self.room.admit(connection, link_of(connection.address)):
            return False
        self._per_address[connection.address] = self._per_address.get(connection.address, 0) + 1
        self._open.add(connection)
        return True

    def pass_to(self, connection: Connection, address: bytes) -> bool:
        """Count a connection as that of the client whom its proxy asks for; False where he has his share already."""
        self.release(connection)
        connection.address, connection.network, connection.is_proxied = address, network_of(address), False
        return self.admit(connection)

    def wait(self, connection: Connection) -> None:
        """Have a connection wait for its turn; it has one where a whole message has come, and its replies are read."""
        self._queues.put(connection.network, connection)
        self.turns.begin()

    def stream(self, connection: Connection) -> None:
        """Have a connection wait for the turn of the stream that it is sent."""
        self.streams.put(connection)
        self.turns.begin()

    def answer_some(self) -> bool:
        """Answer the messages whose turn it is; False where none waits."""
        while (connection := self._queues.take()) is not None:
            if connection.answer_some(self.answerer.tcp_batch(connection.listener)):
                return True
        return False

    def heard(self, connection: Connection, is_whole: bool) -> None:
        """Note that a connection sent a message, and whether nothing is behind it and it reads its replies; one that is
        still answered does not give way."""
        calm = Standing.IDLE if is_whole else Standing.WAITING
        self.room.move(connection, Standing.BUSY if connection.under_way else calm)

    def release(self, connection: Connection) -> None:
        """Count a connection out; more than once does no harm."""
        self._queues.discard(connection.network, connection)
        self.streams.discard(connection)
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


class Connection(asyncio.BufferedProtocol):
    """One client's connection."""

    def __init__(self, port: TcpPort, listener: str) -> None:
        """Wait to be connected; `listener`: where."""
        self._port = port
        self.listener = listener
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self.address = self.network = b""
        self.is_proxied = False  # by a proxy, for itself or for whom it has not said yet
        self._awaits_header = False
        self._client_port = 0
        self._input = bytearray()
        self._has_spoken = False  # a whole message has come
        self._writable = True
        self._ended = False  # the client half-closed
        self._finishing = False  # the server drains
        self._heard_s = 0.0
        self._idle: asyncio.TimerHandle | None = None
        self._streams: deque[NextMessage] = deque()  # the first is sent, where that has begun
        self._is_streaming = False
        self._pending = 0
        self._settled: list[bytes | None] = []  # of those that are pending, what is sent in the next round

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the idle clock, or refuse."""
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        if not peer:  # reset before it was accepted
            self._transport.abort()
            return
        self.address, self._client_port = packed_address(peer[0]), peer[1]
        self.network = network_of(self.address)
        self.is_proxied = self._awaits_header = self._port.is_proxy(self.address)
        if not self._port.admit(self):
            self._transport.abort()
            return
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, REPLIES_SENT_BYTES)
        self._transport.set_write_buffer_limits(high=REPLIES_WAITING_BYTES)
        self._idle = self._loop.call_later(self._port.first_message_s, self.abort)

    def get_buffer(self, size_hint: int) -> memoryview:
        """Return where the next input goes; it is taken from there before anything else is read."""
        return self._port.reading

    def buffer_updated(self, size: int) -> None:
        """Take input; answering happens in turns."""
        self._input += self._port.reading[:size]
        self._go_on()

    def eof_received(self) -> bool:
        """Keep writing after the client's half-close until everything it asked is answered; TLS has no such thing."""
        self._ended = True
        self._go_on()
        return self._transport is not None and self._transport.get_extra_info("sslcontext") is None

    def pause_writing(self) -> None:
        """Stop answering a client that does not read."""
        self._writable = False

    def resume_writing(self) -> None:
        """Go on answering."""
        self._writable = True
        self._go_on()

    def connection_lost(self, error: Exception | None) -> None:
        """Forget the connection."""
        if self._idle is not None:
            self._idle.cancel()
        self._port.release(self)
        self._drop_streams()
        self._transport = None

    def finish(self) -> None:
        """Answer what has come and close."""
        self._finishing = True
        self._go_on()

    def abort(self) -> None:
        """Close at once."""
        self._port.release(self)
        self._drop_streams()
        if self._transport is not None:
            self._transport.abort()

    def _begin_idle_clock(self) -> None:
        """Note that the client has spoken; the clock that ran for its first message runs for the others from now on."""
        self._has_spoken = True
        self._port.note_network(self.address)
        if self._idle is not None:
            self._idle.cancel()
        self._idle = self._loop.call_later(self._port.idle_s, self._look_at_idle_clock)

    def _look_at_idle_clock(self) -> None:
        if self._pending or (self._streams and not self._is_streaming):  # it is not the client who is waited for
            self._heard_s = self._loop.time()
        left_s = self._heard_s + self._port.idle_s - self._loop.time()
        if left_s <= 0.0:
            self.abort()
            return
        self._port.note_network(self.address)
        self._idle = self._loop.call_later(left_s, self._look_at_idle_clock)

    def _go_on(self) -> None:
        """Wait for a turn, for more input, for replies to be read, or for the end."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if self._awaits_header and not self._pass_header():
            return
        waits = self._message_waits()
        if waits and len(self._input) >= READ_BYTES:
            transport.pause_reading()
        if self._is_streaming and self._writable:
            self._port.stream(self)
        if waits and self._may_be_answered():
            self._port.wait(self)
            return
        self._port.heard(self, is_whole=self._has_spoken and not self._input and self._writable)
        if waits:
            return
        if self.under_way:
            transport.resume_reading()
        elif self._ended or (self._finishing and not self._input):
            transport.close()
        else:
            transport.resume_reading()

    def _pass_header(self) -> bool:
        """Take a proxy's header from what has come; False where it is not there yet, or where this is the end."""
        size, client = pass_header(self._input, Client(self.address, self._client_port))
        if size == PROXY_MORE and not (self._ended or self._finishing):
            return False
        self._awaits_header = False
        if not self._port.note_header(size):
            self.abort()
            return False
        del self._input[:size]
        self._client_port = client.port
        if client.address != self.address and not self._port.pass_to(self, client.address):
            self.abort()
            return False
        return True

    def _message_waits(self) -> bool:
        have = len(self._input)
        return have >= LENGTH_BYTES and have >= LENGTH_BYTES + int.from_bytes(self._input[:LENGTH_BYTES])

    @property
    def under_way(self) -> int:
        """How many replies come later."""
        return self._pending + len(self._streams)

    def _may_be_answered(self) -> bool:
        return self._writable and self.under_way < UNDER_WAY_MAX

    def answer_some(self, respond_one: RespondOne) -> bool:
        """Answer a turn's worth of the messages that wait; False where there is none, or nobody to read the answer."""
        transport = self._transport
        if transport is None or transport.is_closing() or not self._may_be_answered() or not self._message_waits():
            return False
        for _ in range(TURN_MESSAGES):
            end = LENGTH_BYTES + int.from_bytes(self._input[:LENGTH_BYTES])
            message = bytes(self._input[LENGTH_BYTES:end])
            del self._input[:end]
            reply = respond_one(message, self.address, self._client_port) if message else None
            if isinstance(reply, LaterReply):
                self._begin_later(reply)
            elif reply is None:  # not a query: nothing that this client says next can be trusted to be one
                transport.close()
                return True
            else:
                self._write(transport, reply)
            if not self._message_waits() or not self._may_be_answered():
                break
        self._heard_s = self._loop.time()
        if not self._has_spoken:
            self._begin_idle_clock()
        if self._may_be_answered() and self._message_waits():
            self._port.heard(self, is_whole=False)
            self._port.wait(self)
        else:
            self._go_on()
        return True

    def _write(self, transport: asyncio.Transport, message: bytes) -> None:
        """Write length and body at once, so that they leave in one segment (RFC 7766 section 8)."""
        transport.write(len(message).to_bytes(LENGTH_BYTES) + message)

    def _begin_later(self, reply: LaterReply) -> None:
        """Have a reply sent that comes later."""
        next_message = reply.next_message
        if reply.pending is None and next_message is not None:
            self._add_stream(next_message)
            return
        self._pending += 1
        reply.then(self._send_pending if next_message is None else lambda _: self._take_prepared(next_message))

    def _take_prepared(self, next_message: NextMessage) -> None:
        """Send a stream that can begin now."""
        self._pending -= 1
        if self._transport is not None and not self._transport.is_closing():
            self._add_stream(next_message)

    def _add_stream(self, next_message: NextMessage) -> None:
        """Send a stream, when those before it are."""
        self._streams.append(next_message)
        if len(self._streams) == 1:
            self._port.streams.room.enter(self.address, self._begin_stream)

    def _send_pending(self, reply: bytes | None) -> None:
        """Send a reply that is there now, with all that are there at the same time."""
        if not self._settled:
            self._loop.call_soon(self._send_settled)
        self._settled.append(reply)

    def _send_settled(self) -> None:
        """Send the replies that are there now, where they are still waited for."""
        settled, self._settled = self._settled, []
        self._pending -= len(settled)
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        replies = [reply for reply in settled if reply is not None]
        if replies:
            transport.write(b"".join([len(reply).to_bytes(LENGTH_BYTES) + reply for reply in replies]))
        if len(replies) < len(settled):
            self.abort()
            return
        self._heard_s = self._loop.time()
        self._go_on()

    def _begin_stream(self) -> None:
        """Begin to send the first of the streams: there is room for it."""
        self._is_streaming = True
        if self._transport is not None:
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, STREAM_SENT_BYTES)
        self._heard_s = self._loop.time()
        self._go_on()

    def send_some(self) -> bool:
        """Send the next message of a stream; False where there is none, or nobody to read it."""
        transport = self._transport
        if transport is None or transport.is_closing() or not self._writable or not self._is_streaming:
            return False
        try:
            message = self._streams[0]()
        except Exception:
            log.exception("lbdns failed on a zone transfer")
            self.abort()
            return True
        self._heard_s = self._loop.time()
        if message is None:
            self._end_stream()
        else:
            self._write(transport, message)
        self._go_on()
        return True

    def _end_stream(self) -> None:
        """Be done with the first of the streams; the next one waits for room behind those of others."""
        self._streams.popleft()
        self._is_streaming = False
        self._port.streams.room.leave(self.address)
        if self._streams:
            self._port.streams.room.enter(self.address, self._begin_stream)

    def _drop_streams(self) -> None:
        """Send no more of the streams, as there is nobody to read them."""
        was_streaming, self._is_streaming = self._is_streaming, False
        has_any = bool(self._streams)
        self._streams.clear()
        if was_streaming:
            self._port.streams.room.leave(self.address)
        elif has_any:
            self._port.streams.room.forget(self._begin_stream)
