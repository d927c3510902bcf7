"""When sockets of probes can be read or written: one epoll for all of them, which is one descriptor of the event loop.

A probe waits two or three times, and a worker makes thousands of probes a second. The event loop's own registration
costs it two system calls and a good deal of Python for each wait; here a wait is one call, and what is armed disarms
itself (EPOLLONESHOT). A socket that is closed leaves the epoll by itself.
"""

from __future__ import annotations

import asyncio
import select
from typing import Final
from weakref import WeakKeyDictionary

READABLE: Final = select.EPOLLIN | select.EPOLLONESHOT
WRITABLE: Final = select.EPOLLOUT | select.EPOLLONESHOT

Waiter = asyncio.Future[bool]


class Readiness:
    """Sets the future of whoever waits for a socket to True; for the event loop's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Be woken by `loop`, as long as it runs."""
        self._epoll = select.epoll()
        self._waiters: dict[int, Waiter] = {}
        loop.add_reader(self._epoll.fileno(), self._wake)

    def arm(self, fd: int, event: int, waiter: Waiter, is_known: bool) -> None:
        """Wake `waiter` once `event` (READABLE or WRITABLE) holds, or the connection has failed; raises OSError.

        `is_known`: whether this socket has been armed before.
        """
        if is_known:
            self._epoll.modify(fd, event)
        else:
            self._epoll.register(fd, event)
        self._waiters[fd] = waiter

    def forget(self, fd: int) -> None:
        """Wake nobody for a socket any more."""
        self._waiters.pop(fd, None)

    def _wake(self) -> None:
        for fd, _ in self._epoll.poll(0):
            waiter = self._waiters.pop(fd, None)
            if waiter is not None and not waiter.done():
                waiter.set_result(True)


_of_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, Readiness] = WeakKeyDictionary()


def readiness_of(loop: asyncio.AbstractEventLoop) -> Readiness:
    """Return the one of a running loop, made at the first call."""
    found = _of_loop.get(loop)
    if found is None:
        found = _of_loop[loop] = Readiness(loop)
    return found
