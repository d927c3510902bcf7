"""How a responder has updates made: together, again where nobody answered, and not for ever."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lbdns.answer.reply import Answer, Client, Transport
from lbdns.dns.codes import EDE_PROHIBITED, NOERROR, REFUSED, SERVFAIL
from lbdns.dnssec.signer.signer_frames import FrameReader
from lbdns.processes.responder import update_client
from lbdns.processes.responder.update_client import UpdateClient
from lbdns.transfer.update.update_frames import UPDATE_FRAME_BYTES_MAX, AskedFor, decode_ask, encode_said
from lbdns.transfer.update.update_section import UpdateOutcome

PATIENCE_S = 20.0


class Asked:
    """Stands for a request of view 1, which is `office`."""

    client = Client(bytes([192, 0, 2, 1]), 53)
    transport = Transport.TCP
    judgement = type("Judgement", (), {"key": b"\1k\0"})
    view = type("View", (), {"view_name": staticmethod(lambda number: ["", "office"][number])})

    def __init__(self, datagram: bytes) -> None:
        self.datagram = datagram


class Supervisor(asyncio.Protocol):
    """Takes what is asked; says what each is to be told, hangs up at `end`, and is silent to `silence`."""

    reads: list[list[AskedFor]]
    transport: asyncio.Transport

    def __init__(self, reads: list[list[AskedFor]]) -> None:
        self.reads, self.reader = reads, FrameReader(UPDATE_FRAME_BYTES_MAX)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        frames = list(self.reader.take(data))
        self.reads.append([decode_ask(frame) for frame in frames])
        for frame in frames:
            message = decode_ask(frame).message
            times = sum(one.message == message for read in self.reads for one in read)
            if message == b"end" and times == 1:
                self.transport.abort()
            elif message == b"refused":
                self.transport.write(encode_said(frame.number, UpdateOutcome(REFUSED, "not here")))
            elif message != b"silence":
                self.transport.write(encode_said(frame.number, UpdateOutcome()))


@pytest.fixture
def told(tmp_path: Path) -> Iterator[tuple[list[Answer | bytes | None], list[list[AskedFor]], Any]]:
    """Yield what updates were told, in which reads the supervisor was asked, and what asks for some together."""
    answers: list[Answer | bytes | None] = []
    reads: list[list[AskedFor]] = []

    def ask(*messages: bytes, path: Path = tmp_path / "updates.sock", is_there: bool = True) -> None:
        async def main() -> None:
            loop, done = asyncio.get_running_loop(), asyncio.Event()
            server = await loop.create_unix_server(lambda: Supervisor(reads), path) if is_there else None
            client = UpdateClient(lambda: path)

            def take(answer: Answer | bytes | None) -> None:
                answers.append(answer)
                if len(answers) == len(messages) + 1:
                    done.set()

            first = asyncio.Event()
            client.update(Asked(b"first"), 1, lambda answer: (take(answer), first.set()))  # type: ignore[arg-type, func-returns-value]
            await asyncio.wait_for(first.wait(), PATIENCE_S)
            for message in messages:
                client.update(Asked(message), 1, take)  # type: ignore[arg-type]
            if messages:
                await asyncio.wait_for(done.wait(), PATIENCE_S)
            client.close()
            if server is not None:
                server.close()

        asyncio.run(main())

    yield answers, reads, ask


def rcodes(answers: list[Answer | bytes | None]) -> list[int | None]:
    return [one.rcode if isinstance(one, Answer) else None for one in answers]


def test_what_is_asked_for_together_goes_out_together(told: Any) -> None:
    answers, reads, ask = told
    ask(b"one", b"two", b"refused", b"three")
    assert [[one.message for one in read] for read in reads] == [[b"first"], [b"one", b"two", b"refused", b"three"]]
    assert reads[1][0] == AskedFor(Asked.client.address, 53, True, b"\1k\0", "office", b"one")
    assert rcodes(answers) == [NOERROR, NOERROR, NOERROR, REFUSED, NOERROR]
    assert (answers[3].ede, answers[3].ede_text) == (EDE_PROHIBITED, "not here")


def test_what_a_connection_does_not_answer_any_more_is_asked_for_again(told: Any) -> None:
    answers, reads, ask = told
    ask(b"end", b"other")
    assert rcodes(answers) == [NOERROR, NOERROR, NOERROR]
    again = [one.message for read in reads for one in read]
    assert sorted(again) == sorted([b"first", b"end", b"other", b"end", b"other"])


def test_who_hears_nothing_is_told_nothing_and_the_others_are(told: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(update_client, "PATIENCE_S", 0.3)
    answers, _, ask = told
    ask(b"silence", b"other")
    assert rcodes(answers) == [NOERROR, NOERROR, None]


def test_where_nobody_is_an_update_is_refused_in_time(told: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(update_client, "PATIENCE_S", 0.3)
    answers, _, ask = told
    ask(is_there=False)
    assert rcodes(answers) == [SERVFAIL]


class Batches(asyncio.Protocol):
    """Answers so many requests at once, and hangs up with that where it is to."""

    def __init__(self, count: int, hangs_up: bool) -> None:
        self.reader, self.frames = FrameReader(UPDATE_FRAME_BYTES_MAX), list[Any]()
        self.count, self.hangs_up = count, hangs_up

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.frames += self.reader.take(data)
        if len(self.frames) == self.count:
            self.transport.write(b"".join(encode_said(frame.number, UpdateOutcome()) for frame in self.frames))
            if self.hangs_up:
                self.transport.close()


@pytest.mark.parametrize("hangs_up", [False, True])
def test_a_batch_that_is_answered_at_once_is_told_in_lots(tmp_path: Path, hangs_up: bool) -> None:
    rounds, told, count = [0], list[tuple[int, int, int | None]](), 5 * update_client.LOT + 3

    async def main() -> None:
        loop, done = asyncio.get_running_loop(), asyncio.Event()
        server = await loop.create_unix_server(lambda: Batches(count, hangs_up), tmp_path / "updates.sock")
        client = UpdateClient(lambda: tmp_path / "updates.sock")

        def count_rounds() -> None:
            rounds[0] += 1
            if not done.is_set():
                loop.call_soon(count_rounds)

        def take(number: int, said: Answer | bytes | None) -> None:
            told.append((number, rounds[0], rcodes([said])[0]))
            if len(told) == count:
                done.set()

        count_rounds()
        for number in range(count):
            client.update(Asked(b"%d" % number), 1, lambda said, number=number: take(number, said))  # type: ignore[arg-type, misc]
        await asyncio.wait_for(done.wait(), PATIENCE_S)
        client.close()
        server.close()

    asyncio.run(main())
    assert [(number, rcode) for number, _, rcode in told] == [(number, NOERROR) for number in range(count)]
    of_rounds = Counter(at for _, at, _ in told).values()
    assert max(of_rounds) == update_client.LOT or hangs_up
