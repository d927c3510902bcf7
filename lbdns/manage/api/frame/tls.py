"""TLS for the API: a certificate chain and its key, read again when their files change."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path
from typing import Final

from lbdns.base.errors import LbdnsError

LOOK_S: Final = 60.0
"""How often to look whether the files have changed."""

log = logging.getLogger("lbdns.api")


class Certificate:
    """A certificate chain and its key, in PEM files. `context` takes a renewed one over for new connections."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Read both; raises LbdnsError naming the file that is wrong."""
        self._certificate = certificate
        self._key = key
        self._stamp = self._stamps()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        _load(self.context, certificate, key)

    async def keep_renewed(self) -> None:
        """Look at the files every LOOK_S seconds, for ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            await asyncio.to_thread(self.renew)

    def renew(self) -> None:
        """Take changed files over. What is no good is logged, and what was there before stays."""
        stamp = self._stamps()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            _load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), self._certificate, self._key)
            _load(self.context, self._certificate, self._key)
        except LbdnsError as error:
            log.error("%s; the certificate that was read before stays in use", error)
        else:
            log.info("the API's certificate is read again from %s", self._certificate)

    def _stamps(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(_stamp(path) for path in (self._certificate, self._key))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _load(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Load a chain and its key into a context; raises LbdnsError."""
    for path, wanted in ((certificate, b"CERTIFICATE"), (key, b"PRIVATE KEY")):
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


def _no_password() -> str:
    raise ValueError("the key is encrypted; lbdns needs it without a password")


def _spoken(reason: str) -> str:
    return reason.replace("_", " ").lower() if reason.isupper() else reason
