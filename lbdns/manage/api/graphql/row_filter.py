"""Filters of nodes: an input object -> a condition of a row; the span of time that it leaves; what a keeper can take.

    {name: value, name_op: value, AND: [filters], OR: [filters]}: all of them hold

What is null is no condition, so that a variable that is not given leaves one out.
"""

from __future__ import annotations

import math
import operator as operators
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from graphql import GraphQLError

from lbdns.manage.api.graphql.node_table import Node, NodeField

Row = Mapping[str, Any]
Value = Callable[[Row], Any]
Condition = Callable[[Row], bool]
CONDITIONS_MAX: Final = 500
"""Conditions of one filter."""
DEPTH_MAX: Final = 10
"""AND and OR within one another."""
VALUES_MAX: Final = 10_000
"""Values of one list."""


class FilterOperator(NamedTuple):
    """What a field's name ends with, and how a row's value compares; `takes_text`: with text, whatever the field is."""

    ending: str
    compare: Callable[[Any, Any], bool]
    takes_list: bool = False
    takes_text: bool = False


def is_like(value: Any, pattern: str) -> bool:
    """Tell whether a value's text is like a pattern, in which % stands for any characters, or for none."""
    text = str(value)
    first, *middle = pattern.split("%")
    if not middle:
        return text == first
    last = middle.pop()
    at, end = len(first), len(text) - len(last)
    if at > end or not text.startswith(first) or not text.endswith(last):
        return False
    for part in middle:
        at = text.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True


OPERATORS: Final = (
    FilterOperator("", operators.eq),
    FilterOperator("_neq", operators.ne),
    FilterOperator("_in", lambda value, wanted: value in wanted, takes_list=True),
    FilterOperator("_notin", lambda value, wanted: value not in wanted, takes_list=True),
    FilterOperator("_gt", operators.gt),
    FilterOperator("_lt", operators.lt),
    FilterOperator("_geq", operators.ge),
    FilterOperator("_leq", operators.le),
    FilterOperator("_like", is_like, takes_text=True),
    FilterOperator("_notlike", lambda value, pattern: not is_like(value, pattern), takes_text=True),
)
"""Of scalars."""
LIST_OPERATORS: Final = (
    FilterOperator("_has", lambda values, wanted: wanted in values),
    FilterOperator("_hasall", lambda values, wanted: wanted <= set(values), takes_list=True),
    FilterOperator("_hasany", lambda values, wanted: not wanted.isdisjoint(values), takes_list=True),
)
"""Of lists."""


@dataclass(frozen=True, slots=True)
class Term:
    """One condition: a field, how it compares, with what; a list of values is a frozenset."""

    field: NodeField
    operator: FilterOperator
    wanted: Any


@dataclass(frozen=True, slots=True)
class RowFilter:
    """What a row is to be: every term, every filter of `all_of`, and of each of `any_of` one filter."""

    terms: tuple[Term, ...] = ()
    all_of: tuple[RowFilter, ...] = ()
    any_of: tuple[tuple[RowFilter, ...], ...] = ()

    def fields(self) -> Iterator[NodeField]:
        """Yield the fields that it looks at."""
        for term in self.terms:
            yield term.field
        for one in (*self.all_of, *(one for many in self.any_of for one in many)):
            yield from one.fields()

    def certain(self) -> Iterator[Term]:
        """Yield the terms that hold of every row that it lets through."""
        yield from self.terms
        for one in self.all_of:
            yield from one.certain()
        for many in self.any_of:
            if len(many) == 1:
                yield from many[0].certain()

    def condition(self, value_of: Mapping[str, Value], step_s: int = 1) -> Condition:
        """Return it as a condition of rows, each of which stands for what begins at its time and lasts `step_s`: it
        fits where any of that does."""
        checks = [_check(term, value_of[term.field.name], step_s) for term in self.terms]
        checks += [one.condition(value_of, step_s) for one in self.all_of]
        checks += [_any_of([one.condition(value_of, step_s) for one in many]) for many in self.any_of]
        if len(checks) == 1:
            return checks[0]
        return lambda row: all(check(row) for check in checks)

    def beside_span(self) -> RowFilter:
        """Return the filter without what `span` says all of: what is left to ask of rows within that."""
        rest = tuple(term for term in self.terms if not _is_spanned(term))
        alone = tuple(many[0] for many in self.any_of if len(many) == 1)
        any_of = tuple(many for many in self.any_of if len(many) != 1)
        return RowFilter(rest, tuple(one.beside_span() for one in (*self.all_of, *alone)), any_of)

    def span(self, since_s: float, until_s: float) -> tuple[float, float]:
        """Return what is left of a span of time: every row that fits lies within it."""
        for term in self.certain():
            least, most = _span_of(term)
            since_s, until_s = max(since_s, least), min(until_s, most)
        return since_s, until_s

    def where(self) -> dict[str, frozenset[Any]]:
        """Return the values that words may have, where it says which: what a keeper of rows can look for."""
        found: dict[str, frozenset[Any]] = {}
        for term in self.certain():
            if term.field.is_plain and term.operator.ending in ("", "_in"):
                wanted = term.wanted if term.operator.takes_list else frozenset((term.wanted,))
                word = term.field.words[0]
                found[word] = found[word] & wanted if word in found else wanted
        return found


