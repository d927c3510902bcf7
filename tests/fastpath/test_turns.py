"""Whose message is answered next: over TCP and UDP alike networks have turns, whoever floods."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lbdns.answer.serving_view import ServingView
from lbdns.fastpath.layout import TC_BIT
from lbdns.mapped.counter_words import DATAGRAMS
from lbdns.mapped.counters import open_counters
from lbdns.processes.responder.datagram_port import RespondOne
from lbdns.processes.responder.fast_port import FastPort, deferred_sources, load_loop
from lbdns.processes.responder.tcp_connection import REPLIES_SENT_BYTES, REPLIES_WAITING_BYTES
from lbdns.processes.responder.tcp_port import TcpPort
from lbdns.processes.responder.turns import SLICE_TURNS, TURN_MESSAGES, NetworkQueues, Rotation, Turns
from tests.answer.packets import slow_query
from tests.fastpath.test_loop_bytes import listening

PATIENCE_S = 10.0
QUERY = slow_query("static.example.com.").wire
FRAMED = len(QUERY).to_bytes(2) + QUERY
GOOD = "127.9.9.1"
RECEIVE_BYTES = 4096
PIPELINED = 2000
SLICE = SLICE_TURNS * TURN_MESSAGES


class Noting:
    """Answers each message with itself, and notes who asked, in turn."""

    def __init__(self, view: ServingView | None = None) -> None:
        self.views: Any = SimpleNamespace(current=lambda: view)
        self.clients: list[str] = []

    def udp_batch(self, listener: str = "") -> RespondOne:
        return self._respond_one

    tcp_batch = udp_batch

    def _respond_one(self, message: bytes, address: bytes, port: int) -> bytes | None:
        self.clients.append(socket.inet_ntoa(address))
        return message


class Words:
    """A source that has so many messages, and notes when it had a turn."""

    def __init__(self, name: str, count: int, had: list[str]) -> None:
        self._name, self._count, self._had = name, count, had

    def answer_some(self) -> bool:
        if not self._count:
            return False
        self._count -= 1
        self._had.append(self._name)
        return True


def test_sources_have_turns_and_one_that_has_nothing_is_passed_over() -> None:
    had: list[str] = []
    rotation = Rotation([Words("a", 5, had), Words("b", 0, had), Words("c", 2, had)])
    while rotation.answer_some():
        pass
    assert "".join(had) == "acacaaa"


def test_networks_have_turns_and_nobody_waits_twice() -> None:
    queues: NetworkQueues[str] = NetworkQueues()
    for waiter in ("a1", "a2", "a3", "b1", "a1", "c1", "b2"):
        queues.put(waiter[:1].encode(), waiter)
    assert queues.take() == "a1"
    queues.put(b"a", "a1")
    queues.discard(b"c", "c1")
    queues.discard(b"d", "d1")
    left = []
    while (waiter_left := queues.take()) is not None:
        left.append(waiter_left)
    assert left == ["b1", "a2", "b2", "a3", "a1"]
    queues.put(b"c", "c1")
    assert queues.take() == "c1" and queues.take() is None


@contextlib.asynccontextmanager
async def serving(port: TcpPort) -> Any:
    """Run a port on loopback; yields where."""
    server = await asyncio.get_running_loop().create_server(port.at(""), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()
    finally:
        server.close()
        await port.drain(0)


async def connected(address: Any, source: str, sends: bytes) -> socket.socket:
    """Return a client that has sent this, or as much of it as there is room for, and reads nothing."""
    loop = asyncio.get_running_loop()
    sock = socket.socket()
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
    sock.bind((source, 0))
    await loop.sock_connect(sock, address)
    with contextlib.suppress(BlockingIOError):
        sock.send(sends)
    return sock


async def read_on(sock: socket.socket) -> None:
    """Read whatever comes."""
    with contextlib.suppress(OSError):
        while await asyncio.get_running_loop().sock_recv(sock, 1 << 16):
            pass


async def answered_before(answerer: Noting, ask: Any) -> int:
    """Return how many others were answered from when a client asked until its answer came."""
    before = len(answerer.clients)
    assert await asyncio.wait_for(ask(), PATIENCE_S) == QUERY
    return answerer.clients.index(GOOD, before) - before


@pytest.mark.parametrize(("networks", "hosts"), [(1, 40), (20, 5), (40, 1)])
def test_a_flood_over_tcp_leaves_the_other_networks_their_turns(networks: int, hosts: int) -> None:
    """Each of a flood's connections always has messages that wait; a good one waits for a turn of the networks."""

    async def scenario() -> list[int]:
        answerer = Noting()
        async with serving(TcpPort(answerer)) as address, asyncio.TaskGroup() as tasks:
            floods, reading = [], []
            for number in range(networks * hosts):
                source = f"127.8.{number % networks}.{1 + number // networks}"
                floods.append(await connected(address, source, FRAMED * PIPELINED))
                reading.append(tasks.create_task(read_on(floods[-1])))
            good = await connected(address, GOOD, b"")

            async def ask() -> bytes:
                await asyncio.get_running_loop().sock_sendall(good, FRAMED)
                return (await asyncio.get_running_loop().sock_recv(good, 4096))[2:]

            others = [await answered_before(answerer, ask) for _ in range(5)]
            for task in reading:
                task.cancel()
            for sock in (*floods, good):
                sock.close()
        return others

    # What was answered before its query was read is a slice or two of the turns, and one that was under way.
    for others in asyncio.run(scenario()):
        assert others <= TURN_MESSAGES * networks + 4 * SLICE


