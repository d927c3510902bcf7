"""DNS over TCP as RFC 7766 and 9210 have it, on real sockets with a made-up answer."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from lbdns.processes.responder.datagram_port import RespondOne
from lbdns.processes.responder.tcp_port import CONNECTIONS_PER_ADDRESS_MAX, TcpPort

IDLE_S = 0.3
PATIENCE_S = 5.0


class Echo:
    """Answers each message with itself in upper case, and `drop` with nothing."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []

    def udp_batch(self, listener: str = "") -> RespondOne:
        raise AssertionError("these tests speak TCP")

    def tcp_batch(self, listener: str = "") -> RespondOne:
        def respond_one(message: bytes, address: bytes, port: int) -> bytes | None:
            assert address[:1] == socket.inet_aton("127.0.0.1")[:1] and port > 0
            self.messages.append(message)
            return None if message == b"drop" else message.upper()

        return respond_one


@contextlib.asynccontextmanager
async def listening(
    connections_max: int = 150, idle_s: float = IDLE_S, first_message_s: float | None = None
) -> AsyncIterator[tuple[TcpPort, int]]:
    """Run a port on loopback; yields it and its number."""
    port = TcpPort(Echo(), connections_max, idle_s, idle_s if first_message_s is None else first_message_s)
    server = await asyncio.get_running_loop().create_server(port.at(""), "127.0.0.1", 0)
    try:
        yield port, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await port.drain(0)


def frame(*messages: bytes) -> bytes:
    """Return messages, each with its length before it."""
    return b"".join(len(message).to_bytes(2) + message for message in messages)


async def connect(number: int, source: str = "127.0.0.1") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect a client from an address of loopback."""
    return await asyncio.open_connection("127.0.0.1", number, local_addr=(source, 0))


async def ended(reader: asyncio.StreamReader) -> bytes:
    """Return what comes until the server closes the connection."""
    with contextlib.suppress(ConnectionResetError):
        return await asyncio.wait_for(reader.read(), PATIENCE_S)
    return b""


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run a scenario to its end."""
    asyncio.run(asyncio.wait_for(scenario(), 3 * PATIENCE_S))


def test_pipelined_messages_in_one_segment_are_all_answered() -> None:
    async def scenario() -> None:
        async with listening() as (_, number):
            reader, writer = await connect(number)
            asked = [b"query %d" % index for index in range(200)]
            writer.write(frame(*asked))
            expected = frame(*(message.upper() for message in asked))
            assert await asyncio.wait_for(reader.readexactly(len(expected)), PATIENCE_S) == expected
            writer.close()

    run(scenario)


def test_input_byte_by_byte_is_answered() -> None:
    async def scenario() -> None:
        async with listening() as (_, number):
            reader, writer = await connect(number)
            for byte in frame(b"slowly"):
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.002)
            assert await asyncio.wait_for(reader.readexactly(8), PATIENCE_S) == frame(b"SLOWLY")
            writer.close()

    run(scenario)


def test_half_closed_connection_gets_its_answers() -> None:
    async def scenario() -> None:
        async with listening() as (_, number):
            reader, writer = await connect(number)
            asked = [b"q%d" % index for index in range(100)]
            writer.write(frame(*asked))
            writer.write_eof()
            assert await ended(reader) == frame(*(message.upper() for message in asked))
            writer.close()

    run(scenario)


def test_length_and_body_leave_in_one_segment() -> None:
    async def scenario() -> None:
        async with listening() as (_, number):
            with socket.create_connection(("127.0.0.1", number)) as client:
                client.setblocking(False)
                await asyncio.get_running_loop().sock_sendall(client, frame(b"whole"))
                assert await asyncio.get_running_loop().sock_recv(client, 100) == frame(b"WHOLE")

    run(scenario)


