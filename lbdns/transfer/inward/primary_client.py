"""Asks one primary: for the SOA of a zone, and for the zone. Whatever it answers comes to a value or a TransferError.

    ask_soa    UDP, twice; cut short or silent: TCP                      (over TLS: TLS alone)
    transfer   TCP or TLS: IXFR from what is held, or AXFR; message after message into an `Incoming`

Bounded in time: to connect, between messages, and in all; in records and octets by `Incoming`.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import ssl
import time
from collections.abc import AsyncIterator
from struct import Struct
from typing import Final, NamedTuple

from lbdns.dns.codes import (
    CLASS_IN,
    FLAG_AA,
    FLAG_TC,
    HEADER_BYTES,
    NOERROR,
    RCODE_NAMES,
    TYPE_AXFR,
    TYPE_IXFR,
    TYPE_SOA,
)
from lbdns.dns.name import show_name
from lbdns.dns.rdata.record_types import type_text
from lbdns.dns.transfer_reply import BadReply, TransferReply, read_reply
from lbdns.dns.tsig_client import BadSignature, TsigSession
from lbdns.transfer.inward.incoming import Incoming, TransferError

UDP_S: Final = 2.0
UDP_TRIES: Final = 2
CONNECT_S: Final = 10.0
IDLE_S: Final = 30.0
"""How long the next message of a transfer may take, whole."""
TRANSFER_S: Final = 7_200.0
"""How long a transfer may take."""
_HEADER: Final = Struct("!6H")
_RECORD: Final = Struct("!HHIH")
_U16: Final = Struct("!H")
_MESSAGE_MAX: Final = 65_535


class AskedKey(NamedTuple):
    """A TSIG key: name, algorithm, secret."""

    name: str
    algorithm: str
    secret: bytes

    def __repr__(self) -> str:
        return f"AskedKey({self.name!r})"


class AskedTls(NamedTuple):
    """How a primary is known over TLS: the name that its certificate is to be of, "" where it is not looked at; the
    file of certificates that it is to come from, "" for those that the system trusts."""

    name: str = ""
    ca_file: str = ""


class AskedPrimary(NamedTuple):
    """A primary: address, port, key and TLS, None for none; and whether it may be asked for differences (IXFR)."""

    address: str
    port: int
    key: AskedKey | None = None
    tls: AskedTls | None = None
    takes_ixfr: bool = True

    @property
    def shown(self) -> str:
        """Address and port, in words."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


def encode_question(message_id: int, apex: bytes, rtype: int, soa: bytes | None = None) -> bytes:
    """Return a question about a zone; `soa`: the data of the SOA that is held, for IXFR (RFC 1995 section 3)."""
    head = _HEADER.pack(message_id, 0, 1, 0, int(soa is not None), 0)
    question = apex + _U16.pack(rtype) + _U16.pack(CLASS_IN)
    if soa is None:
        return head + question
    pointer = _U16.pack(0xC000 | HEADER_BYTES)
    return head + question + pointer + _RECORD.pack(TYPE_SOA, CLASS_IN, 0, len(soa)) + soa


class _Question:
    """One question to one primary, from its signature to the last message of the reply."""

    def __init__(self, primary: AskedPrimary, apex: bytes, rtype: int, soa: bytes | None = None) -> None:
        self.id = secrets.randbelow(1 << 16)
        self.apex = apex
        self.rtype = rtype
        self._tsig = None if primary.key is None else TsigSession(*primary.key)
        question = encode_question(self.id, apex, rtype, soa)
        self.question = question if self._tsig is None else self._tsig.sign(question, int(time.time()))
        self._is_first = True

    def read(self, message: bytes) -> TransferReply:
        """Return the next message of the reply; raises TransferError."""
        try:
            reply = read_reply(message, self.id)
            if reply.rcode != NOERROR:  # who refuses may not sign that, and NSD's BADTIME has no MAC
                raise TransferError(f"the primary answers {type_text(self.rtype)} with {rcode_text(reply.rcode)}")
            if self._tsig is not None:
                self._tsig.take(message, reply.signature, int(time.time()))
        except (BadReply, BadSignature) as error:
            raise TransferError(str(error)) from None
        if reply.flags & FLAG_TC and self.rtype != TYPE_SOA:
            raise TransferError("the reply is cut short, over TCP")
        if self._is_first and reply.question is None:
            raise TransferError("the reply does not say what it is about")
        if reply.question is not None and reply.question != (self.apex, self.rtype):
            raise TransferError("the reply is about something else")
        self._is_first = False
        return reply

    def finish(self) -> None:
        """Say that this was the last message; raises TransferError where it had to be signed."""
        if self._tsig is not None:
            try:
                self._tsig.finish()
            except BadSignature as error:
                raise TransferError(str(error)) from None


def rcode_text(rcode: int) -> str:
    """Return an RCODE's name."""
    return RCODE_NAMES.get(rcode, f"RCODE {rcode}")


