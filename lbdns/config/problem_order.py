"""Problems in the order in which people read them, each once and on one line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from lbdns.base.errors import Problem, in_order
from lbdns.base.wording import printable


def errors_and_warnings(problems: Iterable[Problem]) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    """Return the errors and the warnings, each once, by file and line."""
    found = {(problem, problem.at): problem for problem in map(on_one_line, problems)}
    unique = in_order(found.values())
    errors = tuple(problem for problem in unique if problem.severity == "error")
    return errors, tuple(problem for problem in unique if problem.severity == "warning")


def are_alike(some: Sequence[Problem], others: Sequence[Problem]) -> bool:
    """Whether problems are alike one by one, in what programs read of them as well."""
    return len(some) == len(others) and all(map(_is_same, some, others))


def _is_same(one: Problem, other: Problem) -> bool:
    return one == other and (one.at, one.beside, one.clash) == (other.at, other.beside, other.clash)


def on_one_line(problem: Problem) -> Problem:
    """Return a problem whose text, which quotes the file's, cannot break the line or play tricks on a terminal."""
    if problem.path.isprintable() and problem.message.isprintable():
        return problem
    return replace(problem, path=printable(problem.path), message=printable(problem.message))
