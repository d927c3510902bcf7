"""A rule's condition, checked by hand: its parts with their types, what decides each, and what is constant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from lbdns.base.wording import nearest
from lbdns.base.words import BALANCER_TYPES
from lbdns.expressions.evaluate import Lists
from lbdns.expressions.expression_error import ExpressionError
from lbdns.expressions.field_table import FIELDS, FieldKind
from lbdns.expressions.function_table import Fact
from lbdns.expressions.misfits import misfits
from lbdns.expressions.proxied import parse_condition, proxied_mistakes
from lbdns.expressions.remainder import remaining
from lbdns.expressions.showing import show
from lbdns.expressions.tree import And, Comparison, Condition, Node, Not, Or, Xor, fields_of, lists_of, parts_of
from lbdns.steering.rules.condition_folding import FoldedFor, fold

_JOINS: Final[dict[type[Node], str]] = {And: "and", Or: "or", Xor: "xor", Not: "not"}
_DECIDED: Final = {
    FieldKind.CONSTANT: "the load balancer, once for all queries",
    FieldKind.NAME: "the name, which varies under a wildcard alone",
    FieldKind.ADDRESS: "the address, by networks",
    FieldKind.ECS_TEXT: "the text of the ECS address",
    FieldKind.MESSAGE: "the message",
}


def read(expression: str, hostname: str, lists: Lists | None) -> Condition:
    """Return the condition; raises ExpressionError, as well for fields that a DNS query never has, for lists that are
    not among `lists` where these are known, and for what a load balancer of that name cannot be served with."""
    tree = parse_condition(expression)
    mistakes = proxied_mistakes(fields_of(tree))
    if lists is not None:
        mistakes += [(one.column, _no_list(one.name, lists)) for one in lists_of(tree) if one.name not in lists]
    if mistakes:
        raise ExpressionError(mistakes)
    fold(expression, FoldedFor(hostname.lower().removesuffix(".") or "example", BALANCER_TYPES[0], ""))
    return tree


def _no_list(name: str, lists: Lists) -> str:
    near = nearest(name, lists)
    hint = f'did you mean "${near}"?' if near else "expected one of the lists of the directory that --config names"
    return f'unknown list "${name}"; {hint}'


def known_facts(hostname: str, region: str) -> dict[str, Fact | None]:
    """Return what is known of every query to a load balancer; "": not said. `*.` is a wildcard."""
    facts = FoldedFor(hostname.lower().removesuffix("."), BALANCER_TYPES[0], region).facts
    said = {FieldKind.NAME: hostname, "cf.load_balancer.name": hostname, "cf.load_balancer.region": region}
    return {name: value for name, value in facts.items() if said.get(name, said.get(FIELDS[name].kind, "always"))}


def check_expression(expression: str, hostname: str, region: str, lists: Lists | None = None) -> dict[str, Any]:
    """Return a condition as plain values: its tree with types and what decides each comparison, and what is left.

    That is what remains to be asked of a query to the load balancer that is named. `warnings` are of texts that no
    value is like. Raises ExpressionError, as well for what no configuration may have; where lists are given, for others
    too.
    """
    tree = read(expression, hostname, lists)
    known = known_facts(hostname, region)
    left = remaining(tree, known)
    return {
        "condition": show(tree),
        "tree": _part(tree, known),
        "fields": [field.name for field in fields_of(tree)],
        "lists": [one.name for one in lists_of(tree)],
        "left": left if isinstance(left, bool) else show(left),
        "warnings": [{"column": column, "message": message} for column, message in misfits(tree)],
    }


def _part(node: Node, known: dict[str, Fact | None]) -> dict[str, Any]:
    """Return a node and those below it; of comparisons as well what decides them, or what they always are."""
    told: dict[str, Any] = {
        "part": _JOINS.get(type(node)) or show(node) or '""',
        "type": str(node.type),
        "column": node.column,
    }
    if isinstance(node, Comparison):
        left = remaining(node, known)
        if isinstance(left, bool):
            told["always"] = left
        kinds = dict.fromkeys(FIELDS[field.name].kind for field in fields_of(node) if field.name not in known)
        if kinds and not isinstance(left, bool):
            told["decided_by"] = [_DECIDED[kind] for kind in kinds]
    parts = [_part(part, known) for part in parts_of(node)]
    return {**told, "parts": parts} if parts else told


def tree_lines(part: dict[str, Any], depth: int = 0) -> Iterator[tuple[str, str, str]]:
    """Yield a tree of check_expression as lines: the part, two spaces in for each level; its type; what decides it."""
    decided = f"always {str(part['always']).lower()}" if "always" in part else ", ".join(part.get("decided_by", ()))
    yield f"{'  ' * depth}{part['part']}", part["type"], decided
    for below in part.get("parts", ()):
        yield from tree_lines(below, depth + 1)