async def ask_soa(primary: AskedPrimary, apex: bytes) -> bytes:
    """Return the data of the SOA record that a primary has of a zone; raises TransferError."""
    if primary.tls is None:
        for _ in range(UDP_TRIES):
            asking = _Question(primary, apex, TYPE_SOA)
            try:
                reply = await _ask_datagram(primary, asking)
            except TransferError:
                break  # it may be refused over UDP alone: Knot DNS tells of a catalog over TCP
            if reply is not None:
                return _soa_of(reply, apex)
    asking = _Question(primary, apex, TYPE_SOA)
    async with _connected(primary) as (reader, writer):
        await _send(writer, asking.question)
        reply = asking.read(await _receive(reader))
        asking.finish()
        return _soa_of(reply, apex)


def _soa_of(reply: TransferReply, apex: bytes) -> bytes:
    found = [one for one in reply.answers if one.type == TYPE_SOA and one.owner == apex]
    if not reply.flags & FLAG_AA:
        raise TransferError(f"the primary is not authoritative for {show_name(apex)}")
    if len(found) != 1:
        raise TransferError(f"the primary's answer has {len(found)} SOA records of {show_name(apex)}, instead of one")
    return found[0].rdata


async def _ask_datagram(primary: AskedPrimary, asking: _Question) -> TransferReply | None:
    """Return the reply over UDP, None where none came or it was cut short; what is no reply is not listened to."""
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in primary.address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        try:
            async with asyncio.timeout(UDP_S):
                await loop.sock_connect(sock, (primary.address, primary.port))
                await loop.sock_sendall(sock, asking.question)
                while True:
                    message = await loop.sock_recv(sock, _MESSAGE_MAX)
                    if message[:2] != asking.question[:2]:
                        continue  # of another question, or a forger's: the right one may follow
                    reply = asking.read(message)
                    if reply.flags & FLAG_TC:
                        return None
                    asking.finish()
                    return reply
        except (TimeoutError, OSError):
            return None


async def transfer(primary: AskedPrimary, apex: bytes, incoming: Incoming, soa: bytes | None) -> None:
    """Have a zone sent into `incoming`; raises TransferError. `soa`: data of the one that is held, for IXFR; None: the
    whole zone is asked for."""
    asking = _Question(primary, apex, TYPE_AXFR if soa is None else TYPE_IXFR, soa)
    try:
        async with asyncio.timeout(TRANSFER_S), _connected(primary) as (reader, writer):
            await _send(writer, asking.question)
            while not incoming.is_done:
                reply = asking.read(await _receive(reader))
                if not reply.answers:
                    raise TransferError("a message of the transfer has no records")
                for record in reply.answers:
                    incoming.take(record)
                incoming.end_of_message()
                await asyncio.sleep(0)  # messages that are there already do not keep other zones waiting
            asking.finish()
    except TimeoutError:
        raise TransferError(f"the transfer is not done after {TRANSFER_S:,.0f} s") from None


@contextlib.asynccontextmanager
async def _connected(primary: AskedPrimary) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Have a connection; raises TransferError."""
    try:
        context = None if primary.tls is None else tls_context(primary.tls.name, primary.tls.ca_file)
        name = None if primary.tls is None else primary.tls.name or primary.address
        async with asyncio.timeout(CONNECT_S):
            reader, writer = await asyncio.open_connection(
                primary.address, primary.port, ssl=context, server_hostname=name, limit=_MESSAGE_MAX + 2
            )
    except TimeoutError:
        raise TransferError(f"no connection after {CONNECT_S:.0f} s") from None
    except ssl.SSLError as error:
        raise TransferError(f"TLS: {getattr(error, 'verify_message', '') or error.reason or error}") from None
    except OSError as error:
        raise TransferError(f"no connection: {error.strerror or error}") from None
    try:
        yield reader, writer
    except (ConnectionError, ssl.SSLError) as error:
        raise TransferError(f"the connection broke off: {error}") from None
    finally:
        writer.transport.abort()


def tls_context(name: str, ca_file: str) -> ssl.SSLContext:
    """Return what TLS is spoken by (RFC 9103 sections 7 and 8): 1.3, ALPN `dot`; `name` and `ca_file` as AskedTls has
    them."""
    context = ssl.create_default_context(cafile=ca_file or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["dot"])
    if not name:  # its key says who it is (RFC 9103 section 9.3.1)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def _send(writer: asyncio.StreamWriter, message: bytes) -> None:
    writer.write(_U16.pack(len(message)) + message)
    async with asyncio.timeout(IDLE_S):
        await writer.drain()


async def _receive(reader: asyncio.StreamReader) -> bytes:
    """Return the next message; raises TransferError."""
    try:
        async with asyncio.timeout(IDLE_S):
            length = _U16.unpack(await reader.readexactly(_U16.size))[0]
            return await reader.readexactly(length)
    except TimeoutError:
        raise TransferError(f"nothing more came for {IDLE_S:.0f} s") from None
    except asyncio.IncompleteReadError as error:
        when = "in the middle of a message" if error.partial else "before the transfer was whole"
        raise TransferError(f"the primary closed the connection {when}") from None
