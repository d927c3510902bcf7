"""Values kept from one round of a job to the next, by the identity of the objects that they were made from.

Jobs that are done again and again over a whole configuration, of which little changes, keep here what rests on one
unchanged object alone. The objects are frozen, and one that is kept is alive, so no other can have its identity.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

Made = TypeVar("Made")


class ByObject(Generic[Made]):
    """One value for each object. What a round has neither asked for nor kept is dropped when the round ends."""

    def __init__(self) -> None:
        """Begin with none."""
        self._before: dict[int, tuple[object, Made]] = {}
        self._now: dict[int, tuple[object, Made]] = {}

    def __len__(self) -> int:
        """How many values are kept."""
        return len(self._before.keys() | self._now.keys())

    @contextmanager
    def round(self) -> Iterator[None]:
        """Begin a round with what the last one left, and drop what it does not use."""
        self._before, self._now = self._now, {}
        try:
            yield
        finally:
            self._before = {}

    def find(self, made_from: object) -> Made | None:
        """Return what was kept for this very object, None where nothing was."""
        key = id(made_from)
        kept = self._now.get(key)
        if kept is None:
            kept = self._before.get(key)
            if kept is None:
                return None
            self._now[key] = kept
        return kept[1]

    def keep(self, made_from: object, made: Made) -> None:
        """Keep a value, in place of one that was kept for the same object."""
        self._now[id(made_from)] = (made_from, made)

    def clear(self) -> None:
        """Drop everything: what the values rest on beside their objects has changed."""
        self._before, self._now = {}, {}
