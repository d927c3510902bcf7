"""What a policy makes of a load balancer at compile time: candidate lists, and which place gets which."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from lbdns.steering.policies.cut import Cut, Spread

Candidates = tuple[tuple[str, int], ...]  # (pool name, weight) in order; weights matter to SELECT_WEIGHTED alone

_CANDIDATES_MAX: Final = 1 << 15

PLACES_DO_NOT_MATTER = "does not matter here: every place gets the same candidates"


class Plan(NamedTuple):
    """A policy's result: how to pick from a list, the lists, and how location chooses among them; without a cut there
    is one list."""

    select: int
    lists: tuple[Candidates, ...]
    cut: Cut | None = None


def unweighted(names: Sequence[str]) -> Candidates:
    """Return names as candidates whose weights do not matter."""
    return tuple([candidate(name, 1) for name in names])


@lru_cache(_CANDIDATES_MAX)
def candidate(name: str, weight: int) -> tuple[str, int]:
    """Return a pool with a weight; mostly one object for all load balancers that have it, of which there may be very
    many."""
    return name, weight


class Lists:
    """Distinct candidate lists by number."""

    def __init__(self) -> None:
        self._numbers: dict[Candidates, int] = {}

    def number(self, candidates: Candidates) -> int:
        """Return the number of a list, a new one where it is new."""
        return self._numbers.setdefault(candidates, len(self._numbers))

    def all(self) -> tuple[Candidates, ...]:
        """Return the lists in order of their numbers."""
        return tuple(self._numbers)


def spread_plan(select: int, lists: tuple[Candidates, ...], over: Spread) -> Plan:
    """Return the plan of lists that are spread over places; of the one where every place gets the same."""
    return Plan(select, (lists[over.pop_list],)) if over.cut is None else Plan(select, lists, over.cut)
