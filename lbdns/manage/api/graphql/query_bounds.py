"""How much one query may ask, looked at before it is carried out; each bound says in a sentence what it is.

| bound                         | looked at                                       |
|-------------------------------|-------------------------------------------------|
| characters, tokens, nesting   | before it is parsed                             |
| fields, aliases, nodes        | before it is checked against the schema         |
| values of variables           | the same                                        |
| zones, rows, span, age        | when a node is asked                            |
| seconds of work               | all the while                                   |
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    Lexer,
    OperationDefinitionNode,
    SelectionSetNode,
    Source,
    TokenKind,
)

QUERY_CHARS_MAX: Final = 64 * 1024
TOKENS_MAX: Final = 4000
NESTING_MAX: Final = 24
"""Brackets within brackets; the widespread introspection query has 17."""
SELECTED_MAX: Final = 600
"""Fields of a query, those of a fragment as often as it is used."""
FRAGMENTS_MAX: Final = 100
ASKED_MAX: Final = 50
"""Nodes of a query, those under another alias again."""
VALUES_MAX: Final = 10_000
"""Values within a query's variables: each is made one of its type before any time is counted."""
ZONES_MAX: Final = 100
"""Zones that one query is about."""
ROWS_READ_MAX: Final = 500_000
"""Rows that one query looks at, of all nodes and zones."""
WORK_S: Final = 2.0
_OPENING: Final = frozenset((TokenKind.BRACE_L, TokenKind.BRACKET_L, TokenKind.PAREN_L))
_CLOSING: Final = frozenset((TokenKind.BRACE_R, TokenKind.BRACKET_R, TokenKind.PAREN_R))
_CHECKED_EACH: Final = 256
LIMIT_CODE: Final = "limit"


def beyond(message: str) -> GraphQLError:
    """Return the refusal of what is beyond a bound."""
    return GraphQLError(message, extensions={"code": LIMIT_CODE})


def check_text(text: str) -> None:
    """Refuse a query by its text; raises GraphQLError, also where it is no GraphQL."""
    if len(text) > QUERY_CHARS_MAX:
        raise beyond(f"the query has {len(text):,} characters; expected at most {QUERY_CHARS_MAX:,}")
    lexer = Lexer(Source(text))
    depth = count = 0
    while (token := lexer.advance()).kind is not TokenKind.EOF:
        count += 1
        depth += (token.kind in _OPENING) - (token.kind in _CLOSING)
        if count > TOKENS_MAX:
            raise beyond(f"the query has more than {TOKENS_MAX:,} words and signs; ask for less in one request")
        if depth > NESTING_MAX:
            raise beyond(f"the query is nested too deeply; expected at most {NESTING_MAX} brackets within one another")


def check_size(document: DocumentNode, nodes: Mapping[str, Any]) -> None:
    """Refuse a document whose operations ask for too many fields, or too many of `nodes`; raises GraphQLError."""
    fragments = {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}
    if len(fragments) > FRAGMENTS_MAX:
        raise beyond(f"the query has {len(fragments)} fragments; expected at most {FRAGMENTS_MAX}")
    known: dict[str, tuple[int, int]] = {}

    def size(selection: SelectionSetNode | None, within: frozenset[str]) -> tuple[int, int]:
        fields = asked = 0
        for one in selection.selections if selection is not None else ():
            if isinstance(one, FieldNode):
                fields, asked = fields + 1, asked + (one.name.value in nodes)
            inner = (0, 0)
            if isinstance(one, FragmentSpreadNode):
                inner = spread(one.name.value, within)
            elif isinstance(one, (FieldNode, InlineFragmentNode)):
                inner = size(one.selection_set, within)
            fields, asked = fields + inner[0], asked + inner[1]
            if fields > SELECTED_MAX:
                raise beyond(f"the query asks for more than {SELECTED_MAX} fields; ask for less in one request")
        return fields, asked

    def spread(name: str, within: frozenset[str]) -> tuple[int, int]:
        if name not in fragments or name in within:
            return 0, 0  # what is wrong with that is told where the query is checked
        if name not in known:
            known[name] = size(fragments[name].selection_set, within | {name})
        return known[name]

    for operation in document.definitions:
        if isinstance(operation, OperationDefinitionNode):
            _, asked = size(operation.selection_set, frozenset())
            if asked > ASKED_MAX:
                raise beyond(f"the query asks for {asked} nodes; expected at most {ASKED_MAX} in one request")


def check_variables(variables: Mapping[str, Any]) -> None:
    """Refuse variables that hold too many values; raises GraphQLError."""
    left = VALUES_MAX
    waiting: list[Any] = [variables]
    while waiting:
        one = waiting.pop()
        inner = one.values() if isinstance(one, Mapping) else one if isinstance(one, list) else ()
        left -= len(inner)
        if left < 0:
            raise beyond(f"the variables hold more than {VALUES_MAX:,} values; ask for less in one request")
        waiting += inner


class Work:
    """What one query may do: seconds of work of the thread that carries it out, and rows to look at."""

    def __init__(self, clock: Callable[[], float] = time.thread_time, seconds: float = WORK_S) -> None:
        self._clock = clock
        self._seconds = seconds
        self._ends_at = clock() + seconds
        self._rows = 0

    def check(self) -> None:
        """Raise GraphQLError where the time is over."""
        if self._clock() > self._ends_at:
            told = f"the query takes more than {self._seconds:g} seconds of work"
            raise beyond(f"{told}; ask for a shorter span of time, fewer nodes or fewer rows")

    def row(self) -> None:
        """Count a row; raises GraphQLError where there are too many, or the time is over."""
        self._rows += 1
        if self._rows % _CHECKED_EACH == 0:
            self.check()
            if self._rows > ROWS_READ_MAX:
                told = f"the query looks at more than {ROWS_READ_MAX:,} rows"
                raise beyond(f"{told}; ask for a shorter span of time, or filter")
