"""Where responders say that a NOTIFY came in: a UNIX datagram socket in the run directory, one datagram for each.

What does not fit is lost, as a NOTIFY may be: who sent it asks again, or the zone's refresh comes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from lbdns.base.errors import LbdnsError
from lbdns.mapped.run_directory import unix_address
from lbdns.mapped.socket_file import SocketFile

DATAGRAM_BYTES_MAX: Final = 2_048
LOOK_S: Final = 5.0


class Notice(NamedTuple):
    """A NOTIFY of a zone: who sent it, and the serial that it told, None for none."""

    apex: bytes
    address: str
    serial: int | None

    def encode(self) -> bytes:
        """Return it as a datagram."""
        return json.dumps([self.apex.hex(), self.address, self.serial]).encode()

    @staticmethod
    def decode(datagram: bytes) -> Notice | None:
        """Return what a datagram says, None where it is none of these."""
        try:
            apex, address, serial = json.loads(datagram)
            return Notice(bytes.fromhex(apex), str(address), None if serial is None else int(serial))
        except (ValueError, TypeError):
            return None


class NoticePort:
    """Listens for one worker."""

    def __init__(self, path: Path, take: Callable[[Notice], None]) -> None:
        """Describe it; `take` is told each."""
        self._path = path
        self._take = take
        self._sock: socket.socket | None = None
        self._file: SocketFile | None = None

    def open(self) -> None:
        """Listen, on a running loop, in place of whoever did; raises LbdnsError."""
        self.close()
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        before = os.umask(0o177)
        try:
            self._path.unlink(missing_ok=True)
            with unix_address(self._path) as address:
                sock.bind(address)
        except OSError as error:
            sock.close()
            raise LbdnsError(f"{self._path}: cannot make the transfer worker's socket: {error.strerror}") from error
        finally:
            os.umask(before)
        self._sock, self._file = sock, SocketFile(self._path)
        asyncio.get_running_loop().add_reader(sock, self._read, sock)

    def _read(self, sock: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError, InterruptedError):
            notice = Notice.decode(sock.recv(DATAGRAM_BYTES_MAX))
            if notice is not None:
                self._take(notice)

    async def keep(self) -> None:
        """Listen anew whenever the socket's file is gone, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            if self._file is None or self._file.is_lost:
                with contextlib.suppress(LbdnsError):  # the run directory is being made anew: the next look finds it
                    self.open()

    def close(self) -> None:
        """Listen no longer."""
        if self._sock is not None:
            asyncio.get_running_loop().remove_reader(self._sock)
            self._sock.close()
            self._sock = None
        if self._file is not None:
            self._file.remove()
            self._file = None
