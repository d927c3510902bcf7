"""The turns of connections that are sent streams, a message each."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

from lbdns.processes.responder.later_reply import StreamRoom
from lbdns.processes.responder.turns import NetworkQueues


class StreamingConnection(Protocol):
    """A connection that may be sent a stream; `network`: its client's."""

    @property
    def network(self) -> bytes: ...

    def send_some(self) -> bool:
        """Send the next message of a stream; False where there is none, or nobody to read it."""


_Streamed = TypeVar("_Streamed", bound=StreamingConnection)


class StreamTurns(Generic[_Streamed]):
    """The turns of connections that are sent a stream."""

    def __init__(self) -> None:
        """Begin with none."""
        self.room = StreamRoom()
        self._queues: NetworkQueues[_Streamed] = NetworkQueues()

    def put(self, connection: _Streamed) -> None:
        """Have a connection wait for its turn."""
        self._queues.put(connection.network, connection)

    def discard(self, connection: _Streamed) -> None:
        """Have a connection wait no longer."""
        self._queues.discard(connection.network, connection)

    def answer_some(self) -> bool:
        """Send the message whose turn it is; False where none waits."""
        while (connection := self._queues.take()) is not None:
            if connection.send_some():
                return True
        return False
