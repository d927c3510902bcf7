"""Where an object was read: its file, its lines and its path, to name in problems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, NamedTuple, TypeVar

from lbdns.base.errors import Problem
from lbdns.base.kinds import LISTED
from lbdns.base.wording import join_path
from lbdns.config.yaml.yaml_tree import LineTree, line_at

Item = TypeVar("Item")
_LISTED: Final = frozenset(kind.section for kind in LISTED)


class Source(NamedTuple):
    """The place of one object. `section` and `name` make its path; its index stands in for a name that is not usable.

    `position` is where it stands in a list that has no lines, and tells it from others of its name.
    """

    file: str
    lines: LineTree
    section: str
    name: str | int | None
    position: int | None = None

    def problem(
        self, location: Sequence[str | int], message: str, severity: Literal["error", "warning"] = "error"
    ) -> Problem:
        """Return a problem at a location inside the object."""
        key = self.name if self.position is None else self.position
        at = (self.section, key, *location) if self.section and key is not None else tuple(location)
        return Problem(self.file, self.line(location), self.path(location), message, severity, at)

    def warning(self, location: Sequence[str | int], message: str) -> Problem:
        """Return a warning at a location inside the object."""
        return self.problem(location, message, "warning")

    def line(self, location: Sequence[str | int] = ()) -> int:
        """Return the line of a location inside the object; 0 where the object came from no file."""
        return line_at(self.lines, location)

    def path(self, location: Sequence[str | int] = ()) -> str:
        """Return the path of a location inside the object: `pools.eu.origins[1].weight`."""
        if self.section in _LISTED:
            return join_path(self.section, f"[{self.name}]", *location)
        return join_path(self.section or None, self.name, *location)

    def place(self, location: Sequence[str | int] = ()) -> str:
        """Return `FILE:LINE` of a location inside the object, or its path where there is no line."""
        line = self.line(location)
        return f"{self.file}:{line}" if line else self.path(location)


@dataclass(frozen=True, slots=True)
class Placed(Generic[Item]):
    """An object and where it was read. `refused` names its fields whose values were refused and replaced; `refused_at`
    has the locations of refused values inside of lists whose items keep their indexes all the same."""

    item: Item
    source: Source
    refused: frozenset[str] = frozenset()
    refused_at: frozenset[tuple[str | int, ...]] = frozenset()

    def knows(self, *fields: str) -> bool:
        """Tell whether all these fields are as the operator wrote them."""
        return self.refused.isdisjoint(fields)

    def knows_at(self, location: Sequence[str | int]) -> bool:
        """Tell whether what stands at a location inside one of those lists is wholly as it was written."""
        at = tuple(location)
        return not any(one[: len(at)] == at[: len(one)] for one in self.refused_at)


@dataclass(frozen=True, slots=True)
class SectionPart:
    """The sections that one file contributes."""

    file: str
    value: Any
    lines: LineTree
