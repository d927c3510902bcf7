"""One connection over TCP: what came, what waits for its turn, what is sent, and when it ends; tcp_port.py has them
all.

    read --> the fast path, where nothing waits --> written
      '----> waits for its turn: messages in the order in which they came, by the fast path or the slow one
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Callable
from typing import Protocol, cast

from lbdns.answer.proxy_clients import pass_header
from lbdns.answer.reply import Client
from lbdns.base.networks import network_of, packed_address
from lbdns.dns.proxy_words import PROXY_MORE
from lbdns.processes.responder.datagram_port import RespondOne
from lbdns.processes.responder.fast_streams import READ_BYTES, FastStreams, StreamClient, stream_client
from lbdns.processes.responder.later_reply import LaterReply, NextMessage
from lbdns.processes.responder.stream_turns import StreamTurns
from lbdns.processes.responder.turns import TURN_MESSAGES, Turns

# Where as much waits as is read at a time, and a whole message is in it, no more is read.
REPLIES_WAITING_BYTES = 64 * 1024  # unread replies at which a client's queries are no longer answered
REPLIES_SENT_BYTES = 64 * 1024  # and as many in the kernel, which doubles that for its own use
STREAM_SENT_BYTES = 1024 * 1024  # of a stream, as far as the kernel allows that (net.core.wmem_max)
UNDER_WAY_MAX = 8  # replies of a connection that come later; meanwhile no more of its messages are answered
LENGTH_BYTES = 2

log = logging.getLogger("lbdns.processes")


class ConnectionsPort(Protocol):
    """Who has all connections, and what they share; tcp_port.py says what each of it means."""

    fast: FastStreams | None
    reading: memoryview
    turns: Turns
    streams: StreamTurns[Connection]
    idle_s: float
    first_message_s: float
    note_network: Callable[[bytes], None]
    is_proxy: Callable[[bytes], bool]
    note_header: Callable[[int], bool]

    def admit(self, connection: Connection) -> bool: ...
    def pass_to(self, connection: Connection, address: bytes) -> bool: ...
    def wait(self, connection: Connection) -> None: ...
    def stream(self, connection: Connection) -> None: ...
    def heard(self, connection: Connection, is_whole: bool) -> None: ...
    def release(self, connection: Connection) -> None: ...


class Connection(asyncio.BufferedProtocol):
    """One client's connection."""

    def __init__(self, port: ConnectionsPort, listener: str) -> None:
        """Wait to be connected; `listener`: where."""
        self._port = port
        self.listener = listener
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self.address = self.network = b""
        self.is_proxied = False  # by a proxy, for itself or for whom it has not said yet
        self._awaits_header = False
        self._client_port = 0
        self._client = StreamClient()
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
        self._client = stream_client(self.address, self._client_port)
        self._idle = self._loop.call_later(self._port.first_message_s, self.abort)

    def get_buffer(self, size_hint: int) -> memoryview:
        """Return where the next input goes; it is taken from there before anything else is read."""
        return self._port.reading

    def buffer_updated(self, size: int) -> None:
        """Take input. Where nothing waits, the fast path answers it where it lies; all else has turns."""
        taken = self._answer_at_once(size) if self._port.fast and not self._input else 0
        if taken < size:
            self._input += self._port.reading[taken:size]
            self._go_on()

    def _answer_at_once(self, size: int) -> int:
        """Answer what the fast path can of what has just been read; return how much of it that was."""
        port, transport = self._port, self._transport
        if port.turns.are_due or self._awaits_header or self._finishing or not self._may_be_answered():
            return 0
        if port.fast is None or transport is None or transport.is_closing():
            return 0
        replies = port.fast.answer(self.listener, self._client, size)
        if not replies:
            return 0
        transport.write(replies)
        self._note_heard()
        port.heard(self, is_whole=port.fast.taken == size and self._writable)
        return port.fast.taken

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
        self._client = stream_client(client.address, client.port)
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
            if not self._answer_round(transport) and not self._answer_next(transport, respond_one):
                return True
            if not self._message_waits() or not self._may_be_answered():
                break
        self._note_heard()
        if self._may_be_answered() and self._message_waits():
            self._port.heard(self, is_whole=False)
            self._port.wait(self)
        else:
            self._go_on()
        return True

    def _note_heard(self) -> None:
        """Note that the client has sent a whole message."""
        self._heard_s = self._loop.time()
        if not self._has_spoken:
            self._begin_idle_clock()

    def _answer_round(self, transport: asyncio.Transport) -> bool:
        """Have the fast path answer what it can of what waits; False where that is nothing."""
        fast = self._port.fast
        replies = fast and fast.answer_waiting(self.listener, self._client, self._input)
        if not replies:
            return False
        transport.write(replies)
        return True

    def _answer_next(self, transport: asyncio.Transport, respond_one: RespondOne) -> bool:
        """Have the slow path answer the message that waits; False where that is the end of the connection."""
        end = LENGTH_BYTES + int.from_bytes(self._input[:LENGTH_BYTES])
        message = bytes(self._input[LENGTH_BYTES:end])
        del self._input[:end]
        reply = respond_one(message, self.address, self._client_port) if message else None
        if reply is None:  # not a query: nothing that this client says next can be trusted to be one
            transport.close()
            return False
        if isinstance(reply, LaterReply):
            self._begin_later(reply)
        else:
            self._write(transport, reply)
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
