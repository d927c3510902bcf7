"""Receivers of notifications on loopback: a webhook that answers as told, and a mail server with a mailbox."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP

from tests.monitor import peers


@dataclass
class Hook:
    """A webhook: what it was sent, and how it answers: the codes in `codes` first, then 200; 0 says nothing at all."""

    port: int = 0
    codes: list[int] = field(default_factory=list)
    documents: list[dict[str, Any]] = field(default_factory=list)  # of requests that were answered with 200
    heads: list[str] = field(default_factory=list)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        body = await reader.readexactly(int(fields["Content-Length"]))
        code = self.codes.pop(0) if self.codes else 200
        if code == 0:
            await asyncio.sleep(60)
        if code == 200:
            self.documents.append(json.loads(body))
        writer.write(peers.answer(code=code))
        await writer.drain()

    @contextlib.asynccontextmanager
    async def running(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[Hook]:
        async with peers.serving(self.handle, tls) as peer:
            self.port = peer.port
            yield self

    def settings(self, name: str = "hook", **more: Any) -> dict[str, Any]:
        return {"name": name, "webhook": f"http://127.0.0.1:{self.port}/in", **more}


class Mailbox:
    """A mail server's mailbox; it answers `replies` first where there are any, and takes the mail otherwise."""

    def __init__(self) -> None:
        self.port = 0
        self.replies: list[str] = []
        self.recipients: list[list[str]] = []
        self.mails: list[EmailMessage] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.replies:
            return self.replies.pop(0)
        self.recipients.append(envelope.rcpt_tos)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 taken"

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Mailbox]:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: SMTP(self, hostname="mx.example", loop=loop), "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    def settings(self, **more: Any) -> dict[str, Any]:
        to = {"email": ["ops@example.com", "night@example.com"], "from": "lbdns@example.com"}
        return {"name": "mail", **to, "smtp": f"127.0.0.1:{self.port}", **more}
