"""How many dynamic updates a second a small zone takes from 20 clients, each served before its reply.

waits      each client sends one by UDP, waits for its reply, sends the next: as nsupdate does
pipelines  each client has 8 under way on one TCP connection, as many as the server lets a connection have

Signed (HMAC-SHA256), each sets a name of its own to another address; every TENTH reply is followed by a query for the
name, which must have the address. All messages are made and signed beforehand: it is not their making that is timed.
"""

from __future__ import annotations

import selectors
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

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

Message = tuple[bytes, str, str]
"""An UPDATE, the name that it sets, and to which address."""


def updates(bench: Bench) -> dict[str, Any]:
    """Print updates a second; return them."""
    found: dict[str, Any] = {}
    with _Updated(bench.work / "updates") as server:
        for name, client in (("waits", _wait), ("pipelines", _pipeline)):
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

    def address(self, sock: socket.socket, name: str) -> str:
        """Return the address of a name now."""
        sock.send(dns.message.make_query(name, "A").to_wire())
        reply = dns.message.from_wire(sock.recv(4096))
        return str(reply.answer[0][0]) if reply.answer else ""


def _measured(server: _Updated, name: str, client: Callable[..., None]) -> dict[str, Any]:
    messages = [list(_messages(name, number)) for number in range(CLIENTS)]
    took_ms: list[float] = []
    wrong: list[str] = []
    threads = [threading.Thread(target=client, args=(server, mine, took_ms, wrong)) for mine in messages]
    before, cpu_before_s, began_s = server.published, sum(cpu_s(server.pid)), time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lasted_s, took_cpu_s = time.monotonic() - began_s, sum(cpu_s(server.pid)) - cpu_before_s
    if wrong or len(took_ms) != CLIENTS * UPDATES:
        raise SystemExit(f"updates: {name}: {len(took_ms)} of {CLIENTS * UPDATES} answered; {wrong[:3]}")
    publications = max(server.published - before, 1)
    return {
        "a second": round(len(took_ms) / lasted_s),
        "a publication": round(len(took_ms) / publications, 1),
        "CPU us each, all processes": round(took_cpu_s / len(took_ms) * 1e6),
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
        yield made.to_wire(), f"{name}.example.com", address


def _asking(server: _Updated) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(REPLY_S)
    sock.connect(("127.0.0.1", server.port))
    return sock


def _check(server: _Updated, asking: socket.socket, reply: bytes, message: Message, wrong: list[str]) -> None:
    rcode = reply[3] & 0xF
    if rcode:
        wrong.append(f"{message[1]}: RCODE {rcode}")
    elif int.from_bytes(reply[:2]) % TENTH == 0 and (found := server.address(asking, message[1])) != message[2]:
        wrong.append(f"{message[1]} is {found}, not {message[2]}, which was acknowledged")


def _wait(server: _Updated, messages: list[Message], took_ms: list[float], wrong: list[str]) -> None:
    """Send one after the other by UDP."""
    with _asking(server) as sock, _asking(server) as asking:
        for message in messages:
            began_s = time.monotonic()
            sock.send(message[0])
            reply = sock.recv(4096)
            took_ms.append((time.monotonic() - began_s) * 1000)
            _check(server, asking, reply, message, wrong)


def _pipeline(server: _Updated, messages: list[Message], took_ms: list[float], wrong: list[str]) -> None:
    """Have UNDER_WAY under way on one TCP connection; of those of one name, only one."""
    sent_s: dict[int, float] = {}
    waiting, input_octets = list(reversed(messages)), b""
    with socket.create_connection(("127.0.0.1", server.port), REPLY_S) as sock, _asking(server) as asking:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with selectors.DefaultSelector() as selector:
            selector.register(sock, selectors.EVENT_READ)
            while waiting or sent_s:
                lot = b""
                while waiting and len(sent_s) < UNDER_WAY:
                    message = waiting.pop()[0]
                    lot += len(message).to_bytes(2) + message
                    sent_s[int.from_bytes(message[:2])] = time.monotonic()
                if lot:
                    sock.sendall(lot)
                if not selector.select(REPLY_S):
                    return
                octets = sock.recv(1 << 16)
                if not octets:
                    return
                input_octets += octets
                while len(input_octets) >= 2 and len(input_octets) >= (end := 2 + int.from_bytes(input_octets[:2])):
                    reply, input_octets = input_octets[2:end], input_octets[end:]
                    number = int.from_bytes(reply[:2])
                    took_ms.append((time.monotonic() - sent_s.pop(number)) * 1000)
                    _check(server, asking, reply, messages[number - 1], wrong)
