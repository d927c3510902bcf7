"""UDP: read what waits in a socket, up to a batch, and answer it; no state is kept between datagrams."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from typing import Any, Protocol

from lbdns.server.sockets import IP_PKTINFO

BATCH_DATAGRAMS = 64  # per wake-up: TCP gets its turn after at most this many answers
DATAGRAM_BYTES = 65535
ANCILLARY_BYTES = 128

# (message, client's packed address, client's port) -> the reply, or None for none
Answer = Callable[[bytes, bytes, int], bytes | None]

_PKTINFO4 = struct.Struct("=I4s4s")  # interface, local address to answer from, header's destination
_PKTINFO6 = struct.Struct("=16sI")  # header's destination, interface
_LINK_LOCAL = b"\xfe\x80"


class Answerer(Protocol):
    """What answers queries; each batch is answered from one view of snapshot and health."""

    def udp_batch(self) -> Answer:
        """Return the function that answers the next batch of datagrams."""

    def tcp_batch(self) -> Answer:
        """Return the function that answers the next batch of messages over TCP."""


class DatagramPort:
    """One UDP socket; `read_batch` is the event loop's reader."""

    def __init__(self, sock: socket.socket, answerer: Answerer) -> None:
        """Take over a bound UDP socket."""
        sock.setblocking(False)
        self._sock = sock
        self._family = sock.family
        self._answerer = answerer
        self._buffer = memoryview(bytearray(DATAGRAM_BYTES))
        self._wildcard = not any(socket.inet_pton(sock.family, sock.getsockname()[0]))

    def read_batch(self) -> bool:
        """Answer up to a batch of waiting datagrams; True where more may wait."""
        one = self._wildcard_one if self._wildcard else self._one
        answer = self._answerer.udp_batch()
        for _ in range(BATCH_DATAGRAMS):
            try:
                one(answer)
            except BlockingIOError:
                return False
            except OSError:
                # A reply that this machine may not or cannot send (firewall, no route, full queue) is lost like any
                # other datagram; the error belongs to that one client and must not stop the others.
                continue
        return True

    def drain(self, batch_limit: int) -> None:
        """Answer what has arrived by now, at most `batch_limit` batches of it."""
        for _ in range(batch_limit):
            if not self.read_batch():
                return

    def _one(self, answer: Answer) -> None:
        count, peer = self._sock.recvfrom_into(self._buffer)
        reply = answer(bytes(self._buffer[:count]), socket.inet_pton(self._family, peer[0]), peer[1])
        if reply is not None:
            self._send(self._sock.sendto, reply, peer)

    def _wildcard_one(self, answer: Answer) -> None:
        datagram, ancillary, _, peer = self._sock.recvmsg(DATAGRAM_BYTES, ANCILLARY_BYTES)
        reply = answer(datagram, socket.inet_pton(self._family, peer[0]), peer[1])
        if reply is not None:
            control = reply_from(ancillary)
            self._send(lambda data, to: self._sock.sendmsg([data], control, 0, to), reply, peer)

    @staticmethod
    def _send(send: Callable[[bytes, Any], int], reply: bytes, peer: Any) -> None:
        try:
            send(reply, peer)
        except BlockingIOError:
            # The socket's send queue is full: this reply is dropped. It must not look like an empty receive queue.
            return


def reply_from(ancillary: list[tuple[int, int, bytes]]) -> list[tuple[int, int, bytes]]:
    """Return the control message that sends a reply from the address that its query was sent to."""
    for level, kind, data in ancillary:
        if level == socket.IPPROTO_IP and kind == IP_PKTINFO:
            _, local, _ = _PKTINFO4.unpack_from(data)
            return [(level, kind, _PKTINFO4.pack(0, local, bytes(4)))]
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
            local, interface = _PKTINFO6.unpack_from(data)
            # Only a link-local address needs its interface; elsewhere the routing table knows better.
            return [(level, kind, _PKTINFO6.pack(local, interface if local.startswith(_LINK_LOCAL) else 0))]
    return []
