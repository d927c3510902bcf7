"""Keys as files, as BIND's tools have them: `K<zone>.+<algorithm>+<tag>.key`, and `.private` in its format v1.3.

The first is a DNSKEY record for whoever publishes it, the second the private half: readable by its owner alone, and
written whole or not at all. What BIND says of times in its own is read on import: when a key was inactive, it signs
nothing. Of a key in a token (lbdns.dnssec.token) the second file says where its private half is, by `Engine` and
`Label`: both in base64, with a NUL behind. A private half is read in PEM (PKCS #8, RFC 5958) too, which Knot DNS keeps
its keys in; it has no times.
"""

from __future__ import annotations

import binascii
import contextlib
import os
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from lbdns.base.errors import LbdnsError
from lbdns.dns.codes import ALGORITHM_NAMES, ED25519, RSASHA256
from lbdns.dns.name import BadName, encode_canonical, show_absolute
from lbdns.dnssec.key import CURVES, PrivateKey, PrivateNumbers, private_key
from lbdns.dnssec.token import TokenKey, label_of
from lbdns.dnssec.zone_keys import DNSKEY_PROTOCOL, SigningKey, dnskey_rdata, signing_key

PUBLIC: Final = ".key"
PRIVATE: Final = ".private"
_FORMAT: Final = "v1.3"
_PEM: Final = "-----BEGIN "
_ENGINE: Final = b"pkcs11\0"
_FILE_BYTES_MAX: Final = 65_536
_RECORD: Final = re.compile(r"(\S+)\s+(?:[0-9]+\s+)?(?:IN\s+)?DNSKEY\s+([0-9]+)\s+([0-9]+)\s+([0-9]+)\s+(.+)", re.I)
_RSA: Final = (
    "Modulus",
    "PublicExponent",
    "PrivateExponent",
    "Prime1",
    "Prime2",
    "Exponent1",
    "Exponent2",
    "Coefficient",
)
"""Of an RSA key, in the order of BIND's files."""
_RSA_BITS_MIN: Final = 1024
_TIME: Final = "%Y%m%d%H%M%S"


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A pair of files that was read: the public key, the private one where there is one, and BIND's times, unix seconds
    by their name (`Created`, `Publish`, `Activate`, `Inactive`, `Delete`). `label`: what a private half in a token is
    called there; None for others."""

    public: SigningKey
    private: PrivateKey | None
    times_s: Mapping[str, float]
    label: str | None = None


def file_stem(apex: bytes, public: SigningKey) -> str:
    """Return what both files of a key are called, without their endings. A `/` of a name stands as `%2F`."""
    return f"K{show_absolute(apex).replace('/', '%2F')}+{public.algorithm:03}+{public.tag:05}"


def write_key(directory: Path, apex: bytes, key: PrivateKey | TokenKey, created_s: float) -> tuple[Path, Path]:
    """Write both files of a key, on the disk when this returns; returns their paths. Raises LbdnsError where they
    cannot be written, or where files of another key are called so already."""
    stem = directory / file_stem(apex, key.public)
    public, private = stem.with_name(stem.name + PUBLIC), stem.with_name(stem.name + PRIVATE)
    if private.exists() and read_key(private, apex).public != key.public:
        raise LbdnsError(f"{private}: is there already, of another key")
    write_secret(private, _private_text(key, created_s))
    write_secret(public, _public_text(apex, key.public, created_s), 0o644)
    return public, private


def write_secret(path: Path, text: str, mode: int = 0o600) -> None:
    """Put a text in place of a file's, readable by its owner alone from the first moment; it is on the disk, and so is
    its name, when this returns. Raises LbdnsError with the file as it was."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
        with open(descriptor, "w", encoding="utf-8") as out:
            os.fchmod(descriptor, mode)
            out.write(text)
            out.flush()
            os.fsync(descriptor)
        fresh.replace(path)
        sync_directory(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise LbdnsError(f"{path}: cannot be written: {error.strerror}") from error


def sync_directory(directory: Path) -> None:
    """Have on the disk what a directory's files are called; raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(directory: Path) -> None:
    """Make a directory that its owner alone can look into, where it is not there; raises LbdnsError."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise LbdnsError(f"{directory}: cannot be made: {error.strerror}") from error


def export_files(directory: Path, stems: Iterable[str], target: Path) -> list[Path]:
    """Copy the files of some keys to another directory; returns their paths there. Raises LbdnsError."""
    make_directory(target)
    copies = []
    for stem in stems:
        for ending, mode in ((PUBLIC, 0o644), (PRIVATE, 0o600)):
            copy = target / f"{stem}{ending}"
            write_secret(copy, _text(directory / copy.name), mode)
            copies.append(copy)
    return copies


def remove_key(directory: Path, apex: bytes, public: SigningKey) -> None:
    """Remove both files of a key, where they are there; raises LbdnsError."""
    stem = directory / file_stem(apex, public)
    try:
        for ending in (PRIVATE, PUBLIC):
            stem.with_name(stem.name + ending).unlink(missing_ok=True)
        sync_directory(directory)
    except OSError as error:
        raise LbdnsError(f"{stem}: cannot be removed: {error.strerror}") from error


def read_key(path: Path, apex: bytes) -> KeyFile:
    """Read a key of a zone by one of its files; where there is no `.private`, it has no private half here.

    Raises LbdnsError: what is no key, of another zone, of an algorithm that is not known, or halves that do not fit.
    """
    stem = path.with_suffix("")
    public = _read_public(stem.with_name(stem.name + PUBLIC), apex)
    private = stem.with_name(stem.name + PRIVATE)
    if not private.exists():
        return KeyFile(public, None, {})
    text = _text(private)
    fields = dict(_fields(text))
    if "Label" in fields:
        return KeyFile(public, None, _times(fields), _read_label(private, fields, public.algorithm))
    is_pem = text.lstrip().startswith(_PEM)
    numbers = _read_pem(private, text, public.algorithm) if is_pem else _read_numbers(private, fields, public.algorithm)
    key = private_key(apex, public.algorithm, public.is_entry_point, numbers)
    if key.public.dnskey[4:] != public.dnskey[4:]:
        raise LbdnsError(f"{private}: is not the private half of {stem.name}{PUBLIC}")
    return KeyFile(public, PrivateKey(public, numbers), _times(fields))


# --- the public half ---


def _public_text(apex: bytes, public: SigningKey, created_s: float) -> str:
    words = "key" if public.is_entry_point else "zone"
    name = show_absolute(apex)
    return (
        f"; This is a {words}-signing key, keyid {public.tag}, for {name}\n"
        f"; Created: {_time_text(created_s)}\n"
        f"{name} IN DNSKEY {public.flags} {DNSKEY_PROTOCOL} {public.algorithm} "
        f"{b64encode(public.dnskey[4:]).decode()}\n"
    )


def _read_public(path: Path, apex: bytes) -> SigningKey:
    lines = [line.partition(";")[0].strip() for line in _text(path).splitlines()]
    record = " ".join(line for line in lines if line and not line.startswith("$"))
    found = _RECORD.fullmatch(record.replace("(", " ").replace(")", " ").strip())
    if found is None:
        raise LbdnsError(f"{path}: is no DNSKEY record, such as dnssec-keygen writes")
    try:
        owner = encode_canonical(found[1])
        flags, protocol, algorithm = (int(text) for text in found.group(2, 3, 4))
        octets = b64decode("".join(found[5].split()), validate=True)
    except (BadName, binascii.Error, ValueError) as error:
        raise LbdnsError(f"{path}: is no DNSKEY record: {error}") from error
    if owner != apex:
        raise LbdnsError(f"{path}: is a key of {show_absolute(owner)}, not of {show_absolute(apex)}")
    if algorithm not in ALGORITHM_NAMES:
        known = ", ".join(map(str, ALGORITHM_NAMES))
        raise LbdnsError(f"{path}: has algorithm {algorithm}; zones are signed here with {known}")
    if protocol != DNSKEY_PROTOCOL or flags not in (256, 257) or not octets:
        raise LbdnsError(f"{path}: is no key that signs: its flags are {flags}, its protocol {protocol}")
    return signing_key(apex, dnskey_rdata(flags, algorithm, octets))


# --- the private half ---


def _private_text(key: PrivateKey | TokenKey, created_s: float) -> str:
    algorithm = key.public.algorithm
    lines = [f"Private-key-format: {_FORMAT}", f"Algorithm: {algorithm} ({ALGORITHM_NAMES[algorithm]})"]
    parts = _place_octets(key) if isinstance(key, TokenKey) else _number_octets(key)
    lines += [f"{name}: {b64encode(octets).decode()}" for name, octets in parts.items()]
    times = _time_text(created_s)
    return "\n".join([*lines, f"Created: {times}", f"Publish: {times}", f"Activate: {times}"]) + "\n"


def _place_octets(key: TokenKey) -> dict[str, bytes]:
    return {"Engine": _ENGINE, "Label": key.uri.encode() + b"\0"}


def _number_octets(key: PrivateKey) -> dict[str, bytes]:
    match key.numbers:
        case ec.EllipticCurvePrivateKey():
            octets = CURVES[key.public.algorithm][2]
            return {"PrivateKey": key.numbers.private_numbers().private_value.to_bytes(octets, "big")}
        case ed25519.Ed25519PrivateKey():
            return {"PrivateKey": key.numbers.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())}
        case _:
            of = key.numbers.private_numbers()
            values = (of.public_numbers.n, of.public_numbers.e, of.d, of.p, of.q, of.dmp1, of.dmq1, of.iqmp)
            return {
                name: value.to_bytes((value.bit_length() + 7) // 8, "big")
                for name, value in zip(_RSA, values, strict=True)
            }


def _fields(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if colon:
            yield name.strip(), value.strip()


def _read_label(path: Path, fields: Mapping[str, str], algorithm: int) -> str:
    if fields.get("Algorithm", "").partition(" ")[0] != str(algorithm):
        raise LbdnsError(f"{path}: has another algorithm than its public half")
    try:
        label = label_of(b64decode(fields["Label"], validate=True).rstrip(b"\0").decode())
    except ValueError:
        label = None
    if label is None:
        raise LbdnsError(f"{path}: its Label is no URI of a key in a token, such as pkcs11:token=...;object=...")
    return label


def _read_numbers(path: Path, fields: Mapping[str, str], algorithm: int) -> PrivateNumbers:
    # No message repeats anything of such a file: it is a secret.
    if not fields.get("Private-key-format", "").startswith("v1."):
        raise LbdnsError(f"{path}: is no private key in BIND's format {_FORMAT}, nor in PEM")
    if fields.get("Algorithm", "").partition(" ")[0] != str(algorithm):
        raise LbdnsError(f"{path}: has another algorithm than its public half")
    try:
        if algorithm == RSASHA256:
            return _read_rsa([int.from_bytes(b64decode(fields[name], validate=True), "big") for name in _RSA])
        octets = b64decode(fields["PrivateKey"], validate=True)
        if algorithm == ED25519:
            return ed25519.Ed25519PrivateKey.from_private_bytes(octets)
        return ec.derive_private_key(int.from_bytes(octets, "big"), CURVES[algorithm][0]())
    except KeyError as error:
        raise LbdnsError(f"{path}: has no {error.args[0]}: keys in devices are not read from files") from None
    except ValueError:
        raise LbdnsError(f"{path}: its numbers are no key of algorithm {algorithm}") from None


def _read_pem(path: Path, text: str, algorithm: int) -> PrivateNumbers:
    try:
        key = load_pem_private_key(text.encode(), None)
    except (TypeError, ValueError, UnsupportedAlgorithm):  # TypeError: it is encrypted
        raise LbdnsError(f"{path}: is no private key in PEM without a password") from None
    match key:
        case ec.EllipticCurvePrivateKey() if algorithm in CURVES and isinstance(key.curve, CURVES[algorithm][0]):
            return key
        case ed25519.Ed25519PrivateKey() if algorithm == ED25519:
            return key
        case rsa.RSAPrivateKey() if algorithm == RSASHA256 and key.key_size >= _RSA_BITS_MIN:
            return key
        case _:
            raise LbdnsError(f"{path}: its numbers are no key of algorithm {algorithm}")


def _read_rsa(values: list[int]) -> rsa.RSAPrivateKey:
    n, e, d, p, q, dmp1, dmq1, iqmp = values
    if n.bit_length() < _RSA_BITS_MIN:
        raise ValueError("too short")
    return rsa.RSAPrivateNumbers(p, q, d, dmp1, dmq1, iqmp, rsa.RSAPublicNumbers(e, n)).private_key()


def _times(fields: Mapping[str, str]) -> dict[str, float]:
    times = {}
    for name in ("Created", "Publish", "Activate", "Inactive", "Delete"):
        with contextlib.suppress(KeyError, ValueError):  # such a time is none
            times[name] = datetime.strptime(fields[name][:14], _TIME).replace(tzinfo=UTC).timestamp()
    return times


def _time_text(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime(_TIME)


def _text(path: Path) -> str:
    try:
        with path.open(encoding="ascii") as file:
            return file.read(_FILE_BYTES_MAX)
    except OSError as error:
        raise LbdnsError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise LbdnsError(f"{path}: is no text of a key") from error
