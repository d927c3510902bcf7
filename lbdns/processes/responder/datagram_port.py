"""UDP: read what waits in a socket, up to a batch, and answer it; no state is kept between datagrams."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from lbdns.processes.responder.later_reply import LaterReply, Reply
from lbdns.processes.sockets import IP_PKTINFO

BATCH_DATAGRAMS = 64  # per wake-up: TCP gets its turn after at most this many answers
DATAGRAM_BYTES = 65535
ANCILLARY_BYTES = 128

# (message, client's packed address, client's port) -> the reply, now or later, or None for none
RespondOne = Callable[[bytes, bytes, int], Reply]
Ancillary = list[tuple[int, int, bytes]]

_PKTINFO4 = struct.Struct("=I4s4s")  # interface, local address to answer from, header's destination
_PKTINFO6 = struct.Struct("=16sI")  # header's destination, interface
_LINK_LOCAL = b"\xfe\x80"


class Answerer(Protocol):
    """What answers queries; each batch is answered from one view of snapshot and health."""

    def udp_batch(self, listener: str = "") -> RespondOne:
        """Return the function that answers the next batch of datagrams that came to a listener, `IP:PORT`."""

    def tcp_batch(self, listener: str = "") -> RespondOne:
        """Return the function that answers the next batch of messages over TCP that came to a listener."""


class DatagramPort:
    """One UDP socket; `read_batch` is the event loop's reader."""

    def __init__(self, sock: socket.socket, answerer: Answerer, listener: str = "") -> None:
        """Take over a bound UDP socket; `listener`: what the settings call it, `IP:PORT`."""
        sock.setblocking(False)
        self._sock = sock
        self._family = sock.family
        self._listener = listener
        self._answerer = answerer
        self._buffer = memoryview(bytearray(DATAGRAM_BYTES))
        self._wildcard = not any(socket.inet_pton(sock.family, sock.getsockname()[0]))

    def read_batch(self) -> bool:
        """Answer up to a batch of waiting datagrams; True where more may wait.

        The view is asked for when all of them have been read: what arrives after a reload is answered from it.
        """
        waiting, may_wait = self._receive()
        if waiting:
            respond_one = self._answerer.udp_batch(self._listener)
            for datagram, ancillary, peer in waiting:
                reply = respond_one(datagram, socket.inet_pton(self._family, peer[0]), peer[1])
                if isinstance(reply, LaterReply):
                    reply.then(partial(self._send, ancillary=ancillary, peer=peer))
                else:
                    self._send(reply, ancillary, peer)
        return may_wait

    def drain(self, batch_limit: int) -> None:
        """Answer what has arrived by now, at most `batch_limit` batches of it."""
        for _ in range(batch_limit):
            if not self.read_batch():
                return

    def _receive(self) -> tuple[list[tuple[bytes, Ancillary, Any]], bool]:
        """Return what waits, at most a batch of it, and whether more may wait."""
        waiting: list[tuple[bytes, Ancillary, Any]] = []
        for _ in range(BATCH_DATAGRAMS):
            # An error that the kernel reports here is about a reply sent earlier, and of no interest to others.
            with contextlib.suppress(OSError):
                try:
                    if self._wildcard:
                        datagram, ancillary, _, peer = self._sock.recvmsg(DATAGRAM_BYTES, ANCILLARY_BYTES)
                        waiting.append((datagram, ancillary, peer))
                    else:
                        count, peer = self._sock.recvfrom_into(self._buffer)
                        waiting.append((bytes(self._buffer[:count]), [], peer))
                except BlockingIOError:
                    return waiting, False
        return waiting, True

    def _send(self, reply: bytes | None, ancillary: Ancillary, peer: Any) -> None:
        """Send a reply, where there is one; one that this machine cannot or may not send is its client's loss and stops
        no other."""
        if reply is None:
            return
        with contextlib.suppress(OSError):
            if self._wildcard:
                self._sock.sendmsg([reply], reply_from(ancillary), 0, peer)
            else:
                self._sock.sendto(reply, peer)


def reply_from(ancillary: Ancillary) -> Ancillary:
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
