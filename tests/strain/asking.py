"""A mixed load at a bounded rate, every reply checked: UDP on both paths, TCP, and datagrams that are no queries.

    asker = Asker(host, port, questions, rate)
    asker.start() ... asker.take() ... asker.stop()

A reply is timed by the kernel's time of its arrival, so that a pause of this process is not the server's.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from tests.strain.truth import NSID, PLAIN, ROADS, TCP, MalformedReply, Question, Reply, show

LOST_S = 3.0
"""A query that is not answered in this time is lost, as a resolver takes it, unless an Asker is told otherwise."""
TICK_S = 0.01
SOURCES = tuple(f"127.0.{90 + number}.1" for number in range(8))
"""Where queries come from: networks of their own each."""
SO_TIMESTAMPNS = 35  # of Linux; the socket module does not name it
SHARES = {PLAIN: 0.75, NSID: 0.2, TCP: 0.05}
"""Of all queries, by road."""
PIPELINED = 4
MALFORMED_SHARE = 0.05
REMEMBERED_MAX = 20_000
WRONG_MAX = 50  # kept in words
REPLY_BYTES = 65_535


@dataclass(slots=True)
class Wrong:
    """A reply that was not right."""

    at_s: float
    question: str
    text: str


@dataclass(slots=True)
class Tally:
    """What came of the queries of a while: latencies in seconds by road, sending times of those that were lost."""

    latencies_s: dict[str, list[float]] = field(default_factory=lambda: {road: [] for road in ROADS})
    lost: list[tuple[float, str, str]] = field(default_factory=list)
    """Monotonic time of sending, road, question."""
    wrong: list[Wrong] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, other: Tally) -> None:
        """Take another's in, its latencies aside."""
        self.lost += other.lost
        self.wrong += other.wrong[: max(0, WRONG_MAX - len(self.wrong))]
        self.counts += other.counts


@dataclass(slots=True)
class _Waiting:
    question: Question
    road: str
    sent_s: float
    sent_ns: int


class _Lane:
    """A UDP socket and the queries under way on it, by ID."""

    def __init__(self, source: str, server: tuple[str, int]) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.sock.bind((source, 0))
        self.sock.connect(server)
        self.sock.setblocking(False)
        self.waiting: dict[int, _Waiting] = {}
        self.number = 0


