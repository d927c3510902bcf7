"""Texts that a field is compared with and never has: in the wrong case, without a final dot or with one too many.

| looked at as | case | end |
|---|---|---|
| `eq`, `ne`, an item of a set | counts | counts |
| `contains`, `starts_with` | counts | |
| `ends_with`, `strict wildcard` | counts | counts |
| `wildcard` | | counts |

Of regular expressions, of what is less or greater, and of functions beside `lower` and `upper`, nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from lbdns.expressions.field_table import FIELDS, ValueForm
from lbdns.expressions.showing import show
from lbdns.expressions.tree import Call, Compare, Condition, Field, In, Literal, Node, Operator, Truth, Wildcard, walk

_CASES: Final = {"lower": bytes.lower, "upper": bytes.upper}
_WHOLE: Final = (Operator.EQ, Operator.NE)


def misfits(condition: Condition) -> Iterator[tuple[int, str]]:
    """Yield (column, sentence) for each text that finds nothing, since no value is written like it."""
    for node in walk(condition):
        if isinstance(node, Compare) and node.operator in (*_WHOLE, Operator.CONTAINS):
            yield from _misfit(node.left, node.right, at_end=node.operator in _WHOLE)
        elif isinstance(node, In):
            for item in node.items:
                yield from _misfit(node.left, item, at_end=True)
        elif isinstance(node, Wildcard):
            literal = Literal(node.pattern, node.left.type, node.column)
            yield from _misfit(node.left, literal, at_end=not node.pattern.endswith(b"*"), cased=node.strict)
        elif isinstance(node, Truth) and isinstance(node.value, Call):
            call = node.value
            if call.name in ("starts_with", "ends_with"):
                yield from _misfit(call.arguments[0], call.arguments[1], at_end=call.name == "ends_with")


def _misfit(value: Node, literal: Node, at_end: bool, cased: bool = True) -> Iterator[tuple[int, str]]:
    form = _form_of(value)
    if form is None or not isinstance(literal, Literal) or not isinstance(literal.value, bytes) or not literal.value:
        return
    fitting = form.case(literal.value) if cased else literal.value
    if at_end and form.dot is not None:
        fitting = fitting.removesuffix(b".") + (b"." if form.dot else b"")
    if fitting != literal.value:
        words = f"{show(literal)} finds nothing: {show(value)} is {form.words}"
        yield literal.column, f"{words}; did you mean {show(replace(literal, value=fitting))}?"


def _form_of(value: Node) -> ValueForm | None:
    """Return how every value is written: a field's own form, or that which lower or upper gives it."""
    if isinstance(value, Field):
        return FIELDS[value.name].form
    if not isinstance(value, Call) or value.name not in _CASES:
        return None
    within = _form_of(value.arguments[0])
    ends = "" if within is None or within.dot is None else f", with{'' if within.dot else 'out'} the final dot"
    dot = None if within is None else within.dot
    return ValueForm(f"in {value.name} case{ends}", _CASES[value.name], dot)
