"""Proxies that probes go through: how one speaks to them and where they are, as operators write it."""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from lbdns.model.hostnames import parse_hostname
from lbdns.model.ip_text import parse_ip
from lbdns.model.refusal import refusal
from lbdns.model.socket_address import format_socket_address

PROXY_SCHEMES: Final = ("socks5", "http")
"""SOCKS5 (RFC 1928), and CONNECT (RFC 9110 section 9.3.6)."""


class ProxyPlace(NamedTuple):
    """A proxy: how one speaks to it, where it is, and as whom ("" without a name)."""

    scheme: str
    host: str
    port: int
    user: str = ""
    password: str = ""

    def __str__(self) -> str:
        return format_socket_address(self.host, self.port)


def parse_proxy(text: str) -> ProxyPlace:
    """Return the proxy of `socks5://[USER:PASSWORD@]HOST:PORT` or `http://...`; raise a refusal that does not repeat
    the password."""
    expected = "expected socks5://HOST:PORT or http://HOST:PORT, with USER:PASSWORD@ before the host where it asks"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise refusal(f"the proxy's address is no URL; {expected}") from None
    if parts.scheme not in PROXY_SCHEMES:
        raise refusal(f'"{parts.scheme}" is no kind of proxy; {expected}')
    if not parts.hostname or not port:
        lacking = "host" if not parts.hostname else "port"
        raise refusal(f"the proxy's address has no {lacking}; {expected}")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise refusal(f"something stands behind the proxy's port; {expected}")
    host = parts.hostname
    is_address = ":" in host or host.replace(".", "").isdigit()
    return ProxyPlace(
        parts.scheme,
        str(parse_ip(host)) if is_address else parse_hostname(host),
        port,
        unquote(parts.username or ""),
        unquote(parts.password or ""),
    )
