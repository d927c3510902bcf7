"""Accepting connections from a listening socket within an event loop.

asyncio's own servers try 128 times where the process has no descriptor left, and log each try. Here one try that fails
is one line, the oldest connection that may give way does, and the next try comes a little later, each time later.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import resource
import socket
from collections.abc import Callable
from typing import Any, Final

TURN_MAX: Final = 32
"""Connections that are accepted before others of the loop get their turn."""
REST_FIRST_S: Final = 0.05
REST_MAX_S: Final = 1.0
OF_THE_CONNECTION: Final = frozenset(
    {
        errno.ECONNABORTED,
        errno.EPERM,
        errno.EPROTO,
        errno.ENOPROTOOPT,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENONET,
        errno.EOPNOTSUPP,
    }
)
"""What accept(2) says of a connection that ended before it was accepted: nothing is wrong here."""
FILES_SHARE: Final = 8
"""A socket's connections take one part in so many of the files that the process may open."""

Taker = Callable[[socket.socket, Any], None]
"""Takes a connection, which does not block, and its peer's address."""

log = logging.getLogger("lbdns.base")


def connections_max(wanted: int) -> int:
    """Return how many connections a socket may have open: so many, or a part of the files that the process may open,
    after raising the soft limit of those as far as allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted * FILES_SHARE
    if soft != resource.RLIM_INFINITY and soft < needed:
        raised = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return wanted if soft == resource.RLIM_INFINITY else max(min(wanted, soft // FILES_SHARE), 1)


def streams(make: Callable[[], asyncio.BaseProtocol]) -> Taker:
    """Return what gives each connection a protocol of its own."""
    opening: set[asyncio.Task[None]] = set()

    async def serve(sock: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(make, sock)
        except OSError:  # it has gone already
            sock.close()

    def take(sock: socket.socket, peer: object) -> None:
        task = asyncio.get_running_loop().create_task(serve(sock))
        opening.add(task)
        task.add_done_callback(opening.discard)

    return take


class Acceptor:
    """Accepts the connections of one socket, from when it is made until it is closed."""

    def __init__(self, sock: socket.socket, take: Taker, what: str, give_way: Callable[[], object]) -> None:
        """Begin in the running loop. `what` names the socket in the log; `give_way` closes a connection, if it can,
        where there is no room for another."""
        self._sock = sock
        self._take = take
        self._what = what
        self._give_way = give_way
        self._loop = asyncio.get_running_loop()
        self._rest_s = REST_FIRST_S
        self._timer: asyncio.TimerHandle | None = None
        sock.setblocking(False)
        self._begin()

    def close(self) -> None:
        """Accept no more, and close the socket; may be called twice."""
        if self._sock.fileno() < 0:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._sock)
        self._sock.close()

    def _begin(self) -> None:
        self._timer = None
        self._loop.add_reader(self._sock, self._accept)

    def _accept(self) -> None:
        for _ in range(TURN_MAX):
            try:
                accepted, peer = self._sock.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in OF_THE_CONNECTION:
                    continue
                self._rest(error)
                return
            self._rest_s = REST_FIRST_S
            accepted.setblocking(False)
            self._take(accepted, peer)

    def _rest(self, error: OSError) -> None:
        log.warning("%s: cannot accept connections: %s; it is tried again", self._what, error.strerror or error)
        self._give_way()
        self._loop.remove_reader(self._sock)
        self._timer = self._loop.call_later(self._rest_s, self._begin)
        self._rest_s = min(2 * self._rest_s, REST_MAX_S)
