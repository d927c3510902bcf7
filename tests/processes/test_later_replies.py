"""Replies of many messages, and those that come when something is done: on real sockets, with made-up answers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from lbdns.processes.responder.datagram_port import DatagramPort, RespondOne
from lbdns.processes.responder.later_reply import (
    PENDING_PER_ADDRESS_MAX,
    STREAMS_PER_ADDRESS_MAX,
    LaterReply,
    PendingReplies,
    Reply,
    StreamRoom,
)
from lbdns.processes.responder.tcp_connection import LENGTH_BYTES, UNDER_WAY_MAX
from lbdns.processes.responder.tcp_port import TcpPort
from tests.fastpath.test_loop_bytes import listening as bound

PATIENCE_S = 10.0
IDLE_S = 0.4
MESSAGE_BYTES = 60_000
LOCAL = socket.inet_aton("127.0.0.1")


class Numbers:
    """A stream of so many messages, each with its number; `pulled`: how many were asked for."""

    def __init__(self, count: int, size: int = MESSAGE_BYTES) -> None:
        self.count, self.size = count, size
        self.pulled = 0

    def next_message(self) -> bytes | None:
        if self.pulled == self.count:
            return None
        self.pulled += 1
        return self.pulled.to_bytes(4) + bytes(self.size - 4)


class Later:
    """Answers `stream N` by a stream, `wait` when it is let go, `broken` by a stream that fails, all else at once."""

    def __init__(self) -> None:
        self.pending = PendingReplies()
        self.gate = asyncio.Event()
        self.streams: list[Numbers] = []
        self.views: Any = None

    def respond_one(self, message: bytes, address: bytes, port: int) -> Reply:
        word, _, number = message.partition(b" ")
        if word == b"stream":
            self.streams.append(Numbers(int(number)))
            return LaterReply(self.streams[-1].next_message)
        if word == b"broken":
            return LaterReply(lambda: [][0])
        if word == b"wait":
            return self.pending.begin(address, self.wait(message))
        return message.upper()

    async def wait(self, message: bytes) -> bytes:
        await self.gate.wait()
        return message.upper()

    def udp_batch(self, listener: str = "") -> RespondOne:
        return self.respond_one

    tcp_batch = udp_batch


class Client:
    """One connection of a client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def ask(self, *messages: bytes) -> None:
        self.writer.write(b"".join(len(one).to_bytes(LENGTH_BYTES) + one for one in messages))

    async def hear(self) -> bytes:
        length = int.from_bytes(await asyncio.wait_for(self.reader.readexactly(LENGTH_BYTES), PATIENCE_S))
        return await asyncio.wait_for(self.reader.readexactly(length), PATIENCE_S)

    async def ends(self) -> bool:
        return not await asyncio.wait_for(self.reader.read(1), PATIENCE_S)


@contextlib.asynccontextmanager
async def listening(idle_s: float = PATIENCE_S) -> AsyncIterator[tuple[Later, TcpPort, Any]]:
    """Run a port on loopback; yields its answerer, it, and what connects a client."""
    answerer = Later()
    port = TcpPort(answerer, idle_s=idle_s, first_message_s=idle_s)
    server = await asyncio.get_running_loop().create_server(port.at(""), "127.0.0.1", 0)
    with contextlib.ExitStack() as opened:

        async def connect(source: str = "127.0.0.1") -> Client:
            where = server.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection("127.0.0.1", where, local_addr=(source, 0))
            opened.callback(writer.transport.abort)
            return Client(reader, writer)

        try:
            yield answerer, port, connect
        finally:
            server.close()
            await port.drain(0)


async def until(holds: Any) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.005)


def test_a_stream_comes_whole_and_others_are_answered_meanwhile() -> None:
    async def main() -> None:
        async with listening() as (_, _, connect):
            one, other = await connect(), await connect("127.0.0.2")
            one.ask(b"stream 200")
            assert (await one.hear())[:4] == (1).to_bytes(4)
            other.ask(b"quick")
            one.ask(b"beside")
            assert await other.hear() == b"QUICK"
            heard = [(await one.hear())[:6] for _ in range(200)]
            beside = heard.index(b"BESIDE")
            del heard[beside]
            assert [number[:4] for number in heard] == [number.to_bytes(4) for number in range(2, 201)]
            assert beside < 199, "what was asked during the stream waited for its end"

    asyncio.run(main())


def test_a_stream_is_pulled_only_while_its_client_reads() -> None:
    async def main() -> None:
        async with listening(IDLE_S) as (answerer, port, connect):
            idle = await connect()
            idle.reader._limit = 1  # asyncio's client reads nothing of its own accord
            idle.ask(b"stream 10000")
            await until(lambda: answerer.streams)
            await until(lambda: not len(port))  # the clock of whoever does not read runs out
            assert 1 <= answerer.streams[0].pulled < 200

    asyncio.run(main())


