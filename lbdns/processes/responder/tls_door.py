"""DNS over TLS (RFC 7858), by which zones are transferred too (RFC 9103): TLS 1.3, protocol `dot`.

    accepted --a place among those that shake hands--> handshake --> a connection of the TCP port, as any other
                  '-- none: who has been at it for the longest, of the network that has most, gives way

The certificate is that of the view in force, read again when its files change; one that is no good is logged, and the
one before stays in use.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from lbdns.base.accepting import Taker
from lbdns.base.connection_room import ConnectionRoom, network_of
from lbdns.base.errors import LbdnsError
from lbdns.base.key_pair import load_key_pair
from lbdns.processes.responder.view_in_force import Views

HANDSHAKES_MAX: Final = 64
"""Under way in a responder."""
HANDSHAKE_S: Final = 5.0
LOOK_S: Final = 10.0
"""How often, at most, it is looked whether the files have changed."""
PROTOCOL: Final = "dot"

log = logging.getLogger("lbdns.processes")

_Stamp = tuple[tuple[str, int, int], ...]


class TlsDoor:
    """Lets connections in by TLS."""

    def __init__(self, views: Views) -> None:
        """Begin without a certificate: it is read when the first connection comes."""
        self._views = views
        self.room = ConnectionRoom(HANDSHAKES_MAX)
        self._context: ssl.SSLContext | None = None
        self._stamp: _Stamp = ()
        self._looked_s = -LOOK_S

    def taker(self, make: Callable[[], asyncio.BaseProtocol]) -> Taker:
        """Return what gives each connection a protocol of its own, behind TLS."""

        def take(sock: socket.socket, peer: object) -> None:
            context = self.context()
            handshake = _Handshake(sock)
            if context is None or not self.room.admit(handshake, network_of(peer)):
                sock.close()
                return
            handshake.begin(make, context, lambda: self.room.release(handshake))

        return take

    def context(self) -> ssl.SSLContext | None:
        """Return what TLS is made with now, None where there is no certificate that could be read."""
        files = self._views.current().tls_files
        now_s = time.monotonic()
        known = tuple(name for name, _, _ in self._stamp)
        if known == tuple(map(str, files)) and now_s - self._looked_s < LOOK_S:
            return self._context
        self._looked_s = now_s
        stamp = tuple(map(_stamp, files))
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._context = _context(*files) if files else None
            except (LbdnsError, OSError, ssl.SSLError) as error:
                told = "the certificate before it stays in use" if self._context else "no connection is let in"
                log.error("DNS over TLS: %s; %s", error, told)
        return self._context


class _Handshake:
    """A connection from when it is accepted until TLS is spoken."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._task: asyncio.Task[None] | None = None

    def begin(
        self, make: Callable[[], asyncio.BaseProtocol], context: ssl.SSLContext, release: Callable[[], None]
    ) -> None:
        """Shake hands; `release` is called when that is over."""
        self._task = asyncio.get_running_loop().create_task(self._shake(make, context))
        self._task.add_done_callback(lambda _: release())

    def abort(self) -> None:
        """Give way."""
        if self._task is not None:
            self._task.cancel()

    async def _shake(self, make: Callable[[], asyncio.BaseProtocol], context: ssl.SSLContext) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(
                make, self._sock, ssl=context, ssl_handshake_timeout=HANDSHAKE_S, ssl_shutdown_timeout=HANDSHAKE_S
            )
        except OSError as error:  # it does not speak TLS, shows no certificate, or has gone: its own affair
            log.debug("DNS over TLS: a handshake failed: %s", error)
            self._sock.close()
        except asyncio.CancelledError:
            self._sock.close()


def _context(certificate: Path, key: Path, client_ca: Path | None = None) -> ssl.SSLContext:
    """Return what TLS is made with; raises LbdnsError, OSError or SSLError where a file is no good."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols([PROTOCOL])
    load_key_pair(context, certificate, key)
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _stamp(path: Path) -> tuple[str, int, int]:
    """Return what changes where a file does."""
    try:
        found = path.stat()
    except OSError:
        return str(path), 0, 0
    return str(path), found.st_mtime_ns, found.st_ino
