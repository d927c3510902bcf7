"""Sockets that whoever started this process holds for it: systemd's socket activation (sd_listen_fds(3)).

A socket belongs to whatever is to listen at the address that it is bound to. It is shared with whoever passed it, who
keeps it over restarts: it is never disconnected, and a UNIX socket's file stays. What is handed out are duplicates.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

FIRST_DESCRIPTOR: Final = 3
_VARIABLES: Final = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")

Address = tuple[str, int] | str
"""Where a socket is bound: IP address and port, or the path of a UNIX socket."""


class PassedSockets:
    """The sockets of one process, by kind and address."""

    def __init__(self, sockets: Sequence[socket.socket] = ()) -> None:
        """Own them."""
        self._sockets = {(one.type, _address(one)): one for one in sockets}
        self._inodes = {os.fstat(one.fileno()).st_ino for one in sockets}
        self._taken: set[tuple[int, Address]] = set()

    def take(self, kind: socket.SocketKind, address: Address) -> socket.socket | None:
        """Return a duplicate of the socket that is bound to an address, which does not block; None where none is."""
        found = self._sockets.get((kind, address))
        if found is None:
            return None
        self._taken.add((kind, address))
        sock = found.dup()
        sock.setblocking(False)
        return sock

    def has(self, kind: socket.SocketKind, address: Address) -> bool:
        """Whether a socket is bound to an address."""
        return (kind, address) in self._sockets

    def holds(self, sock: socket.socket) -> bool:
        """Whether a socket is one of these, whichever descriptor it has."""
        try:
            return os.fstat(sock.fileno()).st_ino in self._inodes
        except OSError:  # closed
            return False

    def not_taken(self) -> list[Address]:
        """Return the addresses of those that nobody has taken."""
        return [address for kind, address in self._sockets if (kind, address) not in self._taken]


@cache
def passed_sockets() -> PassedSockets:
    """Return what was passed to this process; what it starts itself is told nothing of it."""
    said = {name: os.environ.pop(name, "") for name in _VARIABLES}
    if said["LISTEN_PID"] != str(os.getpid()) or not said["LISTEN_FDS"].isdecimal():
        return PassedSockets()
    sockets = []
    for descriptor in range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + int(said["LISTEN_FDS"])):
        os.set_inheritable(descriptor, False)
        with contextlib.suppress(OSError):  # a unit passes pipes and files as well
            sockets.append(socket.socket(fileno=descriptor))
    return PassedSockets(sockets)


def _address(sock: socket.socket) -> Address:
    bound = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        return os.path.realpath(os.fsdecode(bound)) if bound else ""
    return str(bound[0]), int(bound[1])


def unix_address_of(path: Path) -> str:
    """Return the address of a UNIX socket's path as `take` knows it."""
    return os.path.realpath(path)
