"""A crowd of clients that ask all the time, each its next question when it has a reply: none may be lost.

So at any moment as many queries as there are clients are under way: in the kernel, in a batch, in a queue.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from collections.abc import Iterator, Sequence

from tests.processes.load import Asking

REPLY_S = 5.0
REPLY_BYTES = 4096


class Client:
    """One socket, and the question that it waits for an answer to."""

    def __init__(self, place: tuple[str, int], question: bytes) -> None:
        """Prepare to ask one question, a message without its ID, over and over."""
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.connect(place)
        self._question = question
        self._number = 0
        self.asked_at = 0.0

    def ask(self) -> None:
        """Ask once more."""
        self._number = (self._number + 1) % 65536
        self.asked_at = time.monotonic()
        self.socket.send(self._number.to_bytes(2) + self._question)

    def hears(self) -> bool:
        """Whether what is there answers the last question: a reply may come twice."""
        return self.socket.recv(REPLY_BYTES)[:2] == self._number.to_bytes(2)


class Crowd(Asking):
    """Clients that ask from a thread of their own. `answers`: how many replies came; `slowest_s`: the longest wait;
    `lost`: how many waited for REPLY_S in vain, and asked again."""

    def __init__(self, place: tuple[str, int], questions: Sequence[bytes], clients: int) -> None:
        """Have each client ask one of these messages."""
        self._clients = [Client(place, questions[number % len(questions)][2:]) for number in range(clients)]
        super().__init__()
        self.answers = self.lost = 0
        self.slowest_s = 0.0

    @property
    def answered(self) -> int:
        """How many replies came."""
        return self.answers

    def _run(self) -> None:
        with selectors.EpollSelector() as events:
            for client in self._clients:
                events.register(client.socket, selectors.EVENT_READ, client)
                client.ask()
            looked_at = time.monotonic()
            while not self._stop.is_set():
                for key, _ in events.select(0.1):
                    self._hear(key.data)
                if time.monotonic() - looked_at > 0.5:
                    looked_at = time.monotonic()
                    self._give_up(looked_at - REPLY_S)
            self._await_rest(events)

    def _hear(self, client: Client, goes_on: bool = True) -> None:
        try:
            if not client.hears():
                return
        except ConnectionRefusedError:
            return
        self.slowest_s = max(self.slowest_s, time.monotonic() - client.asked_at)
        self.answers += 1
        client.asked_at = 0.0
        if goes_on:
            client.ask()

    def _give_up(self, before: float) -> None:
        for client in self._clients:
            if client.asked_at < before:
                self.lost += 1
                client.ask()

    def _await_rest(self, events: selectors.BaseSelector) -> None:
        deadline = time.monotonic() + REPLY_S
        while any(client.asked_at for client in self._clients) and time.monotonic() < deadline:
            for key, _ in events.select(0.1):
                self._hear(key.data, goes_on=False)
        self.lost += sum(client.asked_at > 0 for client in self._clients)
        for client in self._clients:
            client.socket.close()


@contextlib.contextmanager
def crowd_at(host: str, port: int, questions: Sequence[bytes], clients: int = 64) -> Iterator[Crowd]:
    """Keep a crowd at a server for a `with` block; afterwards `lost` tells of all that was asked."""
    with Crowd((host, port), questions, clients).kept(clients) as crowd:
        yield crowd