def test_so_many_streams_of_an_address_are_sent_at_once_and_the_rest_wait() -> None:
    async def main() -> None:
        async with listening() as (answerer, _, connect):
            clients = [await connect() for _ in range(STREAMS_PER_ADDRESS_MAX + 2)]
            for client in clients:
                client.reader._limit = 1
                client.ask(b"stream 100")
            await until(lambda: len(answerer.streams) == len(clients))
            stranger = await connect("127.0.0.2")
            stranger.ask(b"stream 3")
            assert [(await stranger.hear())[:4] for _ in range(3)] == [number.to_bytes(4) for number in (1, 2, 3)]
            assert sum(stream.pulled > 0 for stream in answerer.streams[:-1]) == STREAMS_PER_ADDRESS_MAX
            for client in clients:  # in the order in which they asked, those that waited too
                client.reader._limit = 1 << 20
                for number in range(1, 101):
                    assert (await client.hear())[:4] == number.to_bytes(4)

    asyncio.run(main())


def test_a_client_that_goes_leaves_room_for_the_next_stream() -> None:
    async def main() -> None:
        async with listening() as (answerer, _, connect):
            clients = [await connect() for _ in range(STREAMS_PER_ADDRESS_MAX + 1)]
            for client in clients:
                client.reader._limit = 1
                client.ask(b"stream 100")
            await until(lambda: len(answerer.streams) == len(clients))
            clients[0].writer.transport.abort()
            await until(lambda: all(stream.pulled for stream in answerer.streams))

    asyncio.run(main())


def test_a_stream_that_fails_closes_its_connection_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with listening() as (_, _, connect):
            one, other = await connect(), await connect()
            one.ask(b"broken")
            assert await one.ends()
            other.ask(b"quick")
            assert await other.hear() == b"QUICK"

    asyncio.run(main())
    assert "failed on a zone transfer" in caplog.text


def test_what_waits_keeps_nothing_that_comes_after_it_over_tcp() -> None:
    async def main() -> None:
        async with listening(IDLE_S) as (answerer, _, connect):
            client = await connect()
            client.ask(b"wait", b"quick")
            assert await client.hear() == b"QUICK"
            client.writer.write_eof()
            await asyncio.sleep(2 * IDLE_S)  # it is the server who is waited for: no idle clock runs
            answerer.gate.set()
            assert await client.hear() == b"WAIT"
            assert await client.ends()

    asyncio.run(main())


def test_a_connection_has_so_many_replies_under_way() -> None:
    async def main() -> None:
        async with listening() as (answerer, _, connect):
            client = await connect()
            client.ask(*[b"wait"] * (UNDER_WAY_MAX + 1), b"quick")
            await until(lambda: len(answerer.pending) == UNDER_WAY_MAX)
            await asyncio.sleep(0.05)
            assert len(answerer.pending) == UNDER_WAY_MAX
            answerer.gate.set()
            assert sorted([await client.hear() for _ in range(UNDER_WAY_MAX + 2)])[0] == b"QUICK"

    asyncio.run(main())


def test_what_waits_keeps_nothing_that_comes_after_it_over_udp() -> None:
    udp = bound(socket.AF_INET, "127.0.0.1")

    async def main() -> None:
        answerer = Later()
        port = DatagramPort(udp, answerer)
        loop = asyncio.get_running_loop()
        loop.add_reader(udp, port.read_batch)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.setblocking(False)
            client.connect(udp.getsockname())
            for message, reply in ((b"wait", None), (b"quick", b"QUICK")):
                client.send(message)
                if reply is not None:
                    assert await asyncio.wait_for(loop.sock_recv(client, 100), PATIENCE_S) == reply
            answerer.gate.set()
            assert await asyncio.wait_for(loop.sock_recv(client, 100), PATIENCE_S) == b"WAIT"
        loop.remove_reader(udp)

    asyncio.run(main())
    udp.close()


def test_a_peer_has_so_many_requests_pending() -> None:
    async def main() -> None:
        pending = PendingReplies()
        gate = asyncio.Event()

        async def wait() -> bytes:
            await gate.wait()
            return b""

        for _ in range(PENDING_PER_ADDRESS_MAX):
            assert pending.has_room(LOCAL)
            pending.begin(LOCAL, wait())
        assert not pending.has_room(LOCAL)
        assert pending.has_room(bytes(4))
        gate.set()
        await pending.drain(PATIENCE_S)
        await until(lambda: not len(pending))
        assert pending.has_room(LOCAL)

    asyncio.run(main())


def test_who_waits_for_room_and_goes_is_forgotten() -> None:
    room, begun = StreamRoom(), []
    begins = [lambda number=number: begun.append(number) for number in range(STREAMS_PER_ADDRESS_MAX + 2)]
    for begin in begins:
        room.enter(LOCAL, begin)
    room.forget(begins[STREAMS_PER_ADDRESS_MAX])
    room.leave(LOCAL)
    assert begun == [*range(STREAMS_PER_ADDRESS_MAX), STREAMS_PER_ADDRESS_MAX + 1]
