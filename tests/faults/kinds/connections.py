"""Rows 8, 9 and 15: connections that hold places without asking anything, or that ask for more than their turn."""

from __future__ import annotations

import contextlib
import socket
import time

from tests.faults.fault import Fault, Seen, took
from tests.faults.rig import STORE
from tests.strain.tcp_flood import flooding
from tests.strain.truth import TCP

GOOD_CLIENTS = 35
GOOD_S = 3.0
IDLE = 512
ONE_NETWORK = tuple(f"127.3.2.{1 + number % 250}" for number in range(800))
FORTY_ADDRESSES = tuple(f"127.4.{number % 40}.1" for number in range(1000))
ONE_BLOCK = tuple(f"127.5.{number % 200}.{1 + number // 200}" for number in range(800))


class Crowd(Fault):
    """Many connections that do what they should not: whoever asks a whole query is answered."""

    row = 8
    hold_s = 1.0
    late_s = 0.5
    habit: str
    """As tests/strain/tcp_flood.py has it."""
    sources: tuple[str, ...] = FORTY_ADDRESSES
    good_late_s = 1.0

    def inject(self) -> None:
        self._server = (self.rig.server.host, self.rig.server.port)
        question = self.rig.subject.served.host
        self._message = b"\x12\x34" + next(one.octets for one in question.asked if one.road == TCP)
        self._flood = contextlib.ExitStack()
        self._flood.enter_context(flooding(self._server, self.habit, self.sources, self._message))
        time.sleep(1.5)

    def while_held(self) -> list[Seen]:
        answered, slowest_s = 0, 0.0
        for number in range(GOOD_CLIENTS):
            began_s = time.monotonic()
            with (
                contextlib.suppress(OSError),
                socket.create_connection(self._server, GOOD_S, (f"127.0.{100 + number}.9", 0)) as sock,
            ):
                sock.sendall(len(self._message).to_bytes(2) + self._message)
                answered += len(sock.recv(512)) > 12
            slowest_s = max(slowest_s, time.monotonic() - began_s)
        figure = f"{answered} of {GOOD_CLIENTS}, the slowest in {slowest_s:.2f} s"
        return [
            Seen("good clients are answered", answered == GOOD_CLIENTS, figure),
            took("the slowest of them", slowest_s, self.good_late_s),
        ]

    def heal(self) -> None:
        self._flood.close()


class HalfSentOneNetwork(Crowd):
    """Half queries, all of them from one /24."""

    what = "800 half-sent connections from one /24"
    habit = "half"
    sources = ONE_NETWORK


class HalfSentManyAddresses(Crowd):
    """From 40 addresses, 25 each."""

    what = "half-sent connections from 40 addresses x 25"
    habit = "half"


class Dripping(Crowd):
    """An octet each 1.9 s, just before the first message is given up."""

    what = "connections that send an octet every 1.9 s, from 40 addresses x 25"
    habit = "drip"


class Silent(Crowd):
    """A whole query, and then nothing, from many networks of one /16."""

    what = "connections that send a query and then nothing, from 200 networks of one /16"
    habit = "whole"
    sources = ONE_BLOCK


class HalfClosed(Crowd):
    """A query and the end, and the answer is not read."""

    what = "half-closed connections that read nothing, from one /24"
    habit = "half-close"
    sources = ONE_NETWORK


class TlsSpeaking(Crowd):
    """A TLS client's greeting, which claims to be a long message."""

    what = "connections that speak TLS, from 40 addresses x 25"
    habit = "garbage"


class Greedy(Crowd):
    """Thousands of queries on each connection, all answers read: a network waits for itself."""

    row = 9
    what = "connections that pipeline without end, from 40 addresses x 25"
    habit = "greedy"


class Unread(Crowd):
    """Thousands of queries on each connection, and no answer is read."""

    row = 9
    what = "connections that pipeline and read nothing, from 40 addresses x 25"
    habit = "unread"


CROWDS: tuple[type[Crowd], ...] = (
    HalfSentOneNetwork,
    HalfSentManyAddresses,
    Dripping,
    Silent,
    HalfClosed,
    TlsSpeaking,
    Greedy,
    Unread,
)


class ApiIdle(Fault):
    """Connections to the API that say nothing: whoever speaks is answered."""

    row = 15
    what = "512 idle connections to the API"
    kinds = (STORE,)
    hold_s = 0.5

    def inject(self) -> None:
        host, _, port = self.rig.store.api.removeprefix("http://").rpartition(":")
        self._token = self.rig.store.token(name=f"idle{self.random.randrange(1 << 30)}")
        self._held = []
        for _ in range(IDLE):
            with contextlib.suppress(OSError):
                self._held.append(socket.create_connection((host, int(port)), 1.0))

    def while_held(self) -> list[Seen]:
        import httpx

        began_s, codes = time.monotonic(), []
        for _ in range(3):
            try:
                asked = {"Authorization": f"Bearer {self._token}"}
                reply = httpx.get(f"{self.rig.store.api}/client/v4/zones", headers=asked, timeout=5.0, trust_env=False)
                codes.append(str(reply.status_code))
            except httpx.HTTPError as error:
                codes.append(type(error).__name__)
        return [
            Seen("a client that speaks is answered", codes == ["200"] * 3, ", ".join(codes)),
            took("three requests", time.monotonic() - began_s, 3.0),
        ]

    def heal(self) -> None:
        for sock in self._held:
            sock.close()
