"""Problems in a list that stays short: the first of them are kept, the others are counted.

What clients send can hold a mistake for every few octets. Whoever reads it asks `is_full` before it takes pains over
one more object, and ends where `is_hopeless` says that nobody needs an exact count any more.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Self

from lbdns.base.errors import Problem

KEPT_MAX: Final = 1000
"""Of errors and of warnings, each: ten times as many as a reply tells."""
COUNTED_MAX: Final = 20_000
"""From here on the rest need not be read."""


class KeptProblems(list[Problem]):
    """The first KEPT_MAX errors and as many warnings; `more` counts the errors beyond them."""

    def __init__(self, problems: Iterable[Problem] = (), more: int = 0) -> None:
        super().__init__()
        self.more = more
        self._error_count = 0
        self.extend(problems)

    @property
    def is_full(self) -> bool:
        """Whether further errors are only counted."""
        return self._error_count >= KEPT_MAX

    @property
    def is_hopeless(self) -> bool:
        """Whether so much is wrong that nothing more need be read."""
        return self.more >= COUNTED_MAX

    def append(self, problem: Problem) -> None:
        """Keep a problem, or count it."""
        is_error = problem.severity == "error"
        if is_error and self.is_full:
            self.more += 1
        elif is_error:
            self._error_count += 1
            super().append(problem)
        elif len(self) - self._error_count < KEPT_MAX:
            super().append(problem)

    def extend(self, problems: Iterable[Problem]) -> None:
        """Keep or count several; those that another such list only counted are counted."""
        for problem in problems:
            self.append(problem)
        self.more += more_of(problems)

    def __iadd__(self, problems: Iterable[Problem]) -> Self:  # type: ignore[override, misc]
        self.extend(problems)
        return self


def more_of(problems: Iterable[Problem]) -> int:
    """Return how many errors a list has counted beyond those in it."""
    return problems.more if isinstance(problems, KeptProblems) else 0


def is_full(problems: Iterable[Problem]) -> bool:
    """Whether a list only counts further errors."""
    return isinstance(problems, KeptProblems) and problems.is_full


def is_hopeless(problems: Iterable[Problem]) -> bool:
    """Whether nothing more need be read, for all that is wrong."""
    return isinstance(problems, KeptProblems) and problems.is_hopeless
