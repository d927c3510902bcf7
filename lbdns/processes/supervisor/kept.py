"""What the supervisor keeps running: kinds of child processes, of one shape, so that it can have them in a list."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lbdns.processes.sockets import ListenerSet
from lbdns.publish.publisher import Published
from lbdns.telemetry.server_facts import ChildFacts


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
