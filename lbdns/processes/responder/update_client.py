"""How a responder has updates made: it asks the supervisor over a UNIX socket, and answers others meanwhile.

    asked --sent--> waits --SAID, HANDED--> the reply
              |       '--the connection ends--> sent again, as long as PATIENCE_S lasts: the same is one update
              '--nobody there--> tried again ... --> SERVFAIL where it was never sent, no reply where nobody knows

While a supervisor ends and another begins an update waits for that one; NOERROR says that it is served.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from lbdns.answer.exchange import Exchange
from lbdns.answer.reply import Answer, Transport
from lbdns.base.errors import LbdnsError
from lbdns.base.lasting_trouble import LastingTrouble
from lbdns.dns.codes import EDE_OTHER, EDE_PROHIBITED, NOERROR, REFUSED, SERVFAIL
from lbdns.dnssec.signer.signer_frames import FrameReader
from lbdns.mapped.run_directory import unix_address
from lbdns.transfer.update.update_frames import UPDATE_FRAME_BYTES_MAX, AskedFor, decode_said, encode_ask
from lbdns.transfer.update.update_section import UpdateOutcome

PATIENCE_S: Final = 10.0
"""How long an update waits for somebody who makes it, and for what he says."""
PAUSE_S: Final = 0.1
NOBODY: Final = UpdateOutcome(SERVFAIL, "nobody makes updates at the moment")

Said = UpdateOutcome | bytes

log = logging.getLogger("lbdns.processes")


class UpdateClient:
    """Asks one server, on one event loop."""

    def __init__(self, path: Callable[[], Path]) -> None:
        """Ask at the socket that is at `path` then."""
        self._path = path
        self._link: _SupervisorLink | None = None
        self._connecting = asyncio.Lock()
        self._numbers = itertools.count(1)
        self._trouble = LastingTrouble(log, "updates are made again")

    async def update(self, exchange: Exchange) -> Answer | bytes | None:
        """Return the answer to an UPDATE that its zone's access lets in, or another server's whole reply; None where
        nobody knows what became of it."""
        said = await self._ask(_asked_for(exchange), time.monotonic() + PATIENCE_S)
        if not isinstance(said, UpdateOutcome):
            return said
        ede = EDE_PROHIBITED if said.rcode == REFUSED else EDE_OTHER
        has_more = said.why and said.rcode != NOERROR
        return Answer(said.rcode, is_authoritative=False, ede=ede if has_more else None, ede_text=said.why)

    async def _ask(self, asked: AskedFor, until_s: float) -> Said | None:
        was_sent = False
        while (left_s := until_s - time.monotonic()) > 0:
            try:
                link = await self._connected()
                was_sent = True
                async with asyncio.timeout(left_s):
                    said = await link.ask(next(self._numbers) & 0xFFFF_FFFF, asked)
            except (OSError, LbdnsError) as error:  # TimeoutError is an OSError
                said_by_it = getattr(error, "strerror", None) or error
                self._trouble.begin(f"updates wait for the supervisor ({said_by_it})")
                await asyncio.sleep(PAUSE_S)
            else:
                self._trouble.end()
                return said
        return None if was_sent else NOBODY

    async def _connected(self) -> _SupervisorLink:
        async with self._connecting:
            if self._link is None or not self._link.is_open:
                sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
                try:
                    with unix_address(self._path()) as address:
                        sock.connect(address)
                    _, self._link = await asyncio.get_running_loop().create_unix_connection(_SupervisorLink, sock=sock)
                except BaseException:
                    sock.close()
                    raise
            return self._link

    def close(self) -> None:
        """Let go of the connection."""
        if self._link is not None:
            self._link.close()


def _asked_for(exchange: Exchange) -> AskedFor:
    seen = exchange.zone_at()
    client, key = exchange.client, exchange.judgement.key
    view = exchange.view.view_name(seen[1]) if seen is not None else ""
    return AskedFor(client.address, client.port, exchange.transport is Transport.TCP, key, view, exchange.datagram)


class _SupervisorLink(asyncio.Protocol):
    """One connection to a supervisor."""

    def __init__(self) -> None:
        self._reader = FrameReader(UPDATE_FRAME_BYTES_MAX)
        self._transport: asyncio.BaseTransport | None = None
        self._waiting: dict[int, asyncio.Future[Said]] = {}
        self.is_open = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = transport

    async def ask(self, number: int, asked: AskedFor) -> Said:
        """Return what is said of an update; raises OSError where the connection ends before that."""
        transport = self._transport
        if not self.is_open or not isinstance(transport, asyncio.WriteTransport):
            raise ConnectionResetError(None, "it ended")
        said: asyncio.Future[Said] = asyncio.get_running_loop().create_future()
        self._waiting[number] = said
        try:
            transport.write(encode_ask(number, asked))
            return await said
        finally:
            del self._waiting[number]

    def data_received(self, data: bytes) -> None:
        """Give each its own."""
        try:
            for frame in self._reader.take(data):
                said = self._waiting.get(frame.number)
                if said is not None and not said.done():
                    said.set_result(decode_said(frame))
        except LbdnsError as error:
            log.error("the supervisor is not heard any more: %s", error)
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell all who wait."""
        self.is_open = False
        for said in self._waiting.values():
            if not said.done():
                said.set_exception(ConnectionResetError(None, "it ended"))

    def close(self) -> None:
        """Let go of it."""
        if self._transport is not None:
            self._transport.close()
