"""An UPDATE for a zone that comes from another server: handed on to that as it came, and its reply handed back so.

The signature is the client's, over the client's octets: so not one of them is changed (RFC 2136 section 6). A primary
that cannot be reached is followed by the next; one that answers, whatever it says, has the last word.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.dns.codes import FLAG_QR, HEADER_BYTES, SERVFAIL
from lbdns.model.transfer_policy import Primary
from lbdns.transfer.update.update_section import UpdateOutcome

DATAGRAM_TRIES_S: Final = (1.0, 2.0)
"""How long each datagram waits for its reply; a client sends again by itself."""
CONNECT_S: Final = 3.0
STREAM_S: Final = 8.0
NO_PRIMARY: Final = UpdateOutcome(SERVFAIL, "no primary of the zone answers")


async def forward(message: bytes, is_tcp: bool, primaries: Sequence[Primary]) -> UpdateOutcome | bytes:
    """Return the reply of the first primary that gives one, the way the update came; raises nothing."""
    for primary in primaries:
        with contextlib.suppress(OSError, LbdnsError, TimeoutError, asyncio.IncompleteReadError):
            if is_tcp or primary.tls is not None:
                return await _by_stream(message, primary)
            return await _by_datagram(message, primary)
    return NO_PRIMARY


class _AwaitedReply(asyncio.DatagramProtocol):
    """Waits for the reply to one message."""

    def __init__(self, message: bytes) -> None:
        self._message = message
        self.reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, _peer: object) -> None:
        """Take what is the reply; anything else was sent by somebody else."""
        if is_reply(data, self._message) and not self.reply.done():
            self.reply.set_result(data)

    def error_received(self, exc: Exception) -> None:
        """Nobody is there."""
        if not self.reply.done():
            self.reply.set_exception(exc)


def is_reply(data: bytes, message: bytes) -> bool:
    """Tell whether octets are a reply to a message: its ID and opcode, and no question of their own."""
    if len(data) < HEADER_BYTES or data[:2] != message[:2]:
        return False
    return bool(int.from_bytes(data[2:4]) & FLAG_QR) and (data[2] ^ message[2]) & 0x78 == 0


async def _by_datagram(message: bytes, primary: Primary) -> bytes:
    loop = asyncio.get_running_loop()
    remote = primary.address, primary.port
    transport, protocol = await loop.create_datagram_endpoint(lambda: _AwaitedReply(message), remote_addr=remote)
    try:
        for wait_s in DATAGRAM_TRIES_S:
            transport.sendto(message)
            done, _ = await asyncio.wait((protocol.reply,), timeout=wait_s)
            if done:
                return protocol.reply.result()
        raise TimeoutError
    finally:
        protocol.reply.cancel()
        transport.close()


async def _by_stream(message: bytes, primary: Primary) -> bytes:
    context = name = None
    if primary.tls is not None:
        from lbdns.transfer.inward.primary_client import tls_context

        context, name = (
            tls_context(primary.tls.name, str(primary.tls.ca_file or "")),
            primary.tls.name or primary.address,
        )
    async with asyncio.timeout(CONNECT_S):
        reader, writer = await asyncio.open_connection(primary.address, primary.port, ssl=context, server_hostname=name)
    try:
        async with asyncio.timeout(STREAM_S):
            writer.write(len(message).to_bytes(2) + message)
            await writer.drain()
            while True:
                reply = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
                if is_reply(reply, message):
                    return reply
    finally:
        writer.close()
