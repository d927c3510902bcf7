"""What is made of a whole generation once, for those who ask again and again about parts of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar
from weakref import ref

from lbdns.publish.publisher import Published

Made = TypeVar("Made")


class OfGeneration(Generic[Made]):
    """One value, of the generation that was asked for last, which this does not keep alive."""

    def __init__(self, make: Callable[[Published], Made]) -> None:
        """Say what makes it."""
        self._make = make
        self._known: tuple[ref[Published], Made] | None = None

    def of(self, published: Published) -> Made:
        """Return the value of a generation."""
        known = self._known
        if known is not None and known[0]() is published:
            return known[1]
        made = self._make(published)
        self._known = ref(published), made
        return made
