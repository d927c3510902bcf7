"""The monitor worker's end of the opener: asks for sockets in namespaces, and waits for them without holding up others.

Requests are answered in their order. An opener that ended is started again, and one that is not there yet will be: who
asks waits for it a while, so that no answer changes for that.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import socket
from collections import deque
from pathlib import Path
from typing import Final, NamedTuple

from lbdns.mapped.run_directory import unix_address
from lbdns.monitor.ways.opener import REPLY, REQUEST, receive

WAITING_MAX: Final = 64
"""Requests on their way: the sockets of one that nobody reads count against the opener's descriptors."""
ANSWER_S: Final = 2.0
APPEARANCE_S: Final = 2.0
RETRY_S: Final = 0.05


class NoOpener(Exception):
    """There is no opener, or it does not answer."""


class OpenFailed(Exception):
    """The namespace or the socket in it cannot be had: errno, and the step of AT_FILE, AT_ENTRY and AT_SOCKET."""

    def __init__(self, number: int, step: int) -> None:
        super().__init__(number, step)
        self.number = number
        self.step = step


class InNamespace(NamedTuple):
    """What came of a request: the socket, which does not block, and which namespace it is in (device, inode)."""

    sock: socket.socket
    namespace: tuple[int, int]


class Opening:
    """Asks the opener at a path; for the loop's thread."""

    def __init__(self, path: Path) -> None:
        """Connect when there is something to ask."""
        self._path = path
        self._channel: socket.socket | None = None
        self._waiting: deque[tuple[int, asyncio.Future[InNamespace]]] = deque()
        self._numbers = itertools.count(1)
        self._room = asyncio.Semaphore(WAITING_MAX)

    async def open(self, namespace: str, family: int, kind: int, protocol: int = 0) -> InNamespace:
        """Return a socket of a namespace, given by name or path; raises OpenFailed, NoOpener."""
        ends_s = asyncio.get_running_loop().time() + APPEARANCE_S
        async with self._room:
            while True:
                try:
                    return await self._ask(namespace, family, kind, protocol)
                except NoOpener:
                    if asyncio.get_running_loop().time() > ends_s:
                        raise
                await asyncio.sleep(RETRY_S)

    async def _ask(self, namespace: str, family: int, kind: int, protocol: int) -> InNamespace:
        loop = asyncio.get_running_loop()
        channel = self._connected(loop)
        number = next(self._numbers) & 0xFFFFFFFF
        try:
            channel.send(REQUEST.pack(number, family, kind, protocol) + os.fsencode(namespace))
        except OSError as error:
            self._lose()
            raise NoOpener from error
        answer: asyncio.Future[InNamespace] = loop.create_future()
        self._waiting.append((number, answer))
        try:
            async with asyncio.timeout(ANSWER_S):
                return await answer
        except TimeoutError:
            self._lose()
            raise NoOpener from None
        except asyncio.CancelledError:
            if answer.done() and not answer.cancelled() and answer.exception() is None:
                answer.result().sock.close()
            raise

    def close(self) -> None:
        """Ask no more; whoever waits is told that there is no opener."""
        self._lose()

    def _connected(self, loop: asyncio.AbstractEventLoop) -> socket.socket:
        if self._channel is not None:
            return self._channel
        channel = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            with unix_address(self._path) as address:
                channel.connect(address)
        except OSError as error:
            channel.close()
            raise NoOpener from error
        self._channel = channel
        loop.add_reader(channel.fileno(), self._read)
        return channel

    def _read(self) -> None:
        while self._channel is not None and self._waiting:
            try:
                data, descriptors = receive(self._channel)
            except BlockingIOError:
                return
            except OSError:
                data, descriptors = b"", []
            if len(data) != REPLY.size:
                self._lose()
                return
            self._give(data, descriptors)
        if self._channel is not None and not self._waiting:
            with contextlib.suppress(BlockingIOError):
                if not self._channel.recv(1, socket.MSG_PEEK):
                    self._lose()

    def _give(self, data: bytes, descriptors: list[int]) -> None:
        number, failed, step, device, inode = REPLY.unpack(data)
        wanted, answer = self._waiting.popleft()
        sock = socket.socket(fileno=descriptors[0]) if descriptors else None
        if sock is not None:
            sock.setblocking(False)  # it does not, and Python's socket and TLS are to know
        if answer.done():  # whoever asked has gone
            if sock is not None:
                sock.close()
        elif failed or sock is None or number != wanted:
            if sock is not None:
                sock.close()
            answer.set_exception(OpenFailed(failed, step))
        else:
            answer.set_result(InNamespace(sock, (device, inode)))

    def _lose(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            asyncio.get_running_loop().remove_reader(channel.fileno())
            channel.close()
        waiting, self._waiting = self._waiting, deque()
        for _, answer in waiting:
            if not answer.done():
                answer.set_exception(NoOpener())
