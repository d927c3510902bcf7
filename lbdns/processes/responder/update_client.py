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
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from lbdns.answer.exchange import Exchange
from lbdns.answer.reply import Answer, Transport
from lbdns.base.errors import LbdnsError
from lbdns.base.lasting_trouble import LastingTrouble
from lbdns.dns.codes import EDE_OTHER, EDE_PROHIBITED, NOERROR, REFUSED, SERVFAIL
from lbdns.dnssec.signer.signer_frames import Frame, FrameReader
from lbdns.mapped.run_directory import unix_address
from lbdns.transfer.update.update_frames import UPDATE_FRAME_BYTES_MAX, AskedFor, decode_said, encode_ask
from lbdns.transfer.update.update_section import UpdateOutcome

PATIENCE_S: Final = 10.0
"""How long an update waits for somebody who makes it, and for what he says."""
PAUSE_S: Final = 0.1
LOT: Final = 8
"""Answers that are given in one round of the event loop: a batch of updates is answered at once, and those who have
their reply may ask again while others are told."""
NOBODY: Final = UpdateOutcome(SERVFAIL, "nobody makes updates at the moment")

Said = UpdateOutcome | bytes

log = logging.getLogger("lbdns.processes")


@dataclass(slots=True)
class _UnansweredUpdate:
    """An update that somebody waits for: until when (seconds of CLOCK_MONOTONIC), who is told what is said, None where
    nobody knows what became of it; and whether it was sent to anybody."""

    asked: AskedFor
    until_s: float
    said: Callable[[Said | None], None]
    was_sent: bool = False


class UpdateClient:
    """Asks one server, on one event loop."""

    def __init__(self, path: Callable[[], Path]) -> None:
        """Ask at the socket that is at `path` then."""
        self._path = path
        self._link: _SupervisorLink | None = None
        self._connecting = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._trouble = LastingTrouble(log, "updates are made again")

    def update(self, exchange: Exchange, seen: int, take: Callable[[Answer | bytes | None], None]) -> None:
        """Have an UPDATE made that its zone's access lets in, by who is in view number `seen`. `take` gets the answer,
        or another server's whole reply; None where nobody knows what became of it. It raises nothing."""
        asked = _asked_for(exchange, seen)
        asking = _UnansweredUpdate(asked, time.monotonic() + PATIENCE_S, lambda said: take(_answer_of(said)))
        link = self._link
        if link is not None and link.is_open:  # as ever; no task is made then
            link.ask(asking)
        else:
            self._ask_later(asking, 0.0)

    def _ask_later(self, asking: _UnansweredUpdate, pause_s: float) -> None:
        task = asyncio.get_running_loop().create_task(self._ask(asking, pause_s))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(self, asking: _UnansweredUpdate, pause_s: float) -> None:
        """Ask as soon as somebody is there, unless nobody is in time."""
        await asyncio.sleep(pause_s)
        while asking.until_s > time.monotonic():
            try:
                link = await self._connected()
            except (OSError, LbdnsError) as error:
                self._trouble.begin(f"updates wait for the supervisor ({getattr(error, 'strerror', None) or error})")
                await asyncio.sleep(PAUSE_S)
            else:
                link.ask(asking)
                return
        asking.said(None if asking.was_sent else NOBODY)

    def heard(self) -> None:
        """Take it that there is somebody who makes updates."""
        self._trouble.end()

    def unheard(self, lost: Iterable[_UnansweredUpdate], why: str) -> None:
        """Ask again what a connection was to answer that it does not, for `why`; what has waited long enough is told
        so."""
        self._trouble.begin(f"updates wait for the supervisor ({why})")
        for asking in lost:
            self._ask_later(asking, PAUSE_S)

    async def _connected(self) -> _SupervisorLink:
        async with self._connecting:
            if self._link is None or not self._link.is_open:
                sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
                try:
                    with unix_address(self._path()) as address:
                        sock.connect(address)
                    loop = asyncio.get_running_loop()
                    _, self._link = await loop.create_unix_connection(lambda: _SupervisorLink(self), sock=sock)
                except BaseException:
                    sock.close()
                    raise
            return self._link

    def close(self) -> None:
        """Let go of the connection."""
        if self._link is not None:
            self._link.close()


