"""Rows 8 and 15: connections that hold places without asking anything."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time

from tests.faults.fault import Fault, Seen, took
from tests.faults.rig import STORE
from tests.strain.truth import TCP

GOOD_CLIENTS = 35
GOOD_S = 3.0
HALF = b"\x01\x00" + b"\x12\x34\x01\x00\x00\x01"
IDLE = 512
HELD_S = 0.02


class Holder:
    """A thread that keeps half-sent connections open from some addresses; for one that is closed it opens another."""

    def __init__(self, server: tuple[str, int], sources: tuple[str, ...]) -> None:
        """Begin to connect, once from each of `sources`."""
        self._server = server
        self._sources = sources
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close all of them."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        selector = selectors.EpollSelector()
        waiting = list(self._sources)
        with contextlib.ExitStack() as opened:
            opened.callback(selector.close)
            while not self._stopping.is_set():
                for source in waiting[:50]:
                    sock = opened.enter_context(socket.socket())
                    sock.setblocking(False)
                    with contextlib.suppress(OSError):
                        sock.bind((source, 0))
                        sock.connect_ex(self._server)
                    selector.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE, source)
                del waiting[:50]
                for key, events in selector.select(HELD_S):
                    held = key.fileobj
                    assert isinstance(held, socket.socket)
                    if events & selectors.EVENT_READ:
                        selector.unregister(held)
                        held.close()
                        waiting.append(key.data)
                    else:
                        with contextlib.suppress(OSError):
                            held.send(HALF[: 1 + len(waiting) % len(HALF)])
                        selector.modify(held, selectors.EVENT_READ, key.data)


class HalfSent(Fault):
    """Many connections send a part of a query: whoever asks a whole one is answered."""

    row = 8
    hold_s = 1.0
    late_s = 0.5
    sources: tuple[str, ...]

    def inject(self) -> None:
        self._server = (self.rig.server.host, self.rig.server.port)
        self._holder = Holder(self._server, self.sources)
        time.sleep(1.5)

    def while_held(self) -> list[Seen]:
        question = self.rig.subject.served.host
        octets = next(one.octets for one in question.asked if one.road == TCP)
        message = (len(octets) + 2).to_bytes(2) + b"\x12\x34" + octets
        answered, slowest_s = 0, 0.0
        for number in range(GOOD_CLIENTS):
            began_s = time.monotonic()
            with (
                contextlib.suppress(OSError),
                socket.create_connection(self._server, GOOD_S, (f"127.0.{100 + number}.9", 0)) as sock,
            ):
                sock.sendall(message)
                answered += len(sock.recv(512)) > 12
            slowest_s = max(slowest_s, time.monotonic() - began_s)
        figure = f"{answered} of {GOOD_CLIENTS}, the slowest in {slowest_s:.2f} s"
        return [Seen("good clients are answered", answered == GOOD_CLIENTS, figure)]

    def heal(self) -> None:
        self._holder.stop()


class HalfSentOneNetwork(HalfSent):
    """All of them from one /24."""

    what = "800 half-sent connections from one /24"
    sources = tuple(f"127.0.201.{1 + number % 250}" for number in range(800))


class HalfSentManyAddresses(HalfSent):
    """From 40 addresses, 25 each."""

    what = "half-sent connections from 40 addresses x 25"
    sources = tuple(f"127.0.{150 + number % 40}.1" for number in range(1000))


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
