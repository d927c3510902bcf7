"""How many dynamic updates a second a small zone takes from 20 clients, each served before its reply.

waits      each client sends one by UDP, waits for its reply, sends the next: as nsupdate does
pipelines  each client has 8 under way on one TCP connection, as many as the server lets a connection have

Signed (HMAC-SHA256), each sets a name of its own to another address; every TENTH reply is followed by a query for the
name, which must have the address; a client sends nothing while it asks that. All messages are made and signed
beforehand, replies to queries are read afterwards, and one loop has all the clients: it is not they who are timed, and
what they take of the processor is told beside.
"""

from __future__ import annotations

import selectors
import socket
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import dns.message
import dns.tsig
import dns.update
import httpx
from measure import cpu_s, free_port

if TYPE_CHECKING:
    from bench import Bench

CLIENTS: Final = 20
UPDATES: Final = 250
"""Of each client."""
UNDER_WAY: Final = 8
TENTH: Final = 10
RECORDS: Final = 100
"""Of the zone, beside those that are updated."""
SECRET: Final = "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IQ=="
START_S: Final = 60.0
REPLY_S: Final = 30.0
GOAL: Final = 2000.0

Message = tuple[bytes, str, str, bytes]
"""An UPDATE, the name that it sets, to which address, and a query for it."""


def updates(bench: Bench) -> dict[str, Any]:
    """Print updates a second; return them."""
    found: dict[str, Any] = {}
    with _Updated(bench.work / "updates") as server:
        for name, client in (("waits", _Waiting), ("pipelines", _Pipeline)):
            found |= {f"{name}: {what}": value for what, value in _measured(server, name, client).items()}
    for what, value in found.items():
        bench.say(f"updates: {what}: {value}")
    for name in ("waits", "pipelines"):
        if found[f"{name}: a second"] < GOAL:
            bench.say(f"updates: {name}: below the goal of {GOAL:,.0f} a second")
    return found


class _Updated:
    """A server over a store with a small zone."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.port = free_port()
        self.state = folder / "state"
        self._settings = folder / "lbdns.yaml"
        self._settings.write_text(
            f'listen: ["127.0.0.1:{self.port}"]\nstate: {self.state}\napi: {{listen: "127.0.0.1:{free_port()}"}}\n'
            f'keys: [{{name: k, algorithm: hmac-sha256, secret: "{SECRET}"}}]\naccess: {{update: [{{key: k}}]}}\n'
        )
        self._log = folder / "log"

    def __enter__(self) -> _Updated:
        with self._log.open("wb") as log:
            command = [sys.executable, "-m", "lbdns", "serve", "--settings", str(self._settings)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + START_S
        while not (self.state / "api.sock").exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"updates: the server does not start:\n{self._log.read_text()}")
            time.sleep(0.05)
        transport = httpx.HTTPTransport(uds=str(self.state / "api.sock"))
        with httpx.Client(transport=transport, base_url="http://lbdns", timeout=START_S) as client:
            zone = client.post("/client/v4/zones", json={"name": "example.com"}).json()["result"]["id"]
            posts = [{"name": f"r{n}.example.com", "type": "A", "content": "192.0.2.1"} for n in range(RECORDS)]
            client.post(f"/client/v4/zones/{zone}/dns_records/batch", json={"posts": posts}).raise_for_status()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    @property
    def pid(self) -> int:
        """The supervisor's process id."""
        return self._process.pid

    @property
    def published(self) -> int:
        """How many times something was published."""
        return sum(": serving " in line for line in self._log.read_text(errors="replace").splitlines())


def _measured(server: _Updated, name: str, make: Callable[[_Updated, list[Message], _Seen], _Client]) -> dict[str, Any]:
    seen = _Seen([], [], [])
    messages = [list(_messages(name, number)) for number in range(CLIENTS)]
    clients = [make(server, mine, seen) for mine in messages]
    before, cpu_before_s, began_s = server.published, sum(cpu_s(server.pid)), time.monotonic()
    own_before_s = time.process_time()
    with selectors.DefaultSelector() as selector:
        for client in clients:
            client.begin(selector)
        while any(client.is_busy for client in clients) and (ready := selector.select(REPLY_S)):
            for key, _ in ready:
                key.data()
    lasted_s, took_cpu_s = time.monotonic() - began_s, sum(cpu_s(server.pid)) - cpu_before_s
    own_s = time.process_time() - own_before_s
    for client in clients:
        client.close()
    took_ms, wrong = seen.took_ms, [*seen.wrong, *seen.not_served()]
    if wrong or len(took_ms) != CLIENTS * UPDATES or len(seen.asked) != CLIENTS * UPDATES // TENTH:
        raise SystemExit(f"updates: {name}: {len(took_ms)} of {CLIENTS * UPDATES} answered; {wrong[:3]}")
    publications = max(server.published - before, 1)
    return {
        "a second": round(len(took_ms) / lasted_s),
        "a publication": round(len(took_ms) / publications, 1),
        "CPU us each, all processes": round(took_cpu_s / len(took_ms) * 1e6),
        "CPU us each of the clients": round(own_s / len(took_ms) * 1e6),
        "median ms": round(statistics.median(took_ms), 1),
        "slowest ms": round(max(took_ms), 1),
    }


