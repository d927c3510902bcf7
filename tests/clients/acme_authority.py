"""A certificate authority for tests: as much of ACME (RFC 8555) as clients need for a DNS challenge.

What it does in earnest is what this is for: it believes in a challenge where the name's TXT record, asked of the server
under test, says so (RFC 8555 section 8.4). It takes every signature as good.

Runs as a program, `python -m tests.clients.acme_authority NAME_SERVER PORT CERTIFICATE KEY HOST`: prints `NAME VALUES`
for each challenge, and serves until it is ended.
"""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import dns.message
import dns.query
import dns.rdatatype
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

THUMBPRINT_MEMBERS = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y")}
"""Which members of a key its thumbprint is made of (RFC 7638)."""

LIFE = timedelta(days=90)
QUERY_S = 5.0
NEW = -1  # the number of what is asked for and not there yet
Reply = tuple[int, Any, dict[str, str]]


def unpadded(data: bytes) -> str:
    """Return base64url without padding, as ACME says bytes."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def padded(text: str) -> bytes:
    """Return the bytes of such a text."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def thumbprint(key: dict[str, str]) -> str:
    """Return the thumbprint of an account's key (RFC 7638)."""
    members = {name: key[name] for name in THUMBPRINT_MEMBERS[key["kty"]]}
    text = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return unpadded(hashlib.sha256(text.encode()).digest())


@dataclass
class Authorization:
    """The question whether an account may have certificates for a name."""

    domain: str
    wildcard: bool
    token: str
    thumbprint: str
    status: str = "pending"

    @property
    def expected(self) -> str:
        """The value that the TXT record must have."""
        return unpadded(hashlib.sha256(f"{self.token}.{self.thumbprint}".encode()).digest())


@dataclass
class Order:
    """A certificate that an account asked for."""

    names: list[str]
    authorizations: list[int]
    certificate: str = ""


