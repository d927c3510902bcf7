"""Updates that are not made here: of a zone that comes from another server, and at a server of files."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import dns.edns
import dns.message
import dns.query
import dns.rcode
import dns.tsig
import dns.update
import pytest

from lbdns.testing import LbdnsServer, running_server
from tests.store.served import free_port
from tests.transfer.asking_updates import adding
from tests.transfer.updated_server import SECRET

pytestmark = pytest.mark.process

FILES = "files.example"


class PlayedPrimary:
    """A primary that knows nothing but how to say YXDOMAIN to an UPDATE, in words of its own; it notes what came."""

    def __init__(self) -> None:
        self.port = free_port()
        self.heard: list[tuple[str, bytes]] = []
        self.said: list[bytes] = []
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", self.port))
        self._tcp = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._serve_udp, daemon=True).start()
        threading.Thread(target=self._serve_tcp, daemon=True).start()

    def _reply(self, how: str, message: bytes) -> bytes | None:
        if message[2] >> 3 & 0xF != 5:
            return message[:2] + b"\x84\x05" + bytes(8)  # what a transfer asks for is refused
        self.heard.append((how, message))
        self.said.append(message[:2] + b"\xa8\x06" + bytes(8) + f"the primary's own, by {how}".encode())
        return self.said[-1]

    def _serve_udp(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                message, peer = self._udp.recvfrom(4096)
                if not message:
                    return
                if reply := self._reply("UDP", message):
                    self._udp.sendto(reply, peer)

    def _serve_tcp(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._tcp.accept()
                with connection, connection.makefile("rb") as octets, contextlib.suppress(OSError):
                    message = octets.read(int.from_bytes(octets.read(2)))
                    if message and (reply := self._reply("TCP", message)):
                        connection.sendall(len(reply).to_bytes(2) + reply)

    def close(self) -> None:
        """Be gone."""
        for sock in (self._udp, self._tcp):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()


@pytest.fixture(scope="module")
def primary() -> Iterator[PlayedPrimary]:
    with contextlib.closing(PlayedPrimary()) as primary:
        yield primary


@pytest.fixture(scope="module")
def server(
    starts_processes: None, primary: PlayedPrimary, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LbdnsServer]:
    primaries = [{"address": f"127.0.0.1:{port}"} for port in (free_port(), primary.port)]
    settings = {
        "zones": {
            "example.com": {"primaries": primaries},
            "gone.example": {"primaries": [{"address": f"127.0.0.1:{free_port()}"}]},
        },
        "access": {
            "update": [
                {"network": "127.0.0.1/32"},
                {"network": "127.0.0.9/32", "names": ["_acme-challenge.*"], "types": ["TXT"]},
            ]
        },
    }
    zone = f"@ SOA ns1.{FILES}. hostmaster.{FILES}. 1 7200 900 1209600 300\n@ NS ns1\nns1 A 192.0.2.53\n"
    with running_server({"settings": settings, "zones": {FILES: zone}}, tmp_path_factory.mktemp("elsewhere")) as server:
        yield server


def sent(server: LbdnsServer, datagram: bytes, source: str = "127.0.0.1") -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((source, 0))
        sock.settimeout(20)
        sock.sendto(datagram, (server.host, server.port))
        return sock.recv(4096)


def sent_by_tcp(server: LbdnsServer, datagram: bytes) -> bytes:
    with socket.create_connection((server.host, server.port), 20) as sock, sock.makefile("rb") as octets:
        sock.sendall(len(datagram).to_bytes(2) + datagram)
        return octets.read(int.from_bytes(octets.read(2)))


def signed(key: str) -> bytes:
    made = adding("www", "A", "192.0.2.1")
    made.use_tsig(dns.tsig.Key(key, SECRET))
    return made.to_wire()


@pytest.mark.parametrize("how", ["UDP", "TCP"])
def test_an_update_of_a_secondary_zone_goes_to_its_primary_as_it_came_and_back(
    server: LbdnsServer, primary: PlayedPrimary, how: str
) -> None:
    datagram = signed("a-key-that-the-primary-alone-knows")
    reply = (sent if how == "UDP" else sent_by_tcp)(server, datagram)
    assert primary.heard[-1] == (how, datagram)
    assert reply == primary.said[-1]


def test_a_stranger_is_not_forwarded(server: LbdnsServer, primary: PlayedPrimary) -> None:
    before = len(primary.heard)
    assert sent(server, signed("unknown"), "127.0.0.7")[3] & 0xF == dns.rcode.REFUSED
    assert len(primary.heard) == before


def test_what_is_forwarded_is_bound_to_names_and_types_too(server: LbdnsServer, primary: PlayedPrimary) -> None:
    may = adding("_acme-challenge.www", "TXT", "token").to_wire()
    assert sent(server, may, "127.0.0.9") == primary.said[-1]
    before = len(primary.heard)
    whole_name = dns.update.UpdateMessage("example.com")
    whole_name.delete("_acme-challenge.www")
    for may_not in (adding("www", "TXT", "token"), adding("_acme-challenge.www", "A", "192.0.2.1"), whole_name):
        may_not.use_edns(0)
        reply = dns.message.from_wire(sent(server, may_not.to_wire(), "127.0.0.9"))
        assert reply.rcode() == dns.rcode.REFUSED
        assert any("it is not among what may be updated" in str(option) for option in reply.options)
    assert len(primary.heard) == before


def test_a_primary_that_is_not_there_is_servfail(server: LbdnsServer) -> None:
    made = dns.update.UpdateMessage("gone.example")
    made.add("www", 60, "A", "192.0.2.1")
    made.use_edns(0)
    for tcp in (False, True):
        ask = dns.query.tcp if tcp else dns.query.udp
        reply = ask(made, server.host, port=server.port, timeout=20)
        assert reply.rcode() == dns.rcode.SERVFAIL
        assert any("no primary of the zone answers" in str(option) for option in reply.options)


def test_a_server_of_files_says_why_it_takes_none(server: LbdnsServer) -> None:
    made = dns.update.UpdateMessage(FILES)
    made.add("www", 60, "A", "192.0.2.1")
    made.use_edns(0)
    reply = dns.query.udp(made, server.host, port=server.port, timeout=20)
    assert reply.rcode() == dns.rcode.REFUSED
    (ede,) = (option for option in reply.options if isinstance(option, dns.edns.EDEOption))
    assert (ede.code, ede.text) == (18, "the zones of this server come from files; they are changed there")
