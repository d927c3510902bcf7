"""How often the kernel's news are heard, in simulated time; test_private_networks.py has real ones."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
from pathlib import Path
from typing import Any, cast

from lbdns.model.targets_document import NetworkTarget
from lbdns.monitor.ways.kernel_news import QUIET_S, SETTLE_S, KernelNews
from lbdns.monitor.ways.opener_client import InNamespace, Opening
from lbdns.monitor.ways.ways import Ways
from tests.monitor import virtual


class PlayedNetlink:
    """A socket that was told more than it had room for, once, and then nothing."""

    def __init__(self) -> None:
        self.handle = os.eventfd(0)
        self.errors: list[OSError] = []

    def fileno(self) -> int:
        return self.handle

    def bind(self, address: tuple[int, int]) -> None:
        assert address[0] == 0

    def recv_into(self, buffer: bytearray) -> int:
        raise self.errors.pop() if self.errors else BlockingIOError

    def close(self) -> None:
        os.close(self.handle)
        self.handle = -1


def test_what_changes_all_the_time_is_heard_of_now_and_then_and_the_first_at_once() -> None:
    async def main() -> list[float]:
        loop, heard = asyncio.get_running_loop(), []
        sock = PlayedNetlink()
        news = KernelNews(cast(Any, sock), lambda: heard.append(loop.time()))
        sock.errors.append(OSError(105, "No buffer space available"))
        begun_s = loop.time()
        for _ in range(1000):
            news._read()
            await asyncio.sleep(0.001)
        news.close()
        news.close()
        assert sock.handle == -1
        return [at_s - begun_s for at_s in heard]

    heard = virtual.run(main())
    assert abs(heard[0] - SETTLE_S) < 1e-6
    assert len(heard) <= 1 + 1 / QUIET_S
    assert all(later - earlier >= QUIET_S - 1e-6 for earlier, later in itertools.pairwise(heard))


class SlowOpening(Opening):
    """Opens sockets here, a while after it is asked."""

    def __init__(self) -> None:
        super().__init__(Path(os.devnull))
        self.opened: list[socket.socket] = []

    async def open(self, namespace: str, family: int, kind: int, protocol: int = 0) -> InNamespace:
        await asyncio.sleep(0.01)
        sock = socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)
        self.opened.append(sock)
        return InNamespace(sock, (1, 2))


def test_two_networks_of_one_namespace_hear_of_it_by_one_socket() -> None:
    async def main() -> tuple[int, int]:
        opening, known = SlowOpening(), []
        ways = Ways(opening, lambda way: known.append(way.name))
        ways.adopt([NetworkTarget("one", 0, namespace="x"), NetworkTarget("other", 1, namespace="x", source="::1")])
        ways.begin()
        while len(known) < 2:
            await asyncio.sleep(0.01)
        at_work = sum(one.fileno() >= 0 for one in opening.opened)
        await ways.close()
        return at_work, sum(one.fileno() >= 0 for one in opening.opened)

    assert asyncio.run(main()) == (1, 0)
