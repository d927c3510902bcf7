"""A steady load of queries, as a recursive resolver's would be, that keeps every reply; and a small configuration."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any, Self

import dns.message
import dns.rdatatype

ZONE = "$TTL 300\n@ IN SOA ns hostmaster 1 7200 900 1209600 60\n@ IN NS ns\nns IN A 192.0.2.53\n"
NAME = "www.example.com"
CLIENT_SOCKETS = 8  # several source ports, so that every responder of a group gets its part
REPLY_S = 30.0  # a reply that has not come then was lost, however busy the machine is
ANSWERS_S = 60.0


def configuration(
    addresses: tuple[str, ...] = ("192.0.2.1", "192.0.2.2"), ttl: int = 30, **settings: Any
) -> dict[str, Any]:
    """Return a configuration whose load balancer `www.example.com` answers with these addresses."""
    origins = [{"name": f"e{index}", "address": address} for index, address in enumerate(addresses)]
    return {
        "settings": settings,
        "zones": {"example.com": ZONE},
        "pools": {"main": {"origins": origins}},
        "load_balancers": [{"name": NAME, "default_pools": ["main"], "fallback_pool": "main", "ttl": ttl}],
    }


class Asking:
    """Whoever asks a server all the time from a thread of its own; `_run` does until `_stop` is set."""

    def __init__(self) -> None:
        """Prepare; `start` begins."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def answered(self) -> int:
        """How many replies came."""
        raise NotImplementedError

    def _run(self) -> None:
        raise NotImplementedError

    def wait_for(self, count: int) -> None:
        """Return when so many more answers have come."""
        wanted = self.answered + count
        deadline = time.monotonic() + ANSWERS_S
        while self.answered < wanted:
            assert time.monotonic() < deadline, "no answers come"
            time.sleep(0.005)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def stop(self) -> None:
        """Stop asking and wait for the last replies."""
        self._stop.set()
        self._thread.join()

    @contextlib.contextmanager
    def kept(self, answers: int) -> Iterator[Self]:
        """Ask for a `with` block, which begins once so many answers have come."""
        self.start()
        try:
            self.wait_for(answers)
            yield self
        finally:
            self.stop()


class Load(Asking):
    """Queries one after another from several sockets until stopped; `answers` are (TTL, addresses) as they came."""

    def __init__(self, host: str, port: int, reply_s: float = REPLY_S) -> None:
        """Prepare to ask a server; a reply that has not come after `reply_s` is lost."""
        super().__init__()
        self._place = host, port
        self._reply_s = reply_s
        self._query = dns.message.make_query(NAME, "A").to_wire()[2:]
        self.answers: list[tuple[int, frozenset[str]]] = []
        self.lost = 0
        self.slowest_s = 0.0

    @property
    def answered(self) -> int:
        """How many replies came."""
        return len(self.answers)

    def _run(self) -> None:
        with contextlib.ExitStack() as opened:
            sockets = [
                opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(CLIENT_SOCKETS)
            ]
            for sock in sockets:
                sock.settimeout(self._reply_s)
                sock.connect(self._place)
            number = 0
            while not self._stop.is_set():
                number = (number + 1) % 65536
                self._ask(sockets[number % CLIENT_SOCKETS], number.to_bytes(2))

    def _ask(self, sock: socket.socket, identity: bytes) -> None:
        began = time.monotonic()
        sock.send(identity + self._query)
        try:
            reply = sock.recv(4096)
            while reply[:2] != identity:
                reply = sock.recv(4096)
        except (TimeoutError, ConnectionRefusedError):
            self.lost += 1
            return
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)
        rrset = dns.message.from_wire(reply).answer[0]
        self.answers.append((rrset.ttl, frozenset(str(rdata) for rdata in rrset)))


@contextlib.contextmanager
def load_on(host: str, port: int, reply_s: float = REPLY_S) -> Iterator[Load]:
    """Keep a load on a server for a `with` block; it runs when the block begins and is over when the block ends."""
    with Load(host, port, reply_s).kept(10) as load:
        yield load
