"""A condition as a typed tree: what parse.py makes of a text, and what evaluates, compiles and shows it.

Every node has `column`, where it begins in the text (from 1), and `type`. Two nodes that say the same are equal and
have one hash, wherever they stand: the column counts in neither. `and`, `or` and `xor` of several parts are one node,
so a tree is no deeper than its text's parentheses and `not`s, which NESTING_MAX bounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

NESTING_MAX = 128
"""Parentheses, calls and `not`s inside one another."""
LENGTH_MAX = 4096
"""Bytes of an expression, in UTF-8."""

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Scalar = bytes | int | float | Address
"""What a literal can be: text is bytes, a Bool has no literal."""


class Type(StrEnum):
    """What kind of value a part gives. STRING differs from BYTES in its name alone; FLOAT is ours, for coordinates."""

    BYTES = "Bytes"
    STRING = "String"
    INT = "Int"
    FLOAT = "Float"
    IP = "IP"
    BOOL = "Bool"
    ARRAY_OF_BYTES = "Array<Bytes>"
    ARRAY_OF_INT = "Array<Int>"
    ARRAY_OF_BOOL = "Array<Bool>"
    MAP_OF_ARRAYS = "Map<Array<Bytes>>"


TEXTS = (Type.BYTES, Type.STRING)
"""The types whose values are bytes."""


class Operator(StrEnum):
    """What compares a value with one literal; as the language writes it in letters."""

    EQ = "eq"
    NE = "ne"
    LT = "lt"
    LE = "le"
    GT = "gt"
    GE = "ge"
    BITWISE_AND = "bitwise_and"
    CONTAINS = "contains"


@dataclass(frozen=True, slots=True)
class Field:
    """A field by its name (field_table.py)."""

    name: str
    type: Type
    column: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Index:
    """One element of a map (`key` is bytes) or of an array (an int from 0), or each of an array (None, `[*]`)."""

    value: Value
    key: bytes | int | None
    type: Type
    column: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Literal:
    """One value that the text gives; what is text or `61:62` there is bytes."""

    value: Scalar
    type: Type
    column: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A function (function_table.py) of values, or of one comparison (`any`, `all`)."""

    name: str
    arguments: tuple[Value | Literal | Condition, ...]
    type: Type
    column: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Span:
    """In a set: all from `low` to `high`, both included; Int, Float or addresses of one family."""

    low: int | float | Address
    high: int | float | Address
    type: Type
    column: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Block:
    """In a set: a network (CIDR)."""

    network: Network
    column: int = field(default=1, compare=False)
    type: Type = field(default=Type.IP, init=False, compare=False)


@dataclass(frozen=True, slots=True)
class NamedList:
    """In a set: the networks that `lists` has under a name (without the `$`)."""

    name: str
    column: int = field(default=1, compare=False)
    type: Type = field(default=Type.IP, init=False, compare=False)


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Always:
    """The condition "": true whatever is asked."""

    column: int = field(default=1, compare=False)
    type: Type = field(default=Type.BOOL, init=False, compare=False)


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Truth:
    """A Bool by itself: a field, or a call such as starts_with(...)."""

    value: Value
    column: int = field(default=1, compare=False)
    type: Type = field(default=Type.BOOL, init=False, compare=False)


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Compare:
    """A value and a literal; ARRAY_OF_BOOL where the value is each of an array, as for all comparisons."""

    operator: Operator
    left: Value
    right: Literal
    column: int = field(default=1, compare=False)
    type: Type = field(default=Type.BOOL, compare=False)


@dataclass(frozen=True, slots=True, weakref_slot=True)
class In:
    """A value that stands in a set; `items` are in the text's order."""

    left: Value
    items: tuple[Item, ...]
    column: int = field(default=1, compare=False)
    type: Type = field(default=Type.BOOL, compare=False)


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Matches:
    """A text that a regular expression of RE2's syntax finds something in, byte by byte."""

    left: Value
    pattern: bytes
    column: int = field(default=1, compare=False)
    type: Type = field(default=Type.BOOL, compare=False)


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Wildcard:
    """A text that is, as a whole, like a pattern; `strict`: upper and lower case differ.

    `pattern` is as written, with \\* and \\\\; `wildcard_parts` gives what stands between its asterisks.
    """

    left: Value
    pattern: bytes
    strict: bool
    column: int = field(default=1, compare=False)
    type: Type = field(default=Type.BOOL, compare=False)


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Not:
    """True where its part is false."""

    part: Condition
    column: int = field(default=1, compare=False)
    type: Type = field(default=Type.BOOL, compare=False)


@dataclass(frozen=True, slots=True, weakref_slot=True)
class And:
    """True where all parts are; two at least."""

    parts: tuple[Condition, ...]
    column: int = field(default=1, compare=False)
    type: Type = field(default=Type.BOOL, compare=False)


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Xor:
    """True where an odd number of parts is; two at least."""

    parts: tuple[Condition, ...]
    column: int = field(default=1, compare=False)
    type: Type = field(default=Type.BOOL, compare=False)


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Or:
    """True where any part is; two at least."""

    parts: tuple[Condition, ...]
    column: int = field(default=1, compare=False)
    type: Type = field(default=Type.BOOL, compare=False)


Value = Field | Index | Call
"""What stands on the left of a comparison."""
Item = Literal | Span | Block | NamedList
"""What stands in a set."""
Comparison = Truth | Compare | In | Matches | Wildcard
"""The conditions that look at a value."""
Condition = Comparison | Not | And | Xor | Or | Always
"""What is true or false: what parse gives."""
Node = Condition | Value | Item


def parts_of(node: Node) -> tuple[Node, ...]:
    """Return the nodes right below one, in the text's order."""
    if isinstance(node, (And, Or, Xor)):
        return node.parts
    if isinstance(node, Not):
        return (node.part,)
    if isinstance(node, Compare):
        return (node.left, node.right)
    if isinstance(node, In):
        return (node.left, *node.items)
    if isinstance(node, (Matches, Wildcard)):
        return (node.left,)
    if isinstance(node, (Truth, Index)):
        return (node.value,)
    if isinstance(node, Call):
        return node.arguments
    return ()


def left_of(comparison: Comparison) -> Value:
    """Return the value that a comparison looks at."""
    return comparison.value if isinstance(comparison, Truth) else comparison.left


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and all below it, in the text's order."""
    ahead = [node]
    while ahead:
        node = ahead.pop()
        yield node
        ahead.extend(reversed(parts_of(node)))


def fields_of(node: Node) -> tuple[Field, ...]:
    """Return the fields that stand in a tree, each name once, where it stands first."""
    found: dict[str, Field] = {}
    for one in walk(node):
        if isinstance(one, Field):
            found.setdefault(one.name, one)
    return tuple(found.values())


def lists_of(node: Node) -> tuple[NamedList, ...]:
    """Return the named lists that stand in a tree, each name once, where it stands first."""
    found: dict[str, NamedList] = {}
    for one in walk(node):
        if isinstance(one, NamedList):
            found.setdefault(one.name, one)
    return tuple(found.values())


def wildcard_parts(pattern: bytes) -> tuple[bytes, ...]:
    """Return the texts around a pattern's asterisks, without escapes: (b"www.", b"") for `www.*`; one where none is."""
    parts = [bytearray()]
    at = 0
    while at < len(pattern):
        if pattern[at] == ord("*"):
            parts.append(bytearray())
        else:
            at += pattern[at] == ord("\\")
            parts[-1].append(pattern[at])
        at += 1
    return tuple(bytes(part) for part in parts)
