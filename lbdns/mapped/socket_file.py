"""The file of a UNIX socket that this process listens on: whether it is still where others find it.

A listening socket outlives its file as a mapping does (held_files.py): who listens sees nothing, and nobody gets in.
"""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

from lbdns.base.errors import LbdnsError
from lbdns.mapped.run_directory import unix_address

CONNECT_S = 0.5


class SocketFile:
    """One file, known by what it is when this is made: right after the socket was bound."""

    def __init__(self, path: Path) -> None:
        """Take it as it is."""
        self.path = path
        self._known = _identity(path)

    @property
    def is_lost(self) -> bool:
        """Whether it was removed, or another was put in its place."""
        return _identity(self.path) != self._known

    def remove(self) -> None:
        """Remove it, where it can be and is not somebody else's."""
        if not self.is_lost:
            with contextlib.suppress(OSError):
                self.path.unlink()


def listen_privately(path: Path, what: str, backlog: int) -> tuple[socket.socket, SocketFile]:
    """Return a socket that does not block and listens at a path, for this user alone, in place of whoever did, and its
    file; raises LbdnsError, in which `what` says which socket it is."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    before = os.umask(0o177)
    try:
        path.unlink(missing_ok=True)
        with unix_address(path) as address:
            sock.bind(address)
    except OSError as error:
        sock.close()
        raise LbdnsError(f"{path}: cannot make {what}: {error.strerror}") from error
    finally:
        os.umask(before)
    sock.listen(backlog)
    return sock, SocketFile(path)


def check_unused(path: Path) -> None:
    """Raise LbdnsError where another process listens at a path: what is another's is not taken from it."""
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as sock:
        sock.settimeout(CONNECT_S)
        with contextlib.suppress(OSError), unix_address(path) as address:
            sock.connect(address)
            raise LbdnsError(f"{path}: another process has put its own socket there")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
