"""Conditions for the naive oracle: what parse.py made of a text, worked out by an evaluation of its own.

It has nothing in common with lbdns.expressions.evaluate but the tree.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from ipaddress import ip_address
from typing import Any

from lbdns.expressions import tree
from tests.steering.naive_places import Address, Network, holds

Facts = Mapping[str, Any]  # field -> value; None: missing
Lists = Mapping[str, Collection[Network]]
Given = Mapping[Any, bool]  # comparisons whose truth is settled otherwise


def is_true(node: Any, facts: Facts, lists: Lists, given: Given | None = None) -> bool:
    """Tell whether a condition holds; `ne` is the opposite of `eq`, for missing values too."""
    given = given or {}
    kind = type(node).__name__
    if kind == "Always":
        return True
    if kind == "Not":
        return not is_true(node.part, facts, lists, given)
    if kind in ("And", "Or", "Xor"):
        truths = [is_true(part, facts, lists, given) for part in node.parts]
        return {"And": all(truths), "Or": any(truths), "Xor": truths.count(True) % 2 == 1}[kind]
    if kind == "Compare" and node.operator == "ne":
        return not is_true(as_equal(node), facts, lists, given)
    return given[node] if node in given else compares(node, facts, lists)


def as_equal(node: Any) -> Any:
    return tree.Compare(tree.Operator.EQ, node.left, node.right)


def compares(node: Any, facts: Facts, lists: Lists) -> bool:
    kind = type(node).__name__
    value = value_of(node.value if kind == "Truth" else node.left, facts)
    if value is None:
        return False
    if kind == "Truth":
        return value is True
    if kind == "In":
        return any(stands_in(value, item, lists) for item in node.items)
    if kind == "Matches":
        return re.search(node.pattern, value) is not None
    if kind == "Wildcard":
        pattern = as_regex(node.pattern)
        return re.fullmatch(pattern, value, re.DOTALL | (0 if node.strict else re.IGNORECASE)) is not None
    return in_relation(node.operator, value, node.right.value)


def as_regex(wildcard: bytes) -> bytes:
    """Return the regular expression of a wildcard: `*` is any text, `\\*` and `\\\\` are the characters."""
    parts = re.findall(rb"\\.|[^\\]", wildcard, re.DOTALL)
    return b"".join(b".*" if part == b"*" else re.escape(part[-1:]) for part in parts)


def in_relation(operator: str, value: Any, literal: Any) -> bool:
    if operator == "contains":
        return bool(value.find(literal) >= 0)
    if operator == "bitwise_and":
        return bool(value & literal)
    if hasattr(value, "version"):
        if value.version != literal.version:
            return False
        value, literal = int(value), int(literal)
    found: bool = {
        "eq": value == literal,
        "lt": value < literal,
        "le": value <= literal,
        "gt": value > literal,
        "ge": value >= literal,
    }[operator]
    return found


def stands_in(value: Any, item: Any, lists: Lists) -> bool:
    kind = type(item).__name__
    if kind == "Block":
        return holds(item.network, value)
    if kind == "NamedList":
        return any(holds(network, value) for network in lists[item.name])
    if kind == "Span":
        return in_relation("ge", value, item.low) and in_relation("le", value, item.high)
    return in_relation("eq", value, item.value)


def value_of(node: Any, facts: Facts) -> Any:
    """Return the value of a field, a literal or a call; None where it is missing."""
    if isinstance(node, tree.Field):
        return facts[node.name]
    if isinstance(node, tree.Literal):
        return node.value
    assert isinstance(node, tree.Call), node
    values = [value_of(argument, facts) for argument in node.arguments]
    return None if None in values else called(node.name, *values)


def called(name: str, first: Any, *others: Any) -> Any:
    if name == "lower":
        return bytes(byte + 32 if 65 <= byte <= 90 else byte for byte in first)
    if name == "upper":
        return bytes(byte - 32 if 97 <= byte <= 122 else byte for byte in first)
    if name == "len":
        return len(first)
    if name == "starts_with":
        return first[: len(others[0])] == others[0]
    if name == "ends_with":
        return len(first) >= len(others[0]) and first[len(first) - len(others[0]) :] == others[0]
    if name == "concat":
        return b"".join(one if isinstance(one, bytes) else as_text(one) for one in (first, *others))
    if name == "substring":
        return bytes(
            first[at] for at in range(*slice(others[0], others[1] if others[1:] else None).indices(len(first)))
        )
    if name == "to_string":
        return as_text(first)
    if name == "cidr":
        return kept_bits(first, others[0] if first.version == 4 else others[1])
    assert name == "cidr6", name
    return first if first.version == 4 else kept_bits(first, others[0])


def kept_bits(address: Address, bits: int) -> Address:
    lost = address.max_prefixlen - bits
    return type(address)(int(address) >> lost << lost)


def as_text(value: Any) -> bytes:
    if isinstance(value, bool):
        return str(value).lower().encode()
    return address_text(value) if hasattr(value, "version") else str(value).encode()


def address_text(address: Address) -> bytes:
    """Return RFC 5952's text, with hexadecimal alone: the longest run of zero groups, two at least, is left out."""
    if address.version == 4:
        return ".".join(str(byte) for byte in address.packed).encode()
    groups = [f"{int(address) >> shift & 0xFFFF:x}" for shift in range(112, -1, -16)]
    for count in range(8, 1, -1):
        for at in range(9 - count):
            if groups[at : at + count] == ["0"] * count:
                return f"{':'.join(groups[:at])}::{':'.join(groups[at + count :])}".encode()
    return ":".join(groups).encode()


# --- where a condition may turn from true to false -------------------------------------------------------------------


def turns_of(node: Any, lists: Lists, version: int) -> set[int]:
    """Return the addresses at which a condition on addresses may turn: where what it names begins, and behind it."""
    width = {4: 32, 6: 128}[version]
    points: set[int] = set()
    masks = {width}
    for one in tree.walk(node):
        for first, last in spoken_of(one, lists):
            if first.version == version:
                points |= {int(first), int(last) + 1}
        if isinstance(one, tree.Call) and one.name.startswith("cidr"):
            bits: list[Any] = [getattr(argument, "value", None) for argument in one.arguments[1:]]
            masks.add(bits[0] if version == 4 and one.name == "cidr" else bits[-1])
    blocks = {width - min(bits, width) for bits in masks}
    masked = {((point >> lost) + more) << lost for point in points for lost in blocks for more in (0, 1)}
    return {point for point in points | masked if point < 2**width}


def spoken_of(node: Any, lists: Lists) -> list[tuple[Any, Any]]:
    """Return the addresses that one node names, first and last of each block; a text names one if it is its text."""
    if isinstance(node, tree.Block):
        return [(node.network[0], node.network[-1])]
    if isinstance(node, tree.NamedList):
        return [(network[0], network[-1]) for network in lists[node.name]]
    if isinstance(node, tree.Span) and hasattr(node.low, "version"):
        return [(node.low, node.high)]
    if not isinstance(node, tree.Literal):
        return []
    if isinstance(node.value, bytes):
        try:
            address = ip_address(node.value.decode())
        except ValueError:
            return []
        return [(address, address)]
    return [(node.value, node.value)] if hasattr(node.value, "version") else []
