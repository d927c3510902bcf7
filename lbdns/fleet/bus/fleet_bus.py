"""What the fleet needs of a bus: messages to whoever listens, questions, and one stream that is appended to by
compare-and-set. Subjects stand without the fleet's prefix, `lbdns.<fleet id>.`.

An append has one of four ends, and the caller has to tell them apart:

    returned          it is in the stream, on the disk of whoever keeps that, at the sequence returned
    SequenceMoved     it is not, and will not be: somebody else appended first
    BusUnreached      it is not, and will not be: nobody who keeps the stream was reached
    OutcomeUnknown    nobody knows: sent, and no reply came. `find` looks it up by its id when the bus is there again

What is not found may be on its way still, for as long as the newest message of its subject is the one that it expects.
Whoever appends again then, or anything else in its place, settles that: one of both is refused. An append that was done
is refused the second time too, by its expectation, before anybody looks whether the id is the same.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol

from lbdns.base.errors import LbdnsError

Take = Callable[[str, bytes, str], None]
"""Takes a message: its subject, its data, and the subject that a reply goes to ("" where none is wanted)."""


class BusError(LbdnsError):
    """The bus did not do what it was asked."""


class BusUnreached(BusError):
    """Whoever was asked was not reached; nothing was done."""


class BusRefused(BusError):
    """The bus says no, and will say so again: what is asked for has to change, or the bus."""


class SequenceMoved(BusError):
    """Somebody else appended first: what was appended builds on what is not the newest any more."""


class OutcomeUnknown(BusError):
    """Something was appended and no reply came: it may be in the stream or not, and is found there by `id`."""

    def __init__(self, id: str, text: str) -> None:
        super().__init__(text)
        self.id = id


class StreamGone(BusError):
    """The stream that was followed is not there any more: another one is in its place, or one that was put back."""


@dataclass(frozen=True, slots=True)
class StreamMessage:
    """A message of the stream. `sequence` counts all of the stream's messages, from 1; `id` is its writer's."""

    sequence: int
    subject: str
    data: bytes
    id: str


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """The stream as it stands. `generation` tells it from any other that is made in its place; `first` and `last` are
    sequences, and first is last + 1 where it is empty. `is_single`: one server of a cluster alone keeps it."""

    generation: str
    first: int
    last: int
    octets: int
    is_single: bool = False


class BusSubscription(Protocol):
    """What listens at a subject."""

    async def close(self) -> None:
        """Stop listening."""
        ...


class FleetBus(Protocol):
    """A connection to the bus, which is made anew whenever it is lost."""

    @property
    def is_connected(self) -> bool:
        """Whether the bus answered within the last seconds."""
        ...

    @property
    def problem(self) -> str:
        """Why it is not connected, in words; "" where it is."""
        ...

    async def publish(self, subject: str, data: bytes) -> None:
        """Tell whoever listens now; dropped while the bus is not there."""
        ...

    async def respond(self, reply: str, data: bytes) -> None:
        """Answer a question; `reply` is what `Take` got."""
        ...

    async def subscribe(self, subject: str, take: Take) -> BusSubscription:
        """Listen at a subject (`*` one word, `>` all that follow), through lost connections, until closed."""
        ...

    async def request(self, subject: str, data: bytes, timeout_s: float) -> bytes:
        """Ask whoever listens at a subject; raises BusUnreached."""
        ...

    async def make_stream(self) -> StreamFacts:
        """Make the stream where it is not there, have several servers of a cluster keep it, and return how it stands;
        raises BusUnreached, BusRefused."""
        ...

    async def stream(self) -> StreamFacts | None:
        """Return how the stream stands, None where there is none; raises BusUnreached, BusRefused."""
        ...

    async def append(self, subject: str, data: bytes, *, id: str, expected: int | None) -> int:
        """Append to the stream, and return the sequence.

        `expected`: the sequence of the newest message of this subject, 0 for none; None: whatever it is. Raises
        SequenceMoved, OutcomeUnknown, BusUnreached, BusRefused.
        """
        ...

    def follow(self, after: int, generation: str = "") -> AsyncIterator[StreamMessage]:
        """Yield the messages below `cfg.` behind a sequence, in order, as they come, through lost connections.

        Raises StreamGone where the stream is another than when this began, or than `generation` where that is given.
        """
        ...

    def read(self, subject: str, after: int = 0) -> AsyncIterator[StreamMessage]:
        """Yield the stream's messages of a subject (wildcards as in `subscribe`) behind a sequence, as far as they are
        there now; raises BusUnreached, BusRefused."""
        ...

    async def last(self, subject: str) -> StreamMessage | None:
        """Return the newest message of a subject; raises BusUnreached."""
        ...

    async def find(self, id: str, after: int) -> StreamMessage | None:
        """Return the message of this id behind a sequence, below `cfg.`; raises BusUnreached."""
        ...

    async def purge(self, before: int) -> None:
        """Remove the messages before a sequence; raises BusUnreached."""
        ...

    async def close(self) -> None:
        """End the connection."""
        ...
