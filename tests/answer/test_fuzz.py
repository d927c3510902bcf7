"""Damaged messages by the thousand to a running server: each reply is lawful, the next good query is answered, nothing
grows, and the log has nothing to tell. A failure repeats by its seed."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from lbdns.testing import LbdnsServer
from tests.answer.lanes import PATIENCE_S, OverTcp, OverUdp, check_good, frame, good_query, receive
from tests.answer.mutations import good_messages, mutate
from tests.answer.packets import query, u16, wire_name
from tests.answer.replies import TCP_MAX, UDP_MAX, UDP_MIN, Reply

BATCH = 40  # messages under way at once: what a socket's buffer surely holds
WARM_BATCHES, BATCHES = 20, 80
TCP_CONNECTIONS, TCP_MESSAGES = 150, 4
FIRST_ID = 0x8000  # good queries have lower ones
GROWTH_BYTES_MAX = 2 << 20


def check_reply(wire: bytes, sent: bytes, limit: int) -> None:
    """Assert what holds for the reply to any message: it answers what was sent, and reads strictly."""
    reply = Reply(wire)
    assert reply.flags & 0x8000
    assert not reply.flags & 0x00F0
    assert wire[:2] == sent[:2]
    assert len(wire) <= (limit if reply.opts or limit == TCP_MAX else UDP_MIN)
    assert len(reply.opts) <= 1


def fuzz(lane: OverUdp, random: Random, batches: int) -> int:
    """Send batches of damaged messages, each with a good query behind; return how many were answered."""
    good_ones = good_messages()
    answered = 0
    for _ in range(batches):
        damaged = (mutate(random.choice(good_ones), random, good_ones) for _ in range(BATCH))
        # IDs of our own, so that each reply finds its message.
        sent = {FIRST_ID + number: u16(FIRST_ID + number) + message[2:] for number, message in enumerate(damaged)}
        replies, good = lane.send_all(list(sent.values()))
        check_good(good, replies.pop(good.id), False)
        for message_id, wire in replies.items():
            check_reply(wire, sent[message_id], UDP_MAX)
        answered += len(replies)
    return answered


def responder_pid(server: LbdnsServer) -> int:
    """Return the process id of the one responder worker."""
    (responder,) = server.status()["responders"]
    assert responder["restarts"] == 0
    return int(responder["pid"])


def resident_bytes(pid: int) -> int:
    """Return the memory that a process holds, what it shares with others apart."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields["RssAnon"].split()[0]) << 10


@pytest.fixture
def steady(server: LbdnsServer) -> Callable[[Callable[[], None]], None]:
    """Return a function that runs something against the server and asserts that nothing of it stays."""

    def check(work: Callable[[], None]) -> None:
        pid = responder_pid(server)
        log_before = len(server.log)
        before = resident_bytes(pid)
        work()
        assert resident_bytes(pid) - before < GROWTH_BYTES_MAX, "memory that stays"
        assert responder_pid(server) == pid, "the worker died"
        said = [line for line in server.log[log_before:].splitlines() if " monitor: " not in line]
        assert not said, "the log tells of it"

    return check


def test_damaged_datagrams(over_udp: OverUdp, steady: Callable[[Callable[[], None]], None]) -> None:
    fuzz(over_udp, Random("warm"), WARM_BATCHES)

    def work() -> None:
        answered = fuzz(over_udp, Random("datagrams"), BATCHES)
        assert BATCHES * BATCH / 4 < answered < BATCHES * BATCH, "most is answered, some is dropped"

    steady(work)


def test_random_datagrams(over_udp: OverUdp, steady: Callable[[Callable[[], None]], None]) -> None:
    """Noise of every length up to the largest datagram."""

    def work() -> None:
        random = Random("noise")
        for size in [*range(64), *(random.randrange(1500) for _ in range(400)), 9000, 65_507]:
            noise = (u16(FIRST_ID) + random.randbytes(size))[:size]
            wire = over_udp.send(noise)
            if wire is not None:
                check_reply(wire, noise, UDP_MAX)

    steady(work)


def test_damaged_streams(over_tcp: OverTcp, server: LbdnsServer, steady: Callable[[Callable[[], None]], None]) -> None:
    """Over TCP, with lengths that are right and lengths that are not."""
    good_ones = good_messages()

    def work() -> None:
        random = Random("streams")
        for _ in range(TCP_CONNECTIONS):
            sent = [mutate(random.choice(good_ones), random, good_ones) for _ in range(TCP_MESSAGES)]
            stream = frame(*sent)
            if random.random() < 0.3:
                stream = mutate(stream, random, good_ones)
                sent = [stream[at:] for at in range(len(stream))]
            with over_tcp.connect() as connection, contextlib.suppress(ConnectionError):
                connection.sendall(stream)
                connection.shutdown(socket.SHUT_WR)
                while (wire := receive(connection)) is not None:
                    check_reply(wire, next((one for one in sent if one[:2] == wire[:2]), b""), TCP_MAX)
        good = good_query()
        check_good(good, over_tcp.send(good.wire), True)

    steady(work)


@pytest.mark.parametrize(
    "suffix", ["wild.example.com.", "old.example.com.", "apps.example.com.", "absent.example.com."]
)
def test_names_that_never_come_again_leave_nothing(
    suffix: str, server: LbdnsServer, steady: Callable[[Callable[[], None]], None]
) -> None:
    """A random name in each query (RFC 8906's slander, or a water torture): under a wildcard, a DNAME, a load
    balancer, nothing."""
    rest = wire_name(suffix)

    def ask(random: Random, count: int) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect((server.host, server.port))
            client.settimeout(PATIENCE_S)
            for _ in range(count):
                labels = b"".join(b"\1" + random.randbytes(1) for _ in range((200 - len(rest)) // 2))
                client.send(query(labels + rest, edns=True).wire)
                assert client.recv(TCP_MAX)[2] & 0x80

    ask(Random("first names"), 200)
    steady(lambda: ask(Random("more names"), 2000))
