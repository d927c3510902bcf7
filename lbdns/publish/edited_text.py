"""A list of the targets document as a text that stays, its base, and edits of it: a change of a few parts neither
copies nor writes all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, compress
from operator import ne
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lbdns.model.targets_document import join_parts, split_parts

EDITS_MAX: Final = 64
"""Edits beyond which a list is written anew: whoever reads it goes through them."""
EDITED_MAX: Final = 256
EDITED_SHARE: Final = 16
"""Parts that edits put in or take out, beyond which a list is written anew, and no more than one in EDITED_SHARE of its
base's."""
_BEHIND: Final = len(join_parts((b"", b"")))
"""Octets between two parts."""


class TextEdit(NamedTuple):
    """In place of so many parts of the base, which are `gone`, from the one at `at` on, stand `parts`."""

    at: int
    gone: int
    parts: tuple[bytes, ...]


class _BaseText:
    """The parts of a base, none of them empty, as one text; where each ends is worked out when somebody asks."""

    def __init__(self, text: bytes, ends: NDArray[np.int64] | None = None) -> None:
        self.text = text
        self._ends = ends

    @property
    def ends(self) -> NDArray[np.int64]:
        """Where each part ends in the text."""
        if self._ends is None:
            self._ends = _ends(split_parts(self.text))
        return self._ends

    def span(self, first: int, end: int) -> bytes:
        """Return the text of some parts, at least one."""
        start = int(self.ends[first - 1]) + _BEHIND if first else 0
        return self.text[start : int(self.ends[end - 1])]


def _ends(parts: Sequence[bytes]) -> NDArray[np.int64]:
    sizes = np.fromiter(map(len, parts), np.int64, len(parts))
    return np.cumsum(sizes + _BEHIND) - _BEHIND


@dataclass(frozen=True, slots=True, eq=False)
class EditedText:
    """A list's parts: those of the base, with edits in order of which no two touch. It is never altered."""

    base: _BaseText
    edits: tuple[TextEdit, ...] = ()

    @staticmethod
    def of_text(text: bytes) -> EditedText:
        """Return a list that was written as one text."""
        return EditedText(_BaseText(text))

    @staticmethod
    def of_parts(parts: Sequence[bytes]) -> EditedText:
        """Return a list of parts, which becomes a base of its own; none is empty."""
        return EditedText(_BaseText(join_parts(parts), _ends(parts)))

    def replaced(self, first: int, count: int, parts: Sequence[bytes]) -> EditedText:
        """Return the list with others in place of some of its parts: the very same where they say the same, and a base
        of its own where edits become too many."""
        made = self
        if count == len(parts):
            before = self._parts(first, first + count)
            for at in compress(range(count), map(ne, before, parts)):
                made = made._with(first + at, 1, parts[at : at + 1])
        else:
            made = self._with(first, count, parts)
        edited = sum(one.gone + len(one.parts) for one in made.edits)
        if len(made.edits) > EDITS_MAX or edited > min(EDITED_MAX, len(self.base.ends) // EDITED_SHARE):
            return EditedText.of_text(made.whole())
        return made

    def _with(self, first: int, count: int, parts: Sequence[bytes]) -> EditedText:
        pieces = chain(self._pieces(0, first), (tuple(parts),), self._pieces(first + count, None))
        return EditedText(self.base, tuple(_edits(pieces, len(self.base.ends))))

    def _parts(self, first: int, end: int) -> Iterator[bytes]:
        for one in self._pieces(first, end):
            yield from one if isinstance(one, tuple) else (self.base.span(at, at + 1) for at in one)

    def whole(self) -> bytes:
        """Return all parts as one text."""
        if not self.edits:
            return self.base.text
        pieces = self._pieces(0, None)
        return join_parts(
            join_parts(one) if isinstance(one, tuple) else self.base.span(one.start, one.stop) for one in pieces
        )

    def _pieces(self, first: int, end: int | None) -> Iterator[_Piece]:
        """Yield what the list has from one position to before another, in order; nothing that is empty."""
        at = 0
        for one in self._all_pieces():
            kept = one[max(0, first - at) : None if end is None else max(0, end - at)]
            at += len(one)
            if kept:
                yield kept

    def _all_pieces(self) -> Iterator[_Piece]:
        at = 0
        for one in self.edits:
            yield range(at, one.at)
            yield one.parts
            at = one.at + one.gone
        yield range(at, len(self.base.ends))


_Piece = range | tuple[bytes, ...]
"""Positions of parts of the base, or parts that edits put in."""


def _edits(pieces: Iterable[_Piece], count: int) -> Iterator[TextEdit]:
    """Yield the edits that make pieces of a base of so many parts."""
    at, parts = 0, list[bytes]()
    for one in chain(pieces, (range(count, count),)):
        if isinstance(one, tuple):
            parts += one
            continue
        if parts or one.start > at:
            yield TextEdit(at, one.start - at, tuple(parts))
        at, parts = one.stop, []
