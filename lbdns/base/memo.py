"""Values kept from one round of a job to the next, by the objects that they were made from or by value.

Jobs that are done again and again over a whole configuration, of which little changes, keep here what rests on one
unchanged object alone, or on a value that says all. The objects are frozen, and one that is kept is alive, so no other
can have its identity.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from itertools import compress, count, repeat
from operator import is_, is_not, itemgetter
from typing import Generic, TypeVar

Made = TypeVar("Made")
Key = TypeVar("Key", bound=Hashable)
Source = TypeVar("Source")
_MADE = itemgetter(1)


def _places_of_none(values: Sequence[object]) -> list[int]:
    return [*compress(count(), map(is_, values, repeat(None)))]


def are_same(some: Sequence[object], others: Sequence[object]) -> bool:
    """Whether two sequences are of the very same objects."""
    return len(some) == len(others) and all(map(is_, some, others))


def unlike_pairs(some: Sequence[Source], others: Sequence[Source]) -> Iterator[tuple[Source, Source]]:
    """Yield what stands at one place of two sequences of one length, where it is not the very same object."""
    return compress(zip(some, others, strict=True), map(is_not, some, others))


class ByValue(Generic[Key, Made]):
    """One value for each key. What a round has neither asked for nor kept is dropped when the round ends."""

    def __init__(self) -> None:
        """Begin with none."""
        self._before: dict[Key, Made] = {}
        self._now: dict[Key, Made] = {}

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

    def find(self, key: Key) -> Made | None:
        """Return what was kept for this key, None where nothing was."""
        kept = self._now.get(key)
        if kept is None:
            kept = self._before.get(key)
            if kept is None:
                return None
            self._now[key] = kept
        return kept

    def find_all(self, keys: Sequence[Key]) -> list[Made | None]:
        """Return what `find` gives for each of many keys, without a call for each."""
        found: list[Made | None] = list(map(self._before.get, keys))
        unknown = _places_of_none(found)
        for at in unknown:
            found[at] = self._now.get(keys[at])
        self._now.update(zip(keys, found, strict=True))  # type: ignore[arg-type]
        for at in unknown:
            if found[at] is None:
                del self._now[keys[at]]
        return found

    def keep(self, key: Key, made: Made) -> None:
        """Keep a value, in place of one that was kept for the same key."""
        self._now[key] = made

    def drop(self, key: Key) -> None:
        """Keep the value of a key no more."""
        self._now.pop(key, None)

    def clear(self) -> None:
        """Drop everything: what the values rest on beside their keys has changed."""
        self._before, self._now = {}, {}


class ByObject(Generic[Made]):
    """One value for each object, as `ByValue` keeps it."""

    def __init__(self) -> None:
        """Begin with none."""
        self._kept: ByValue[int, tuple[object, Made]] = ByValue()
        self.round = self._kept.round
        self.clear = self._kept.clear

    def __len__(self) -> int:
        """How many values are kept."""
        return len(self._kept)

    def find(self, made_from: object) -> Made | None:
        """Return what was kept for this very object, None where nothing was."""
        kept = self._kept.find(id(made_from))
        return None if kept is None else kept[1]

    def of_all(self, those: Sequence[Source], make: Callable[[Source], Made]) -> list[Made]:
        """Return what is kept for each of many objects, and of those for which nothing is, what `make` gives, kept from
        now on; without a call for each."""
        kept = self._kept.find_all([*map(id, those)])
        for at in _places_of_none(kept):
            made = make(those[at])
            self.keep(those[at], made)
            kept[at] = those[at], made
        return [*map(_MADE, kept)]  # type: ignore[arg-type]

    def keep(self, made_from: object, made: Made) -> None:
        """Keep a value, in place of one that was kept for the same object."""
        self._kept.keep(id(made_from), (made_from, made))

    def drop(self, made_from: object) -> None:
        """Keep the value of an object no more."""
        self._kept.drop(id(made_from))
