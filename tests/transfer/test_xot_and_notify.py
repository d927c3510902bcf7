"""Zones that come over TLS (RFC 9103), BIND being their primary; and NOTIFY that goes out."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.tsig
import pytest
import trustme

from lbdns.dns.name import encode_canonical
from lbdns.transfer.inward.primary_client import AskedPrimary, AskedTls
from lbdns.transfer.inward.worker_terms import NotifiedZone
from lbdns.transfer.zone_transfer_status import TransferState
from tests.answer.unbound import free_port
from tests.transfer.played_supervisor import ASKED_KEY, PlayedSupervisor, played_supervisor
from tests.transfer.real_primaries import BindPrimary, zone_text
from tests.transfer.transfer_records import APEX, soa_data

pytestmark = pytest.mark.process

HOST = "primary.example.net"


class BindOverTls(BindPrimary):
    """BIND, which gives its zone over TLS as well."""

    tls_port = 0

    def command(self) -> list[str]:
        """Write named.conf, with a port for TLS."""
        self.tls_port = free_port()
        command = super().command()
        settings = self.folder / "named.conf"
        tls = f'tls own {{ cert-file "{self.folder}/chain.pem"; key-file "{self.folder}/key.pem"; }};\n'
        listen = f"listen-on port {self.tls_port} tls own {{ 127.0.0.1; }};"
        settings.write_text(tls + settings.read_text().replace("recursion no;", f"recursion no;\n  {listen}"))
        return command


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlayedSupervisor]:
    """Have a worker."""
    with played_supervisor(tmp_path_factory.mktemp("state")) as supervisor:
        yield supervisor


def test_a_zone_comes_over_tls_from_whom_it_is_to_come(worker: PlayedSupervisor, tmp_path: Path) -> None:
    authority, other = trustme.CA(), trustme.CA()
    certificate = authority.issue_cert(HOST)
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    for number, blob in enumerate(certificate.cert_chain_pems):
        blob.write_to_path(tmp_path / "chain.pem", append=number > 0)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    other.cert_pem.write_to_path(tmp_path / "other.pem")
    primary = BindOverTls(tmp_path)
    zone = encode_canonical("example.com")
    try:
        primary.start(zone_text(5, "www A 192.0.2.1"))
        for tls in (
            AskedTls("another.example.net", str(tmp_path / "ca.pem")),
            AskedTls(HOST, str(tmp_path / "other.pem")),
        ):
            worker.terms({zone: (AskedPrimary("127.0.0.1", primary.tls_port, ASKED_KEY, tls),)})
            status = worker.wait(lambda status: bool(status.last_error))
            assert "TLS" in status.last_error and status.serial is None, status
        for tls in (AskedTls(HOST, str(tmp_path / "ca.pem")), AskedTls()):
            worker.terms({zone: (AskedPrimary("127.0.0.1", primary.tls_port, ASKED_KEY, tls),)})
            status = worker.wait(lambda status: status.state is TransferState.CURRENT)
            assert status.serial == 5 and status.primaries[0].tls
    finally:
        primary.stop()
        worker.terms({})


class Hearer:
    """A secondary that hears NOTIFY: it leaves out the first ones, and answers the rest with an RCODE."""

    def __init__(self, deaf: int = 0, rcode: dns.rcode.Rcode = dns.rcode.NOERROR) -> None:
        """Listen."""
        self.heard: list[dns.message.Message] = []
        self._deaf, self._rcode = deaf, rcode
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind(("127.0.0.1", 0))
        self._sock.settimeout(0.1)
        self.port = self._sock.getsockname()[1]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._hear)
        self._thread.start()

    def _hear(self) -> None:
        key = dns.tsig.Key(f"{ASKED_KEY.name}.", ASKED_KEY.secret, f"{ASKED_KEY.algorithm}.")
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                wire, peer = self._sock.recvfrom(4096)
                message = dns.message.from_wire(wire, keyring={key.name: key})
                self.heard.append(message)
                if len(self.heard) > self._deaf:
                    reply = dns.message.make_response(message)
                    reply.set_rcode(self._rcode)
                    self._sock.sendto(reply.to_wire(), peer)

    def close(self) -> None:
        """End it."""
        self._stop.set()
        self._thread.join()
        self._sock.close()


def told(worker: PlayedSupervisor, serial: int, *targets: AskedPrimary) -> None:
    """Have a worker tell of a zone's serial."""
    worker.terms({}, {APEX: NotifiedZone(APEX, soa_data(serial), targets, ())})


def test_who_is_to_be_told_is_told_again_until_he_answers(worker: PlayedSupervisor) -> None:
    hearer = Hearer(deaf=1)
    try:
        told(worker, 9, AskedPrimary("127.0.0.1", hearer.port, ASKED_KEY))
        waiting = worker.wait(lambda status: bool(status.last_error))
        assert f"127.0.0.1:{hearer.port}: no answer" in waiting.last_error
        status = worker.wait(lambda status: status.state is TransferState.CURRENT)
        assert status.notified[0].serial == 9 and not status.notified[0].problem
        assert len(hearer.heard) == 2
        for message in hearer.heard:
            assert message.opcode() == dns.opcode.NOTIFY and message.flags & dns.flags.AA and message.had_tsig
            assert message.answer[0][0].serial == 9 and message.question[0].rdtype == message.answer[0].rdtype
        told(worker, 9, AskedPrimary("127.0.0.1", hearer.port, ASKED_KEY))
        time.sleep(0.3)
        assert len(hearer.heard) == 2  # nothing is new
        told(worker, 10, AskedPrimary("127.0.0.1", hearer.port, ASKED_KEY))
        worker.wait(lambda status: bool(status.notified) and status.notified[0].serial == 10)
    finally:
        hearer.close()


def test_who_refuses_is_named(worker: PlayedSupervisor) -> None:
    hearer = Hearer(rcode=dns.rcode.REFUSED)
    try:
        told(worker, 20, AskedPrimary("127.0.0.1", hearer.port))
        status = worker.wait(lambda status: status.state is TransferState.FAILING)
        assert "REFUSED" in status.last_error and status.counts["notifies_failed"] == 1
    finally:
        hearer.close()


def test_name_servers_of_this_machine_are_not_told(worker: PlayedSupervisor) -> None:
    servers = (("ns1.example.com", ("127.0.0.1",)), ("ns2.example.com", ("::1",)))
    worker.terms({})
    worker.terms({}, {APEX: NotifiedZone(APEX, soa_data(30), (), servers)})
    status = worker.wait(lambda status: status.serial == 30 and status.state is TransferState.CURRENT)
    assert not status.notified and not status.counts.get("notifies_sent")
