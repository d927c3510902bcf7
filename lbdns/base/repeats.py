"""Problems of one kind: a file may have the same mistake in each of its lines, and one line with a count says so."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from lbdns.base.errors import Problem

REPEATS_MAX: Final = 5
"""Problems of one kind that are told one by one."""
_VALUE: Final = re.compile(r'"[^"]*"|[0-9]+')


def kind_of(problem: Problem) -> tuple[str, str]:
    """Return what problems of one kind have in common: the severity, and the message without values in it."""
    return problem.severity, _VALUE.sub("", problem.message)


def gathered(problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems, those of a kind of which there are many as its first one, with how many more there are."""
    kinds: dict[tuple[str, str], list[Problem]] = {}
    for problem in problems:
        kinds.setdefault(kind_of(problem), []).append(problem)
    return [one for found in kinds.values() for one in (found if len(found) <= REPEATS_MAX else [_counted(found)])]


def _counted(found: list[Problem]) -> Problem:
    first, last = found[0], max(problem.line for problem in found)
    where = f", the last in line {last}" if last else ""
    return replace(first, message=f"{first.message} (and {len(found) - 1:,} more like it{where})")
