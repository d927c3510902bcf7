"""What is deferred waits by network: a flood of queries for the slow path takes nobody else's turn."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lbdns.answer.serving_view import ServingView
from lbdns.fastpath.layout import TC_BIT
from lbdns.mapped.counter_words import DATAGRAMS, DEFERRED_COUNT, OVERFLOWS
from lbdns.mapped.counters import open_counters
from lbdns.processes.responder.datagram_port import RespondOne
from lbdns.processes.responder.fast_port import FastPort, load_loop
from lbdns.processes.responder.later_reply import PendingReplies, Reply
from tests.answer.packets import slow_query
from tests.fastpath.test_loop_bytes import listening

FLOOD = 300  # from each host
BURST = 50  # what a socket's buffer surely holds
GOOD = tuple(f"127.2.{number}.1" for number in range(1, 51))
PATIENCE_S = 5.0


class Noting:
    """Answers everything with itself, and notes who asked, in turn."""

    def __init__(self, view: ServingView) -> None:
        self.views: Any = SimpleNamespace(current=lambda: view)
        self.clients: list[str] = []

    def udp_batch(self, listener: str = "") -> RespondOne:
        def respond_one(message: bytes, address: bytes, port: int) -> bytes | None:
            self.clients.append(socket.inet_ntoa(address))
            return message

        return respond_one

    def tcp_batch(self, listener: str = "") -> RespondOne:
        raise AssertionError("these tests speak UDP")


@pytest.mark.parametrize("networks", [1, 40])
def test_a_flood_keeps_the_others_turns(view: ServingView, tmp_path: Path, networks: int) -> None:
    """One network floods, or 40; each good one asks once, when all that the flood may fill is full."""
    loop_class = load_loop()
    if loop_class is None:
        pytest.skip("the compiled loop is not installed")
    udp = listening(socket.AF_INET, "127.0.0.1")
    answerer = Noting(view)
    words = open_counters(tmp_path / "fast", True)
    datagram = slow_query("static.example.com.").wire
    floods = [f"127.1.{1 + number}.{1 + host}" for number in range(networks) for host in range(2)]

    def ask(sock: socket.socket, count: int) -> None:
        """Send, and wait until all of it was read."""
        before = words[DATAGRAMS]
        for _ in range(count):
            sock.sendto(datagram, udp.getsockname())
        deadline = time.monotonic() + PATIENCE_S
        while words[DATAGRAMS] < before + count:
            assert time.monotonic() < deadline
            time.sleep(0.0005)

    async def main() -> list[bytes]:
        port = FastPort(loop_class, udp, answerer.views, answerer, words)
        port.start()
        with contextlib.ExitStack() as opened:
            sockets = {}
            for source in (*floods, *GOOD):
                sockets[source] = opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                sockets[source].bind((source, 0))
                sockets[source].settimeout(PATIENCE_S)
            # While this goes on the event loop answers nobody.
            for source in floods:
                for _ in range(FLOOD // BURST):
                    ask(sockets[source], BURST)
            for source in GOOD:
                ask(sockets[source], 1)
            assert port.waiting == words[DEFERRED_COUNT] > 0
            replies = [await asyncio.to_thread(sockets[source].recv, 4096) for source in GOOD]
            overflow = await asyncio.to_thread(sockets[floods[-1]].recv, 4096)
            assert overflow[2] & TC_BIT and overflow[:2] == datagram[:2], "it is not told to come over TCP"
        await port.stop()
        return replies

    assert asyncio.run(main()) == [datagram] * len(GOOD)
    udp.close()
    assert words[OVERFLOWS] > len(floods) * FLOOD / 2
    assert words[OVERFLOWS] + words[DEFERRED_COUNT] == len(floods) * FLOOD + len(GOOD)
    places = [place for place, client in enumerate(answerer.clients) if client in GOOD]
    turn = 2 * networks + len(GOOD)
    assert sorted(places)[len(places) * 9 // 10] < 2 * turn, "a good one waited for more than two turns of all"


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_what_is_answered_later_keeps_nobody_waiting(view: ServingView, tmp_path: Path, address: str) -> None:
    """Who asked two addresses of a wildcard socket hears from the one that he asked."""
    loop_class = load_loop()
    if loop_class is None:
        pytest.skip("the compiled loop is not installed")
    udp = listening(socket.AF_INET, address)
    asked = [slow_query("static.example.com.").with_id(one).wire for one in range(1, 4)]
    pending = PendingReplies()
    answerer = Noting(view)

    async def main() -> None:
        gate = asyncio.Event()

        async def wait(message: bytes) -> bytes:
            await gate.wait()
            return message[::-1]

        def respond_one(message: bytes, address: bytes, port: int) -> Reply:
            return message if message == asked[-1] else pending.begin(address, wait(message))

        answerer.udp_batch = lambda listener="": respond_one  # type: ignore[method-assign]
        port = FastPort(loop_class, udp, answerer.views, answerer, open_counters(tmp_path / "fast", True))
        port.start()
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.setblocking(False)
            client.connect(("127.0.0.3" if address == "0.0.0.0" else address, udp.getsockname()[1]))
            for message in asked:
                client.send(message)
            assert await asyncio.wait_for(loop.sock_recv(client, 4096), PATIENCE_S) == asked[-1]
            gate.set()
            later = {await asyncio.wait_for(loop.sock_recv(client, 4096), PATIENCE_S) for _ in asked[:-1]}
            assert later == {message[::-1] for message in asked[:-1]}
        await port.stop()

    asyncio.run(main())
    udp.close()
