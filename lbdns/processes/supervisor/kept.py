"""What the supervisor keeps running: kinds of child processes, of one shape, so that it can have them in a list."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lbdns.processes.sockets import ListenerSet
from lbdns.processes.supervisor.children import Child
from lbdns.telemetry.child_facts import ChildFacts

if TYPE_CHECKING:
    from lbdns.publish.publisher import Published


@dataclass(frozen=True, slots=True)
class Duty:
    """What the processes are to serve: sockets, a set for each responder; what is published; the format of the log.

    `takes_over`: an earlier start left processes that serve, and health that is known already.
    """

    sets: Sequence[ListenerSet]
    published: Published
    log_format: str
    takes_over: bool = False


class Kept(ABC):
    """All processes of one kind. `kind` is its word in metrics, `words` what one is called."""

    kind: str
    words: str
    ends_last = False
    """Whether it ends only when the others have: it sees what they did to the end."""

    @property
    @abstractmethod
    def process_count(self) -> int:
        """How many processes there are to be."""

    @property
    @abstractmethod
    def alive(self) -> int:
        """How many there are at this moment."""

    @property
    @abstractmethod
    def restarts(self) -> int:
        """How many times one died and was started again."""

    @property
    @abstractmethod
    def hangs(self) -> int:
        """How many of those had fallen silent, and were killed."""

    @property
    @abstractmethod
    def beat_ages_s(self) -> tuple[float | None, ...]:
        """How long ago each process gave its last sign of life; None where it has not yet."""

    @property
    def is_spared(self) -> bool:
        """Whether one that dies is stood in for at once."""
        return False

    def facts(self) -> ChildFacts:
        """Return all of this, as it is now."""
        return ChildFacts(
            self.kind,
            self.process_count,
            self.restarts,
            self.hangs,
            self.alive,
            self.words,
            self.beat_ages_s,
            self.is_spared,
        )

    @abstractmethod
    async def start(self, duty: Duty) -> None:
        """Bring them up, and return when they do their work; raises LbdnsError where that fails."""

    @abstractmethod
    async def replace(self, duty: Duty) -> None:
        """Put others in their place where they cannot take another duty up themselves: what is published they see in
        the control file. Raises LbdnsError; then those before go on."""

    @abstractmethod
    async def stop(self) -> None:
        """End them, once they have finished what they do."""

    @abstractmethod
    def wake(self) -> None:
        """Have them look at the control file now."""

    @abstractmethod
    def look(self) -> None:
        """Kill those that give no sign of life; called every LOOK_S (pulse.py)."""

    @abstractmethod
    def health(self) -> dict[str, Any]:
        """Return how they are, under a key of their own, as `status` shows it."""


class KeptOne(Kept):
    """A kind of which there is one process at most, where it is wanted at all. It is seen by its end alone: those who
    answer do not wait for it.
    """

    stop_s = 2.0
    """How long it may take to end."""

    def __init__(self) -> None:
        """Begin with none."""
        self._child: Child | None = None
        self._restarts_before = 0  # of those before the one that there is

    @property
    def process_count(self) -> int:
        """One, where there is to be one."""
        return int(self._child is not None)

    @property
    def alive(self) -> int:
        """1 while it is running."""
        return int(self._child is not None and bool(self._child.pid))

    @property
    def restarts(self) -> int:
        """How many times it died and was started again."""
        return self._restarts_before + (self._child.restarts if self._child is not None else 0)

    @property
    def hangs(self) -> int:
        """None: nobody looks for its pulse."""
        return 0

    @property
    def beat_ages_s(self) -> tuple[float | None, ...]:
        """None: it gives no sign of life but its work."""
        return ()

    def _begin(self, child: Child) -> None:
        """Have one from now on, where there is none."""
        self._child = child
        child.begin()

    async def stop(self) -> None:
        """End it, where there is one."""
        child = self._child
        if child is not None:
            self._restarts_before, self._child = self.restarts, None
            await child.stop(self.stop_s)

    def wake(self) -> None:
        """Leave it: it looks by itself."""

    def look(self) -> None:
        """Leave it: it is seen by its end."""

    def health(self) -> dict[str, Any]:
        """Return its process id, 0 while it is dead, and how often it was started again; nothing where there is to be
        none."""
        if self._child is None:
            return {}
        return {self.kind: {"pid": self._child.pid, "restarts": self.restarts}}


class WatchedOne(KeptOne):
    """One that shows a sign of life beside its work, and is killed where it is silent."""

    @property
    def hangs(self) -> int:
        """How many times it fell silent and was killed."""
        return self._child.hangs if self._child is not None else 0

    @property
    def beat_ages_s(self) -> tuple[float | None, ...]:
        """Of the one, where there is one."""
        return () if self._child is None else (self._child.beat_age_s,)

    def look(self) -> None:
        """Kill it where it is silent."""
        if self._child is not None:
            self._child.look()