def _messages(load: str, client: int) -> Iterator[Message]:
    key = dns.tsig.Key("k", SECRET, "hmac-sha256")
    for number in range(UPDATES):
        name = f"{load}{client}-{number % 10}"
        address = f"10.{client}.{number >> 8}.{number & 255}"
        made = dns.update.UpdateMessage("example.com", id=number + 1)
        made.replace(name, 60, "A", address)
        made.use_tsig(key)
        whole = f"{name}.example.com"
        yield made.to_wire(), whole, address, dns.message.make_query(whole, "A").to_wire()


class _Seen(NamedTuple):
    """What the clients of a load saw: how long updates took, the replies to queries for what was acknowledged, each
    with its update, and what was wrong."""

    took_ms: list[float]
    asked: list[tuple[bytes, Message]]
    wrong: list[str]

    def not_served(self) -> Iterator[str]:
        """Yield what was acknowledged and not served then."""
        for octets, (_, name, address, _) in self.asked:
            reply = dns.message.from_wire(octets)
            found = str(reply.answer[0][0]) if reply.answer else ""
            if found != address:
                yield f"{name} is {found}, not {address}, which was acknowledged"


class _Client:
    """One client: has so many updates under way, and none more while it asks for one that was acknowledged."""

    def __init__(self, server: _Updated, messages: list[Message], seen: _Seen, sock: socket.socket, most: int) -> None:
        self._messages = messages
        self._waiting = list(reversed(messages))
        self._seen, self._sock, self._most = seen, sock, most
        self._sent_s: dict[int, float] = {}
        self._asking = _datagrams(server)
        self._asked: deque[Message] = deque()

    @property
    def is_busy(self) -> bool:
        return bool(self._waiting or self._sent_s or self._asked)

    def begin(self, selector: selectors.BaseSelector) -> None:
        """Send what may be under way."""
        selector.register(self._sock, selectors.EVENT_READ, self._hear)
        selector.register(self._asking, selectors.EVENT_READ, self._hear_asked)
        self._fill()

    def _fill(self) -> None:
        lot = []
        while self._waiting and len(self._sent_s) < self._most and not self._asked:
            message = self._waiting.pop()[0]
            lot.append(message)
            self._sent_s[int.from_bytes(message[:2])] = time.monotonic()
        if lot:
            self._send(lot)

    def _hear(self) -> None:
        for reply in self._replies():
            number = int.from_bytes(reply[:2])
            self._seen.took_ms.append((time.monotonic() - self._sent_s.pop(number)) * 1000)
            message, rcode = self._messages[number - 1], reply[3] & 0xF
            if rcode:
                self._seen.wrong.append(f"{message[1]}: RCODE {rcode}")
            elif number % TENTH == 0:
                self._asked.append(message)
                self._asking.send(message[3])
        self._fill()

    def _hear_asked(self) -> None:
        self._seen.asked.append((self._asking.recv(4096), self._asked.popleft()))
        self._fill()

    def _send(self, lot: list[bytes]) -> None:
        """Send messages."""
        raise NotImplementedError

    def _replies(self) -> Iterable[bytes]:
        """Return the replies that have come."""
        raise NotImplementedError

    def close(self) -> None:
        self._sock.close()
        self._asking.close()


class _Waiting(_Client):
    """Sends one after the other by UDP."""

    def __init__(self, server: _Updated, messages: list[Message], seen: _Seen) -> None:
        super().__init__(server, messages, seen, _datagrams(server), 1)

    def _send(self, lot: list[bytes]) -> None:
        self._sock.send(lot[0])

    def _replies(self) -> Iterable[bytes]:
        return (self._sock.recv(4096),)


class _Pipeline(_Client):
    """Has UNDER_WAY under way on one TCP connection; of those of one name, only one."""

    def __init__(self, server: _Updated, messages: list[Message], seen: _Seen) -> None:
        sock = socket.create_connection(("127.0.0.1", server.port), REPLY_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().__init__(server, messages, seen, sock, UNDER_WAY)
        self._input = b""

    def _send(self, lot: list[bytes]) -> None:
        self._sock.sendall(b"".join(len(message).to_bytes(2) + message for message in lot))

    def _replies(self) -> Iterable[bytes]:
        octets = self._sock.recv(1 << 16)
        if not octets:
            raise SystemExit("updates: a connection was closed")
        self._input += octets
        while len(self._input) >= 2 and len(self._input) >= (end := 2 + int.from_bytes(self._input[:2])):
            reply, self._input = self._input[2:end], self._input[end:]
            yield reply


def _datagrams(server: _Updated) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(REPLY_S)
    sock.connect(("127.0.0.1", server.port))
    return sock
