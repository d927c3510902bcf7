"""The loop itself, over loopback, with damaged datagrams of any length: it goes on, answers who asked, and counts each
datagram once. scripts/sanitize runs this on a build that ends the process at the first read or write out of bounds."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from lbdns.answer.serving_view import ServingView
from lbdns.dns.codes import HEADER_BYTES
from lbdns.mapped.counter_words import (
    DATAGRAMS,
    DEFERRED_COUNT,
    DROPPED_COUNT,
    OVERFLOWS,
    RCODE_COUNT,
    RCODES_FIRST,
    SEND_ERRORS,
)
from lbdns.mapped.counters import open_counters
from lbdns.processes.responder.fast_port import FastPort, load_loop
from lbdns.processes.responder.view_answerer import ViewAnswerer
from lbdns.processes.sockets import IP_PKTINFO
from tests.answer.mutations import good_messages, mutate
from tests.answer.packets import query
from tests.fastpath.fuzz_check import read_corpus

ROUNDS = 60
GROUP = 25  # datagrams, then a good query
LONG_BYTES = (1500, 4095, 4096, 4097, 9000)
PATIENCE_S = 5.0
QR_BIT = 0x80
# Where the server listens, and where it is asked.
PLACES = (
    (socket.AF_INET, "127.0.0.1", "127.0.0.1"),
    (socket.AF_INET, "0.0.0.0", "127.0.0.2"),
    (socket.AF_INET6, "::1", "::1"),
    (socket.AF_INET6, "::", "::1"),
)


def listening(family: int, address: str) -> socket.socket:
    """Return a UDP socket as binding.py makes them."""
    udp = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        udp.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    udp.bind((address, 0))
    return udp


def damaged(chance: Random, known: list[bytes]) -> bytes:
    """Return a datagram: mostly damaged, sometimes nothing, cut short or far too long."""
    way = chance.randrange(12)
    if way == 0:
        return chance.randbytes(chance.randrange(HEADER_BYTES + 2))
    message = mutate(chance.choice(known), chance, known) if way < 10 else chance.choice(known)
    if way == 1:
        return message[: chance.randrange(len(message) + 1)]
    if way == 2:
        return message + bytes(max(0, chance.choice(LONG_BYTES) - len(message)))
    return message


def ask_damaged(address: tuple[Any, ...], family: int, seed: int) -> int:
    """Send everything to a server; return the number of datagrams. Each group ends when its good query is answered."""
    chance = Random(seed)
    known = [*good_messages(), *read_corpus()]
    sent = 0
    identities: set[bytes] = set()  # of all that was asked: the slow path of a busy machine answers groups later
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE_S)
        sock.connect(address)  # takes replies from where the queries went, and from nowhere else
        for number in range(ROUNDS):
            group = [damaged(chance, known) for _ in range(GROUP)]
            good = query("static.example.com.").with_id(number).wire
            identities |= {datagram[:2] for datagram in (*group, good)}
            for datagram in (*group, good):
                sock.send(datagram)
            sent += len(group) + 1
            while True:
                reply = sock.recv(4096)
                assert len(reply) >= HEADER_BYTES and reply[2] & QR_BIT
                if reply[:2] == good[:2] and reply[HEADER_BYTES : len(good)] == good[HEADER_BYTES:]:
                    break
                assert reply[:2] in identities, "a reply to nothing that was asked"
            # What came later belongs to this group.
            sock.settimeout(0.02)
            with contextlib.suppress(TimeoutError):
                while True:
                    assert sock.recv(4096)[:2] in identities
            sock.settimeout(PATIENCE_S)
    return sent


@pytest.mark.slow
@pytest.mark.parametrize(("family", "here", "there"), PLACES, ids=[here for _, here, _ in PLACES])
def test_damaged_datagrams(view: ServingView, tmp_path: Path, family: int, here: str, there: str) -> None:
    loop_class = load_loop()
    if loop_class is None:
        pytest.skip("the compiled loop is not installed")
    views: Any = SimpleNamespace(current=lambda: view)
    answerer = ViewAnswerer(views, open_counters(tmp_path / "slow", True))
    answerer.is_behind_fast_path = True
    words = open_counters(tmp_path / "fast", True)
    udp = listening(family, here)

    async def serve(work: Callable[[], Awaitable[int]]) -> int:
        port = FastPort(loop_class, udp, views, answerer, words)
        port.start()
        try:
            return await work()
        finally:
            await port.stop()

    address = (there, udp.getsockname()[1])
    seed = PLACES.index((family, here, there))
    sent = asyncio.run(serve(lambda: asyncio.to_thread(ask_damaged, address, family, seed)))
    udp.close()
    replies = sum(words[RCODES_FIRST : RCODES_FIRST + RCODE_COUNT])
    assert words[DATAGRAMS] == sent
    assert replies + words[DEFERRED_COUNT] + words[DROPPED_COUNT] + words[OVERFLOWS] == sent
    assert min(replies, words[DEFERRED_COUNT], words[DROPPED_COUNT]) > 0
    assert words[SEND_ERRORS] == words[OVERFLOWS] == 0
