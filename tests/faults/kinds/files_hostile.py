"""Row 2: files and requests whose contents take long to read, or longer than the world lasts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from random import Random
from typing import Any

import httpx

from tests.faults.fault import Fault, Seen, took
from tests.faults.rig import FILES, STORE, until
from tests.strain.process_tree import SUPERVISOR
from tests.strain.served import ZONE, zone_text

READ_S = 1.0
ANSWERED_S = 1.0
BODY_S = 5.0
MEMORY_TIMES = 10
SLACK_KIB = 40 << 10

LINES: tuple[Callable[[Random], str], ...] = (
    lambda random: f"h {random.choice('0123456789') * 28}x IN A 192.0.2.1",
    lambda random: "h " + "1w" * random.randrange(20, 4000) + "x IN A 192.0.2.1",
    lambda random: "h" + " \t" * random.randrange(1000, 30_000) + "IN A 192.0.2.1 x",
    lambda random: "h IN TXT " + '"' * random.randrange(3, 2000),
    lambda random: "h IN TXT " + "\\" * random.randrange(1001, 9001, 2),
    lambda random: "h IN A " + "(" * random.randrange(10, 3000),
    lambda random: "a." * random.randrange(100, 9000) + " IN A 192.0.2.1",
    lambda random: f"$GENERATE 1-{'9' * random.randrange(3, 30)} h$ A 192.0.2.1",
    lambda random: f"h {'9' * random.randrange(11, 5000)} IN A 192.0.2.1",
)
"""Lines of master files that a reader may take too long over; each is a mistake."""


class MasterFileHostile(Fault):
    """A zone's file gets a line that may take long to read: it is refused soon, and the zone served as it was."""

    row = 2
    what = "master file with a line that takes long"
    kinds = (FILES,)

    def inject(self) -> None:
        self._path = self.rig.server.directory / f"{ZONE}.zone"
        self._before = self._path.read_text()
        line = self.random.choice(LINES)(self.random)
        began_s = time.monotonic()
        self._refused = "it was served"
        try:
            self.rig.server.reload({f"{ZONE}.zone": f"{zone_text('192.0.2.40')}\n{line}\n"})
        except Exception as error:
            self._refused = str(error)
        self._took_s = time.monotonic() - began_s

    def while_held(self) -> list[Seen]:
        is_refused = self._refused != "it was served" and "Traceback" not in self._refused
        return [took("it is read", self._took_s, READ_S), Seen("it is refused", is_refused, self._refused[:100])]

    def heal(self) -> None:
        self._path.write_text(self._before)


def many_bad(random: Random) -> bytes:
    """Return a pool with endpoints without number, none of which has an address."""
    count = random.randrange(20_000, 200_000)
    return b'{"name": "p", "origins": [' + b",".join([b'{"name": "o", "address": "no!"}'] * count) + b"]}"


def one_long(random: Random) -> bytes:
    """Return a body with one long text."""
    return b'{"name": "' + b"x" * random.randrange(1 << 20, 19 << 20) + b'"}'


def deep(random: Random) -> bytes:
    """Return a body that is nested."""
    depth = random.randrange(10_000, 2_000_000)
    return b'{"a":' * depth + b"1" + b"}" * depth


def many_keys(random: Random) -> bytes:
    """Return a body of keys that nobody knows."""
    return b"{" + b",".join(b'"k%d": 1' % number for number in range(random.randrange(10_000, 500_000))) + b"}"


def many_numbers(random: Random) -> bytes:
    """Return a body whose list holds small numbers in place of objects."""
    return b'{"name": "p", "origins": [' + b"1," * random.randrange(100_000, 6_000_000) + b"1]}"


BODIES: tuple[Callable[[Random], bytes], ...] = (many_bad, one_long, deep, many_keys, many_numbers)


class LargeBody(Fault):
    """A large body that is refused: within bounds of memory and time, and the API answers others meanwhile."""

    row = 10
    what = "large body"
    kinds = (STORE,)
    hold_s = 0.5
    late_s = 0.5

    def inject(self) -> None:
        make = self.random.choice(BODIES)
        body = make(self.random)
        self._body = f"{make.__name__}, {len(body) / 1e6:.1f} MB"
        self._kib = len(body) // 1024
        self._codes: list[int | str] = []
        before_kib, peak_kib = self.rig.own_kib(SUPERVISOR), 0
        sending = threading.Thread(target=self._send, args=(body,), daemon=True)
        began_s = time.monotonic()
        sending.start()
        self._waited_s = 0.0
        while sending.is_alive() and time.monotonic() - began_s < 60.0:
            asked_s = time.monotonic()
            with self.rig.store.local as client:
                try:
                    client.get("/client/v4/accounts", timeout=10.0)
                except httpx.HTTPError as error:
                    self._codes.append(f"others: {error}")
            self._waited_s = max(self._waited_s, time.monotonic() - asked_s)
            peak_kib = max(
                peak_kib, sum(one.own_kib for one in self.rig.subject.processes() if one.role != "responder")
            )
        self._took_s = time.monotonic() - began_s
        self._grown_kib = peak_kib - before_kib - self.rig.own_kib("monitor")

    def _send(self, body: bytes) -> None:
        with self.rig.store.local as client:
            path = f"/client/v4/accounts/{client.get('/client/v4/accounts').json()['result'][0]['id']}"
            try:
                reply = client.post(f"{path}/load_balancers/pools", content=body, timeout=60.0)
                self._codes.append(reply.status_code)
            except httpx.HTTPError as error:
                self._codes.append(f"{type(error).__name__}: {error}")

    def while_held(self) -> list[Seen]:
        limit_kib = MEMORY_TIMES * self._kib + SLACK_KIB
        is_refused = self._codes in ([400], [413])
        return [
            Seen(f"{self._body} is refused", is_refused, str(self._codes)[:100]),
            took("it took", self._took_s, BODY_S),
            took("the API answered others", self._waited_s, ANSWERED_S),
            Seen(
                "memory", self._grown_kib <= limit_kib, f"{self._grown_kib // 1024} MiB (at most {limit_kib // 1024})"
            ),
        ]

    def afterwards(self) -> list[Seen]:
        return [took("the API answers", until(lambda: self._account(), 5.0), 2.0)]

    def _account(self) -> Any:
        with self.rig.store.local as client:
            return client.get("/client/v4/accounts").is_success
