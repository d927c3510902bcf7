"""A steady load of queries, as a recursive resolver's would be, that keeps every reply; and a small configuration."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import dns.message
import dns.rdatatype

ZONE = "$TTL 300\n@ IN SOA ns hostmaster 1 7200 900 1209600 60\n@ IN NS ns\nns IN A 192.0.2.53\n"
NAME = "www.example.com"
CLIENT_SOCKETS = 8  # several source ports, so that every responder of a group gets its part
REPLY_S = 3.0


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


class Load:
    """Queries one after another from several sockets until stopped; `answers` are (TTL, addresses) as they came."""

    def __init__(self, host: str, port: int) -> None:
        """Prepare to ask a server."""
        self._query = dns.message.make_query(NAME, "A").to_wire()[2:]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(host, port), daemon=True)
        self.answers: list[tuple[int, frozenset[str]]] = []
        self.lost = 0
        self.slowest_s = 0.0

    def _run(self, host: str, port: int) -> None:
        with contextlib.ExitStack() as opened:
            sockets = [
                opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(CLIENT_SOCKETS)
            ]
            for sock in sockets:
                sock.settimeout(REPLY_S)
                sock.connect((host, port))
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

    def wait_for(self, count: int) -> None:
        """Return when so many more answers have come."""
        wanted = len(self.answers) + count
        deadline = time.monotonic() + 20
        while len(self.answers) < wanted:
            assert time.monotonic() < deadline, "the load gets no answers"
            time.sleep(0.01)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def stop(self) -> None:
        """Stop asking and wait for the last reply."""
        self._stop.set()
        self._thread.join()


@contextlib.contextmanager
def load_on(host: str, port: int) -> Iterator[Load]:
    """Keep a load on a server for a `with` block; it runs when the block begins and is over when the block ends."""
    load = Load(host, port)
    load.start()
    try:
        load.wait_for(10)
        yield load
    finally:
        load.stop()
