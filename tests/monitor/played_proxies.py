"""Proxies on loopback that behave, or misbehave, in one particular way each."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address

from tests.monitor.peers import Peer, serving

Both = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@contextlib.asynccontextmanager
async def connected(host: str, port: int) -> AsyncIterator[Both]:
    """Connect, and leave nothing open."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@dataclass
class PlayedProxy:
    """What a proxy does: where names lead, whom it lets in, what it says instead of connecting (None: it connects).

    `asked`: whom it was asked for. `in_pieces`: it sends its own words an octet at a time.
    """

    hosts: Mapping[str, str] = field(default_factory=dict)
    user: bytes = b""
    password: bytes = b""
    says: bytes | None = None
    greets: bytes | None = None
    in_pieces: bool = False
    asked: list[tuple[str, int]] = field(default_factory=list)
    peer: Peer = field(default_factory=Peer)

    async def say(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        for piece in [bytes([one]) for one in data] if self.in_pieces else [data]:
            writer.write(piece)
            await writer.drain()
            if self.in_pieces:
                await asyncio.sleep(0.001)

    def reach(self, host: str, port: int) -> contextlib.AbstractAsyncContextManager[Both]:
        self.asked.append((host, port))
        return connected(self.hosts.get(host, host), port)


@contextlib.asynccontextmanager
async def socks5(proxy: PlayedProxy) -> AsyncIterator[PlayedProxy]:
    """Run it as RFC 1928 has it."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        if proxy.greets is not None:
            await proxy.say(writer, proxy.greets)
            await reader.read(1)
            return
        method = 2 if proxy.user else 0
        if method not in methods:
            await proxy.say(writer, b"\x05\xff")
            return
        await proxy.say(writer, bytes([5, method]))
        if method:
            _, length = await reader.readexactly(2)
            user = await reader.readexactly(length)
            password = await reader.readexactly((await reader.readexactly(1))[0])
            good = (user, password) == (proxy.user, proxy.password)
            await proxy.say(writer, b"\x01\x00" if good else b"\x01\x01")
            if not good:
                return
        _, _, _, kind = await reader.readexactly(4)
        if kind == 3:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        else:
            host = str(ip_address(await reader.readexactly(4 if kind == 1 else 16)))
        (port,) = struct.unpack(">H", await reader.readexactly(2))
        if proxy.says is not None:
            proxy.asked.append((host, port))
            await proxy.say(writer, proxy.says)
            await reader.read(1)
            return
        try:
            async with proxy.reach(host, port) as there:
                await proxy.say(writer, b"\x05\x00\x00\x03\x04name\x00\x00")
                await carry(reader, writer, *there)
        except ConnectionRefusedError:
            await proxy.say(writer, b"\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00")

    async with serving(handle) as proxy.peer:
        yield proxy


@contextlib.asynccontextmanager
async def connecting(proxy: PlayedProxy) -> AsyncIterator[PlayedProxy]:
    """Run it as RFC 9110 section 9.3.6 has CONNECT."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        if proxy.user and "Proxy-Authorization: Basic dTpw" not in head:  # u:p
            await proxy.say(writer, b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic\r\n\r\n")
            return
        host, _, port = head.split()[1].rpartition(":")
        if proxy.says is not None:
            proxy.asked.append((host.strip("[]"), int(port)))
            await proxy.say(writer, proxy.says)
            await reader.read(1)
            return
        try:
            async with proxy.reach(host.strip("[]"), int(port)) as there:
                await proxy.say(writer, b"HTTP/1.1 204 Go on\r\nVia: 1.1 here\r\n\r\n")
                await carry(reader, writer, *there)
        except ConnectionRefusedError:
            await proxy.say(writer, b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\nbad")

    async with serving(handle) as proxy.peer:
        yield proxy


async def carry(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    there_reader: asyncio.StreamReader,
    there_writer: asyncio.StreamWriter,
) -> None:
    """Copy both ways until both have ended."""

    async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, RuntimeError):  # the other end closed meanwhile
            while data := await source.read(4096):
                sink.write(data)
                await sink.drain()
            sink.write_eof()

    await asyncio.gather(copy(reader, there_writer), copy(there_reader, writer))
