"""Whom a TLS client of the monitor worker trusts."""

from __future__ import annotations

import ssl


def client_context(allow_insecure: bool) -> ssl.SSLContext:
    """Return a context that trusts the system's certificate authorities, or checks nothing at all.

    Loading the authorities takes tens of milliseconds.
    """
    context = ssl.create_default_context()
    if allow_insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