def _asked_for(exchange: Exchange, seen: int) -> AskedFor:
    client, key, view = exchange.client, exchange.judgement.key, exchange.view.view_name(seen)
    return AskedFor(client.address, client.port, exchange.transport is Transport.TCP, key, view, exchange.datagram)


def _answer_of(said: Said | None) -> Answer | bytes | None:
    if not isinstance(said, UpdateOutcome):
        return said
    ede = EDE_PROHIBITED if said.rcode == REFUSED else EDE_OTHER
    has_more = said.why and said.rcode != NOERROR
    return Answer(said.rcode, is_authoritative=False, ede=ede if has_more else None, ede_text=said.why)


class _SupervisorLink(asyncio.Protocol):
    """One connection to a supervisor."""

    def __init__(self, client: UpdateClient) -> None:
        self._client = client
        self._loop = asyncio.get_running_loop()
        self._reader = FrameReader(UPDATE_FRAME_BYTES_MAX)
        self._transport: asyncio.Transport | None = None
        self._numbers = itertools.count(1)
        self._waiting: dict[int, _UnansweredUpdate] = {}
        self._asks: list[bytes] = []  # what goes out together
        self._heard: deque[Frame] = deque()  # what came, until its turn
        self._clock: asyncio.TimerHandle | None = None
        self.is_open = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)

    def ask(self, asking: _UnansweredUpdate) -> None:
        """Ask for an update, with those that are asked for in the same round of the event loop."""
        number = next(self._numbers) & 0xFFFF_FFFF
        self._waiting[number] = asking
        asking.was_sent = True
        if not self._asks:
            self._loop.call_soon(self._send)
        self._asks.append(encode_ask(number, asking.asked))
        if self._clock is None:
            self._clock = self._loop.call_later(asking.until_s - time.monotonic(), self._look_at_clock)

    def _send(self) -> None:
        asks, self._asks = self._asks, []
        if self._transport is not None:  # where it ended meanwhile they are asked for again
            self._transport.write(b"".join(asks))

    def _look_at_clock(self) -> None:
        """Wait no longer for what has been waited for long enough."""
        self._clock, now_s = None, time.monotonic()
        late = [number for number, asking in self._waiting.items() if asking.until_s <= now_s]
        if late:
            self._client.unheard([self._waiting.pop(number) for number in late], "it does not answer")
        if self._waiting:
            first_s = min(asking.until_s for asking in self._waiting.values())
            self._clock = self._loop.call_later(first_s - now_s, self._look_at_clock)

    def data_received(self, data: bytes) -> None:
        """Give each its own, a lot in each round of the event loop."""
        is_waiting = bool(self._heard)
        try:
            self._heard.extend(self._reader.take(data))
        except LbdnsError as error:
            self._end(error)
        else:
            self._client.heard()
            if not is_waiting:
                self._give(LOT)

    def _give(self, most: int) -> None:
        """Give so many what they wait for, and the others in the next round: what comes of these is sent meanwhile."""
        try:
            for _ in range(min(most, len(self._heard))):
                frame = self._heard.popleft()
                asking = self._waiting.pop(frame.number, None)
                if asking is not None:
                    asking.said(decode_said(frame))
        except LbdnsError as error:
            self._heard.clear()
            self._end(error)
        if self._heard:
            self._loop.call_soon(self._give, LOT)

    def _end(self, error: LbdnsError) -> None:
        log.error("the supervisor is not heard any more: %s", error)
        self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Have all that wait asked again."""
        self.is_open, self._transport = False, None
        self._give(len(self._heard))
        if self._clock is not None:
            self._clock.cancel()
        lost, self._waiting = self._waiting, {}
        if lost:
            self._client.unheard(lost.values(), getattr(exc, "strerror", None) or "it ended")

    def close(self) -> None:
        """Let go of it."""
        if self._transport is not None:
            self._transport.close()
