"""What is wrong with an expression: every mistake that can be told at once, each with its column."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from lbdns.base.errors import LbdnsError
from lbdns.base.wording import nearest, printable

if TYPE_CHECKING:
    from lbdns.expressions.tree import Field

_SHOWN_CHARS: Final = 60
PROBLEMS_MAX: Final = 20
"""Mistakes of one expression that are told."""


class ExpressionError(LbdnsError):
    """An expression with mistakes: `problems` are (column from 1, sentence), in order of column.

    Of more than PROBLEMS_MAX the last says how many there are from its column on. `fields`: those that were met.
    """

    def __init__(self, problems: Iterable[tuple[int, str]], fields: Iterable[Field] = ()) -> None:
        self.every = frozenset(problems)
        self.fields = tuple(fields)
        found = sorted(self.every)
        if len(found) > PROBLEMS_MAX:
            more = len(found) - PROBLEMS_MAX + 1
            found[PROBLEMS_MAX - 1 :] = [(found[PROBLEMS_MAX - 1][0], f"{more:,} more mistakes from here on")]
        self.problems: tuple[tuple[int, str], ...] = tuple(found)
        super().__init__("\n".join(f"column {column}: {message}" for column, message in self.problems))


def quoted(text: str) -> str:
    """Return what stands in an expression for a sentence: printable, in quotes where it has none, not too long."""
    cut = text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}..."
    written = printable(cut)
    return written if text.lstrip("r#").startswith('"') and len(text) > 1 else f'"{written}"'


def either(words: Iterable[str]) -> str:
    """Return `a, b or c`."""
    *before, last = words
    return f"{', '.join(before)} or {last}" if before else last


def meant(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean "x"?` of the known word that is nearest, "" where none is near."""
    near = nearest(word, known)
    return f'; did you mean "{near}"?' if near else ""
