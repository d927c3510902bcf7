"""Hostnames of endpoints in a virtual network: asked of that network's resolvers, by its way.

Those of a namespace stand in /etc/netns/NAME/resolv.conf, as for `ip netns exec` (ip-netns(8)); without that file the
configured ones are asked, else the system's. The zones served here and the hosts file say nothing of a network's names.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import dns.asyncresolver
import dns.exception
import dns.resolver

# dns.asyncbackend has them, and does not say so to type checkers.
from dns._asyncbackend import Backend, DatagramSocket, Socket, StreamSocket

from lbdns.monitor.resolving import Outcome, Resolved, ask_dns, make_resolver
from lbdns.monitor.ways.opener import NAMESPACES
from lbdns.monitor.ways.way import Way, WayDown

CONFIGURED: Final = Path("/etc/netns")
_OF_NAMES: Final = (NAMESPACES, "/var/run/netns")

if TYPE_CHECKING:
    from lbdns.monitor.own_names import OwnNames

T = TypeVar("T")


class NamesThere:
    """Who is asked for a hostname in one network."""

    def __init__(self, way: Way, servers: Sequence[str]) -> None:
        """Ask by `way`, `servers` ("IP" or "IP:PORT"; none: the system's) where the network has none of its own."""
        self.own: OwnNames | None = None  # zones here say nothing of it
        self._way = way
        self._servers = tuple(servers)
        self._path = resolvers_file(way.target.namespace)
        self._read: tuple[int, int] | None = None
        self._resolver: dns.asyncresolver.Resolver | None = None

    async def look_up(self, name: str, now_s: float, known: Resolved | None = None) -> Outcome:
        """Ask for both families; an answer for either is one. `known`: what an earlier look-up came to."""
        outcome, _ = await ask_dns(self._current(), name, now_s, known, WayBackend(self._way))
        if outcome.resolved is None and (fault := await self._way.suspected()):
            return Outcome(None, self._way.down_text(fault))
        return outcome

    def _current(self) -> dns.asyncresolver.Resolver:
        """Return the resolver, made anew where the namespace's file is another."""
        found = None
        if self._path is not None:
            try:
                status = os.stat(self._path)
                found = status.st_mtime_ns, status.st_ino
            except OSError:
                found = None
        if self._resolver is None or found != self._read:
            self._resolver, self._read = self._made(found is not None), found
        return self._resolver

    def _made(self, has_file: bool) -> dns.asyncresolver.Resolver:
        if has_file:
            try:
                return dns.asyncresolver.Resolver(str(self._path))
            except (dns.exception.DNSException, OSError):
                pass  # a file that names none
        return make_resolver(self._servers)


def resolvers_file(namespace: str) -> Path | None:
    """Return the file that names a namespace's resolvers, given its name or path; None where it can have none."""
    directory, _, name = namespace.rpartition("/")
    if not name or (directory and directory not in _OF_NAMES):
        return None
    return CONFIGURED / name / "resolv.conf"


class WayBackend(Backend):
    """asyncio's sockets for dnspython, opened by a way."""

    def __init__(self, way: Way) -> None:
        """Open them by `way`."""
        self._way = way

    def name(self) -> str:
        """Return what it is called."""
        return "asyncio"

    async def make_socket(
        self,
        af: int,
        socktype: int,
        proto: int = 0,
        source: Any = None,
        destination: Any = None,
        timeout: float | None = None,
        *_: Any,
    ) -> Socket:
        """Return a socket, connected where it is a stream; raises OSError, and dns.exception.Timeout."""
        try:
            sock = await self._way.open(af, socktype, proto)
        except WayDown as down:
            raise OSError(0, down.detail) from None
        if socktype == socket.SOCK_DGRAM:
            return _WayDatagrams(sock)
        try:
            await _in_time(asyncio.get_running_loop().sock_connect(sock, destination), timeout)
        except BaseException:
            sock.close()
            raise
        return _WayStream(sock)

    async def sleep(self, interval: float) -> None:
        """Wait."""
        await asyncio.sleep(interval)


class _WaySocket(Socket):
    """What both kinds of sockets have."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock.family, sock.type)
        self._sock = sock
        self._loop = asyncio.get_running_loop()

    async def close(self) -> None:
        self._sock.close()

    async def getpeername(self) -> Any:
        return self._sock.getpeername()

    async def getsockname(self) -> Any:
        return self._sock.getsockname()


class _WayDatagrams(_WaySocket, DatagramSocket):
    async def sendto(self, what: bytes, destination: tuple[str, int], timeout: float | None) -> int:
        return await _in_time(self._loop.sock_sendto(self._sock, what, destination), timeout)

    async def recvfrom(self, size: int, timeout: float | None) -> tuple[bytes, Any]:
        return await _in_time(self._loop.sock_recvfrom(self._sock, size), timeout)


class _WayStream(_WaySocket, StreamSocket):
    async def sendall(self, what: bytes, timeout: float | None) -> None:
        await _in_time(self._loop.sock_sendall(self._sock, what), timeout)

    async def recv(self, size: int, timeout: float | None) -> bytes:
        return await _in_time(self._loop.sock_recv(self._sock, size), timeout)


async def _in_time(done: Coroutine[Any, Any, T], timeout: float | None) -> T:
    try:
        return await asyncio.wait_for(done, timeout)
    except TimeoutError:
        raise dns.exception.Timeout(timeout=timeout) from None  # type: ignore[no-untyped-call]
