"""A certificate chain and its key in PEM files, for TLS contexts of either side: loaded, and again when they change."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from lbdns.base.errors import LbdnsError

if TYPE_CHECKING:
    import ssl

    Stamp = tuple[tuple[int, int, int] | None, ...]

CERTIFICATE_BLOCK: Final = b"CERTIFICATE"
KEY_BLOCK: Final = b"PRIVATE KEY"


class KeyPair:
    """A context's certificate chain and key; `renew` takes changed files over for new connections."""

    def __init__(self, context: ssl.SSLContext, certificate: Path, key: Path) -> None:
        """Read both files, which may be one; raises LbdnsError naming the file that is wrong."""
        self._context = context
        self._certificate = certificate
        self._key = key
        self._stamp = self._stamps()
        load_key_pair(context, certificate, key)

    def renew(self) -> bool:
        """Take changed files over; True where there were. Raises LbdnsError for those that are no good, once: what was
        there before stays in use."""
        stamp = self._stamps()
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        check_key_pair(self._certificate, self._key)
        load_key_pair(self._context, self._certificate, self._key)
        return True

    def _stamps(self) -> Stamp:
        return tuple(_stamp(path) for path in (self._certificate, self._key))


def check_key_pair(certificate: Path, key: Path) -> None:
    """Check that both files can be read and fit together; raises LbdnsError naming the file that is wrong."""
    import ssl

    load_key_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), certificate, key)


def load_key_pair(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Load a chain and its key into a context; raises LbdnsError."""
    import ssl

    for path, wanted in ((certificate, CERTIFICATE_BLOCK), (key, KEY_BLOCK)):
        try:
            text = path.read_bytes()
        except OSError as error:
            raise LbdnsError(f"{path}: cannot be read: {error.strerror}") from error
        if wanted not in text:
            raise LbdnsError(f"{path}: holds no PEM block {wanted.decode()}")
    try:
        # An encrypted key would have Python ask for its password on the terminal.
        context.load_cert_chain(certificate, key, password=_no_password)
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or str(error)
        raise LbdnsError(f"{certificate}, {key}: no certificate and key for TLS: {_spoken(reason)}") from error


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _no_password() -> str:
    raise ValueError("the key is encrypted; lbdns needs it without a password")


def _spoken(reason: str) -> str:
    return reason.replace("_", " ").lower() if reason.isupper() else reason
