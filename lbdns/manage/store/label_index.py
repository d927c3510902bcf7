"""Objects of one kind by their labels, kept from state to state: a change alters a few of very many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from lbdns.manage.store.item import Item

Those = tuple[Item, ...]
_FOLDED_FROM: Final = 256
_FOLDED_SHARE: Final = 8
"""What is altered is folded into the rest once it is so many labels, and more than one in so many of all."""


class LabelIndex:
    """The objects of each label, in the order in which they came to be called so.

    The rest is shared with the indexes that this one came from, and never altered.
    """

    __slots__ = ("_altered", "_rest")

    def __init__(self, rest: Mapping[str, Item | Those], altered: Mapping[str, Those]) -> None:
        """`rest`: one object stands without a tuple, as nearly all do; `altered`: by label, what stands there now."""
        self._rest = rest
        self._altered = dict(altered)

    @staticmethod
    def of(items: Iterable[Item]) -> LabelIndex:
        """Return the index of some objects."""
        found: dict[str, Item | Those] = {}
        for item in items:
            there = found.setdefault(item.label, item)
            if there is not item:
                found[item.label] = (*_those(there), item)
        return LabelIndex(found, {})

    def called(self, label: str) -> Those:
        """Return the objects of a label."""
        found = self._altered.get(label)
        return _those(self._rest.get(label)) if found is None else found

    def first(self, label: str) -> Item | None:
        """Return the first object of a label, or None."""
        return next(iter(self.called(label)), None)

    def copy(self) -> LabelIndex:
        """Return an index to be altered by itself."""
        return LabelIndex(self._rest, self._altered)

    def put(self, before: Item | None, after: Item | None) -> None:
        """Put an object in place of one that is there, None where there is none, here alone."""
        if before is not None and after is not None and before.label == after.label:
            self._altered[after.label] = tuple([after if one is before else one for one in self.called(after.label)])
        else:
            if before is not None:
                self._altered[before.label] = tuple([one for one in self.called(before.label) if one is not before])
            if after is not None:
                self._altered[after.label] = (*self.called(after.label), after)
        if len(self._altered) > max(_FOLDED_FROM, len(self._rest) // _FOLDED_SHARE):
            self._fold()

    def _fold(self) -> None:
        rest = dict(self._rest)
        for label, those in self._altered.items():
            if those:
                rest[label] = those[0] if len(those) == 1 else those
            else:
                rest.pop(label, None)
        self._rest, self._altered = rest, {}


def _those(found: Item | Those | None) -> Those:
    if found is None:
        return ()
    return (found,) if isinstance(found, Item) else found