class Asker:
    """The load on one server: a thread for UDP and one for TCP."""

    def __init__(
        self, server: tuple[str, int], questions: Sequence[Question], rate: float, seed: int, lost_s: float = LOST_S
    ) -> None:
        """Prepare to ask; `rate` is in queries a second; one that is not answered in `lost_s` is lost."""
        self._server = server
        self._rate = rate
        self._lost_s = lost_s
        self._random = Random(seed)
        self._by_road = {
            road: [(one, asked.octets) for one in questions for asked in one.asked if asked.road == road]
            for road in ROADS
        }
        self._remembered: dict[tuple[Question, bytes], Reply] = {}
        self._tally = Tally()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self.paused = threading.Event()

    def start(self) -> None:
        """Begin to ask."""
        self.start_udp()
        self._begin(self._run_tcp)

    def start_udp(self) -> None:
        """Begin to ask over UDP alone."""
        self._begin(self._run_udp)

    def _begin(self, run: Callable[[], None]) -> None:
        self._threads.append(threading.Thread(target=run, daemon=True))
        self._threads[-1].start()

    def stop(self) -> None:
        """Ask no more, and wait for what is under way."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def take(self) -> Tally:
        """Return what came since this was last asked."""
        with self._lock:
            taken, self._tally = self._tally, Tally()
        return taken

    def _judge(self, question: Question, octets: bytes, waiting: _Waiting, received_ns: int) -> None:
        key = (question, octets[2:])
        try:
            reply = self._remembered.get(key)
            if reply is None:
                reply = question.read(octets)
                if len(self._remembered) >= REMEMBERED_MAX:
                    self._remembered.clear()
                self._remembered[key] = reply
            is_right = question.allows(reply, waiting.sent_s)
            text = "" if is_right else f"{show([reply])}, not {show(question.right)}"
        except MalformedReply as error:
            is_right, text = False, str(error)
        with self._lock:
            self._tally.latencies_s[waiting.road].append((received_ns - waiting.sent_ns) / 1e9)
            self._tally.counts[waiting.road] += 1
            if not is_right:
                self._tally.counts["wrong"] += 1
                if len(self._tally.wrong) < WRONG_MAX:
                    self._tally.wrong.append(Wrong(time.monotonic(), f"{question} ({waiting.road})", text))

    def _lose(self, waiting: _Waiting) -> None:
        with self._lock:
            self._tally.lost.append((waiting.sent_s, waiting.road, str(waiting.question)))

    def _run_udp(self) -> None:
        selector = selectors.EpollSelector()
        with contextlib.ExitStack() as opened:
            opened.callback(selector.close)
            lanes = [_Lane(source, self._server) for source in SOURCES]
            for lane in lanes:
                opened.callback(lane.sock.close)
                selector.register(lane.sock, selectors.EVENT_READ, lane)
            due, last_s, swept_s = 0.0, time.monotonic(), time.monotonic()
            while not self._stopping.is_set() or any(lane.waiting for lane in lanes):
                now_s = time.monotonic()
                if not self._stopping.is_set() and not self.paused.is_set():
                    due = min(due + (now_s - last_s) * self._rate, self._rate)
                    while due >= 1.0:
                        due -= 1.0
                        self._send(self._random.choice(lanes))
                last_s = now_s
                for key, _ in selector.select(TICK_S):
                    self._receive(key.data)
                if now_s - swept_s > 0.25:
                    swept_s = now_s
                    for lane in lanes:
                        self._sweep(lane, now_s)

    def _send(self, lane: _Lane) -> None:
        if self._random.random() < MALFORMED_SHARE:
            with contextlib.suppress(OSError):
                lane.sock.send(self._random.randbytes(self._random.randrange(80)))
            return
        has_nsid = self._by_road[NSID] and self._random.random() < SHARES[NSID] / (SHARES[PLAIN] + SHARES[NSID])
        road = NSID if has_nsid else PLAIN
        question, octets = self._random.choice(self._by_road[road])
        lane.number = (lane.number + 1) & 0xFFFF
        if lane.number in lane.waiting:
            return
        lane.waiting[lane.number] = _Waiting(question, road, time.monotonic(), time.time_ns())
        with contextlib.suppress(OSError):  # a refusal of an earlier one; this one is lost then
            lane.sock.send(lane.number.to_bytes(2) + octets)

    def _receive(self, lane: _Lane) -> None:
        while True:
            try:
                octets, ancillary, _, _ = lane.sock.recvmsg(REPLY_BYTES, 64)
            except OSError:
                return
            received_ns = time.time_ns()
            for _, kind, data in ancillary:
                if kind == SO_TIMESTAMPNS:
                    seconds, nanoseconds = struct.unpack("ll", data)
                    received_ns = seconds * 1_000_000_000 + nanoseconds
            waiting = lane.waiting.get(int.from_bytes(octets[:2]))
            if waiting is None or not self._is_reply_to(octets, waiting):
                continue  # to a datagram that was no query, or late
            del lane.waiting[int.from_bytes(octets[:2])]
            self._judge(waiting.question, octets, waiting, received_ns)

    @staticmethod
    def _is_reply_to(octets: bytes, waiting: _Waiting) -> bool:
        """Whether the question is the one of a query: replies to random octets may bear any ID."""
        asked = next(one.octets for one in waiting.question.asked if one.road == waiting.road)
        end = asked.index(0, 10) + 5
        return octets[12 : end + 2] == asked[10:end]

    def _sweep(self, lane: _Lane, now_s: float) -> None:
        for number, waiting in list(lane.waiting.items()):
            if now_s - waiting.sent_s > self._lost_s:
                del lane.waiting[number]
                self._lose(waiting)

    def _run_tcp(self) -> None:
        pause_s = PIPELINED / (self._rate * SHARES[TCP])
        while not self._stopping.wait(self._random.uniform(0.5, 1.5) * pause_s):
            if self.paused.is_set():
                continue
            asked = [self._random.choice(self._by_road[TCP]) for _ in range(PIPELINED)]
            sent = [_Waiting(question, TCP, time.monotonic(), time.time_ns()) for question, _ in asked]
            answered = 0
            try:
                with socket.create_connection(self._server, self._lost_s, (self._random.choice(SOURCES), 0)) as sock:
                    sock.sendall(b"".join(
                        (len(octets) + 2).to_bytes(2) + number.to_bytes(2) + octets
                        for number, (_, octets) in enumerate(asked)
                    ))  # fmt: skip
                    with sock.makefile("rb") as replies:
                        for waiting in sent:
                            octets = replies.read(int.from_bytes(replies.read(2)))
                            if not octets:
                                break
                            answered += 1
                            self._judge(waiting.question, octets, waiting, time.time_ns())
            except OSError:
                pass
            for waiting in sent[answered:]:
                self._lose(waiting)
