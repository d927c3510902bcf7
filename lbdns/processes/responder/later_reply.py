"""Replies that come later than at once, whichever way the request came: of many messages, or when something is done.

    respond --road.stream--> LaterReply(next_message)  TCP alone: one message a turn, while the client reads
            --road.update--> LaterReply(pending)       TCP and UDP: sent when it is there; others are answered meanwhile

Each peer has so many of either under way; a stream that is too many waits until another ends, a request that is too
many gets SERVFAIL.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Coroutine
from typing import Final, NamedTuple, Protocol

from lbdns.answer.exchange import Exchange
from lbdns.answer.reply import Answer
from lbdns.answer.zone_stream import ZoneNotice

STREAMS_MAX: Final = 20
"""Of a responder that are being sent; each has the snapshot that it is of, and of what the client has not read, a
message."""
STREAMS_PER_ADDRESS_MAX: Final = 5
PENDING_MAX: Final = 1000
PENDING_PER_ADDRESS_MAX: Final = 200


NextMessage = Callable[[], bytes | None]
"""Gives the next message of a stream, None after the last one."""


class LaterReply(NamedTuple):
    """A reply that comes later: as one when it is there (None: none), or message by message, from when `pending` is
    done where that is set."""

    next_message: NextMessage | None = None
    pending: asyncio.Future[bytes | None] | None = None

    def then(self, send: Callable[[bytes | None], None]) -> None:
        """Have what is pending sent when it is there."""
        if self.pending is not None:
            self.pending.add_done_callback(lambda done: send(None if done.cancelled() else done.result()))


Reply = bytes | LaterReply | None


class LaterWork(Protocol):
    """Who does what responders cannot."""

    def update(self, exchange: Exchange, seen: int, take: Callable[[Answer | bytes | None], None]) -> None:
        """Have an UPDATE made that its zone's access lets in, by who is in view number `seen`. `take` gets the answer,
        or the whole reply of somebody else; None where nobody knows what became of it. It raises nothing."""

    def notified(self, notice: ZoneNotice) -> None:
        """Take what a NOTIFY told, at once."""


class PendingReplies:
    """Replies that wait until something is done, so many of each peer."""

    def __init__(self) -> None:
        """Begin with none."""
        self._of: Counter[bytes] = Counter()
        self._pending: set[asyncio.Future[bytes | None]] = set()

    def __len__(self) -> int:
        return len(self._pending)

    def has_room(self, address: bytes) -> bool:
        """Whether one more of a peer may wait."""
        return self._of[address] < PENDING_PER_ADDRESS_MAX and len(self) < PENDING_MAX

    def begin(self, address: bytes, work: Coroutine[object, None, bytes | None]) -> LaterReply:
        """Return the reply that a peer gets when the work is done, which raises nothing; called on the event loop."""
        task = asyncio.get_running_loop().create_task(work)
        self._enter(address, task)
        task.add_done_callback(lambda done: self._leave(address, done))
        return LaterReply(pending=task)

    def wait(self, address: bytes) -> tuple[LaterReply, Callable[[bytes | None], None]]:
        """Return the reply that a peer gets later, and what is to be called with it once, on the event loop."""
        pending: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._enter(address, pending)

        def settle(reply: bytes | None) -> None:
            self._leave(address, pending)
            pending.set_result(reply)

        return LaterReply(pending=pending), settle

    def _enter(self, address: bytes, pending: asyncio.Future[bytes | None]) -> None:
        self._of[address] += 1
        self._pending.add(pending)

    def _leave(self, address: bytes, pending: asyncio.Future[bytes | None]) -> None:
        self._pending.discard(pending)
        self._of[address] -= 1
        if not self._of[address]:
            del self._of[address]

    async def drain(self, grace_s: float) -> None:
        """Wait until all are sent, at most so long."""
        if self._pending:
            await asyncio.wait(tuple(self._pending), timeout=grace_s)


class StreamRoom:
    """Which streams are being sent; those that are too many wait until one of their peer, or of all, ends."""

    def __init__(self) -> None:
        """Begin with none."""
        self._sent: Counter[bytes] = Counter()
        self._waiting: deque[tuple[bytes, Callable[[], None]]] = deque()

    def enter(self, address: bytes, begin: Callable[[], None]) -> None:
        """Have `begin` called as soon as there is room for a stream to an address: now, or when another leaves."""
        if self._has_room(address):
            self._sent[address] += 1
            begin()
        else:
            self._waiting.append((address, begin))

    def leave(self, address: bytes) -> None:
        """Count a stream out that had begun, and have the next one begin."""
        self._sent[address] -= 1
        if not self._sent[address]:
            del self._sent[address]
        for place, (other, begin) in enumerate(self._waiting):
            if self._has_room(other):
                del self._waiting[place]
                self._sent[other] += 1
                begin()
                return

    def forget(self, begin: Callable[[], None]) -> None:
        """Have what waits with this `begin` wait no longer."""
        self._waiting = deque(one for one in self._waiting if one[1] != begin)

    def _has_room(self, address: bytes) -> bool:
        return self._sent[address] < STREAMS_PER_ADDRESS_MAX and self._sent.total() < STREAMS_MAX
