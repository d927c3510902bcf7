"""Ways that nobody watches: for a preview, and for a probe by hand."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path

from lbdns.model.targets_document import NetworkTarget
from lbdns.monitor.ways.opener import AT_FILE, REPLY, REQUEST, Opener
from lbdns.monitor.ways.opener_client import InNamespace, OpenFailed, Opening
from lbdns.monitor.ways.proxy_way import ProxyWay
from lbdns.monitor.ways.way import Way


def lone_way(target: NetworkTarget, opening: Opening | None, resolvers: Sequence[str]) -> Way:
    """Return the way into a network; `opening`: a server's, None to enter namespaces in this process. `resolvers` look
    up a proxy's name."""
    if opening is None:
        opening = OwnOpening() if target.namespace else Opening(Path(os.devnull))
    if not target.proxy:
        return Way(target, opening)
    way = ProxyWay(target, opening)
    way.resolvers = tuple(resolvers)
    return way


class OwnOpening(Opening):
    """Enters namespaces in the thread that asks, for a process that does nothing else."""

    def __init__(self) -> None:
        super().__init__(Path(os.devnull))
        self._opener = Opener()

    async def open(self, namespace: str, family: int, kind: int, protocol: int = 0) -> InNamespace:
        """Return a socket of a namespace; raises OpenFailed."""
        request = REQUEST.pack(0, family, kind, protocol) + os.fsencode(namespace)
        reply, sock = self._opener.answer(request)
        _, failed, step, device, inode = REPLY.unpack(reply)
        if failed or sock is None:
            raise OpenFailed(failed or errno.ENOENT, step or AT_FILE)
        sock.setblocking(False)
        return InNamespace(sock, (device, inode))
