"""Following the stream: what is there is read, then what the stream tells of; what was missed is read.

    READ --all that is there--> HEAR --the next sequence--> HEAR
      ^                          `- a gap, a connection made anew, LOOK_S without news -.
      '---------------------------------------------------------------------------------'

Nothing hangs on a message being heard: a look every LOOK_S finds what was not, and that the stream is another one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final, Protocol

from lbdns.fleet.bus.fleet_bus import BusError, BusSubscription, StreamFacts, StreamGone, StreamMessage
from lbdns.fleet.bus.subjects import FOLLOWED

LOOK_S: Final = 5.0
RETRY_S: Final = 0.25
_HEARD_MAX: Final = 1024
"""So many messages are held for who follows; those beyond are read from the stream later."""

TakeNews = Callable[[StreamMessage | None], None]
"""Takes what the stream tells of a new message; None: what was told meanwhile was not heard."""


class NewsBus(Protocol):
    """What following needs of a bus."""

    async def listen_to_news(self, take: TakeNews) -> BusSubscription:
        """Have news told, and each time that a connection is there anew."""
        ...

    async def stream(self) -> StreamFacts | None:
        """Return how the stream stands."""
        ...

    def read(self, subject: str, after: int = 0) -> AsyncIterator[StreamMessage]:
        """Yield what is there."""
        ...

    async def wait_connected(self, timeout_s: float) -> bool:
        """Wait until there is a connection."""
        ...


class Following:
    """One who follows, from a sequence on."""

    def __init__(self, bus: NewsBus, after: int, generation: str) -> None:
        self._bus = bus
        self._position = after
        self._generation = generation
        self._heard: asyncio.Queue[StreamMessage | None] = asyncio.Queue(_HEARD_MAX)
        self._wanted = 0
        """The newest sequence that was heard of."""

    async def messages(self) -> AsyncIterator[StreamMessage]:
        """Yield what comes; raises StreamGone."""
        subscription = await self._bus.listen_to_news(self._take)
        try:
            while True:
                is_whole = False
                try:
                    async for message in self._read():
                        yield message
                    is_whole = self._position >= self._wanted
                except StreamGone:
                    raise
                except BusError:  # whoever has the connection says so
                    await self._bus.wait_connected(LOOK_S)
                if not is_whole:
                    await asyncio.sleep(RETRY_S)
                    continue
                async for message in self._hear():
                    yield message
        finally:
            await subscription.close()

    def _take(self, message: StreamMessage | None) -> None:
        if self._heard.full():
            self._heard.get_nowait()  # a gap, which a look closes
        self._heard.put_nowait(message)

    async def _read(self) -> AsyncIterator[StreamMessage]:
        """Yield what is there behind the position."""
        facts = await self._bus.stream()
        self._check(facts)
        if facts is None or facts.last <= self._position:
            self._wanted = 0
            return
        async for message in self._bus.read(FOLLOWED, self._position):
            self._position = message.sequence
            yield message
        if self._wanted < facts.first:
            self._wanted = 0  # it was purged

    def _check(self, facts: StreamFacts | None) -> None:
        if facts is None:
            if self._generation or self._position:
                raise StreamGone("the fleet's stream is not there any more")
            return
        if self._generation and facts.generation != self._generation:
            raise StreamGone(f"the fleet's stream was made anew at {facts.generation}")
        if facts.last < self._position:
            raise StreamGone(f"the fleet's stream was put back: it ends at {facts.last}, before {self._position}")
        self._generation = facts.generation

    async def _hear(self) -> AsyncIterator[StreamMessage]:
        """Yield news while they go on where the last one ended; return when there is a look to be had."""
        while True:
            try:
                message = await asyncio.wait_for(self._heard.get(), LOOK_S)
            except TimeoutError:
                return
            if message is None:
                return
            if message.sequence == self._position + 1 and self._generation:
                self._position = message.sequence
                yield message
            elif message.sequence > self._position:
                self._wanted = max(self._wanted, message.sequence)
                return
            elif self._heard.empty():
                return  # read already; or it is of a stream that began anew
