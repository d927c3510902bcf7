"""The errors that lbdns raises: all have one root, and an operator's mistakes come in lists, never one at a time."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import Any, Final, Literal

_NUMBERS: Final = re.compile(r"([0-9]+)", re.ASCII)
_PLACE: Final = attrgetter("file", "line")
OWNER_NAMES: Final = "names"
"""In `Problem.beside`: the section of names that records or load balancers have."""

Clash = Literal["", "exists", "identical", "host"]
"""What a record clashes with: the same record, that with the same TTL, or what a CNAME's name has beside it."""


class LbdnsError(Exception):
    """Anything that stops lbdns from doing what it was told; the text is one line for an operator."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake or warning in a configuration: where it stands, what is wrong and what would be right.

    `line` counts from 1; 0 means the whole file. `path` names the object, such as `pools.eu.origins[1].weight`; `at` is
    the same for programs: section, name, then keys and indexes; empty where the problem is no one object's. `beside`
    are other objects that it is as much about, (section, name) each: who changes one of them is told as well.
    """

    file: str
    line: int
    path: str
    message: str
    severity: Literal["error", "warning"] = "error"
    at: tuple[str | int, ...] = field(default=(), compare=False)
    beside: tuple[tuple[str, str], ...] = field(default=(), compare=False)
    clash: Clash = field(default="", compare=False)

    def __str__(self) -> str:
        """Return `FILE:LINE: object path: message`, the form that editors jump to."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


def problems_about(problems: Iterable[Problem], sections: Container[str], names: Container[str]) -> list[Problem]:
    """Return the problems that stand at one of these objects of some sections, or are as much about it."""
    return [
        one
        for one in problems
        if (len(one.at) > 1 and one.at[0] in sections and one.at[1] in names)
        or (one.beside and any(section in sections and name in names for section, name in one.beside))
    ]


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Return problems as they are told: by file, line, path and message, numbers in these by their value."""
    ordered: list[Problem] = []
    for _, found in groupby(sorted(problems, key=_PLACE), key=_PLACE):
        of_line = list(found)
        if len(of_line) > 1:
            of_line.sort(key=_on_line)
        ordered += of_line
    return ordered


def place_in_order(problem: Problem) -> tuple[Any, ...]:
    """Return what `in_order` puts problems in order by."""
    return *_PLACE(problem), *_on_line(problem)


def _on_line(problem: Problem) -> tuple[Any, ...]:
    return _by_numbers(problem.path), _by_numbers(problem.message), problem.severity


def _by_numbers(text: str) -> list[tuple[int, str]]:
    """Return what a text is sorted by so that column 3 stands before column 13: texts and numbers in turn, of which the
    longer one is the greater, however long."""
    parts = _NUMBERS.split(text)
    return [(len(digits := part.lstrip("0")), digits) if index % 2 else (0, part) for index, part in enumerate(parts)]


class ConfigError(LbdnsError):
    """A configuration with mistakes; `problems` holds every one of them, in order of file and line.

    `more` counts those that a reader of outside input did not keep (lbdns.base.kept_problems).
    """

    def __init__(self, problems: Iterable[Problem], more: int = 0) -> None:
        self.problems: tuple[Problem, ...] = tuple(in_order(problems))
        self.more = more
        told = [str(problem) for problem in self.problems]
        super().__init__("\n".join([*told, f"and {more:,} more"] if more else told))
