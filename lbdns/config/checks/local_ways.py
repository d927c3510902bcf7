"""What the ways into virtual networks need of this machine, and whether it has that now: it may come at any time."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from typing import Final

from lbdns.model.virtual_network import Via

NAMESPACES: Final = "/run/netns"
"""Where `ip netns` keeps the namespaces that have names."""
_UNTIL: Final = "on this machine; until there is, the network is down"


def missing_here(via: Via) -> Iterator[tuple[str, str]]:
    """Yield each field of a way that names what this machine lacks, with a sentence about it."""
    if via.device is not None and not _has_interface(via.device):
        yield "device", f'there is no interface "{via.device}" {_UNTIL}'
    if via.namespace is not None:
        path = via.namespace if via.namespace.startswith("/") else f"{NAMESPACES}/{via.namespace}"
        if not os.path.exists(path):
            yield "namespace", f'there is no network namespace "{via.namespace}" {_UNTIL}'
    elif via.source is not None and not _has_address(via.source):
        yield "source", f"there is no address {via.source} {_UNTIL}"


def _has_interface(name: str) -> bool:
    try:
        socket.if_nametoindex(name)
    except OSError:
        return False
    return True


def _has_address(address: str) -> bool:
    """Tell whether a socket can be bound to an address; where none can be made at all, it is not known that not."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError as error:
        return error.errno != errno.EADDRNOTAVAIL
    return True
