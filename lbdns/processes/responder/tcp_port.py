"""DNS over TCP (RFC 7766, 9210): messages with a two-octet length before each, pipelined, answered in order.

A connection is closed by an idle time that only whole messages reset, so that a client which sends a byte now and
then, or never reads its replies, holds nothing for long; the first message is waited for less long. Input is bounded by
one message and one read, output by the transport's high-water mark and the kernel's buffer. The number of connections
and each address's share are bounded, and each network's share of those that wait for a message to be whole, or to be
read (base/connection_room.py):

    connected --> WAITING --(a whole message, nothing behind it)--> IDLE --(a part of the next)--> WAITING ...

What the fast path can answer (fast_streams.py) is answered as soon as it is read, while nothing waits. All other
messages have turns with all that the slow path answers, by the client's network (turns.py): who sends thousands, or has
many connections, or many addresses of a network, waits for himself; who does not read has none.

What is answered later than at once (later_reply.py) does not keep what comes after it: streams have turns of their own,
a message each, and whatever else a connection asks is answered in between, which replies' IDs tell apart (RFC 7766
section 6.2.1.1). Of a connection so many are under way, and then it waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from lbdns.base import accepting
from lbdns.base.connection_room import ConnectionRoom, Standing
from lbdns.base.networks import link_of, network_of
from lbdns.dns.options.keepalive import TCP_IDLE_S
from lbdns.processes.responder.datagram_port import Answerer
from lbdns.processes.responder.fast_streams import READ_BYTES, FastStreams
from lbdns.processes.responder.stream_turns import StreamTurns
from lbdns.processes.responder.tcp_connection import Connection
from lbdns.processes.responder.turns import NetworkQueues, Turns

CONNECTIONS_MAX = 1200  # so that 1,000 find room, whichever of two responders each comes to
CONNECTIONS_PER_ADDRESS_MAX = 25
FIRST_MESSAGE_S = 2.0


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
        fast: FastStreams | None = None,
    ) -> None:
        """Begin with no connection. `note_network` is told the address of each client that has sent a query, which is
        surely its own; `is_proxy` whether an address is a proxy's, and `note_header` what came of a proxy's header: it
        returns whether the connection goes on. `fast`: the fast path, where there is one."""
        self.answerer = answerer
        self.idle_s = idle_s
        self.first_message_s = first_message_s
        self.note_network = note_network
        self.is_proxy, self.note_header = is_proxy, note_header
        self.draining = False
        self.streams: StreamTurns[Connection] = StreamTurns()
        self.turns = Turns([self, self.streams])  # until others are given, where more than TCP has turns
        self.fast = fast
        self.reading = fast.reading if fast else memoryview(bytearray(READ_BYTES))
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
