"""The fast path over TCP on real sockets: its replies are the slow path's, each message has one, and nobody has more of
the server for it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lbdns.answer.answer import Road
from lbdns.answer.reply import Client, Transport
from lbdns.answer.respond import respond
from lbdns.answer.serving_view import ServingView
from lbdns.fastpath.sampling import Sampler
from lbdns.mapped.counter_words import DROPPED_COUNT, LOAD_BALANCERS_FIRST, RCODES_FIRST, TCP_MESSAGES
from lbdns.mapped.counters import open_counters
from lbdns.mapped.sample_words import SAMPLE_TRANSPORT, TRANSPORT_TCP
from lbdns.mapped.stream_words import STREAM_REPLIES
from lbdns.processes.responder.fast_streams import ROUND_MESSAGES, FastStreams
from lbdns.processes.responder.tcp_connection import REPLIES_SENT_BYTES, REPLIES_WAITING_BYTES
from lbdns.processes.responder.tcp_port import CONNECTIONS_MAX, TcpPort
from lbdns.processes.responder.turns import Turns
from lbdns.processes.responder.view_answerer import ViewAnswerer
from lbdns.telemetry.history.history_words import PATH
from lbdns.telemetry.history.slot_counts import server_counts
from tests.answer.lanes import frame
from tests.answer.mutations import good_messages
from tests.answer.packets import query
from tests.fastpath.fuzz_check import read_corpus
from tests.fastpath.test_sampling import made as made_sampler
from tests.fastpath.test_tapping import opened as opened_tap

PATIENCE_S = 20.0
GOOD = query("static.example.com.").wire
SLOW = query("static.example.com.", "ANY").wire
PORT = 40_000
HELD = 1000


class Listening:
    """A port on loopback, its number, and what it counts."""

    def __init__(self, folder: Path, view: ServingView, is_fast: bool, **more: Any) -> None:
        self.view = view
        self.words = open_counters(folder / f"words-{is_fast}", True)
        answerer = ViewAnswerer(SimpleNamespace(current=lambda: self.view), self.words, **more)  # type: ignore[arg-type]
        self.fast = FastStreams(answerer) if is_fast else None
        self.port = TcpPort(answerer, CONNECTIONS_MAX, PATIENCE_S, PATIENCE_S, fast=self.fast)
        self.number = 0

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Listening]:
        """Serve for a while."""
        server = await asyncio.get_running_loop().create_server(self.port.at(""), "127.0.0.1", 0, backlog=1024)
        self.number = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            await self.port.drain(0)


class Asking:
    """A client's connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, listening: Listening, source: str = "127.0.0.1") -> Asking:
        """Connect from an address of loopback."""
        return cls(*await asyncio.open_connection("127.0.0.1", listening.number, local_addr=(source, 0)))

    async def reply(self) -> bytes | None:
        """Return the next reply, None where the connection is closed."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            length = int.from_bytes(await asyncio.wait_for(self.reader.readexactly(2), PATIENCE_S))
            return await asyncio.wait_for(self.reader.readexactly(length), PATIENCE_S)
        return None

    async def ask(self, *messages: bytes) -> list[bytes | None]:
        """Send messages at once, and return as many replies."""
        self.writer.write(frame(*messages))
        return [await self.reply() for _ in messages]


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run a scenario to its end."""
    asyncio.run(asyncio.wait_for(scenario(), 3 * PATIENCE_S))


def numbered(messages: Sequence[bytes]) -> list[bytes]:
    """Return messages under IDs of their own."""
    return [number.to_bytes(2) + message[2:] for number, message in enumerate(messages)]


def test_the_corpus_over_tcp_gets_what_the_slow_path_says(view: ServingView, tmp_path: Path) -> None:
    """What no draw is in is the same, octet by octet; all else has the same question and size."""
    messages = [message for message in (*read_corpus(), *good_messages()) if 0 < len(message) <= 65_535]

    async def scenario() -> None:
        async with (
            Listening(tmp_path, view, True).serving() as fast,
            Listening(tmp_path, view, False).serving() as slow,
        ):
            asking = [await Asking.to(fast), await Asking.to(slow)]
            for message in messages:
                said = [(await one.ask(message))[0] for one in asking]
                road = Road()
                respond(view, message, Client(b"\x7f\0\0\1", PORT), Transport.TCP, 0, 0, road)
                if None in said:
                    assert said == [None, None], message.hex()
                    for one in asking:
                        one.writer.close()
                    asking = [await Asking.to(fast), await Asking.to(slow)]
                elif road.decision is None:
                    assert said[0] == said[1], message.hex()
                else:
                    assert said[0][:4] == said[1][:4], message.hex()  # type: ignore[index]
            counted = [fast.words[word] for word in (TCP_MESSAGES, DROPPED_COUNT, RCODES_FIRST, RCODES_FIRST + 3)]
            assert counted == [
                slow.words[word] for word in (TCP_MESSAGES, DROPPED_COUNT, RCODES_FIRST, RCODES_FIRST + 3)
            ]
            assert fast.words[STREAM_REPLIES] > len(messages) // 2 and slow.words[STREAM_REPLIES] == 0
            for one in asking:
                one.writer.close()

    run(scenario)


