"""Endpoints on loopback, in a process of their own: those that are well, and each way in which one may be hostile.

    python -m tests.strain.endpoints PORT

prints "ready", then reads lines: "up ADDRESS BEHAVIOUR" or "down ADDRESS". All listen on one port, each at an address
of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import subprocess
import sys
from collections.abc import Awaitable, Callable

GOOD = tuple(f"127.0.81.{number}" for number in range(1, 21))
"""Endpoints that are well until they are taken down."""
PAIR_OF_ALL = GOOD[:2]
"""The first two, which most load balancers of tests.strain.served prefer."""

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
PIECE_S = 0.2
HEAD_BYTES = 4 << 20

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def well(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer as the monitor wants."""
    writer.write(OK)


async def slow(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A status line, then a header that never ends, an octet at a time."""
    writer.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not writer.is_closing():
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(PIECE_S)


async def huge_head(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A head of 4 MiB."""
    writer.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(HEAD_BYTES // 1024):
        writer.write(b"X-%d: %s\r\n" % (number, b"x" * 1000))
        await writer.drain()
    writer.write(b"\r\nok")


async def spaces(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Be well, with a header of thousands of spaces that backtracking would take for ever over."""
    writer.write(b"HTTP/1.1 200 OK\r\nX:" + b" \t" * 6000 + b"x" + b" \t" * 1500 + b"\r\n\r\nok")


async def reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Half an answer, then a reset."""
    writer.write(b"HTTP/1.1 200")
    await writer.drain()
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def redirect_loop(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A redirection to itself."""
    writer.write(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Not a word, and the connection kept."""
    await reader.read()


async def endless_body(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A body without an end, as fast as it is taken, in place of the code that is wanted."""
    writer.write(b"HTTP/1.1 500 Failed\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


async def garbage(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Octets that are no HTTP."""
    writer.write(bytes(range(256)) * 64)


HOSTILE: dict[str, Behaviour] = {
    f"127.0.82.{number}": behaviour
    for number, behaviour in enumerate((slow, huge_head, reset, redirect_loop, silent, endless_body, garbage), 1)
}
"""Endpoints that no monitor may take for healthy, and that must harm nobody."""
ODD: dict[str, Behaviour] = {"127.0.83.1": spaces}
"""Endpoints that are well, and say so in a way that might harm somebody."""
_BEHAVIOURS = {**dict.fromkeys(GOOD, well), **HOSTILE, **ODD}
HOSTILE_WAYS = {behaviour.__name__: behaviour for behaviour in HOSTILE.values()}
_WAYS = {behaviour.__name__: behaviour for behaviour in _BEHAVIOURS.values()}


class Endpoints:
    """The listeners of this process."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listening: dict[str, asyncio.Server] = {}

    async def raise_up(self, address: str, behaviour: Behaviour) -> None:
        """Listen at an address, and behave like this there."""
        await self.take_down(address)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                await reader.readuntil(b"\r\n\r\n")
                await behaviour(reader, writer)
            with contextlib.suppress(OSError):
                writer.close()

        self._listening[address] = await asyncio.start_server(serve, address, self._port)

    async def take_down(self, address: str) -> None:
        """Listen there no more."""
        server = self._listening.pop(address, None)
        if server is not None:
            server.close()

    async def run(self) -> None:
        """Do what standard input says until it ends."""
        for address, behaviour in _BEHAVIOURS.items():
            await self.raise_up(address, behaviour)
        print("ready", flush=True)
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            order, address, *ways = line.split()
            if order == "up":
                await self.raise_up(address, _WAYS[ways[0]])
            else:
                await self.take_down(address)
            print("done", flush=True)


class PlayedElsewhere:
    """The process of endpoints, from outside."""

    def __init__(self) -> None:
        """Start it; returns when all of them listen."""
        self.port = _port_free_everywhere()
        self.down: frozenset[str] = frozenset()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.strain.endpoints", str(self.port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._hear("ready")

    def raise_up(self, address: str) -> None:
        """Let an endpoint be well again; returns when it is."""
        self._order(f"up {address} {well.__name__}")
        self.down -= {address}

    def turn_hostile(self, address: str, way: str) -> None:
        """Let an endpoint that was well behave in one of HOSTILE_WAYS; returns when it does."""
        self.down |= {address}
        self._order(f"up {address} {way}")

    def take_down(self, address: str) -> None:
        """Let an endpoint be gone; returns when it is."""
        self.down |= {address}
        self._order(f"down {address}")

    def _order(self, order: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{order}\n")
        self._process.stdin.flush()
        self._hear("done")

    def _hear(self, word: str) -> None:
        assert self._process.stdout is not None
        heard = self._process.stdout.readline().strip()
        if heard != word:
            raise RuntimeError(f"the endpoints said {heard!r} in place of {word!r}")

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.stdout.close()


def _port_free_everywhere() -> int:
    """Return a port that is free at each of the addresses."""
    while True:
        with contextlib.ExitStack() as held:
            first, *others = _BEHAVIOURS
            bound = held.enter_context(socket.create_server((first, 0)))
            port: int = bound.getsockname()[1]
            try:
                for address in others:
                    held.enter_context(socket.create_server((address, port)))
            except OSError:
                continue
            return port


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(Endpoints(int(sys.argv[1])).run())
