"""Problems of zones that lead to the records that they are about. Of other objects there may be very many, which are
the same ones again and again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import compress, count
from operator import attrgetter
from typing import Final

from lbdns.base.errors import Problem
from lbdns.manage.store.zones.drafted_zones import DraftedZone
from lbdns.manage.store.zones.zone_bodies import problem_at

_FILE: Final = attrgetter("file")


class LocatedProblems:
    """Kept by whoever locates problems again and again."""

    def __init__(self) -> None:
        """Begin with none."""
        self._problems: tuple[Problem, ...] = ()
        self._files: frozenset[str] = frozenset()
        self._indexes: list[int] = []

    def located(self, problems: tuple[Problem, ...], zones: Mapping[str, DraftedZone]) -> tuple[Problem, ...]:
        """Return problems that lead to the record that they are about; `zones`: by the files that these tell. The very
        same where none is of a zone."""
        if problems is not self._problems or zones.keys() != self._files:
            self._problems, self._files = problems, frozenset(zones)
            self._indexes = [*compress(count(), map(self._files.__contains__, map(_FILE, problems)))]
        if not self._indexes:
            return problems
        found = [*problems]
        for index in self._indexes:
            problem = found[index]
            zone = zones[problem.file]
            found[index] = replace(problem, at=problem_at(problem, zone.own, zone.id_of(problem.line)))
        return tuple(found)


def beside(problems: tuple[Problem, ...], more: tuple[Problem, ...]) -> tuple[Problem, ...]:
    """Return problems with others behind them; the very same where there are none."""
    return (*problems, *more) if more else problems