def test_messages_cut_at_each_octet_are_answered(view: ServingView, tmp_path: Path) -> None:
    """Another connection's answer shows that what was sent before has been read."""
    sent = frame(GOOD, SLOW, GOOD)

    async def scenario() -> None:
        async with Listening(tmp_path, view, True).serving() as fast:
            asking, barrier = await Asking.to(fast), await Asking.to(fast)
            asking.writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            (wanted,) = await barrier.ask(GOOD)
            for cut in range(1, len(sent)):
                asking.writer.write(sent[:cut])
                await barrier.ask(GOOD)
                asking.writer.write(sent[cut:])
                replies = [await asking.reply() for _ in range(3)]
                assert [replies[0], replies[2]] == [wanted, wanted]
                assert replies[1] and replies[1][3] & 15 == 0
            for octet in sent:
                asking.writer.write(bytes((octet,)))
                await barrier.ask(GOOD)
            assert (await asking.reply(), len(await asking.reply() or b""), await asking.reply())[::2] == (
                wanted,
                wanted,
            )
            for one in (asking, barrier):
                one.writer.close()

    run(scenario)


@pytest.mark.parametrize("every", [1, 2, 7, 10_000], ids=["all deferred", "each other", "one in seven", "none"])
def test_each_of_many_pipelined_messages_has_one_reply_and_a_half_close_loses_none(
    view: ServingView, tmp_path: Path, every: int
) -> None:
    asked = numbered([SLOW if number % every == 0 else GOOD for number in range(20 * ROUND_MESSAGES)])

    async def scenario() -> None:
        async with Listening(tmp_path, view, True).serving() as fast:
            asking = await Asking.to(fast)
            asking.writer.write(frame(*asked))
            asking.writer.write_eof()
            replies = []
            while (reply := await asking.reply()) is not None:
                replies.append(reply)
            assert sorted(reply[:2] for reply in replies) == [message[:2] for message in asked]
            assert {reply[3] & 15 for reply in replies} == {0}
            assert fast.words[TCP_MESSAGES] == len(asked)
            assert fast.words[STREAM_REPLIES] == sum(message[2:] == GOOD[2:] for message in asked)
            assert fast.words[RCODES_FIRST] == len(asked)
            counted = np.array(fast.words[:LOAD_BALANCERS_FIRST])
            counts = dict(server_counts(counted, np.zeros_like(counted)))
            assert counts[PATH, "fast"] == fast.words[STREAM_REPLIES]
            assert counts[PATH, "slow"] == len(asked) - fast.words[STREAM_REPLIES]
            asking.writer.close()

    run(scenario)


