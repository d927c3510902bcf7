"""A primary that answers as a test says: right, wrong or without end."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator

from lbdns.dns.codes import TYPE_SOA
from lbdns.dns.transfer_reply import ReceivedRecord
from tests.answer.unbound import free_port
from tests.transfer.transfer_records import NS, encode_message, soa

Messages = Callable[[int, int], Iterable[bytes]]
"""Gives the messages of a transfer, by its ID and type."""


class PlayedPrimary:
    """Answers SOA by UDP and TCP with `serial`, and transfers with what `messages` gives."""

    def __init__(self) -> None:
        """Listen on a port of 127.0.0.1."""
        self.serial = 1
        self.messages: Messages = lambda message_id, rtype: whole(message_id, rtype, self.serial)
        self.sent = 0
        self._stop = threading.Event()
        self.port = free_port()
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._tcp = socket.create_server(("127.0.0.1", self.port), backlog=20)
        self._udp.bind(("127.0.0.1", self.port))
        for sock in (self._udp, self._tcp):
            sock.settimeout(0.1)
        self._threads = [threading.Thread(target=one) for one in (self._serve_udp, self._serve_tcp)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End it."""
        self._stop.set()
        for thread in self._threads:
            thread.join(5)
        self._udp.close()
        self._tcp.close()

    def _serve_udp(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                asked, peer = self._udp.recvfrom(4096)
                message_id = int.from_bytes(asked[:2], "big")
                self._udp.sendto(encode_message(message_id, TYPE_SOA, [soa(self.serial)]), peer)

    def _serve_tcp(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError, OSError):
                connection, _ = self._tcp.accept()
                with connection:
                    connection.settimeout(2)
                    self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        length = int.from_bytes(connection.recv(2, socket.MSG_WAITALL), "big")
        asked = connection.recv(length, socket.MSG_WAITALL)
        end = 12
        while asked[end]:
            end += 1 + asked[end]
        message_id, rtype = int.from_bytes(asked[:2], "big"), int.from_bytes(asked[end + 1 : end + 3], "big")
        self.sent = 0
        for message in self.messages(message_id, rtype):
            if self._stop.is_set():
                return
            connection.sendall(struct.pack("!H", len(message)) + message)
            self.sent += len(message)


def whole(message_id: int, rtype: int, serial: int, *records: ReceivedRecord) -> list[bytes]:
    """Return a whole zone in one message."""
    return [encode_message(message_id, rtype, [soa(serial), NS, *records, soa(serial)])]


@contextlib.contextmanager
def played_primary() -> Iterator[PlayedPrimary]:
    """Have one."""
    primary = PlayedPrimary()
    try:
        yield primary
    finally:
        primary.close()
