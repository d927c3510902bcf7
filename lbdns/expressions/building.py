"""From the parser's reductions to the tree: each method makes a node of what grammar.lark names by `->`.

Types are checked as the nodes are made. A mistake is told and parsing goes on with a Broken value, so that the next
comparison tells its own and nothing is told that only follows from the first.
"""

from __future__ import annotations

from typing import Any, Final

from lbdns.expressions.calling import call_of, element_of, field_of, known
from lbdns.expressions.comparing import (
    OPERATORS,
    check_operator,
    literal_of,
    not_comparable,
    pattern_of,
    set_items,
    wildcard_of,
)
from lbdns.expressions.expression_error import either
from lbdns.expressions.telling import Broken, Told, Unknown, is_each, shown_value, with_type
from lbdns.expressions.tree import (
    And,
    Call,
    Compare,
    Condition,
    Field,
    In,
    Index,
    Matches,
    Not,
    Operator,
    Or,
    Truth,
    Type,
    Value,
    Wildcard,
    Xor,
    left_of,
)

_OPERATORS: Final = {
    "EQ": Operator.EQ,
    "NE": Operator.NE,
    "LT": Operator.LT,
    "LE": Operator.LE,
    "GT": Operator.GT,
    "GE": Operator.GE,
    "BITWISE_AND": Operator.BITWISE_AND,
    "CONTAINS": Operator.CONTAINS,
}


def column_of(token: Any) -> int:
    """Return where a token begins, from 1."""
    column: int = token.start_pos + 1
    return column


class TreeBuilder:
    """The methods that the parser calls; `told` is made anew for each text."""

    def __init__(self) -> None:
        self.told = Told()

    # --- values ---

    def name(self, parts: list[Any]) -> Field | Unknown:
        found = field_of(parts[0])
        if isinstance(found, Field):
            self.told.fields.append(found)
        return found

    def call(self, parts: list[Any]) -> Call | Broken:
        return call_of(parts[0], parts[1:], self.told)

    def element(self, parts: list[Any]) -> Index | Broken:
        return element_of(parts[0], parts[1], self.told)

    # --- comparisons ---

    def compared(self, parts: list[Any]) -> Compare | Broken:
        left, operator, token = parts
        left = known(left, self.told)
        if not check_operator(left, operator, column_of(operator), self.told):
            return Broken(left.column)
        right = literal_of(left, token, self.told)
        if isinstance(right, Broken):
            return right
        return Compare(_OPERATORS[operator.type], left, right, left.column, _type(left))

    def matched(self, parts: list[Any]) -> Matches | Broken:
        left, operator, token = parts
        left = known(left, self.told)
        if not check_operator(left, operator, column_of(operator), self.told):
            return Broken(left.column)
        pattern = pattern_of(token, self.told)
        return pattern if isinstance(pattern, Broken) else Matches(left, pattern, left.column, _type(left))

    def alike(self, parts: list[Any]) -> Wildcard | Broken:
        left, operator, token = parts
        return self._wildcard(left, operator, operator, token, False)

    def strictly_alike(self, parts: list[Any]) -> Wildcard | Broken:
        left, strict, operator, token = parts
        return self._wildcard(left, strict, f"{strict} {operator}", token, True)

    def _wildcard(self, left: Any, first: Any, operator: str, token: Any, strict: bool) -> Wildcard | Broken:
        left = known(left, self.told)
        if not check_operator(left, operator, column_of(first), self.told):
            return Broken(left.column)
        pattern = wildcard_of(token, self.told)
        return pattern if isinstance(pattern, Broken) else Wildcard(left, pattern, strict, left.column, _type(left))

    def in_set(self, parts: list[Any]) -> In | Broken:
        left, operator, *tokens = parts
        left = known(left, self.told)
        if not check_operator(left, operator, column_of(operator), self.told):
            return Broken(left.column)
        items = set_items(left, tokens, self.told)
        return items if isinstance(items, Broken) else In(left, items, left.column, _type(left))

    def in_list(self, parts: list[Any]) -> In | Broken:
        return self.in_set(parts)

    # --- conditions ---

    def negated(self, parts: list[Any]) -> Condition | Broken:
        token, part = parts
        made = self.condition(part)
        return made if isinstance(made, Broken) else Not(made, column_of(token))

    def all_of(self, parts: list[Any]) -> Condition | Broken:
        return self._joined(parts, And)

    def odd(self, parts: list[Any]) -> Condition | Broken:
        return self._joined(parts, Xor)

    def either(self, parts: list[Any]) -> Condition | Broken:
        return self._joined(parts, Or)

    def _joined(self, parts: list[Any], kind: type[And] | type[Xor] | type[Or]) -> Condition | Broken:
        conditions: list[Condition] = []
        broken: Broken | None = None
        for part in parts[::2]:
            made = self.condition(part)
            if isinstance(made, Broken):
                broken = made
            else:
                conditions += made.parts if isinstance(made, kind) else (made,)
        return broken or kind(tuple(conditions), conditions[0].column)

    def condition(self, made: Any) -> Condition | Broken:
        """Return a part that has to be true or false: a Bool by itself becomes Truth, what is neither is told."""
        made = known(made, self.told)
        if isinstance(made, Broken):
            return made
        if made.type is Type.ARRAY_OF_BOOL or is_each(made):
            value = made if isinstance(made, (Field, Index, Call)) else left_of(made)
            message = f"{shown_value(value)} is each of an array; expected any(...) or all(...) around its comparison"
            return self.told.tell(made.column, message)
        if not isinstance(made, (Field, Index, Call)):
            condition: Condition = made
            return condition
        if made.type is Type.BOOL:
            return Truth(made, made.column)
        operators = f"expected a comparison behind it: {either(OPERATORS[made.type])}" if made.type in OPERATORS else ""
        return self.told.tell(made.column, f"{with_type(made)}; {operators or not_comparable(made)}")


def _type(left: Value) -> Type:
    return Type.ARRAY_OF_BOOL if is_each(left) else Type.BOOL
