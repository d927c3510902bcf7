"""Values kept from one round of a job to the next, by the objects that they were made from or by value.

Jobs that are done again and again over a whole configuration, of which little changes, keep here what rests on one
unchanged object alone, or on a value that says all. The objects are frozen, and one that is kept is alive, so no other
can have its identity.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Iterator, KeysView, Sequence
from contextlib import contextmanager
from itertools import compress, count
from operator import is_, is_not
from typing import Final, Generic, TypeVar

Made = TypeVar("Made")
Key = TypeVar("Key", bound=Hashable)
Source = TypeVar("Source")
_NUMBERS: Final = count(1)


class Sequel(tuple[Source, ...]):
    """Objects in order, made of those of another sequence by putting some in place of what stands between two ends that
    stay: who has seen that other one need not compare the two."""

    number: int
    follows: int
    """The number of the sequence that it was made of."""
    ends: tuple[int, int]
    """How many objects stay at its beginning, and how many at its end."""

    @staticmethod
    def of(before: Sequence[Source], first: int, now: Iterable[Source], last: int) -> Sequel[Source]:
        """Return another sequence with other objects between its first ones and its last ones."""
        those = [*before]  # few copies: each touches every object
        those[first : len(those) - last] = now
        made = Sequel(those)
        made.number, made.ends = next(_NUMBERS), (first, last)
        made.follows = before.number if isinstance(before, Sequel) else 0
        return made


def are_same(some: Sequence[object], others: Sequence[object]) -> bool:
    """Whether two sequences are of the very same objects."""
    if len(some) != len(others):
        return False
    if isinstance(some, Sequel) and isinstance(others, Sequel) and others.follows == some.number:
        first, end = others.ends[0], len(others) - others.ends[1]
        some, others = some[first:end], others[first:end]
    return some is others or all(map(is_, some, others))


def shared_ends(some: Sequence[object], others: Sequence[object]) -> tuple[int, int]:
    """Return how many objects two sequences begin with that are the very same ones, and how many they end with behind
    those. Where the other is the sequel of the one, it may be fewer."""
    if some is others:
        return len(some), 0
    if isinstance(some, Sequel) and isinstance(others, Sequel) and others.follows == some.number:
        return others.ends
    shortest = min(len(some), len(others))
    first = next(compress(count(), map(is_not, some, others)), shortest)
    left = shortest - first
    last = next(compress(count(), map(is_not, reversed(some), reversed(others))), left) if left else 0
    return first, min(last, left)


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

    def keep(self, made_from: object, made: Made) -> None:
        """Keep a value, in place of one that was kept for the same object."""
        self._kept.keep(id(made_from), (made_from, made))

    def drop(self, made_from: object) -> None:
        """Keep the value of an object no more."""
        self._kept.drop(id(made_from))


class BySequence(Generic[Source, Made]):
    """One value for each object of a sequence, at its place. Of the next sequence only what stands between what is
    common to both, at their beginning and their end, is looked at: a change of a few costs little, however many stay.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._those: Sequence[Source] = ()
        self._made: Sequence[Made] = ()
        self.first = 0
        self.came: Sequence[Made] = ()
        self.went: Sequence[Made] = ()
        self.came_of: Sequence[Source] = ()

    def __len__(self) -> int:
        """How many values are kept."""
        return len(self._made)

    def of_all(self, those: Sequence[Source], make: Callable[[Source], Made]) -> Sequence[Made]:
        """Return what is kept for each object of a sequence, and of those for which nothing is, what `make` gives.

        While the objects are those of before, what is returned is the very same sequence, else its sequel; neither is
        to be altered. `came` has what stands between the common ends now, from position `first` on, made of `came_of`,
        `went` what stood there; nothing is altered where `make` raises.
        """
        first, last = shared_ends(self._those, those)
        end_before, end = len(self._made) - last, len(those) - last
        went, came = self._made[first:end_before], those[first:end]
        if went or came:
            known = dict(zip(map(id, self._those[first:end_before]), went, strict=True))
            now = [known[id(one)] if id(one) in known else make(one) for one in came]
            self._made = Sequel.of(self._made, first, now, last)
            self._those, self.came, self.went, self.came_of = those, now, went, came
        else:
            self._those, self.came, self.went, self.came_of = those, (), (), ()
        self.first = first
        return self._made

    def hold(self, those: Sequence[Source], made: Sequence[Made]) -> None:
        """Keep values that were made elsewhere, of each object of a sequence."""
        self.first = 0
        self._those, self.went, self.came_of = those, self._made, those
        self._made = self.came = Sequel.of((), 0, made, 0)

    def clear(self) -> None:
        """Drop everything: what the values rest on beside their objects has changed."""
        self.first = 0
        self._those, self._made, self.came, self.went, self.came_of = (), (), (), self._made, ()


class Chosen(Generic[Source]):
    """Those objects of a sequence that pass a test, which says the same of one object always. Of the next sequence what
    stands between the ends is looked at; few do not pass."""

    def __init__(self, passes: Callable[[Source], object]) -> None:
        """Begin with none."""
        self._passes = passes
        self._all: Sequence[Source] = ()
        self._chosen: Sequence[Source] = ()
        self._others: list[int] = []  # the positions of those that do not pass

    def of(self, those: Sequence[Source]) -> Sequence[Source]:
        """Return those that pass, in order; neither sequence is to be altered."""
        first, last = shared_ends(self._all, those)
        end_before, end = len(self._all) - last, len(those) - last
        if end_before > first or end > first:
            came = those[first:end]
            passed = [one for one in came if self._passes(one)]
            left, right = bisect_left(self._others, first), bisect_left(self._others, end_before)
            before = [*self._others]
            self._others = [
                *before[:left],
                *(first + at for at, one in enumerate(came) if not self._passes(one)),
                *(at + end - end_before for at in before[right:]),
            ]
            if not self._others:
                self._chosen = those
            else:
                self._chosen = Sequel.of(self._chosen, first - left, passed, last - (len(before) - right))
        self._all = those
        return self._chosen


class KeyCounts(Generic[Key]):
    """How often each key is there, of keys that come and go. `version` is another one whenever other keys are there."""

    def __init__(self) -> None:
        """Begin with none."""
        self._counts: dict[Key, int] = {}
        self.version = 0

    @property
    def keys(self) -> KeysView[Key]:
        """The keys that are there."""
        return self._counts.keys()

    def change(self, came: Iterable[Key], went: Iterable[Key]) -> None:
        """Count the keys that came, and no more those that went."""
        counts = self._counts
        for key in came:
            had = counts.get(key, 0)
            counts[key] = had + 1
            self.version += not had
        for key in went:
            left = counts[key] - 1
            if left:
                counts[key] = left
            else:
                del counts[key]
                self.version += 1
