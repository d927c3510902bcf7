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


Send = Callable[[bytes | None], None]
"""Sends a reply, or closes what it was to be sent by (None)."""


class PendingReply:
    """A reply that is not there yet, for the one who sends it: at once when it is there, without a round of the event
    loop in between, as updates by the hundred are answered together."""

    __slots__ = ("_is_there", "_reply", "_send")

    def __init__(self) -> None:
        """Begin without it."""
        self._is_there = False
        self._reply: bytes | None = None
        self._send: Send | None = None

    def then(self, send: Send) -> None:
        """Have it sent when it is there, which may be now."""
        if self._is_there:
            send(self._reply)
        else:
            self._send = send

    def settle(self, reply: bytes | None) -> None:
        """Take it; once."""
        self._is_there, self._reply = True, reply
        if self._send is not None:
            self._send(reply)


class LaterReply(NamedTuple):
    """A reply that comes later: as one when it is there (None: none), or message by message, from when `pending` is
    settled where that is set."""

    next_message: NextMessage | None = None
    pending: PendingReply | None = None

    def then(self, send: Send) -> None:
        """Have what is pending sent when it is there."""
        if self.pending is not None:
            self.pending.then(send)


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
        self._count = 0
        self._tasks: set[asyncio.Task[bytes | None]] = set()
        self._emptied: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        return self._count

    def has_room(self, address: bytes) -> bool:
        """Whether one more of a peer may wait."""
        return self._of[address] < PENDING_PER_ADDRESS_MAX and self._count < PENDING_MAX

    def begin(self, address: bytes, work: Coroutine[object, None, bytes | None]) -> LaterReply:
        """Return the reply that a peer gets when the work is done, which raises nothing; called on the event loop."""
        later, settle = self.wait(address)
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)

        def finish(done: asyncio.Task[bytes | None]) -> None:
            self._tasks.discard(done)
            settle(None if done.cancelled() else done.result())

        task.add_done_callback(finish)
        return later

    def wait(self, address: bytes) -> tuple[LaterReply, Send]:
        """Return the reply that a peer gets later, and what is to be called with it once, on the event loop."""
        pending = PendingReply()
        self._of[address] += 1
        self._count += 1

        def settle(reply: bytes | None) -> None:
            self._leave(address)
            pending.settle(reply)

        return LaterReply(pending=pending), settle

    def _leave(self, address: bytes) -> None:
        self._count -= 1
        self._of[address] -= 1
        if not self._of[address]:
            del self._of[address]
        if not self._count and self._emptied is not None and not self._emptied.done():
            self._emptied.set_result(None)

    async def drain(self, grace_s: float) -> None:
        """Wait until all are sent, at most so long."""
        if self._count:
            self._emptied = asyncio.get_running_loop().create_future()
            await asyncio.wait((self._emptied,), timeout=grace_s)


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