@pytest.mark.parametrize("sent", [b"\0\0", frame(b"drop")], ids=["length 0", "not a query"])
def test_what_is_no_query_closes(sent: bytes) -> None:
    async def scenario() -> None:
        async with listening(idle_s=PATIENCE_S * 2) as (port, number):
            reader, writer = await connect(number)
            writer.write(sent)
            assert await ended(reader) == b""
            writer.close()
            await asyncio.sleep(0.05)
            assert len(port) == 0

    run(scenario)


def test_bytes_without_a_whole_message_do_not_reset_the_idle_time() -> None:
    async def scenario() -> None:
        async with listening() as (_, number):
            reader, writer = await connect(number)
            writer.write(b"\xff\xff")
            loop = asyncio.get_running_loop()
            began = loop.time()

            async def drip() -> None:
                with contextlib.suppress(ConnectionError):
                    while True:
                        writer.write(b"x")
                        await writer.drain()
                        await asyncio.sleep(IDLE_S / 10)

            dripping = asyncio.create_task(drip())
            assert await ended(reader) == b""
            dripping.cancel()
            writer.close()
            assert IDLE_S * 0.8 < loop.time() - began < IDLE_S + 1.5

    run(scenario)


@pytest.mark.slow
def test_whole_messages_reset_the_idle_time() -> None:
    async def scenario() -> None:
        async with listening() as (_, number):
            reader, writer = await connect(number)
            for _ in range(4):
                await asyncio.sleep(IDLE_S * 0.6)
                writer.write(frame(b"still here"))
                await asyncio.wait_for(reader.readexactly(12), PATIENCE_S)
            assert await ended(reader) == b""
            writer.close()

    run(scenario)


def test_an_address_has_its_share_of_connections() -> None:
    async def scenario() -> None:
        async with listening(idle_s=PATIENCE_S * 2) as (port, number):
            clients = [await connect(number) for _ in range(CONNECTIONS_PER_ADDRESS_MAX)]
            reader, extra = await connect(number)
            assert await ended(reader) == b""
            extra.close()
            assert len(port) == CONNECTIONS_PER_ADDRESS_MAX
            clients[0][1].close()
            await asyncio.sleep(0.05)
            reader, writer = await connect(number)
            writer.write(frame(b"room again"))
            assert await asyncio.wait_for(reader.readexactly(12), PATIENCE_S) == frame(b"ROOM AGAIN")
            for _, one in [*clients, (reader, writer)]:
                one.close()

    run(scenario)


def test_where_all_connections_are_taken_the_idlest_makes_room() -> None:
    async def scenario() -> None:
        async with listening(connections_max=3, idle_s=PATIENCE_S * 2) as (port, number):
            clients = [await connect(number) for _ in range(3)]
            for reader, writer in (clients[0], clients[2]):
                writer.write(frame(b"a"))
                await asyncio.wait_for(reader.readexactly(3), PATIENCE_S)
            reader, writer = await connect(number)
            writer.write(frame(b"b"))
            assert await asyncio.wait_for(reader.readexactly(3), PATIENCE_S) == frame(b"B")
            assert await ended(clients[1][0]) == b""
            assert len(port) == 3
            for _, one in [*clients, (reader, writer)]:
                one.close()

    run(scenario)


def test_the_first_message_is_waited_for_less_long_than_later_ones() -> None:
    async def scenario() -> None:
        async with listening(idle_s=PATIENCE_S * 2, first_message_s=0.2) as (_, number):
            clients = [await connect(number) for _ in range(3)]
            clients[0][1].write(frame(b"whole"))
            clients[1][1].write(frame(b"half of it")[:6])
            assert await asyncio.wait_for(clients[0][0].readexactly(7), PATIENCE_S) == frame(b"WHOLE")
            began = asyncio.get_running_loop().time()
            for reader, _ in clients[1:]:
                assert await ended(reader) == b""
            assert asyncio.get_running_loop().time() - began < PATIENCE_S
            clients[0][1].write(frame(b"again"))
            assert await asyncio.wait_for(clients[0][0].readexactly(7), PATIENCE_S) == frame(b"AGAIN")
            for _, writer in clients:
                writer.close()

    run(scenario)


