"""What a simulated machine judges endpoints with: the product's observer, or a plain one that tests break."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from tests.fleet.simulation.virtual_prober import ProbedSeries

EVERYBODY = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """A message to one machine, or to all others (EVERYBODY); `repeats`: it says what the one before it said."""

    to: str
    subject: str
    data: Any
    repeats: bool = False


@dataclass(frozen=True, slots=True)
class Published:
    """A verdict of an endpoint, as it goes into the health table."""

    endpoint: str
    state: int


class Judge(Protocol):
    """One machine's. `now_s`: its monotonic clock; `wall_s`: its time of day, in unix seconds.

    What it has to say after a call, `said` gives, once.
    """

    @property
    def next_due_s(self) -> float:
        """When `tick` has something to do next, by the monotonic clock."""
        ...

    @property
    def checks(self) -> Iterable[str]:
        """The endpoints that it probes now."""
        ...

    def tick(self, now_s: float, wall_s: float) -> None:
        """Let time pass; called when it is due."""
        ...

    def take(self, sender: str, subject: str, data: Any, now_s: float, wall_s: float) -> None:
        """Take a message."""
        ...

    def result(self, series: ProbedSeries, passed: bool, now_s: float, wall_s: float) -> None:
        """Take a result of one of its own probes."""
        ...

    @property
    def is_cut_off(self) -> bool:
        """Whether it hears too few of those it knows."""
        ...

    def set_aside(self, series: ProbedSeries, now_s: float, wall_s: float) -> None:
        """Take it that a failure of its own probes says nothing, nor what was before it, until the next result."""
        ...

    def doubt(self, is_doubtful: bool, now_s: float, wall_s: float) -> None:
        """Take it that none of its own probes comes back, or that some do again."""
        ...

    def order(self, pattern: str, state: str, why: str, now_s: float, wall_s: float) -> None:
        """Take an order of an operator at this machine."""
        ...

    def hear_beats(self, beats: Iterable[Any], now_s: float, wall_s: float) -> None:
        """Take heartbeats of many machines, which come together."""
        ...

    def said(self) -> tuple[list[Sent], list[Published]]:
        """Return what there is to send and to publish since the last call."""
        ...

    def orders(self) -> dict[str, str]:
        """Return the orders that it has: pattern -> why."""
        ...

    def kept(self, now_s: float, wall_s: float) -> object:
        """Return what lies on its disk, for the next one to begin with."""
        ...
