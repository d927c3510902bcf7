"""A server whose zone is signed as operators do it, and a load of questions with DO that keeps every reply."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from lbdns.processes.supervisor.control_socket import ask
from lbdns.testing import LbdnsServer
from tests.dnssec.naive_validator import Validator
from tests.processes.load import Asking

ZONE = "$TTL 300\n@ IN SOA ns hostmaster 1 7200 900 1209600 60\n@ IN NS ns\nns IN A 192.0.2.53\nmail IN A 192.0.2.25\n"
SIGNED = "example.com"
PLAIN = "example.net"
WAIT_S = 60.0
REPLY_S = 30.0  # a reply that has not come then was lost, however busy the machine is


def tree(**more: Any) -> dict[str, Any]:
    """Return a configuration of a zone that will be signed, and one that will not."""
    origins = [{"name": f"e{number}", "address": f"192.0.2.{number}"} for number in (1, 2)]
    balancers = [
        {"name": name, "default_pools": ["main"], "fallback_pool": "main"}
        for name in (f"www.{SIGNED}", f"*.apps.{SIGNED}", f"www.{PLAIN}")
    ]
    return {
        "settings": {"workers": 1},
        "zones": {SIGNED: ZONE, PLAIN: ZONE},
        "pools": {"main": {"origins": origins}},
        "load_balancers": balancers,
        **more,
    }


class SignedServer:
    """A running server, and a validator that has its keys."""

    def __init__(self, server: LbdnsServer) -> None:
        """Nothing is signed yet."""
        self.server = server
        self._validator: Validator | None = None

    def operate(self, verb: str, **arguments: Any) -> Any:
        """Have the signer do something."""
        return ask(self.server.control, "dnssec", verb=verb, **arguments)

    def sign(self) -> None:
        """Have the zone signed, and wait until it is served so."""
        self.operate("enable", zone=SIGNED)
        self.wait_for(lambda: bool(self.signatures(self.question("mail.example.com", "A"))))

    def status(self) -> dict[str, Any]:
        """Return what `lbdns status` shows."""
        return self.server.status()

    def signer_pid(self) -> int:
        """Return the signer's process id, once there is one."""
        self.wait_for(lambda: self.status()["signer"]["pid"] != 0)
        return int(self.status()["signer"]["pid"])

    def wait_for(self, holds: Callable[[], bool]) -> None:
        """Return when something holds."""
        until_s = time.monotonic() + WAIT_S
        while not holds():
            assert time.monotonic() < until_s, self.server.log[-3000:]
            time.sleep(0.02)

    def question(self, name: str, qtype: str, over_tcp: bool = False) -> dns.message.Message:
        """Return the reply to a question with DO."""
        query = dns.message.make_query(name, qtype, want_dnssec=True)
        to = dns.query.tcp if over_tcp else dns.query.udp
        return to(query, self.server.host, port=self.server.port, timeout=REPLY_S)

    @staticmethod
    def signatures(reply: dns.message.Message) -> int:
        """Return how many RRSIG records a reply has."""
        return sum(len(one) for one in (*reply.answer, *reply.authority) if one.rdtype == dns.rdatatype.RRSIG)

    def learn_keys(self) -> None:
        """Take the zone's keys as they are now."""
        keys = self.question(SIGNED, "DNSKEY")
        [dnskeys] = [one for one in keys.answer if one.rdtype == dns.rdatatype.DNSKEY]
        self._validator = Validator(SIGNED, dnskeys, int(time.time()))

    def check(self, reply: dns.message.Message, name: str, qtype: str) -> str:
        """Return what a reply proves; raises Bogus."""
        if self._validator is None:
            self.learn_keys()
        assert self._validator is not None
        return self._validator.check(reply, name, qtype)

    def proved(self, name: str, qtype: str, over_tcp: bool = False) -> str:
        """Return what the reply to a question proves; raises Bogus. What a signer has no time for is asked again."""
        replies: list[dns.message.Message] = []

        def is_answered() -> bool:
            replies.append(self.question(name, qtype, over_tcp))
            return replies[-1].rcode() != dns.rcode.SERVFAIL

        self.wait_for(is_answered)
        return self.check(replies[-1], name, qtype)


class SignedLoad(Asking):
    """Questions in turn, kept with what they were about: `replies` are (name, type, reply)."""

    def __init__(self, server: LbdnsServer, names: Callable[[int], tuple[str, str]]) -> None:
        """Ask what `names` says of the number of a question."""
        super().__init__()
        self._place = server.host, server.port
        self._names = names
        self.replies: list[tuple[str, str, dns.message.Message]] = []
        self.lost = 0

    @property
    def answered(self) -> int:
        """How many replies came."""
        return len(self.replies)

    def _run(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(REPLY_S)
            sock.connect(self._place)
            number = 0
            while not self._stop.is_set():
                number += 1
                name, qtype = self._names(number)
                query = dns.message.make_query(name, qtype, want_dnssec=True, id=number & 0xFFFF)
                sock.send(query.to_wire())
                with contextlib.suppress(TimeoutError, ConnectionRefusedError):
                    reply = dns.message.from_wire(sock.recv(4096))
                    while reply.id != query.id:
                        reply = dns.message.from_wire(sock.recv(4096))
                    self.replies.append((name, qtype, reply))
                    continue
                self.lost += 1


@contextlib.contextmanager
def signed_server(start: Callable[..., LbdnsServer], configuration: dict[str, Any] | Path) -> Iterator[SignedServer]:
    """Serve a configuration, its zone signed."""
    served = SignedServer(start(configuration))
    served.sign()
    yield served
