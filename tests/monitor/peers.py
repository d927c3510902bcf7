"""Peers on loopback that behave, or misbehave, in one particular way each; the tests' endpoints."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

from tests.streams import Handler, serving_streams


@dataclass
class Peer:
    """A running TCP peer: its port, what it received, and how many connections it saw."""

    port: int = 0
    received: list[bytes] = field(default_factory=list)
    connections: int = 0
    server: asyncio.Server | None = None

    def go(self) -> None:
        """Stop listening: from now on connections are refused."""
        assert self.server is not None
        self.server.close()


@contextlib.asynccontextmanager
async def serving(
    handler: Handler, tls: ssl.SSLContext | None = None, address: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[Peer]:
    """Run `handler` for every connection, on a free port."""
    peer = Peer()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer.connections += 1
        await handler(reader, writer)

    async with serving_streams(handle, address, port, tls) as peer.server:
        peer.port = peer.server.sockets[0].getsockname()[1]
        yield peer


@contextlib.asynccontextmanager
async def saying(
    data: bytes, tls: ssl.SSLContext | None = None, address: str = "127.0.0.1", port: int = 0, stay: float = 0.0
) -> AsyncIterator[Peer]:
    """Read a request's head, say `data`, stay silent for `stay` seconds, close."""
    heads: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(data)
        await writer.drain()
        if stay:
            await asyncio.sleep(stay)

    async with serving(handler, tls, address, port) as peer:
        peer.received = heads
        yield peer


def answer(body: bytes = b"ok", code: int = 200, fields: bytes = b"") -> bytes:
    """Return a well-formed response."""
    return b"HTTP/1.1 %d Said\r\nContent-Length: %d\r\n%s\r\n%s" % (code, len(body), fields, body)


@contextlib.contextmanager
def black_hole(address: str = "127.0.0.1") -> Iterator[int]:
    """A port that answers no SYN: a listener whose queue is full."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
        listener.bind((address, 0))
        listener.listen(0)
        for _ in range(4):
            client = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def refused_port(address: str = "127.0.0.1") -> int:
    """A port with nothing behind it."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as taken:
        taken.bind((address, 0))
        port: int = taken.getsockname()[1]
        return port


async def resetting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read something, then reset the connection."""
    await reader.read(1)
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
