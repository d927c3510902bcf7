"""A steady load of queries at each machine, asked in its namespace; every query is answered, or counted as lost."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

from tests.fleet.machines import Machine, socket_within

LOST_S: Final = 3.0
"""A query that is not answered in this time is lost, as a resolver takes it."""
TICK_S: Final = 0.01
BEHIND_S: Final = 0.5
"""What is made up for where this process stood still; queries of a longer time at once would be a flood."""
KEPT_MAX: Final = 20


@dataclass(slots=True)
class Asked:
    """What came of the queries at one machine; times are monotonic, in seconds."""

    answered: int = 0
    lost: list[float] = field(default_factory=list)
    """When each of them was sent."""
    slowest_s: float = 0.0
    wrong: Counter[str] = field(default_factory=Counter)
    fallen_back: list[tuple[float, str]] = field(default_factory=list)
    """When what was never to be answered was, and in words."""


class _Line:
    """The queries at one machine."""

    def __init__(self, machine: Machine, names: Sequence[str], never: frozenset[str]) -> None:
        self.name = machine.name
        self.sock = socket_within(machine.name, socket.SOCK_DGRAM)
        self.sock.connect((machine.host, machine.port))
        self.sock.setblocking(False)
        self.asked = Asked()
        self._wires = [dns.message.make_query(name, "A", id=0).to_wire()[2:] for name in names]
        self._never = never
        self._number = 0
        self._waiting: dict[int, float] = {}

    def send(self) -> None:
        self._number += 1
        number = self._number & 0xFFFF
        self._waiting[number] = time.monotonic()
        with contextlib.suppress(OSError):
            self.sock.send(number.to_bytes(2) + self._wires[self._number % len(self._wires)])

    def receive(self) -> None:
        while True:
            try:
                reply = self.sock.recv(4096)
            except BlockingIOError:
                return
            except ConnectionError:
                continue  # nobody listens at this moment: what was sent may be lost
            sent_s = self._waiting.pop(int.from_bytes(reply[:2]), None)
            if sent_s is not None:
                self.asked.answered += 1
                self.asked.slowest_s = max(self.asked.slowest_s, time.monotonic() - sent_s)
                self._judge(reply)

    def _judge(self, reply: bytes) -> None:
        message = dns.message.from_wire(reply)
        name = message.question[0].name.to_text()
        found = {str(one) for rrset in message.answer if rrset.rdtype == dns.rdatatype.A for one in rrset}
        if message.rcode() != dns.rcode.NOERROR or not found:
            self.asked.wrong[f"{name} {dns.rcode.to_text(message.rcode())} {sorted(found)}"] += 1
        elif found & self._never:
            self.asked.fallen_back.append((time.monotonic(), f"{name} has {sorted(found & self._never)}"))

    def give_up(self, sent_before_s: float) -> None:
        for number, sent_s in list(self._waiting.items()):
            if sent_s < sent_before_s:
                del self._waiting[number]
                self.asked.lost.append(sent_s)


class FleetLoad:
    """Asks each machine for names at a rate, in a thread of its own, until stopped.

    Whatever is answered otherwise than with addresses, or with one of `never`, is wrong.
    """

    def __init__(
        self, machines: Sequence[Machine], names: Sequence[str], rate: float, never: frozenset[str] = frozenset()
    ) -> None:
        """Prepare; `rate` is queries a second to each."""
        self._lines = [_Line(machine, names, never) for machine in machines]
        self._pause_s = 1.0 / rate
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fleet load", daemon=True)

    def __enter__(self) -> FleetLoad:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End, once the last replies have come or are lost."""
        self._stop.set()
        self._thread.join()
        for line in self._lines:
            line.sock.close()

    @property
    def asked(self) -> dict[str, Asked]:
        """What came of it, by machine."""
        return {line.name: line.asked for line in self._lines}

    def _run(self) -> None:
        next_s = time.monotonic()
        with selectors.DefaultSelector() as selector:
            for line in self._lines:
                selector.register(line.sock, selectors.EVENT_READ, line)
            ends_s: float | None = None
            while ends_s is None or time.monotonic() < ends_s:
                for key, _ in selector.select(TICK_S):
                    key.data.receive()
                now_s = time.monotonic()
                next_s = max(next_s, now_s - BEHIND_S)
                if ends_s is None and self._stop.is_set():
                    ends_s = now_s + LOST_S
                while ends_s is None and next_s <= now_s:
                    next_s += self._pause_s
                    for line in self._lines:
                        line.send()
                for line in self._lines:
                    line.give_up(now_s - LOST_S)
        for line in self._lines:
            line.give_up(time.monotonic())