def _any_of(checks: Sequence[Condition]) -> Condition:
    return lambda row: any(check(row) for check in checks)


def _check(term: Term, value: Value, step_s: int) -> Condition:
    compare, wanted = term.operator.compare, term.wanted
    if step_s > 1 and term.field.words == ("time",) and term.operator.ending in ("", "_gt", "_geq"):
        # The row begins before what is looked for, and some of it may come after.
        wanted = wanted // step_s * step_s
        compare = operators.eq if not term.operator.ending else operators.ge
    return lambda row: compare(value(row), wanted)


def _is_spanned(term: Term) -> bool:
    return term.field.words == ("time",) and term.operator.ending in ("", "_gt", "_geq", "_lt", "_leq")


def _span_of(term: Term) -> tuple[float, float]:
    """Return from when and until before when a row lies that a term of its time holds of. Values of fields are cut, of
    `datetime` to the second: 10:00:00.9 is 10:00:00, and not after it."""
    if term.field.words != ("time",) or term.operator.takes_text:
        return -math.inf, math.inf
    step_s = term.field.step_s
    if term.operator.takes_list:
        if term.operator.ending != "_in":
            return -math.inf, math.inf
        return min(term.wanted, default=math.inf), max(term.wanted, default=-math.inf) + step_s
    begin_s = term.wanted // step_s * step_s
    next_s, is_begin = begin_s + step_s, begin_s == term.wanted
    match term.operator.ending:
        case "":
            return (begin_s, next_s) if is_begin else (math.inf, -math.inf)
        case "_gt":
            return next_s, math.inf
        case "_geq":
            return begin_s if is_begin else next_s, math.inf
        case "_lt":
            return -math.inf, begin_s if is_begin else next_s
        case "_leq":
            return -math.inf, next_s
    return -math.inf, math.inf


def read_filter(node: Node, given: Mapping[str, Any] | None) -> RowFilter:
    """Return the filter that an argument says, whose types have been checked; raises GraphQLError."""
    named = {
        f"{field.name}{one.ending}": (field, one)
        for field in node.fields
        for one in (LIST_OPERATORS if field.is_list else OPERATORS)
    }
    left = CONDITIONS_MAX

    def read(wanted: Mapping[str, Any], depth: int) -> RowFilter:
        nonlocal left
        if depth > DEPTH_MAX:
            raise GraphQLError(f"the filter of {node.name} is nested too deeply; expected at most {DEPTH_MAX} levels")
        terms, all_of, any_of = [], [], []
        for key, value in wanted.items():
            if value is None:
                continue
            left -= 1
            if left < 0:
                raise GraphQLError(f"the filter of {node.name} has more than {CONDITIONS_MAX} conditions")
            if key == "AND":
                all_of += [read(one, depth + 1) for one in value]
            elif key == "OR":
                if value:
                    any_of.append(tuple(read(one, depth + 1) for one in value))
            else:
                terms.append(_term(*named[key], value))
        return RowFilter(tuple(terms), tuple(all_of), tuple(any_of))

    return read(given or {}, 0)


def _term(field: NodeField, operator: FilterOperator, value: Any) -> Term:
    if not operator.takes_list:
        return Term(field, operator, value)
    if len(value) > VALUES_MAX:
        raise GraphQLError(f"{field.name}{operator.ending} has {len(value):,} values; expected at most {VALUES_MAX:,}")
    return Term(field, operator, frozenset(value))
