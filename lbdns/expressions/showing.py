"""A tree as text again, in the words of the language: parse(show(tree)) is the same tree."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from lbdns.expressions.tree import (
    Always,
    And,
    Block,
    Call,
    Compare,
    Field,
    In,
    Index,
    Literal,
    Matches,
    NamedList,
    Node,
    Not,
    Or,
    Span,
    Truth,
    Wildcard,
    Xor,
)

_BINDING: Final[dict[type[Node], tuple[str, int]]] = {Or: ("or", 0), Xor: ("xor", 1), And: ("and", 2)}
"""Operator -> its word, and how tightly it binds; `not` and comparisons bind tighter than all."""


def show(node: Node) -> str:
    """Return a node as an expression, with no more parentheses than it needs; "" for Always."""
    return "".join(_pieces(node))


def _pieces(node: Node) -> list[str]:
    """Return the texts of a node, which joined are its expression."""
    if isinstance(node, (Or, Xor, And)):
        word, tightness = _BINDING[type(node)]
        pieces: list[str] = []
        for part in node.parts:
            pieces += [f" {word} "] if pieces else []
            pieces += _inside(part, tightness)
        return pieces
    if isinstance(node, Not):
        return ["not ", *_inside(node.part, 3)]
    if isinstance(node, Truth):
        return _pieces(node.value)
    if isinstance(node, Compare):
        return [*_pieces(node.left), f" {node.operator} ", show(node.right)]
    if isinstance(node, In) and len(node.items) == 1 and isinstance(node.items[0], NamedList):
        return [*_pieces(node.left), " in ", show(node.items[0])]
    if isinstance(node, In):
        return [*_pieces(node.left), " in {", " ".join(map(show, node.items)), "}"]
    if isinstance(node, Matches):
        return [*_pieces(node.left), " matches ", _raw(node.pattern)]
    if isinstance(node, Wildcard):
        return [*_pieces(node.left), " strict wildcard " if node.strict else " wildcard ", text_literal(node.pattern)]
    if isinstance(node, Index):
        return [*_pieces(node.value), f"[{_key(node.key)}]"]
    if isinstance(node, Call):
        return [f"{node.name}(", ", ".join(map(show, node.arguments)), ")"]
    return [_leaf(node)]


def _inside(part: Node, tightness: int) -> list[str]:
    """Return a part of and, xor, or, not: in parentheses where it would not bind as tightly as they do."""
    own = _BINDING.get(type(part))
    return ["(", *_pieces(part), ")"] if own is not None and own[1] <= tightness else _pieces(part)


def _leaf(node: Node) -> str:
    if isinstance(node, Field):
        return node.name
    if isinstance(node, Literal):
        return text_literal(node.value) if isinstance(node.value, bytes) else _number(node.value)
    if isinstance(node, Span):
        return f"{_number(node.low)}..{_number(node.high)}"
    if isinstance(node, Block):
        return str(node.network)
    if isinstance(node, NamedList):
        return f"${node.name}"
    assert isinstance(node, Always), node
    return ""


def _number(value: object) -> str:
    """Return a number or an address as a literal; decimals without exponent, which the language has not."""
    return f"{Decimal(str(value)):f}".removesuffix(".0") if isinstance(value, float) else str(value)


def _key(key: bytes | int | None) -> str:
    if key is None:
        return "*"
    return text_literal(key) if isinstance(key, bytes) else str(key)


def text_literal(value: bytes) -> str:
    """Return bytes as a text in quotes; what is not printable ASCII is written as an escape."""
    written = "".join(
        f"\\{chr(byte)}" if byte in b'"\\' else chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}" for byte in value
    )
    return f'"{written}"'


def _raw(pattern: bytes) -> str:
    """Return a regular expression as a raw text, with as many # as it needs."""
    text = pattern.decode()
    marks = ""
    while f'"{marks}' in text:
        marks += "#"
    return f'r{marks}"{text}"{marks}'
