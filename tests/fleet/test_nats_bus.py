"""The bus against a real nats-server: appending, following and asking, through restarts, silence and new streams."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from lbdns.fleet.bus import connecting
from lbdns.fleet.bus.connecting import open_link
from lbdns.fleet.bus.fleet_bus import (
    BusRefused,
    BusUnreached,
    OutcomeUnknown,
    SequenceMoved,
    StreamGone,
    StreamMessage,
)
from lbdns.fleet.bus.nats_bus import NatsBus
from tests.fleet.nats_server import NatsServer, access_to, connected, free_port, until

pytestmark = [pytest.mark.process, pytest.mark.slow]

REV = "cfg.rev"
WITHOUT_STREAMS = """
accounts { A: { users: [{user: a, password: b}], jetstream: off } }
no_auth_user: a
jetstream { store_dir: "%s" }
"""


@pytest.fixture
def server(tmp_path: Path, starts_processes: None) -> Iterator[NatsServer]:
    """A nats-server that runs."""
    one = NatsServer(tmp_path / "nats")
    one.start()
    yield one
    one.kill()


def with_bus(server: NatsServer, scenario: Callable[[NatsBus], Awaitable[None]]) -> None:
    """Run a scenario with a bus that is connected."""

    async def run() -> None:
        bus = await connected(server.url)
        try:
            await bus.make_stream()
            await scenario(bus)
        finally:
            await bus.close()

    asyncio.run(run())


async def next_of(messages: AsyncIterator[StreamMessage], bound_s: float = 10.0) -> StreamMessage:
    return await asyncio.wait_for(anext(messages), bound_s)


def test_one_who_appends_wins_and_the_other_is_told(server: NatsServer) -> None:
    async def scenario(bus: NatsBus) -> None:
        assert await bus.last(REV) is None
        first = await bus.append(REV, b"one", id="a", expected=0)
        with pytest.raises(SequenceMoved, match="wrong last sequence: 1"):
            await bus.append(REV, b"other", id="b", expected=0)
        await bus.append("dump.x.0", b"large", id="d", expected=None)
        third = await bus.append(REV, b"two", id="c", expected=first)
        assert await bus.last(REV) == StreamMessage(third, REV, b"two", "c")
        facts = await bus.stream()
        assert facts is not None and (facts.first, facts.last) == (1, 3)

    with_bus(server, scenario)


def test_an_append_that_was_done_is_found_by_its_id_and_refused_the_second_time(server: NatsServer) -> None:
    async def scenario(bus: NatsBus) -> None:
        await bus.append(REV, b"one", id="a", expected=0)
        with pytest.raises(SequenceMoved):
            await bus.append(REV, b"one", id="a", expected=0)
        assert await bus.find("a", 0) == StreamMessage(1, REV, b"one", "a")
        assert await bus.find("a", 1) is None and await bus.find("b", 0) is None

    with_bus(server, scenario)


def test_a_message_that_is_too_large_is_refused_in_words(server: NatsServer) -> None:
    async def scenario(bus: NatsBus) -> None:
        with pytest.raises(BusRefused, match="at most 1,048,576 octets, not 2,000,000"):
            await bus.append(REV, bytes(2_000_000), id="a", expected=0)
        with pytest.raises(BusRefused, match="at most 1,048,576"):
            await bus.publish("obs.AMS-1", bytes(2_000_000))
        assert await bus.append(REV, bytes(1_000_000), id="b", expected=0) == 1

    with_bus(server, scenario)


def test_who_follows_reads_what_is_there_and_hears_what_comes(server: NatsServer) -> None:
    async def scenario(bus: NatsBus) -> None:
        for number in range(600):  # more than one batch
            await bus.append("cfg.token", b"%d" % number, id=f"t{number}", expected=None)
        messages = bus.follow(100)
        assert [(await next_of(messages)).data for _ in range(500)] == [b"%d" % number for number in range(100, 600)]
        began = time.monotonic()
        for number in range(3):
            await bus.append("dump.x.0", b"not followed", id=f"d{number}", expected=None)
            await bus.append(REV, b"news", id=f"n{number}", expected=None)
            assert await next_of(messages) == StreamMessage(602 + 2 * number, REV, b"news", f"n{number}")
        assert time.monotonic() - began < 4.0, "it was found by looking, not heard"
        assert [one.data async for one in bus.read("dump.x.>")] == [b"not followed"] * 3
        await messages.aclose()  # type: ignore[attr-defined]

    with_bus(server, scenario)


def test_who_follows_goes_on_after_a_kill_of_the_server(server: NatsServer) -> None:
    async def scenario(bus: NatsBus) -> None:
        messages = bus.follow(0)
        for number in range(4):
            await bus.append(REV, b"%d" % number, id=f"a{number}", expected=number)
            assert (await next_of(messages)).data == b"%d" % number
            await asyncio.to_thread(server.kill)
            await until(lambda: not bus.is_connected)
            assert bus.problem, "from the moment when it is lost"
            with pytest.raises(BusUnreached):
                await bus.append(REV, b"lost", id="x", expected=None)
            assert bus.problem
            await asyncio.to_thread(server.start)
            assert await bus.wait_connected(10.0)
            assert bus.problem == ""
        other = await connected(server.url)
        began = time.monotonic()
        await other.append(REV, b"from another", id="o", expected=4)
        assert (await next_of(messages)).data == b"from another"
        assert time.monotonic() - began < 4.0
        await other.close()
        await messages.aclose()  # type: ignore[attr-defined]

    with_bus(server, scenario)


def test_what_came_while_nobody_was_connected_is_read_when_somebody_is(server: NatsServer) -> None:
    async def scenario(bus: NatsBus) -> None:
        other = await connected(server.url)
        messages = bus.follow(0)
        await bus.append(REV, b"0", id="0", expected=0)
        await next_of(messages)
        link = bus._link
        assert link is not None
        link.has_ended("as if it were lost")
        for number in range(1, 5):
            await other.append(REV, b"%d" % number, id=f"{number}", expected=number)
        assert [(await next_of(messages)).id for _ in range(4)] == ["1", "2", "3", "4"]
        await other.close()
        await messages.aclose()  # type: ignore[attr-defined]

    with_bus(server, scenario)


@pytest.mark.parametrize("is_longer", [False, True], ids=["shorter", "longer than the one before"])
def test_a_stream_that_is_made_anew_is_told_and_not_followed(server: NatsServer, is_longer: bool) -> None:
    async def scenario(bus: NatsBus) -> None:
        facts = await bus.make_stream()
        messages = bus.follow(0, facts.generation)
        await bus.append(REV, b"old", id="old", expected=0)
        await next_of(messages)
        server.call("STREAM.DELETE.LBDNS-t", {})
        assert await bus.stream() is None
        with pytest.raises(BusUnreached):
            await bus.append(REV, b"nowhere", id="n", expected=None)
        again = await bus.make_stream()
        assert again.generation != facts.generation
        for number in range(3 if is_longer else 1):
            await bus.append(REV, b"new", id=f"new{number}", expected=None)
        with pytest.raises(StreamGone, match="made anew"):
            while True:
                assert (await next_of(messages)).data != b"new"
        with pytest.raises(StreamGone, match="made anew"):
            await next_of(bus.follow(0, facts.generation))

    with_bus(server, scenario)


def test_a_stream_that_ends_before_what_was_seen_was_put_back(server: NatsServer) -> None:
    async def scenario(bus: NatsBus) -> None:
        await bus.append(REV, b"one", id="a", expected=0)
        with pytest.raises(StreamGone, match="put back: it ends at 1, before 7"):
            await next_of(bus.follow(7))

    with_bus(server, scenario)


def test_purged_messages_are_gone_and_those_behind_are_read(server: NatsServer) -> None:
    async def scenario(bus: NatsBus) -> None:
        for number in range(5):
            await bus.append(REV, b"%d" % number, id=f"{number}", expected=number)
        await bus.purge(4)
        facts = await bus.stream()
        assert facts is not None and (facts.first, facts.last) == (4, 5)
        assert [one.sequence async for one in bus.read(REV)] == [4, 5]
        await bus.purge(6)
        facts = await bus.stream()
        assert facts is not None and (facts.first, facts.last) == (6, 5)
        assert await bus.append(REV, b"next", id="next", expected=0) == 6

    with_bus(server, scenario)


def test_questions_are_answered_and_messages_heard_through_a_restart(server: NatsServer) -> None:
    async def scenario(bus: NatsBus) -> None:
        heard: list[tuple[str, bytes]] = []
        replies = set()

        def answer(subject: str, data: bytes, reply: str) -> None:
            replies.add(asyncio.ensure_future(bus.respond(reply, data.upper())))

        await bus.subscribe("ask.AMS-1", answer)
        listening = await bus.subscribe("obs.>", lambda subject, data, reply: heard.append((subject, data)))
        other = await connected(server.url)
        assert await other.request("ask.AMS-1", b"how", 5.0) == b"HOW"
        with pytest.raises(BusUnreached, match=r"nobody answers to ask\.FRA-1"):
            await other.request("ask.FRA-1", b"how", 5.0)
        await asyncio.to_thread(server.kill)
        await until(lambda: not bus.is_connected and not other.is_connected)
        await other.publish("obs.FRA-1", b"dropped")
        await asyncio.to_thread(server.start)
        assert await other.wait_connected(10.0) and await bus.wait_connected(10.0)
        assert await other.request("ask.AMS-1", b"again", 5.0) == b"AGAIN"
        await other.publish("obs.FRA-1", b"kept")
        await until(lambda: heard == [("obs.FRA-1", b"kept")])
        await listening.close()
        await other.publish("obs.FRA-1", b"unheard")
        assert await other.request("ask.AMS-1", b"third", 5.0) == b"THIRD"
        assert heard == [("obs.FRA-1", b"kept")]
        await other.close()

    with_bus(server, scenario)


class Hole:
    """A relay on loopback that passes octets on until it is told to swallow them: a link that is cut without a word."""

    def __init__(self, port: int) -> None:
        self.is_open = threading.Event()
        self.is_open.set()
        self._to = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in tuple(self._threads):
            thread.join(5.0)
        for one in self._sockets:
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._to))
            self._sockets += [near, far]
            for pair in ((near, far), (far, near)):
                thread = threading.Thread(target=self._pass, args=pair)
                self._threads.append(thread)
                thread.start()

    def _pass(self, near: socket.socket, far: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := near.recv(65536):
                if self.is_open.is_set():
                    far.sendall(data)
            far.shutdown(socket.SHUT_WR)


def test_a_link_that_swallows_everything_is_noticed_in_seconds_and_an_append_in_it_is_not_known(
    server: NatsServer,
) -> None:
    hole = Hole(server.port)

    async def scenario() -> None:
        bus = await connected(f"nats://127.0.0.1:{hole.port}")
        await bus.make_stream()
        hole.is_open.clear()
        began = time.monotonic()
        with pytest.raises(OutcomeUnknown) as told:
            await bus.append(REV, b"one", id="a", expected=0)
        assert told.value.id == "a"
        await until(lambda: not bus.is_connected)
        assert time.monotonic() - began < 6.0
        hole.is_open.set()
        assert await bus.wait_connected(10.0)
        assert await bus.find("a", 0) is None
        assert await bus.append(REV, b"one", id="a", expected=0) == 1
        await bus.close()

    try:
        asyncio.run(scenario())
    finally:
        hole.close()


def test_a_client_that_fails_at_its_own_end_leaves_nobody_waiting(server: NatsServer) -> None:
    async def run() -> None:
        link = await open_link(access_to(server.url), server.url)
        before = asyncio.all_tasks()
        await link.listen("s", lambda message: None)
        waiting = asyncio.all_tasks() - before
        assert waiting

        async def fails() -> None:  # as it does where the server ended while something was left to be sent
            raise ConnectionResetError

        close, link.client.close = link.client.close, fails  # type: ignore[method-assign]
        await link.close()
        done, _ = await asyncio.wait(waiting, timeout=10)
        assert done == waiting
        await close()

    asyncio.run(run())


def test_connecting_to_nobody_is_over_in_seconds_and_goes_on_in_the_background(tmp_path: Path) -> None:
    server = NatsServer(tmp_path)
    listening_only = socket.create_server(("127.0.0.1", 0))
    silent = f"nats://127.0.0.1:{listening_only.getsockname()[1]}"

    async def scenario() -> None:
        changes: list[bool] = []
        closed = f"nats://127.0.0.1:{free_port()}"
        bus = NatsBus(access_to(closed, silent, server.url), changes.append)
        began = time.monotonic()
        bus.start()
        await until(lambda: f"{silent}: no reply within 3 s" in bus.problem)
        assert f"{closed}: Connection refused" in bus.problem
        assert time.monotonic() - began < 9.0
        with pytest.raises(BusUnreached):
            await bus.request("ask.AMS-1", b"", 1.0)
        await asyncio.to_thread(server.start)
        assert await bus.wait_connected(20.0)
        assert changes == [True] and bus.url == server.url
        await bus.close()
        assert changes == [True, False]

    try:
        asyncio.run(scenario())
    finally:
        listening_only.close()
        server.kill()


@pytest.mark.parametrize(
    "text, problem",
    [
        ("authorization { user: u, password: p }", "does not know this user and password, or these credentials"),
        ("", "nobody there keeps streams: JetStream is off"),
        (WITHOUT_STREAMS, "JetStream is not on for this account"),
    ],
)
def test_a_bus_that_will_not_do_says_why(text: str, problem: str, tmp_path: Path) -> None:
    server = NatsServer(tmp_path, text.replace("%s", str(tmp_path / "js")))
    server.start()

    async def scenario() -> None:
        bus = NatsBus(access_to(server.url))
        bus.start()
        if await bus.wait_connected(2.0):
            with pytest.raises((BusRefused, BusUnreached), match=problem):
                await bus.make_stream()
        else:
            assert problem in bus.problem
        await bus.close()

    try:
        asyncio.run(scenario())
    finally:
        server.kill()


def test_a_hub_of_another_fleet_is_told_with_what_to_do() -> None:
    """As where a machine joined by a line of a fleet that is no more."""
    error = ssl.SSLCertVerificationError("x")
    error.verify_message = "self-signed certificate"
    said = str(connecting._as_bus_error("tls://ams.example:4222", error, is_by_token=True))
    assert "is not trusted" in said and "`lbdns fleet leave`" in said and "`lbdns fleet token`" in said
    of_own_nats = connecting._as_bus_error("tls://n:4222", error, is_by_token=False)
    assert "lbdns fleet" not in str(of_own_nats)


def test_nothing_is_said_in_plain_text_where_the_url_asks_for_tls(tmp_path: Path) -> None:
    said = b""
    greeting = b'INFO {"server_id":"x","version":"2.15.1","max_payload":1048576,"headers":true}\r\n'
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        nonlocal said
        near, _ = listening.accept()
        with near:
            near.settimeout(5.0)
            near.sendall(greeting)
            with contextlib.suppress(OSError):
                while data := near.recv(65536):
                    said += data

    thread = threading.Thread(target=serve)
    thread.start()

    async def scenario() -> None:
        bus = NatsBus(access_to(f"tls://127.0.0.1:{listening.getsockname()[1]}"))
        bus.start()
        await until(lambda: "speaks no TLS" in bus.problem)
        await bus.close()

    try:
        asyncio.run(scenario())
    finally:
        listening.close()
        thread.join(10.0)
    assert said == b""
