"""What is deferred waits by network: a flood of queries for the slow path takes nobody else's turn."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lbdns.answer.serving_view import ServingView
from lbdns.mapped.counter_words import DEFERRED_COUNT, OVERFLOWS
from lbdns.mapped.counters import open_counters
from lbdns.processes.responder.datagram_port import RespondOne
from lbdns.processes.responder.fast_port import FastPort, load_loop
from tests.answer.packets import slow_query
from tests.fastpath.test_loop_bytes import listening

FLOOD = 3000
GOOD = tuple(f"127.2.{number}.1" for number in range(1, 6))
PATIENCE_S = 5.0


class Noting:
    """Answers everything with itself, and notes who asked, in turn."""

    def __init__(self, view: ServingView) -> None:
        self.views: Any = SimpleNamespace(current=lambda: view)
        self.clients: list[str] = []

    def udp_batch(self) -> RespondOne:
        def respond_one(message: bytes, address: bytes, port: int) -> bytes | None:
            self.clients.append(socket.inet_ntoa(address))
            return message

        return respond_one

    def tcp_batch(self) -> RespondOne:
        raise AssertionError("these tests speak UDP")


def test_a_flood_from_one_network_keeps_the_others_turns(view: ServingView, tmp_path: Path) -> None:
    loop_class = load_loop()
    if loop_class is None:
        pytest.skip("the compiled loop is not installed")
    udp = listening(socket.AF_INET, "127.0.0.1")
    answerer = Noting(view)
    words = open_counters(tmp_path / "fast", True)
    datagram = slow_query("static.example.com.").wire
    target = udp.getsockname()

    async def main() -> None:
        port = FastPort(loop_class, udp, answerer.views, answerer, words)
        port.start()
        with contextlib.ExitStack() as opened:
            sockets = {}
            for source in ("127.1.1.1", "127.1.1.2", *GOOD):
                sockets[source] = opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                sockets[source].bind((source, 0))
                sockets[source].settimeout(PATIENCE_S)
            # While this goes on the event loop answers nobody.
            for number in range(FLOOD):
                sockets[f"127.1.1.{1 + number % 2}"].sendto(datagram, target)
            for source in GOOD:
                sockets[source].sendto(datagram, target)
            for source in GOOD:
                assert await asyncio.to_thread(sockets[source].recv, 4096) == datagram
        await port.stop()

    asyncio.run(main())
    udp.close()
    assert words[OVERFLOWS] > 0 and words[DEFERRED_COUNT] < FLOOD
    flooded = [place for place, client in enumerate(answerer.clients) if client not in GOOD]
    for source in GOOD:
        before = [place for place in flooded if place < answerer.clients.index(source)]
        assert len(before) < FLOOD / 30, f"{source} waited for {len(before)} others"
