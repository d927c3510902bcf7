"""The sockets that the API listens on."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.base.passed_sockets import passed_sockets, unix_address_of
from lbdns.base.words import API_SOCKET
from lbdns.mapped.run_directory import RunDirectory, unix_address
from lbdns.mapped.socket_file import SocketFile, check_unused
from lbdns.model.socket_address import parse_socket_address

BACKLOG: Final = 128

log = logging.getLogger("lbdns.api")


def tcp_socket(address: str) -> socket.socket:
    """Bind `IP:PORT`; raises LbdnsError."""
    host, port = parse_socket_address(address)
    passed = passed_sockets().take(socket.SOCK_STREAM, (host, port))
    if passed is not None:
        return passed
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    kind = socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    # asyncio sets TCP_NODELAY where it reads "TCP" on a socket; without it every answer takes 40 ms.
    sock = socket.socket(family, kind, socket.IPPROTO_TCP)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise LbdnsError(f"api: cannot listen on {address} (TCP): {error.strerror}") from error
    return sock


def local_socket(state_dir: Path) -> tuple[socket.socket, Path]:
    """Bind the UNIX socket of a state directory, in its run directory where it takes none, and return it with its path;
    raises LbdnsError."""
    path = state_dir / API_SOCKET
    try:
        return unix_socket(path), path
    except LbdnsError as error:
        stand_in = RunDirectory.stand_in(path, state_dir)
        if not stand_in.parent.is_dir():  # no server has that one
            raise
        sock = unix_socket(stand_in)
        log.error("%s; it is %s", error, stand_in)
        return sock, stand_in


def unix_socket(path: Path) -> socket.socket:
    """Bind the UNIX socket, for its owner alone, replacing what a server that was killed left; raises LbdnsError."""
    passed = passed_sockets().take(socket.SOCK_STREAM, unix_address_of(path))
    return passed if passed is not None else _made(path)


def renewed_socket(path: Path) -> socket.socket:
    """Bind the UNIX socket again, whose file was removed; raises LbdnsError, also where another listens there."""
    check_unused(path)
    return _made(path)


def _made(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _owner_only(), unix_address(path) as address:
            if path.is_socket():
                path.unlink()
            sock.bind(address)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise LbdnsError(f"{path}: cannot make the API's socket: {error.strerror or error}") from error
    return sock


def remove_socket(file: SocketFile | None) -> None:
    """Remove a UNIX socket's file, where it can be and is not somebody else's."""
    if file is not None and not passed_sockets().has(socket.SOCK_STREAM, unix_address_of(file.path)):
        file.remove()


@contextlib.contextmanager
def _owner_only() -> Iterator[None]:
    before = os.umask(0o177)  # set on the process: nothing else runs until it is set back
    try:
        yield
    finally:
        os.umask(before)
