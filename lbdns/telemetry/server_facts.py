"""What the supervisor knows of its own run, for those who show it: metrics and the command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from lbdns.publish.publisher import Published


class ChildFacts(NamedTuple):
    """One kind of child processes: its word, how many there are, how often one died and was started again, and how many
    of those had hung and were killed."""

    kind: str
    process_count: int
    restarts: int
    hangs: int


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """The server at a moment. Times are unix seconds, counts are since the supervisor's start."""

    published: Published
    published_at: float
    started_at: float
    is_fast: bool  # whether responders have the compiled fast path
    children: tuple[ChildFacts, ...]
    reload_count: int  # of those that succeeded
    reload_failures: int

    @property
    def responder_count(self) -> int:
        """How many responder processes there are."""
        return sum(child.process_count for child in self.children if child.kind == "responder")

    @property
    def restarts(self) -> int:
        """How many times a process of any kind died and was started again."""
        return sum(child.restarts for child in self.children)
