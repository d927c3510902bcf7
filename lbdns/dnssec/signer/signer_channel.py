"""The signer's end of the channel to its supervisor: lots to sign, and words, as signer_frames.py has them.

    --BULK n: what to sign----------------> signer --BULK n: signatures | WORDS n: {"error": why}------>
    --WORDS n: {"do": verb, "with": {}}---> signer --WORDS n: {"result": ...} | {"error": why}--------->
                                            signer --WORDS 0: {"event": kind, ...}--------------------->

Requests are worked on side by side; each is answered under its number, when it is done. `WordsChannel` is what other
processes of a supervisor have as well.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from lbdns.base.errors import LbdnsError
from lbdns.dnssec.signer.signer_frames import (
    BULK,
    FRAME_BYTES_MAX,
    Frame,
    FrameReader,
    decode_bulk,
    decode_words,
    encode_signatures,
    encode_words,
)

READ_BYTES = 1 << 18

SignMany = Callable[[Sequence[tuple[int, "bytes | memoryview"]]], Awaitable[Sequence[bytes]]]
Do = Callable[[str, Mapping[str, Any]], Awaitable[Any]]

log = logging.getLogger("lbdns.dnssec")


class WordsChannel:
    """Hears one supervisor, until it is gone, and does what its words say."""

    def __init__(self, channel: socket.socket, do: Do, called: str) -> None:
        """Do what words say by `do`, which raises LbdnsError; `called`: what this process is, in words."""
        channel.setblocking(False)
        self._channel = channel
        self._do = do
        self._called = called
        self._sending = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def hear(self) -> None:
        """Work until the supervisor is gone."""
        loop = asyncio.get_running_loop()
        reader = FrameReader(FRAME_BYTES_MAX)
        try:
            while octets := await loop.sock_recv(self._channel, READ_BYTES):
                for frame in reader.take(octets):
                    self._begin(self._answer(frame))
        except (OSError, LbdnsError) as error:
            log.error("the supervisor is not heard any more: %s", error)

    def tell(self, event: str, **more: Any) -> None:
        """Tell of an event, as soon as what was sent before has gone; nobody may be there to hear it."""
        self._begin(self._send(encode_words({"event": event, **more})))

    def _begin(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, frame: Frame) -> None:
        try:
            reply = await self._reply(frame)
        except LbdnsError as error:
            reply = encode_words({"error": str(error)}, frame.number)
        except Exception as error:
            log.exception("the %s failed on what the supervisor asked", self._called)
            reply = encode_words({"error": f"the {self._called} failed: {error!r}"}, frame.number)
        await self._send(reply)

    async def _reply(self, frame: Frame) -> bytes:
        """Return the frame that answers one; raises LbdnsError."""
        words = decode_words(frame.body)
        return encode_words({"result": await self._do(str(words["do"]), words.get("with", {}))}, frame.number)

    async def _send(self, frame: bytes) -> None:
        async with self._sending:
            try:
                await asyncio.get_running_loop().sock_sendall(self._channel, frame)
            except OSError:
                return  # it is gone: `hear` ends


class SignerChannel(WordsChannel):
    """The signer's, on which lots to sign come as well."""

    def __init__(self, channel: socket.socket, sign_many: SignMany, do: Do) -> None:
        """Sign lots by `sign_many`, and do what words say by `do`: both raise LbdnsError."""
        super().__init__(channel, do, "signer")
        self._sign_many = sign_many

    async def _reply(self, frame: Frame) -> bytes:
        if frame.kind != BULK:
            return await super()._reply(frame)
        signed = await self._sign_many(list(decode_bulk(frame.body)))
        return encode_signatures(frame.number, signed)