@dataclass
class Authority:
    """Accounts, orders and authorizations, each found by its number; and the key that signs."""

    name_server: str
    base: str
    keys: list[dict[str, str]] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    authorizations: list[Authorization] = field(default_factory=list)
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    name: x509.Name = field(default_factory=lambda: x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test CA")]))

    def directory(self) -> dict[str, Any]:
        """Return where everything is."""
        paths = {"newNonce": "nonce", "newAccount": "account", "newOrder": "order", "revokeCert": "revoke"}
        return {**{name: f"{self.base}/{path}" for name, path in paths.items()}, "keyChange": f"{self.base}/key"}

    def account(self, _number: int, protected: dict[str, Any], _payload: dict[str, Any]) -> Reply:
        """Take a new account."""
        self.keys.append(protected["jwk"])
        location = f"{self.base}/account/{len(self.keys) - 1}"
        return 201, {"status": "valid", "contact": [], "orders": f"{location}/orders"}, {"Location": location}

    def order(self, number: int, protected: dict[str, Any], payload: dict[str, Any]) -> Reply:
        """Take a new order, or show one."""
        if number != NEW:
            return 200, self._shown(number), {"Location": f"{self.base}/order/{number}"}
        account = thumbprint(self.keys[int(protected["kid"].rpartition("/")[2])])
        names = [one["value"] for one in payload["identifiers"]]
        order = Order(names, [])
        for name in names:
            order.authorizations.append(len(self.authorizations))
            token = unpadded(hashlib.sha256(f"{len(self.authorizations)}".encode()).digest())
            wildcard = name.startswith("*.")
            self.authorizations.append(Authorization(name.removeprefix("*."), wildcard, token, account))
        self.orders.append(order)
        number = len(self.orders) - 1
        return 201, self._shown(number), {"Location": f"{self.base}/order/{number}"}

    def _shown(self, number: int) -> dict[str, Any]:
        order = self.orders[number]
        states = {self.authorizations[index].status for index in order.authorizations}
        status = "valid" if order.certificate else "ready" if states == {"valid"} else min(states)
        shown = {
            "status": status,
            "identifiers": [{"type": "dns", "value": name} for name in order.names],
            "authorizations": [f"{self.base}/authorization/{index}" for index in order.authorizations],
            "finalize": f"{self.base}/finalize/{number}",
        }
        return {**shown, "certificate": f"{self.base}/certificate/{number}"} if order.certificate else shown

    def authorization(self, number: int, _protected: dict[str, Any], _payload: dict[str, Any]) -> Reply:
        """Show an authorization with its one challenge."""
        one = self.authorizations[number]
        identifier = {"type": "dns", "value": one.domain}
        shown = {"identifier": identifier, "status": one.status, "challenges": [self._challenge(number)]}
        return 200, {**shown, "wildcard": True} if one.wildcard else shown, {}

    def _challenge(self, number: int) -> dict[str, Any]:
        one = self.authorizations[number]
        return {
            "type": "dns-01",
            "url": f"{self.base}/challenge/{number}",
            "token": one.token,
            "status": one.status,
            **(
                {"error": {"type": "urn:ietf:params:acme:error:dns", "detail": "no"}} if one.status == "invalid" else {}
            ),
        }

    def challenge(self, number: int, _protected: dict[str, Any], _payload: dict[str, Any]) -> Reply:
        """Look whether the record is there."""
        one = self.authorizations[number]
        query = dns.message.make_query(f"_acme-challenge.{one.domain}", "TXT")
        reply = dns.query.udp(query, self.name_server, timeout=QUERY_S)
        found = [rrset for rrset in reply.answer if rrset.rdtype == dns.rdatatype.TXT]
        values = sorted(b"".join(record.strings).decode() for rrset in found for record in rrset)
        print(one.domain, *values, flush=True)
        one.status = "valid" if one.expected in values else "invalid"
        return 200, self._challenge(number), {"Link": f'<{self.base}/authorization/{number}>;rel="up"'}

    def finalize(self, number: int, _protected: dict[str, Any], payload: dict[str, Any]) -> Reply:
        """Sign what was asked for."""
        request = x509.load_der_x509_csr(padded(payload["csr"]))
        now = datetime.now(UTC)
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        issued = (
            x509.CertificateBuilder()
            .subject_name(request.subject)
            .issuer_name(self.name)
            .public_key(request.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + LIFE)
            .add_extension(names.value, critical=False)
            .sign(self.key, hashes.SHA256())
        )
        self.orders[number].certificate = issued.public_bytes(serialization.Encoding.PEM).decode() + self._own()
        return 200, self._shown(number), {"Location": f"{self.base}/order/{number}"}

    def _own(self) -> str:
        """Return the authority's own certificate."""
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(self.name)
            .public_key(self.key.public_key())
            .serial_number(1)
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self.key, hashes.SHA256())
        )
        return made.public_bytes(serialization.Encoding.PEM).decode()

    def certificate(self, number: int, _protected: dict[str, Any], _payload: dict[str, Any]) -> Reply:
        """Hand out a certificate and its issuer's."""
        return 200, self.orders[number].certificate, {"Content-Type": "application/pem-certificate-chain"}


DOES: dict[str, Callable[[Authority, int, dict[str, Any], dict[str, Any]], Reply]] = {
    "account": Authority.account,
    "order": Authority.order,
    "authorization": Authority.authorization,
    "challenge": Authority.challenge,
    "finalize": Authority.finalize,
    "certificate": Authority.certificate,
}
"""What a signed request for a path does: the number in it, what the signature protects, what is said."""


class AcmeHandler(BaseHTTPRequestHandler):
    """HTTP in front of the authority."""

    authority: Authority
    nonces = 0

    def do_HEAD(self) -> None:
        """Give a nonce."""
        self._send(200, "", {})

    def do_GET(self) -> None:
        """Give the directory, or a nonce."""
        if self.path == "/directory":
            self._send(200, self.authority.directory(), {})
        else:
            self._send(204, "", {})

    def do_POST(self) -> None:
        """Answer a signed request."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        protected = json.loads(padded(body["protected"]))
        payload = json.loads(padded(body["payload"]) or b"{}")
        _, kind, *number = self.path.split("/")
        self._send(*DOES[kind](self.authority, int(number[0]) if number else NEW, protected, payload))

    def _send(self, status: int, body: Any, headers: dict[str, str]) -> None:
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        AcmeHandler.nonces += 1
        self.send_response(status)
        own = {"Content-Type": "application/json", "Replay-Nonce": unpadded(f"nonce {self.nonces}".encode())}
        for name, value in {**own, "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def main() -> None:
    """Serve."""
    name_server, port, certificate, key, host = sys.argv[1:]
    AcmeHandler.authority = Authority(name_server, f"https://{host}:{port}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with ThreadingHTTPServer(("127.0.0.1", int(port)), AcmeHandler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        print("ready", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
