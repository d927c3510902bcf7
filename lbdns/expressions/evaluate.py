"""A condition's value for one query, and the first part that made it false.

Plain and slow: for explain, and for what only Python can decide.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any, Final

from lbdns.expressions.function_table import FUNCTIONS, Fact
from lbdns.expressions.patterns import is_like, searcher
from lbdns.expressions.tree import (
    Address,
    Always,
    And,
    Block,
    Call,
    Compare,
    Comparison,
    Condition,
    Field,
    In,
    Index,
    Item,
    Literal,
    Matches,
    Network,
    Not,
    Operator,
    Or,
    Span,
    Truth,
    Value,
    Xor,
    left_of,
)

Facts = Mapping[str, Fact | None]
"""Field -> its value; None, or no entry: missing. Text is bytes, an address one of ipaddress's."""
Lists = Mapping[str, Set[Network]]
"""Name of a list (without the `$`) -> its networks, their host bits zero; one that is not there has none."""

_ADDRESSES: Final = (IPv4Address, IPv6Address)


def evaluate(condition: Condition, facts: Facts, lists: Lists | None = None) -> bool:
    """Return whether a condition holds. A comparison with a missing value does not, but `ne` does."""
    if isinstance(condition, And):
        return all(evaluate(part, facts, lists) for part in condition.parts)
    if isinstance(condition, Or):
        return any(evaluate(part, facts, lists) for part in condition.parts)
    if isinstance(condition, Xor):
        return sum(evaluate(part, facts, lists) for part in condition.parts) % 2 == 1
    if isinstance(condition, Not):
        return not evaluate(condition.part, facts, lists)
    if isinstance(condition, Always):
        return True
    value = left_of(condition)
    return _holds(condition, value_of(value, facts, lists), lists or {})


def first_failure(condition: Condition, facts: Facts, lists: Lists | None = None) -> Condition | None:
    """Return the first part that made a condition false; None where it holds.

    Of an `and` that is the first part that is false, looked into; all else (`or`, `xor`, `not`, a comparison) is one.
    """
    while isinstance(condition, And):
        condition = next((part for part in condition.parts if not evaluate(part, facts, lists)), Always())
    return None if evaluate(condition, facts, lists) else condition


def value_of(value: Value | Literal | Condition, facts: Facts, lists: Lists | None = None) -> Any:
    """Return the value of a field, a literal or a call; None where it is missing."""
    if isinstance(value, Field):
        return facts.get(value.name)
    if isinstance(value, Literal):
        return value.value
    if isinstance(value, Index):
        return _element(value_of(value.value, facts, lists), value.key)
    if isinstance(value, Call):
        return _called(value, facts, lists)
    return _over_each(value, facts, lists)


def _element(whole: Any, key: bytes | int | None) -> Any:
    """Return one element, or the whole array where each is meant; None where there is none."""
    if whole is None or key is None:
        return whole
    if isinstance(key, bytes):
        return whole.get(key)
    return whole[key] if key < len(whole) else None


def _called(call: Call, facts: Facts, lists: Lists | None) -> Any:
    run = FUNCTIONS[call.name].run
    values = [value_of(one, facts, lists) for one in call.arguments]
    if any(value is None for value in values):
        return None
    each = [isinstance(one, Index) and one.key is None for one in call.arguments]
    if not any(each):
        return run(*values)
    count = min(len(value) for value, many in zip(values, each, strict=True) if many)
    return tuple(
        run(*(value[index] if many else value for value, many in zip(values, each, strict=True)))
        for index in range(count)
    )


def _over_each(comparison: Any, facts: Facts, lists: Lists | None) -> tuple[bool, ...] | None:
    """Return a comparison of each of an array, one Bool for each; None where the array is missing."""
    whole = value_of(left_of(comparison), facts, lists)
    return None if whole is None else tuple(_holds(comparison, value, lists or {}) for value in whole)


def _holds(comparison: Comparison, value: Any, lists: Lists) -> bool:
    if isinstance(comparison, Compare):
        return _compares(comparison.operator, value, comparison.right.value)
    if value is None:
        return False
    if isinstance(comparison, Truth):
        return bool(value)
    if isinstance(comparison, In):
        return any(_stands_in(value, item, lists) for item in comparison.items)
    if isinstance(comparison, Matches):
        return searcher(comparison.pattern)(value) is not None
    return is_like(value, comparison.pattern, comparison.strict)


def _compares(operator: Operator, value: Any, literal: Any) -> bool:
    """Compare; addresses of two families, and what is missing, are only unequal."""
    if value is None or (isinstance(value, _ADDRESSES) and value.version != literal.version):
        return operator is Operator.NE
    match operator:
        case Operator.EQ:
            return bool(value == literal)
        case Operator.NE:
            return bool(value != literal)
        case Operator.LT:
            return bool(value < literal)
        case Operator.LE:
            return bool(value <= literal)
        case Operator.GT:
            return bool(value > literal)
        case Operator.GE:
            return bool(value >= literal)
        case Operator.BITWISE_AND:
            return bool(value & literal)
        case Operator.CONTAINS:
            return literal in value


def _stands_in(value: Any, item: Item, lists: Lists) -> bool:
    if isinstance(item, Literal):
        return _compares(Operator.EQ, value, item.value)
    if isinstance(item, Span):
        return _compares(Operator.GE, value, item.low) and _compares(Operator.LE, value, item.high)
    if isinstance(item, Block):
        return value in item.network
    return _is_listed(value, lists.get(item.name, frozenset()))


def _is_listed(address: Address, networks: Set[Network]) -> bool:
    """Tell whether an address is in any of some networks; a long list costs as much as a short one."""
    if len(networks) <= address.max_prefixlen:
        return any(address in network for network in networks)
    return any(ip_network((address, length), strict=False) in networks for length in range(address.max_prefixlen + 1))
