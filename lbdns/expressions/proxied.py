"""Fields of proxied requests: the language has them, a DNS query never."""

from __future__ import annotations

from collections.abc import Iterable

from lbdns.expressions.expression_error import ExpressionError
from lbdns.expressions.field_table import FIELDS, PROXIED_ONLY, FieldKind
from lbdns.expressions.parse import parse
from lbdns.expressions.tree import Condition, Field


def parse_condition(text: str) -> Condition:
    """Return the condition that a text says, as `parse`; the ExpressionError of a mistaken one tells its proxied fields
    as well. Those of one without mistakes are left to `proxied_mistakes`."""
    try:
        return parse(text)
    except ExpressionError as error:
        raise ExpressionError(error.every.union(proxied_mistakes(error.fields))) from None


def proxied_mistakes(fields: Iterable[Field]) -> list[tuple[int, str]]:
    """Return what is wrong with those fields that only a proxy sees: column from 1, sentence; each name once, where it
    stands first."""
    first: dict[str, int] = {}
    for field in fields:
        if FIELDS[field.name].kind is FieldKind.PROXIED:
            first.setdefault(field.name, field.column)
    return [(column, f'"{name}" {PROXIED_ONLY}') for name, column in first.items()]
