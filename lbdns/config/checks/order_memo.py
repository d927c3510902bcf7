"""Problems in order, kept from one check to the next: mostly they are the very ones that they were."""

from __future__ import annotations

from collections.abc import Sequence

from lbdns.base.errors import Problem
from lbdns.base.memo import shared_ends
from lbdns.config.problem_order import errors_and_warnings

Told = tuple[tuple[Problem, ...], tuple[Problem, ...]]
"""Errors and warnings."""


class OrderMemo:
    """Kept by whoever checks again and again."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._found: Sequence[Problem] = ()
        self._told: Told = ((), ())

    def errors_and_warnings(self, problems: Sequence[Problem]) -> Told:
        """Return the errors and the warnings, each once, by file and line."""
        if not self._are_known(problems):
            self._told = errors_and_warnings(problems)
        self._found = tuple(problems)
        return self._told

    def _are_known(self, problems: Sequence[Problem]) -> bool:
        """Whether they are those of the last time, in the order in which they were found."""
        if len(problems) != len(self._found):
            return False
        first, last = shared_ends(problems, self._found)
        others = slice(first, len(problems) - last)
        return all(map(_is_same, problems[others], self._found[others]))


def _is_same(one: Problem, other: Problem) -> bool:
    """Whether two problems are alike in what programs read of them as well."""
    return one == other and (one.at, one.beside, one.clash) == (other.at, other.beside, other.clash)
