"""DNS over TLS, and zones by it (RFC 7858, RFC 9103): kdig, Python, wrong and slow clients, other certificates."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dns.message
import dns.zone
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from lbdns.base.errors import ConfigError
from lbdns.config.loading import parse
from lbdns.processes.responder.tls_door import HANDSHAKES_MAX
from lbdns.testing import LbdnsServer, running_server
from tests.answer import world
from tests.answer.lanes import frame, receive
from tests.answer.packets import query

PATIENCE_S = 20.0
NAME = "ns1.example.com"
SETTINGS = {"access": {"transfer": [{"network": "127.0.0.0/8"}]}}


def write_pair(folder: Path, name: str) -> tuple[Path, Path]:
    """Write a certificate that vouches for itself, and its key; return their files."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=9))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.write_bytes(made.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate, private


class Secured:
    """A running server that speaks TLS, and its certificate."""

    def __init__(self, server: LbdnsServer, certificate: Path) -> None:
        self.server, self.certificate = server, certificate
        host, _, port = server.status()["tls"][0].rpartition(":")
        self.place = host, int(port)

    def connect(
        self, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3, pair: tuple[Path, Path] | None = None
    ) -> ssl.SSLSocket:
        """Return a connection of a client that looks at the certificate."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        context.maximum_version = newest
        context.set_alpn_protocols(["dot"])
        if pair is not None:
            context.load_cert_chain(*pair)
        sock = socket.create_connection(self.place, timeout=PATIENCE_S)
        try:
            return context.wrap_socket(sock, server_hostname=NAME)
        except BaseException:
            sock.close()
            raise


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where certificates are."""
    return tmp_path_factory.mktemp("pairs")


@pytest.fixture(scope="module")
def secured(starts_processes: None, files: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """A server with a zone that loopback may transfer, over TLS too."""
    certificate, key = write_pair(files, NAME)
    tree = {
        "zones": {"example.com": world.MAIN},
        "pools": {"one": {"origins": [{"name": "a", "address": "192.0.2.10"}]}},
        "load_balancers": [],
        "settings": {
            **SETTINGS,
            "tls": {"listen": ["127.0.0.1:0"], "certificate": str(certificate), "key": str(key)},
        },
    }
    with running_server(tree, tmp_path_factory.mktemp("tls")) as running:
        yield Secured(running, certificate)


@pytest.mark.process
def test_queries_and_zones_over_one_connection(secured: Secured) -> None:
    with secured.connect() as connection:
        assert (connection.version(), connection.selected_alpn_protocol()) == ("TLSv1.3", "dot")
        asked = (
            query("static.example.com.").wire,
            query("example.com.", "AXFR").wire,
            query("text.example.com.", "TXT").wire,
        )
        connection.sendall(frame(*asked))
        replies = [dns.message.from_wire(receive(connection) or b"") for _ in asked]
    records = sorted(len(reply.answer) for reply in replies)
    zone = dns.zone.from_text(world.MAIN, "example.com", check_origin=False)
    assert records == [1, 1, len(list(zone.iterate_rdatasets()))]


@pytest.mark.process
def test_kdig_takes_a_zone(secured: Secured) -> None:
    if shutil.which("kdig") is None:
        pytest.skip("kdig is not installed")
    host, port = secured.place
    command = ["kdig", f"@{host}", "-p", str(port), "+tls", f"+tls-ca={secured.certificate}", f"+tls-hostname={NAME}"]
    said = subprocess.run(
        [*command, "example.com", "AXFR"], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    lines = [line for line in said.stdout.splitlines() if line and not line.startswith(";")]
    found = dns.zone.from_text("\n".join(lines), "example.com", check_origin=False)
    assert found == dns.zone.from_text(world.MAIN, "example.com", check_origin=False), said.stderr


@pytest.mark.process
def test_older_tls_and_plain_dns_are_not_spoken(secured: Secured) -> None:
    with pytest.raises(ssl.SSLError):
        secured.connect(ssl.TLSVersion.TLSv1_2)
    with socket.create_connection(secured.place, timeout=PATIENCE_S) as plain:
        plain.sendall(frame(query("static.example.com.").wire))
        assert b"\6static" not in plain.recv(4096)
    with secured.connect() as connection:
        connection.sendall(frame(query("static.example.com.").wire))
        assert receive(connection)


@pytest.mark.process
def test_who_does_not_shake_hands_is_in_nobodys_way(secured: Secured) -> None:
    idle = [socket.create_connection(secured.place, timeout=PATIENCE_S) for _ in range(HANDSHAKES_MAX + 10)]
    try:
        for _ in range(3):
            with secured.connect() as connection:
                connection.sendall(frame(query("static.example.com.").wire))
                assert receive(connection)
    finally:
        for sock in idle:
            sock.close()


@pytest.mark.process
def test_a_renewed_certificate_and_a_demand_for_the_clients(secured: Secured, files: Path) -> None:
    """By a reload: the address stays, and who shows no certificate is not let in."""
    (files / "new").mkdir()
    certificate, key = write_pair(files / "new", NAME)
    pair = write_pair(files, "client")
    tls = {"listen": ["127.0.0.1:0"], "certificate": str(certificate), "key": str(key), "client_ca": str(pair[0])}
    secured.server.reload({"lbdns.yaml": json.dumps({**SETTINGS, "tls": tls})})
    deadline = time.monotonic() + PATIENCE_S
    before, secured.certificate = secured.certificate, certificate
    while True:
        try:
            with secured.connect(pair=pair) as connection:
                connection.sendall(frame(query("static.example.com.").wire))
                assert receive(connection)
            break
        except ssl.SSLError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    with contextlib.suppress(ssl.SSLError, ConnectionError), secured.connect() as connection:
        connection.sendall(frame(query("static.example.com.").wire))
        assert connection.recv(1) == b""
    assert before != certificate


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"certificate": "ns1.example.com.pem", "key": "nothing.key"}, 'there is no file "nothing.key"'),
        ({"certificate": "ns1.example.com.pem", "key": "other.key"}, "no certificate and key for TLS"),
        (
            {"certificate": "ns1.example.com.pem", "key": "ns1.example.com.key", "listen": ["127.0.0.1:53"]},
            "listed already",
        ),
        ({"certificate": "ns1.example.com.pem"}, "key"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, said: dict[str, object], told: str) -> None:
    write_pair(tmp_path, NAME)
    write_pair(tmp_path, "other")
    settings = {"listen": ["127.0.0.1:53"], "tls": said}
    with pytest.raises(ConfigError) as caught:
        parse({"zones": {"example.com": world.APEX}, "pools": {}, "load_balancers": [], "settings": settings}, tmp_path)
    assert told in str(caught.value)
