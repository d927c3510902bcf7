"""Whose message the slow path answers next. All that waits for it has turns, whichever way it came:

    TCP --> UDP of networks that have shown themselves --> all other UDP --> TCP ...     a few messages each
     |                        |                                 |
     '-- its networks --------'-- its networks -----------------'-- its networks         within each, network by network
          '-- their connections                                                          (base/networks.py)

So a flood takes the turns of its own network, or of its many networks, which is one turn of so many; and what is easily
forged takes at most every other turn of what is not. After a slice of turns the event loop looks at its sockets.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

TURN_MESSAGES = 4  # of a connection, or of a source's networks one after another
SLICE_TURNS = 8  # had, before the event loop looks at its sockets
YIELD_TURNS = 2  # then the fast path's thread, where it waits for this core, need not wait for the kernel's tick

Waiter = TypeVar("Waiter")


class TurnSource(Protocol):
    """What may have messages to answer."""

    def answer_some(self) -> bool:
        """Answer what has a turn, TURN_MESSAGES at most; False where nothing waits."""


class Rotation:
    """Sources that have turns; one that has nothing is passed over."""

    def __init__(self, sources: Sequence[TurnSource]) -> None:
        """Begin with the first."""
        self._sources = tuple(sources)
        self._next = 0

    def answer_some(self) -> bool:
        """Answer what has a turn, TURN_MESSAGES at most; False where nothing waits."""
        for _ in self._sources:
            source = self._sources[self._next]
            self._next = (self._next + 1) % len(self._sources)
            if source.answer_some():
                return True
        return False


class NetworkQueues(Generic[Waiter]):
    """Who waits, by network: networks have turns, and within each who has waited longest. Nobody waits twice."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._order: deque[bytes] = deque()
        self._of: dict[bytes, dict[Waiter, None]] = {}

    def put(self, network: bytes, waiter: Waiter) -> None:
        """Have one wait, behind the others of its network; one that does already keeps its place."""
        queue = self._of.get(network)
        if queue is None:
            queue = self._of[network] = {}
            self._order.append(network)
        queue[waiter] = None

    def discard(self, network: bytes, waiter: Waiter) -> None:
        """Have one wait no longer, if it does."""
        queue = self._of.get(network)
        if queue is not None:
            queue.pop(waiter, None)  # a network of nobody goes when it has its turn

    def take(self) -> Waiter | None:
        """Return who is next, who then waits no longer; None where nobody waits."""
        while self._order:
            network = self._order.popleft()
            queue = self._of[network]
            if not queue:
                del self._of[network]
                continue
            waiter = next(iter(queue))
            del queue[waiter]
            self._order.append(network)
            return waiter
        return None


class Turns:
    """Has the event loop answer what waits in some sources, in turns, from when it is told that something does.

    What comes while nothing waits is answered at once, one turn in each round of the event loop.
    """

    def __init__(self, sources: Sequence[TurnSource]) -> None:
        """Describe them."""
        self._rotation = Rotation(sources)
        self._is_due = False

    @property
    def are_due(self) -> bool:
        """Whether something waits."""
        return self._is_due

    def begin(self) -> None:
        """Note that something waits."""
        if self._is_due:
            return
        self._is_due = True
        asyncio.get_running_loop().call_soon(self._slice)
        self._rotation.answer_some()

    def _slice(self) -> None:
        """Answer a slice of what waits, and come back for more after the sockets had their turn, whatever happens: who
        has said once that something waits may not say it again."""
        may_wait = True
        try:
            may_wait = self._have_turns()
        finally:
            self._is_due = may_wait
            if may_wait:
                asyncio.get_running_loop().call_soon(self._slice)

    def _have_turns(self) -> bool:
        """Have a slice of turns; return whether more may wait."""
        for number in range(1, SLICE_TURNS + 1):
            if not self._rotation.answer_some():
                return False
            if number % YIELD_TURNS == 0:
                os.sched_yield()
        return True
