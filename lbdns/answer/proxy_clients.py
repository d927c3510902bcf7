"""Whom a proxy asks for, by the header before a message (dns/proxy_header.py), on the slow path and over TCP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from lbdns.answer.reply import Client
from lbdns.answer.serving_view import ServingView
from lbdns.answer.steered import halves
from lbdns.dns.proxy_header import ProxyHeader, read_proxy_header
from lbdns.steering.kernel.decide import walk
from lbdns.steering.kernel.numbers import NO_TRIE


class Proxied(NamedTuple):
    """How long the header is, PROXY_* in its place where there is none that can be read, and for whom it asks: the
    proxy itself where it says no more."""

    size: int
    client: Client


def is_proxy(view: ServingView, address: bytes) -> bool:
    """Return whether an address is a proxy's (`proxies`)."""
    if not has_proxies(view.columns):
        return False
    version = 4 if len(address) == 4 else 6
    return walk(view.steering, view.columns["proxy_trie"][0], version, *halves(address)) >> 8 != 0


def has_proxies(columns: Mapping[str, memoryview]) -> bool:
    """Return whether any address is a proxy's; `columns`: of a view."""
    tries = columns["proxy_trie"]
    return len(tries) != 0 and tries[0] != NO_TRIE


def pass_header(data: bytes | bytearray, proxy: Client) -> Proxied:
    """Read the header at the beginning of what a proxy sent."""
    header = ProxyHeader()
    size = read_proxy_header(header, memoryview(data), 0, len(data))
    if size < 0 or not header.version:
        return Proxied(size, proxy)
    whole = header.high.to_bytes(8) + header.low.to_bytes(8)
    return Proxied(size, Client(whole[:4] if header.version == 4 else whole, header.port))
