"""That something changed in a network stack, told by the kernel at once: interfaces, addresses, routes (rtnetlink(7)).

What changed is not read: whoever hears of it looks at what concerns him, which costs a few system calls, while a table
of routes may change a thousand times a second. So a message is a signal, and nothing is lost where messages are. A
library that takes them apart (pyroute2: 0.27 s and 24 MB to import) would do so for nothing.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Final

SETTLE_S: Final = 0.01
"""What changes together is heard of once."""
QUIET_S: Final = 0.1
"""Between two times that anything is heard, however fast routes change: the first is told at once."""
_LINK, _IPV4_ADDRESS, _IPV4_ROUTE, _IPV6_ADDRESS, _IPV6_ROUTE = 0x1, 0x10, 0x40, 0x100, 0x400
GROUPS: Final = _LINK | _IPV4_ADDRESS | _IPV4_ROUTE | _IPV6_ADDRESS | _IPV6_ROUTE  # RTMGRP_ of linux/rtnetlink.h
_DRAIN_BYTES: Final = 64 * 1024
_DRAINS_MAX: Final = 64


class KernelNews:
    """The news of one stack, by a netlink socket that was opened in it."""

    def __init__(self, sock: socket.socket, heard: Callable[[], None]) -> None:
        """Own the socket, which does not block; `heard` is called when something changed. Raises OSError."""
        self._sock = sock
        self._heard = heard
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._told_s = float("-inf")
        try:
            sock.bind((0, GROUPS))
        except OSError:
            sock.close()
            raise
        self._loop.add_reader(sock.fileno(), self._read)

    def close(self) -> None:
        """Hear no more; the stack is let go of, which may end it."""
        if self._timer is not None:
            self._timer.cancel()
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock.fileno())
            self._sock.close()

    def _read(self) -> None:
        for _ in range(_DRAINS_MAX):
            try:
                self._sock.recv_into(bytearray(_DRAIN_BYTES))
            except BlockingIOError:
                break
            except OSError:  # more than it had room for: something changed
                continue
        if self._timer is None:
            now_s = self._loop.time()
            self._timer = self._loop.call_at(max(now_s + SETTLE_S, self._told_s + QUIET_S), self._tell)

    def _tell(self) -> None:
        self._timer, self._told_s = None, self._loop.time()
        self._heard()