def test_a_thousand_connections_are_held_and_answered(view: ServingView, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Listening(tmp_path, view, True).serving() as fast:
            held = [await Asking.to(fast, f"127.0.{number // 20}.1") for number in range(HELD)]
            for _ in range(2):
                for asking in held:
                    asking.writer.write(frame(GOOD, GOOD))
                for asking in held:
                    assert await asking.reply() and await asking.reply()
            assert len(fast.port) == HELD
            assert fast.words[STREAM_REPLIES] == fast.words[TCP_MESSAGES] == 4 * HELD
            for asking in held:
                asking.writer.close()

    run(scenario)


def test_who_does_not_read_is_answered_no_further_than_what_may_wait(view: ServingView, tmp_path: Path) -> None:
    """The kernel's buffers of both sides are what more of it finds room in, doubled for the kernel's own use."""

    async def scenario() -> None:
        async with Listening(tmp_path, view, True).serving() as fast:
            loop = asyncio.get_running_loop()
            other = await Asking.to(fast)
            (wanted,) = await other.ask(GOOD)
            with socket.socket() as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.setblocking(False)
                await loop.sock_connect(client, ("127.0.0.1", fast.number))
                with contextlib.suppress(TimeoutError):
                    while True:
                        await asyncio.wait_for(loop.sock_sendall(client, frame(*[GOOD] * 500)), 0.3)
                answered = fast.words[TCP_MESSAGES]
                assert (await other.ask(GOOD)) == [wanted]
                assert fast.words[TCP_MESSAGES] == answered + 1, "nothing more of who does not read"
                most = 2 * REPLIES_WAITING_BYTES + 2 * REPLIES_SENT_BYTES + 16_384
                assert wanted and answered * (len(wanted) + 2) < 2 * most
                fewest = answered
                for _ in range(fewest):
                    assert (await _exactly(loop, client, len(wanted) + 2))[2:] == wanted
            other.writer.close()

    run(scenario)


async def _exactly(loop: asyncio.AbstractEventLoop, client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        got = await asyncio.wait_for(loop.sock_recv(client, size - len(data)), PATIENCE_S)
        assert got
        data += got
    return data


@pytest.mark.parametrize("sent", [b"\0\0", b"\0\x05abcde", b"\0\x0c\x12\x34\x80\0" + bytes(8)])
def test_what_gets_no_reply_ends_the_connection_after_what_came_before(
    view: ServingView, tmp_path: Path, sent: bytes
) -> None:
    async def scenario() -> None:
        async with Listening(tmp_path, view, True).serving() as fast:
            asking = await Asking.to(fast)
            asking.writer.write(frame(GOOD) + sent + frame(GOOD))
            assert await asking.reply() is not None
            assert await asking.reply() is None
            asking.writer.close()

    run(scenario)


def test_a_view_that_is_no_longer_in_force_answers_nothing_and_is_let_go(view: ServingView, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Listening(tmp_path, view, True).serving() as fast:
            asking = await Asking.to(fast)
            before = await asking.ask(GOOD)
            fast.view = ServingView(view.snapshot, view.table)
            assert await asking.ask(GOOD) == before
            assert fast.fast is not None
            assert fast.fast._view is fast.view
            fast.view = ServingView(view.snapshot, view.table)
            fast.fast.follow()
            assert fast.fast._view is fast.view and not fast.fast._servers
            asking.writer.close()

    run(scenario)


def test_while_others_wait_for_a_turn_the_fast_path_has_turns_too(view: ServingView, tmp_path: Path) -> None:
    """A source that always has something: whoever comes over TCP has its turn beside it, not before it."""
    had: list[int] = []

    async def scenario() -> None:
        async with Listening(tmp_path, view, True).serving() as fast:

            class Endless:
                """Notes how many messages had been answered at each of its turns; ends when all have been."""

                def answer_some(self) -> bool:
                    had.append(fast.words[TCP_MESSAGES])
                    return had[-1] < 8 * ROUND_MESSAGES

            fast.port.turns = Turns([Endless(), fast.port])
            fast.port.turns.begin()
            assert fast.port.turns.are_due
            asking = await Asking.to(fast)
            replies = await asking.ask(*[GOOD] * (8 * ROUND_MESSAGES))
            assert None not in replies
            asking.writer.close()

    run(scenario)
    steps = [later - earlier for earlier, later in pairwise(had)]
    assert max(steps) <= 4 * ROUND_MESSAGES
    assert sum(steps) > 0


def test_samples_and_taps_tell_of_messages_over_tcp(view: ServingView, tmp_path: Path) -> None:
    sampler: Sampler = made_sampler(tmp_path / "samples")
    tap, reader = opened_tap(tmp_path / "tap", 1 << 16)
    taps = SimpleNamespace(taps=[tap], follow=lambda part, view: None)

    async def scenario() -> None:
        async with Listening(tmp_path, view, True, sampler=sampler, taps=taps).serving() as fast:
            asking = await Asking.to(fast)
            replies = await asking.ask(GOOD, SLOW)
            told = reader.read(10)
            assert [(one.query, one.reply) for one in told] == list(zip((GOOD, SLOW), replies, strict=True))
            assert all(one.is_tcp and one.client == b"\x7f\0\0\1" and one.response_ns >= one.query_ns for one in told)
            assert told[0].client_port == asking.writer.get_extra_info("sockname")[1]
            assert told[0].zone == told[1].zone != b""
            assert fast.words[STREAM_REPLIES] == 1
            asking.writer.close()

    run(scenario)
    places = [1 + number % sampler.ring.capacity for number in (1, 2)]
    assert [sampler.ring.octets[place * 512 + SAMPLE_TRANSPORT] for place in places] == [TRANSPORT_TCP] * 2
