"""The supervisor's end of the channel to a process of its own (signer_channel.py says what travels on it)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from lbdns.base.errors import LbdnsError
from lbdns.dnssec.signer.signer_frames import (
    BULK,
    FRAME_BYTES_MAX,
    Frame,
    FrameReader,
    decode_signatures,
    decode_words,
    encode_bulk,
    encode_words,
)

READ_BYTES: Final = 1 << 18

log = logging.getLogger("lbdns.processes")


class WordsLink:
    """One process, from when it was started until it is gone. `is_open`: whether it is there."""

    def __init__(self, channel: socket.socket, hear: Callable[[Mapping[str, Any]], None], called: str) -> None:
        """Talk over a socket, on the running loop, with what is `called` so; `hear` is told each event."""
        self._called = called
        self._loop = asyncio.get_running_loop()
        self._channel = channel.dup()  # the process's own is closed when that ends, whoever is reading here
        self._channel.setblocking(False)
        self._hear = hear
        self._waiting: dict[int, asyncio.Future[Frame]] = {}
        self._number = 0
        self._sending = asyncio.Lock()
        self.is_open = True
        self._listening = asyncio.create_task(self._listen())

    async def ask(self, verb: str, arguments: Mapping[str, Any]) -> Any:
        """Have something done and return what comes of it; raises LbdnsError."""
        words = decode_words(
            (await self._exchange(lambda number: encode_words({"do": verb, "with": arguments}, number))).body
        )
        if "error" in words:
            raise LbdnsError(words["error"])
        return words["result"]

    async def _exchange(self, encode: Callable[[int], bytes]) -> Frame:
        self._number = self._number % 0xFFFFFFFF + 1
        number = self._number
        reply: asyncio.Future[Frame] = self._loop.create_future()
        self._waiting[number] = reply
        try:
            if not self.is_open:
                raise self._gone()
            try:
                async with self._sending:
                    await self._loop.sock_sendall(self._channel, encode(number))
            except OSError:
                raise self._gone() from None
            return await reply
        finally:
            del self._waiting[number]

    async def _listen(self) -> None:
        reader = FrameReader(FRAME_BYTES_MAX)
        try:
            while octets := await self._loop.sock_recv(self._channel, READ_BYTES):
                for frame in reader.take(octets):
                    self._take(frame)
        except (OSError, LbdnsError) as error:
            log.error("the %s is not heard any more: %s", self._called, error)
        finally:
            self._end()

    def _take(self, frame: Frame) -> None:
        if frame.number:
            reply = self._waiting.get(frame.number)
            if reply is not None and not reply.done():
                reply.set_result(frame)
            return
        self._hear(decode_words(frame.body))

    def _gone(self) -> LbdnsError:
        return LbdnsError(f"the {self._called} ended")

    def _end(self) -> None:
        self.is_open = False
        for reply in self._waiting.values():
            if not reply.done():
                reply.set_exception(self._gone())
        self._channel.close()

    async def close(self) -> None:
        """Let go of it."""
        self._listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._listening


class SignerLink(WordsLink):
    """One signer, which signs lots as well."""

    def __init__(self, channel: socket.socket, hear: Callable[[Mapping[str, Any]], None]) -> None:
        """Talk over a socket, on the running loop; `hear` is told each event."""
        super().__init__(channel, hear, "signer")

    async def sign(self, wanted: Sequence[tuple[int, bytes]]) -> list[bytes]:
        """Return signatures by the keys of these ids over these octets; raises LbdnsError."""
        frame = await self._exchange(lambda number: encode_bulk(number, wanted))
        if frame.kind == BULK:
            return decode_signatures(frame.body)
        raise LbdnsError(decode_words(frame.body)["error"])
