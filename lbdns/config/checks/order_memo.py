"""Problems in order, kept from one check to the next: mostly they are the very ones that they were."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from operator import attrgetter
from typing import Final

from lbdns.base.errors import Problem, place_in_order
from lbdns.base.memo import shared_ends
from lbdns.config.problem_order import are_alike, errors_and_warnings, on_one_line

Told = tuple[tuple[Problem, ...], tuple[Problem, ...]]
"""Errors and warnings."""
SPLICED_MAX: Final = 16
"""Warnings that came or went, beyond which all are put in order anew."""
_PATH: Final = attrgetter("path")


class OrderMemo:
    """Kept by whoever checks again and again."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._few: Sequence[Problem] = ()
        self._many: Sequence[Problem] = ()
        self._told: Told = ((), ())

    def errors_and_warnings(self, few: Sequence[Problem], many: Sequence[Problem] = ()) -> Told:
        """Return the errors and the warnings of both, each once, by file and line. `many` stay as they are, and are not
        looked at where they are the very same again."""
        if many is not self._many or not are_alike(few, self._few):
            problems, before = [*few, *many], [*self._few, *self._many]
            first, last = shared_ends(problems, before)
            came, went = problems[first : len(problems) - last], before[first : len(before) - last]
            if not are_alike(came, went):
                self._told = self._spliced(problems, came, went) or errors_and_warnings(problems)
        self._few, self._many = tuple(few), many
        return self._told

    def _spliced(self, problems: Sequence[Problem], came: Sequence[Problem], went: Sequence[Problem]) -> Told | None:
        """Return what was told with few warnings that came or went put in or taken out; None where it does not follow
        from those alone: one is told twice, or stands where another one does."""
        errors, told = self._told
        if errors or len(came) + len(went) > SPLICED_MAX:
            return None
        warnings = list(told)
        paths = {one.path for one in (*came, *went)}
        if sum(map(paths.__contains__, map(_PATH, problems))) > len(came):
            return None  # what else there is about the same objects may be the same
        for one in went:
            at = bisect_left(warnings, place_in_order(one), key=place_in_order)
            if _has_its_like(warnings, at) or not are_alike(warnings[at : at + 1], [one]):
                return None
            del warnings[at]
        for one in came:
            at = bisect_left(warnings, place_in_order(one), key=place_in_order)
            warnings.insert(at, one)
            if one.severity == "error" or on_one_line(one) is not one or _has_its_like(warnings, at):
                return None
        return errors, tuple(warnings)


def _has_its_like(warnings: Sequence[Problem], at: int) -> bool:
    """Whether the warning behind one of some in order stands where that does."""
    return at + 1 < len(warnings) and place_in_order(warnings[at]) == place_in_order(warnings[at + 1])
