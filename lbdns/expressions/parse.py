"""From text to tree: `parse` is all that others need.

    text --scanning--> tokens --grammar.lark--> reductions --building--> typed tree
              |                      |                          |
              '----------------------'--------------------------'--> ExpressionError: every mistake that can be told

The parser is made when the first text comes, so that a server without rules does not wait for it. A syntax error ends a
text; the mistakes of the comparisons before it are told with it.
"""

from __future__ import annotations

import threading
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final
from weakref import WeakValueDictionary

from lbdns.expressions.building import TreeBuilder
from lbdns.expressions.expression_error import ExpressionError
from lbdns.expressions.scanning import WHITE_SPACE, Scanner, TooDeep
from lbdns.expressions.telling import Broken, Told
from lbdns.expressions.tree import LENGTH_MAX, NESTING_MAX, Always, Condition
from lbdns.expressions.unexpected import unexpected

_RECENT_TREES: Final = 256
"""Trees that are kept though nobody has them any more; those that somebody has are found as long as that is so."""
_LOCK = threading.Lock()


class _Parser:
    """lark's parser with what it calls; one text at a time."""

    def __init__(self) -> None:
        from lark import Lark, UnexpectedToken  # some 30 ms, which only a configuration with rules waits for

        self._scanner = Scanner()
        self._builder = TreeBuilder()
        self._syntax_error = UnexpectedToken
        self._lark = Lark(
            Path(__file__).with_name("grammar.lark").read_text(encoding="utf-8"),
            parser="lalr",
            lexer="basic",
            maybe_placeholders=False,
            transformer=self._builder,
            postlex=self._scanner,
        )

    def tree_of(self, text: str) -> Condition:
        """Return the tree of a text that is not empty."""
        told = self._builder.told = Told()
        made: Any = Broken(1)
        try:
            made = self._builder.condition(self._lark.parse(text))
        except self._syntax_error as error:
            unexpected(error, text, self._scanner.opened, told)
        except TooDeep as error:
            told.tell(
                error.column,
                f"nested deeper than {NESTING_MAX}; expected fewer parentheses and nots inside one another",
            )
        if told.problems:
            raise ExpressionError(told.problems, told.fields)
        found: Condition = made
        return found


@cache
def _parser() -> _Parser:
    return _Parser()


_TREES: WeakValueDictionary[str, Condition] = WeakValueDictionary()


def parse(text: str) -> Condition:
    """Return the condition that a text says; "" (or white space alone) always holds.

    The same text gives the same tree while anybody has it, so that whoever checks, compiles or explains a configuration
    parses it once. Raises ExpressionError with every mistake that can be told at once. Columns count characters from 1.
    """
    length = len(text.encode("utf-8", "surrogatepass"))
    if length > LENGTH_MAX:
        raise ExpressionError([(1, f"the expression has {length:,} bytes; expected at most {LENGTH_MAX:,}")])
    return parse_shown(text)


def parse_shown(text: str) -> Condition:
    """Return the condition that showing.py wrote: the same, of any length, as it may be longer than what was read."""
    tree = _TREES.get(text)
    if tree is None:
        tree = _TREES[text] = _parse(text)
    return tree


@lru_cache(_RECENT_TREES)
def _parse(text: str) -> Condition:
    if not text.strip(WHITE_SPACE):
        return Always()
    try:
        text.encode()
    except UnicodeEncodeError as error:
        message = "half of a surrogate pair is no character; expected text in UTF-8"
        raise ExpressionError([(error.start + 1, message)]) from None
    with _LOCK:
        return _parser().tree_of(text)