def test_who_does_not_read_has_no_turn_and_holds_little() -> None:
    async def scenario() -> None:
        answerer = Noting()
        async with serving(TcpPort(answerer, idle_s=PATIENCE_S * 2)) as address:
            silent = [await connected(address, f"127.8.{number}.1", FRAMED * PIPELINED) for number in range(5)]
            before = -1
            while before != len(answerer.clients):
                before = len(answerer.clients)
                await asyncio.sleep(0.2)
                for sock in silent:
                    with contextlib.suppress(OSError):
                        sock.send(FRAMED * PIPELINED)
            most = REPLIES_WAITING_BYTES + 2 * REPLIES_SENT_BYTES + 8 * RECEIVE_BYTES
            assert before / len(silent) * len(FRAMED) <= most
            for sock in silent:
                sock.close()

    asyncio.run(scenario())


class Deferring:
    """A socket whose queries all wait for the slow path, which answers nobody while a test floods it."""

    def __init__(self, view: ServingView, counters: Path) -> None:
        loop_class = load_loop()
        if loop_class is None:
            pytest.skip("the compiled loop is not installed")
        self.answerer = Noting(view)
        self.udp = listening(socket.AF_INET, "127.0.0.1")
        self._words = open_counters(counters, True)
        self.known = loop_class.known_networks()
        self.tcp = TcpPort(self.answerer, note_network=self.known.note)
        self.port = FastPort(loop_class, self.udp, self.answerer.views, self.answerer, self._words, known=self.known)
        self.tcp.turns = Turns([self.tcp, *deferred_sources([self.port])])

    def ask(self, sources: Sequence[str]) -> list[socket.socket]:
        """Ask once from each address, and wait until all of it was read."""
        opened = []
        for start in range(0, len(sources), 50):
            before, some = self._words[DATAGRAMS], sources[start : start + 50]
            for source in some:
                opened.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                opened[-1].settimeout(PATIENCE_S)
                opened[-1].bind((source, 0))
                opened[-1].sendto(QUERY, self.udp.getsockname())
            deadline = time.monotonic() + PATIENCE_S
            while self._words[DATAGRAMS] < before + len(some):
                assert time.monotonic() < deadline
                time.sleep(0.0005)
        return opened

    def flood(self) -> None:
        """Ask in the name of thousands of networks."""
        for sock in self.ask([f"127.{20 + number // 250}.{number % 250}.1" for number in range(2000)]):
            sock.close()


@pytest.fixture
def deferring(view: ServingView, tmp_path: Path) -> Iterator[Deferring]:
    """Return a socket that is not served yet."""
    made = Deferring(view, tmp_path / "fast")
    yield made
    made.udp.close()


@pytest.mark.parametrize("is_known", [False, True])
def test_who_has_come_over_tcp_is_answered_beside_a_flood_in_the_name_of_thousands(
    deferring: Deferring, is_known: bool
) -> None:
    async def scenario() -> list[bytes]:
        deferring.port.start(deferring.tcp.turns)
        async with serving(deferring.tcp) as address:
            sources = [GOOD, *(f"127.10.{number}.1" for number in range(9))]
            if is_known:
                for source in sources:
                    sock = await connected(address, source, FRAMED)
                    assert await asyncio.get_running_loop().sock_recv(sock, 4096) == FRAMED
                    sock.close()
            deferring.answerer.clients.clear()
            deferring.flood()
            good = deferring.ask([*sources, *sources])
            replies = [await asyncio.to_thread(sock.recv, 4096) for sock in good]
            await deferring.port.stop()
            for sock in good:
                sock.close()
            return replies

    replies = asyncio.run(scenario())
    if not is_known:
        assert sum(reply[2] & TC_BIT for reply in replies), "no flood: there was room for those whom nobody knows"
        return
    assert replies == [QUERY] * 20
    places = [place for place, client in enumerate(deferring.answerer.clients) if client[:6] in ("127.9.", "127.10")]
    assert len(places) == 20 and max(places) <= 2 * (20 + TURN_MESSAGES), "they had less than half of the turns"


def test_tcp_has_its_turns_beside_a_flood_over_udp(deferring: Deferring) -> None:
    async def scenario() -> int:
        deferring.port.start(deferring.tcp.turns)
        async with serving(deferring.tcp) as address:
            good = await connected(address, GOOD, b"")
            await asyncio.sleep(0.05)
            good.send(FRAMED * 20)
            deferring.flood()
            assert deferring.port.waiting > 100
            answers = b""
            while len(answers) < 20 * len(FRAMED):
                answers += await asyncio.wait_for(asyncio.get_running_loop().sock_recv(good, 4096), PATIENCE_S)
            await deferring.port.stop()
            good.close()
        return max(place for place, client in enumerate(deferring.answerer.clients) if client == GOOD)

    assert asyncio.run(scenario()) <= 2 * 20 + 2 * SLICE


def test_udp_has_its_turns_beside_a_flood_over_tcp(deferring: Deferring) -> None:
    async def scenario() -> int:
        deferring.port.start(deferring.tcp.turns)
        async with serving(deferring.tcp) as address, asyncio.TaskGroup() as tasks:
            floods = [await connected(address, f"127.8.{number}.1", FRAMED * PIPELINED) for number in range(40)]
            reading = [tasks.create_task(read_on(sock)) for sock in floods]

            async def ask() -> bytes:
                (sock,) = deferring.ask([GOOD])
                with sock:
                    return await asyncio.to_thread(sock.recv, 4096)

            others = await answered_before(deferring.answerer, ask)
            for task in reading:
                task.cancel()
            for sock in floods:
                sock.close()
            await deferring.port.stop()
        return others

    assert asyncio.run(scenario()) <= 4 * SLICE
