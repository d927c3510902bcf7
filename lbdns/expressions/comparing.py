"""Comparisons: which operators go with which types, and the right side of each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import lbdns.dns.codes
from lbdns.expressions.expression_error import either, quoted
from lbdns.expressions.field_table import FIELDS
from lbdns.expressions.literals import (
    EXPECTED,
    LiteralError,
    is_quoted,
    network_of,
    pattern_text,
    scalar_of,
    span_of,
    text_of,
    without_quotes,
)
from lbdns.expressions.patterns import PatternError, check_wildcard, searcher
from lbdns.expressions.telling import Broken, Told, shown_value, with_type
from lbdns.expressions.tree import TEXTS, Block, Field, Item, Literal, NamedList, Span, Type, Value

_ORDERED: Final = ("eq", "ne", "lt", "le", "gt", "ge")
OPERATORS: Final[dict[Type, tuple[str, ...]]] = {
    Type.INT: (*_ORDERED, "&", "in"),
    Type.FLOAT: (*_ORDERED, "in"),
    Type.IP: (*_ORDERED, "in"),
    **{kind: (*_ORDERED, "contains", "matches", "wildcard", "strict wildcard", "in") for kind in TEXTS},
}
"""Type -> the operators that go with it, as messages name them."""
_RANGED: Final = (Type.INT, Type.FLOAT, Type.IP)
_LIST_NAME = re.compile(r"\$[A-Za-z0-9_.-]+", re.ASCII)
_SIGNS: Final = {
    "==": "eq",
    "!=": "ne",
    "<": "lt",
    "<=": "le",
    ">": "gt",
    ">=": "ge",
    "bitwise_and": "&",
    "~": "matches",
}


def check_operator(value: Value | Broken, written: str, column: int, told: Told) -> bool:
    """Tell whether an operator goes with a value; where it does not, that is told. Nothing goes with a Broken one."""
    if isinstance(value, Broken):
        return False
    operators = OPERATORS.get(value.type)
    if operators is not None and _SIGNS.get(written, written) in operators:
        return True
    if operators is not None:
        message = f"{quoted(written)} does not go with {shown_value(value)}, of type {value.type}"
        told.tell(column, f"{message}; expected {either(operators)}")
    elif value.type is Type.BOOL:
        told.tell(column, f"{stands_alone(value)}{'; did you mean &&?' if written == '&' else ''}")
    else:
        told.tell(column, f"{with_type(value)}; {not_comparable(value)}")
    return False


def stands_alone(value: Value) -> str:
    """Return the sentence about a Bool that is compared."""
    return f"{with_type(value)} and stands alone; expected {shown_value(value)} or not {shown_value(value)}"


def not_comparable(value: Value) -> str:
    """Return what is expected of an array or a map, which as a whole nothing is compared with."""
    shown = shown_value(value)
    if value.type is Type.MAP_OF_ARRAYS:
        return f'expected an element, as in any({shown}["x"][*] eq "y")'
    return f'expected one element, such as {shown}[0], or each of it, as in any({shown}[*] eq "y")'


def literal_of(value: Value, token: Any, told: Told) -> Literal | Broken:
    """Return the right side of eq, ne, lt, le, gt, ge, & or contains as a literal of the value's type."""
    column = token.start_pos + 1
    try:
        _refuse_names(value, token)
        if value.type not in TEXTS and ".." in token and not is_quoted(token):
            one = EXPECTED[value.type]
            raise LiteralError(f"{quoted(token)} is a range; expected {one}, or in and a set: in {{{token}}}")
        return Literal(scalar_of(token, value.type), value.type, column)
    except LiteralError as error:
        return told.tell(column + error.offset, str(error))


def _refuse_names(value: Value, token: Any) -> None:
    """Raise LiteralError for a word that is none of a literal: a field, a list, a text without quotes."""
    if token.type == "LIST":
        instead = f"in before it: {shown_value(value)} in {token}" if value.type is Type.IP else EXPECTED[value.type]
        raise LiteralError(f"{quoted(token)} is a list of networks; expected {instead}")
    if token.type != "NAME":
        return
    if token in FIELDS:
        raise LiteralError(
            f"{token} is a field; expected a literal on the right of a comparison: {EXPECTED[value.type]}"
        )
    if value.type in TEXTS:
        raise without_quotes(token)
    code = vars(lbdns.dns.codes).get(f"TYPE_{token.upper()}")
    if isinstance(value, Field) and value.name == "dns.qry.type" and code is not None:
        raise LiteralError(f"{quoted(token)} is no whole number; expected the number of the record type, {code}")


def set_items(value: Value, tokens: Sequence[Any], told: Told) -> tuple[Item, ...] | Broken:
    """Return the items of a set, of the value's type all; each tells its own mistakes."""
    items = []
    for token in tokens:
        try:
            items.append(_item(value, token))
        except LiteralError as error:
            told.tell(token.start_pos + 1 + error.offset, f"{error}{_range_meant(value, token)}")
    return tuple(items) if len(items) == len(tokens) else Broken(value.column)


def _range_meant(value: Value, token: Any) -> str:
    """Return `; did you mean a..b?` of what others write as a-b, else ""."""
    first, minus, last = token.partition("-")
    if not minus or value.type not in _RANGED:
        return ""
    try:
        span_of(f"{first}..{last}", value.type)
    except LiteralError:
        return ""
    return f"; did you mean {first}..{last}?"


def _item(value: Value, token: Any) -> Item:
    column = token.start_pos + 1
    if token.type == "LIST":
        return named_list(value, token)
    _refuse_names(value, token)
    if ".." in token and value.type not in TEXTS and not is_quoted(token):
        low, high = span_of(token, value.type)
        return Span(low, high, value.type, column)
    if "/" in token and value.type is Type.IP and not is_quoted(token):
        return Block(network_of(token), column)
    return Literal(scalar_of(token, value.type), value.type, column)


def named_list(value: Value, token: Any) -> NamedList:
    """Return a named list; raises LiteralError where the value is no IP, or the name is empty."""
    if not token[1:]:
        raise LiteralError("the name behind $ is missing; expected that of a list, such as $office", 1)
    if not _LIST_NAME.fullmatch(token):
        raise LiteralError(f"{quoted(token)} names no list; expected letters, digits, _, - and . behind $")
    if value.type is not Type.IP:
        raise LiteralError(
            f"{quoted(token)} is a list of networks, and {with_type(value)}; expected {EXPECTED[value.type]}"
        )
    return NamedList(token[1:], token.start_pos + 1)


def pattern_of(token: Any, told: Told) -> bytes | Broken:
    """Return a regular expression that RE2 takes."""
    return _checked_pattern(token, pattern_text, searcher, "a regular expression", told)


def wildcard_of(token: Any, told: Told) -> bytes | Broken:
    """Return the pattern of a wildcard."""
    return _checked_pattern(token, text_of, check_wildcard, "a wildcard", told)


def _checked_pattern(token: Any, read: Any, check: Any, what: str, told: Told) -> bytes | Broken:
    column = token.start_pos + 1
    if not is_quoted(token):
        return told.tell(column, f"{quoted(token)[1:-1]} has no quotes; expected {what} in quotes")
    try:
        pattern, offsets = read(token)
        check(pattern)
    except LiteralError as error:
        return told.tell(column + error.offset, str(error))
    except PatternError as error:
        return told.tell(column + offsets[error.offset], str(error))
    found: bytes = pattern
    return found
