"""From text to tokens: what kind of word a word is, and how deep the text is nested where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from lbdns.expressions.tree import NESTING_MAX

WHITE_SPACE: Final = " \r\n"

WORDS: Final = {
    "or": "OR",
    "xor": "XOR",
    "and": "AND",
    "not": "NOT",
    "eq": "EQ",
    "ne": "NE",
    "lt": "LT",
    "le": "LE",
    "gt": "GT",
    "ge": "GE",
    "bitwise_and": "BITWISE_AND",
    "contains": "CONTAINS",
    "matches": "MATCHES",
    "wildcard": "WILDCARD",
    "strict": "STRICT",
    "in": "IN",
}
"""Keyword -> terminal of grammar.lark."""

_ENDS_OPERAND: Final = frozenset({"AND", "XOR", "OR", "COMMA", "RPAR"})
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*", re.ASCII)


class TooDeep(Exception):
    """More parentheses and `not`s inside one another than NESTING_MAX; `column` is that of the one too many."""

    def __init__(self, column: int) -> None:
        super().__init__(column)
        self.column = column


class Scanner:
    """What lark's lexer hands each token to before the parser gets it.

    `opened` has the columns of the parentheses that were open when the text, or its last token, was taken.
    """

    always_accept = ("WORD", "UNENDED", "OTHER", "WRONG_SIGN")
    """Terminals that no rule has; lark leaves out of the lexer what nobody asks for."""

    def __init__(self) -> None:
        self.opened: list[int] = []

    def process(self, stream: Iterator[Any]) -> Iterator[Any]:
        """Yield the tokens of one text; raises TooDeep."""
        self.opened = []
        waits: list[int] = []  # for each open parenthesis: the nots before it
        waiting = 0  # nots whose operand is being read
        depth = 0
        for token in stream:
            if token.type == "WORD":
                token.type = _kind(token)
            kind = token.type
            if kind in ("NOT", "LPAR"):
                depth += 1
                if depth > NESTING_MAX:
                    raise TooDeep(token.start_pos + 1)
                if kind == "NOT":
                    waiting += 1
                else:
                    self.opened.append(token.start_pos + 1)
                    waits.append(waiting)
                    waiting = 0
            elif kind in _ENDS_OPERAND:
                depth -= waiting
                waiting = 0
                if kind == "RPAR" and waits:
                    waiting = waits.pop()
                    self.opened.pop()
                    depth -= 1
            yield token


def _kind(word: str) -> str:
    kind = WORDS.get(word)
    if kind is not None:
        return kind
    return "LIST" if word.startswith("$") else "NAME" if _NAME.fullmatch(word) else "BARE"
