"""What can be wrong with the way into a virtual network, in words; the table keeps the index, never the text.

The order is part of the table's format: append, never insert.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from lbdns.base.words import Health
from lbdns.health.identity import identity

WAY_UP: Final = 1
WAY_DOWN: Final = 2  # 0: unknown
WAY_WORDS: Final = (Health.UNKNOWN, Health.UP, Health.DOWN)


class WayFault(IntEnum):
    """One fault; the value is the byte kept in the table."""

    NONE = 0
    DEVICE_GONE = 1
    DEVICE_DOWN = 2
    NO_CARRIER = 3
    NAMESPACE_GONE = 4
    NAMESPACE_CLOSED = 5
    NO_OPENER = 6
    SOURCE_GONE = 7
    NO_ROUTE = 8
    PROXY_REFUSES = 9
    PROXY_SILENT = 10
    PROXY_UNREACHABLE = 11
    PROXY_UNKNOWN = 12
    PROXY_DENIES = 13
    PROXY_INVALID = 14
    BIND_DENIED = 15
    UNSTEADY = 16


_TEXTS: Final = {
    WayFault.DEVICE_GONE: "interface {device} is not there",
    WayFault.DEVICE_DOWN: "interface {device} is down",
    WayFault.NO_CARRIER: "interface {device} has no carrier",
    WayFault.NAMESPACE_GONE: "namespace {namespace} is not there",
    WayFault.NAMESPACE_CLOSED: "namespace {namespace} may not be entered: that takes CAP_SYS_ADMIN, which a server "
    "keeps that root starts with a namespace in its configuration; after adding the first one, start it anew",
    WayFault.NO_OPENER: "namespace {namespace} cannot be entered: the process that does so is not there",
    WayFault.SOURCE_GONE: "address {source} is not there",
    WayFault.NO_ROUTE: "no route",
    WayFault.PROXY_REFUSES: "proxy {proxy} refuses",
    WayFault.PROXY_SILENT: "proxy {proxy} does not answer",
    WayFault.PROXY_UNREACHABLE: "proxy {proxy} cannot be reached",
    WayFault.PROXY_UNKNOWN: "proxy {proxy} has no address",
    WayFault.PROXY_DENIES: "proxy {proxy} takes no such user and password",
    WayFault.PROXY_INVALID: "proxy {proxy} does not speak as its scheme says",
    WayFault.BIND_DENIED: "interface {device} may not be bound to",
    WayFault.UNSTEADY: "it goes up and down",
}


def fault_text(fault: int, device: str = "", namespace: str = "", source: str = "", proxy: str = "") -> str:
    """Return a fault in words, with what is at fault; `proxy` is HOST:PORT. One of a newer release reads "a fault"."""
    if not fault:
        return ""
    told = _TEXTS.get(WayFault(fault)) if fault in WayFault.__members__.values() else None
    if told is None:
        return "a fault"
    return told.format(device=device, namespace=namespace, source=source, proxy=proxy)


def down_text(name: str, why: str) -> str:
    """Return what is said of a network that is down, and of each endpoint behind it."""
    return f"Virtual network {name} is down: {why}"


def way_identity(name: str, source: str | None, device: str | None, namespace: str | None, proxy: str | None) -> int:
    """Return 64 bits that name a network and the way into it, not 0: of one way another says nothing."""
    return identity(f"virtual network {name}", "\0".join([source or "", device or "", namespace or ""]), proxy or "")
