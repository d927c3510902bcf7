"""The signer's socket for responders: who lacks a signature asks for it here, and gets it as soon as it is made.

A request says what is to be answered; the signer grants it only where the configuration answers so (foresight.py), so
that a responder that is taken over has nothing else signed. Whoever sends what is no request, or does not read its
replies, is parted with; connections are bounded.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final, cast

from lbdns.base.accepting import Acceptor, streams
from lbdns.base.clocks import elapsed_s
from lbdns.dns.name import show_name
from lbdns.dns.rdata.record_types import type_text
from lbdns.dnssec.signer.demand_signing import DemandSigning
from lbdns.dnssec.signer.foresight import Foresight, Verdict
from lbdns.dnssec.signer.signer_frames import (
    REQUEST,
    REQUEST_BYTES_MAX,
    FrameError,
    FrameReader,
    decode_request,
    encode_reply,
)
from lbdns.dnssec.unsigned import Unsigned
from lbdns.mapped.socket_file import SocketFile, listen_privately

CONNECTIONS_MAX: Final = 256
"""Responders, and those that take their place."""
BACKLOG: Final = 64
REPLIES_WAITING_BYTES: Final = 1 << 20
TELL_S: Final = 10.0
"""How often the log says at most that a request was refused, or was none."""

log = logging.getLogger("lbdns.dnssec")


class DemandPort:
    """Listens, from `open` on."""

    def __init__(
        self, signing: DemandSigning, foresight: Foresight, catch_up: Callable[[], None] = lambda: None
    ) -> None:
        """Describe it. `catch_up` is called before a request is judged: who asks may have taken up already what was
        published a moment ago."""
        self._catch_up = catch_up
        self.signing = signing
        self.foresight = foresight
        self.connections: dict[Asking, None] = {}  # the oldest first
        self._acceptor: Acceptor | None = None
        self._file: SocketFile | None = None
        self._told_at_s = -TELL_S

    def open(self, path: Path) -> None:
        """Listen at a path, in place of whoever did, unless this does already; raises LbdnsError."""
        if self._file is not None and self._file.path == path and not self._file.is_lost:
            return
        self.close()
        sock, self._file = listen_privately(path, "the signer's socket", BACKLOG)
        self._acceptor = Acceptor(sock, streams(lambda: Asking(self)), str(path), self._give_way)

    def _give_way(self) -> None:
        for one in self.connections:
            one.abort()
            return

    def close(self) -> None:
        """Stop listening, and part with all."""
        if self._acceptor is not None:
            self._acceptor.close()
            self._acceptor = None
        for one in tuple(self.connections):
            one.abort()
        if self._file is not None:
            self._file.remove()
            self._file = None

    def grant(self, wanted: Unsigned) -> tuple[bytes, ...]:
        """Return the signatures of an RRset, none where that is refused or cannot be."""
        self._catch_up()
        verdict = self.foresight.judge(wanted)
        given = self.signing.signatures(wanted, verdict)
        if given:
            self.foresight.noted(wanted)
        elif verdict is Verdict.REFUSED:
            told = "refused to sign %s records of %s for a responder: the configuration does not answer so"
            self.warn(told, type_text(wanted.rtype), show_name(wanted.owner))
        return given

    def warn(self, told: str, *what: object) -> None:
        """Tell of a responder that does what none does, now and then: it may do it as often as it likes."""
        if elapsed_s() - self._told_at_s > TELL_S:
            self._told_at_s = elapsed_s()
            log.warning(told, *what)


class Asking(asyncio.Protocol):
    """One responder's connection."""

    def __init__(self, port: DemandPort) -> None:
        """Wait to be connected."""
        self._port = port
        self._reader = FrameReader(REQUEST_BYTES_MAX)
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take it, or part with it where there are enough."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=REPLIES_WAITING_BYTES)
        if len(self._port.connections) >= CONNECTIONS_MAX:
            self._transport.abort()
            return
        self._port.connections[self] = None

    def data_received(self, data: bytes) -> None:
        """Answer what has come."""
        assert self._transport is not None
        try:
            for frame in self._reader.take(data):
                if frame.kind != REQUEST:
                    raise FrameError(f"a frame of kind {frame.kind}")
                given = [self._port.grant(wanted) for wanted in decode_request(frame.body)]
                self._transport.write(encode_reply(frame.number, given))
        except FrameError as error:
            self._port.warn("who asked for signatures is parted with: %s", error)
            self.abort()

    def pause_writing(self) -> None:
        """Part with one that does not read."""
        self.abort()

    def abort(self) -> None:
        """End it."""
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        """Forget it."""
        self._port.connections.pop(self, None)
        self._transport = None
