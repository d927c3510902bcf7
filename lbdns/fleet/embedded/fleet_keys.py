"""The fleet's own certificates: a CA that the hub alone has the key of, and the hub's certificate, which comes from it.

Machines of the fleet trust this CA and nothing else, and ask for one name, whatever the hub's address. Leaves of
nats-server ask for the host that they connect to, so the addresses stand in the certificate as well.
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lbdns.base.errors import LbdnsError
from lbdns.base.whole_file import write_whole
from lbdns.model.bus_access import FLEET_SERVER_NAME

CA_DAYS: Final = 30 * 365
HUB_DAYS: Final = 10 * 365
_RENEWED: Final = datetime.timedelta(days=365)
"""A certificate that ends sooner than that is made anew when nats-server is started."""
_AHEAD: Final = datetime.timedelta(days=2)
"""Clocks of machines differ: a certificate is of some time ago."""
_ALWAYS: Final = (FLEET_SERVER_NAME, "localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """Where the hub has its keys and certificates, all in PEM."""

    folder: Path

    @property
    def ca(self) -> Path:
        """The CA's certificate."""
        return self.folder / "ca.pem"

    @property
    def ca_key(self) -> Path:
        """The CA's private key."""
        return self.folder / "ca.key"

    @property
    def hub(self) -> Path:
        """The hub's certificate."""
        return self.folder / "hub.pem"

    @property
    def hub_key(self) -> Path:
        """The hub's private key."""
        return self.folder / "hub.key"


def make_ca(files: KeyFiles, fleet_id: str, now: datetime.datetime) -> str:
    """Make the CA where there is none, and return its certificate in PEM; raises LbdnsError."""
    if files.ca.exists() and files.ca_key.exists():
        return files.ca.read_text(encoding="ascii")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"lbdns fleet {fleet_id}")])
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    made = (
        _builder(name, name, key.public_key(), now, CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write_key(files.ca_key, key)
    text = made.public_bytes(serialization.Encoding.PEM).decode()
    write_whole(files.ca, text, "the fleet's CA", is_lasting=True, is_private=True)
    return text


def make_hub_certificate(files: KeyFiles, now: datetime.datetime, hosts: Iterable[str] = ()) -> None:
    """Make the hub's certificate where there is none for these hosts, or it ends soon; raises LbdnsError.

    It goes on being for all hosts that it was for.
    """
    there = _hub_certificate(files)
    before = set() if there is None else _hosts_of(there)
    wanted = {*_ALWAYS, *hosts} | before
    if there is not None and wanted == before and there.not_valid_after_utc > now + _RENEWED:
        return
    try:
        ca = x509.load_pem_x509_certificate(files.ca.read_bytes())
        ca_key = serialization.load_pem_private_key(files.ca_key.read_bytes(), None)
    except (OSError, ValueError) as error:
        raise LbdnsError(f"{files.folder}: the fleet's CA cannot be read: {error}") from error
    if not isinstance(ca_key, ec.EllipticCurvePrivateKey):
        raise LbdnsError(f"{files.ca_key}: this is not the key that lbdns made")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, FLEET_SERVER_NAME)])
    made = (
        _builder(name, ca.subject, key.public_key(), now, HUB_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([_general_name(one) for one in sorted(wanted)]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    _write_key(files.hub_key, key)
    text = made.public_bytes(serialization.Encoding.PEM)
    write_whole(files.hub, text, "the hub's certificate", is_lasting=True, is_private=True)


def _hub_certificate(files: KeyFiles) -> x509.Certificate | None:
    """Return the hub's certificate where it is there, with its key and from the CA that is there."""
    try:
        found = x509.load_pem_x509_certificate(files.hub.read_bytes())
        key = serialization.load_pem_private_key(files.hub_key.read_bytes(), None)
        found.verify_directly_issued_by(x509.load_pem_x509_certificate(files.ca.read_bytes()))
    except (OSError, ValueError, TypeError, InvalidSignature):
        return None
    return found if found.public_key() == key.public_key() else None


def _hosts_of(certificate: x509.Certificate) -> set[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))}


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime.datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _AHEAD)
        .not_valid_after(now + datetime.timedelta(days=days))
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_whole(path, text, "a private key of the fleet", is_lasting=True, is_private=True)
