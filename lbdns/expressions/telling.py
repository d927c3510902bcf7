"""What a text's mistakes are collected in as its tree is made, and the words for what stands in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lbdns.expressions.showing import show
from lbdns.expressions.tree import Call, Field, Index, Node

_SHOWN_CHARS = 60


@dataclass(frozen=True, slots=True)
class Broken:
    """In place of a value or a condition that was a mistake and is told."""

    column: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """A name that no field has: what it is told as depends on where it stands."""

    word: Any
    column: int


class Told:
    """The mistakes so far, (column, sentence) each, and the fields that were met."""

    def __init__(self) -> None:
        self.problems: list[tuple[int, str]] = []
        self.fields: list[Field] = []

    def tell(self, column: int, message: str) -> Broken:
        """Keep a mistake, and return what stands for the part that it spoils."""
        self.problems.append((column, message))
        return Broken(column)


def shown_value(part: Node) -> str:
    """Return a part as it stands in the language, cut to what fits a line."""
    text = show(part)
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}..."


def with_type(value: Field | Index | Call) -> str:
    """Return a value with its type in words: `ip.src is of type IP`."""
    return f"{shown_value(value)} is of type {value.type}"


def is_each(value: Field | Index | Call) -> bool:
    """Tell whether a value is each of an array (`[*]`), so that comparing it gives an array of Bools."""
    return isinstance(value, Index) and value.key is None
