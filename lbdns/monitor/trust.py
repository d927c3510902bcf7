"""Whom a TLS client of the monitor worker trusts, and what it shows of itself."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

from lbdns.base.errors import LbdnsError
from lbdns.base.key_pair import KeyPair

log = logging.getLogger("lbdns.monitor")


class CertifiedClient:
    """A client with a certificate, whose context takes renewed files over."""

    def __init__(self, context: ssl.SSLContext, certificate: Path, key: Path) -> None:
        """Read the files; raises LbdnsError naming the one that is wrong."""
        self._context = context
        self._pair = KeyPair(context, certificate, key)

    def context(self) -> ssl.SSLContext:
        """Return the context, with the files as they are now; those that are no good are told in the log, and what was
        there before stays in use."""
        try:
            self._pair.renew()
        except LbdnsError as error:
            log.error("%s; the client certificate that was read before stays in use", error)
        return self._context


def client_context(allow_insecure: bool) -> ssl.SSLContext:
    """Return a context that trusts the system's certificate authorities, or checks nothing at all.

    Loading the authorities takes tens of milliseconds.
    """
    context = ssl.create_default_context()
    if allow_insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