def test_who_waits_for_the_rest_of_a_message_makes_room_before_who_is_idle() -> None:
    async def scenario() -> None:
        async with listening(connections_max=3, idle_s=PATIENCE_S * 2) as (port, number):
            clients = [await connect(number, f"127.0.{index}.1") for index in range(3)]
            for reader, writer in clients:
                writer.write(frame(b"a"))
                assert await asyncio.wait_for(reader.readexactly(3), PATIENCE_S) == frame(b"A")
            clients[1][1].write(frame(b"b")[:2])
            await asyncio.sleep(0.05)
            reader, writer = await connect(number, "127.0.9.1")
            writer.write(frame(b"c"))
            assert await asyncio.wait_for(reader.readexactly(3), PATIENCE_S) == frame(b"C")
            assert await ended(clients[1][0]) == b""
            assert len(port) == 3
            for _, one in [*clients, (reader, writer)]:
                one.close()

    run(scenario)


@pytest.mark.parametrize(
    "sources",
    [
        pytest.param([f"127.3.2.{1 + index % 250}" for index in range(800)], id="800 connections of one network"),
        pytest.param([f"127.4.{index % 40}.1" for index in range(1000)], id="25 connections each of 40 addresses"),
    ],
)
@pytest.mark.parametrize("good", ["127.0.0.", "127.3.2."])
@pytest.mark.slow
def test_good_clients_are_answered_beside_a_flood_of_half_sent_messages(sources: list[str], good: str) -> None:
    async def scenario() -> None:
        async with listening(idle_s=PATIENCE_S * 2, first_message_s=PATIENCE_S) as (port, number):
            half_sent = []
            for source in sources:
                with contextlib.suppress(ConnectionError):
                    half_sent.append(await connect(number, source))
                    half_sent[-1][1].write(frame(b"half of it")[:6])
            assert 50 <= len(port) <= 150
            for index in range(35):
                reader, writer = await connect(number, f"{good}{index + 1}")
                writer.write(frame(b"good"))
                assert await asyncio.wait_for(reader.readexactly(6), PATIENCE_S) == frame(b"GOOD")
                half_sent.append((reader, writer))
            for _, writer in half_sent:
                writer.close()

    run(scenario)


@pytest.mark.slow
def test_a_client_that_never_reads_is_closed_and_holds_bounded_memory() -> None:
    async def scenario() -> None:
        async with listening(idle_s=1.0) as (port, number):
            echo = port.answerer
            assert isinstance(echo, Echo)
            with socket.socket() as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.setblocking(False)
                loop = asyncio.get_running_loop()
                await loop.sock_connect(client, ("127.0.0.1", number))
                with contextlib.suppress(ConnectionError, TimeoutError):
                    while True:
                        await asyncio.wait_for(loop.sock_sendall(client, frame(b"x" * 60000) * 4), 0.5)
                answered = len(echo.messages)
                await asyncio.sleep(1.5)
                assert len(port) == 0
                assert len(echo.messages) - answered < 20
                assert answered < 500

    run(scenario)


def test_drain_answers_what_has_come_and_closes_idle_connections() -> None:
    async def scenario() -> None:
        async with listening(idle_s=PATIENCE_S * 2) as (port, number):
            idle_reader, idle_writer = await connect(number)
            late_reader, late_writer = await connect(number)
            late_writer.write(frame(b"half of it")[:6])
            await asyncio.sleep(0.05)
            draining = asyncio.create_task(port.drain(PATIENCE_S))
            assert await ended(idle_reader) == b""
            late_writer.write(frame(b"half of it")[6:])
            assert await ended(late_reader) == frame(b"HALF OF IT")
            await draining
            for writer in (idle_writer, late_writer):
                writer.close()

    run(scenario)
