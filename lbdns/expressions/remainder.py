"""What is left of a condition where some facts are known beforehand, as a load balancer's hostname is."""

from __future__ import annotations

from lbdns.expressions.evaluate import Facts, evaluate
from lbdns.expressions.tree import Always, And, Condition, Not, Or, Xor, fields_of, lists_of


def remaining(condition: Condition, known: Facts) -> Condition | bool:
    """Return a condition that is as true as this one for all facts that agree with `known`, or what it always is.

    A field that is in `known` with None is known to be missing.
    """
    if isinstance(condition, Always):
        return True
    if isinstance(condition, Not):
        part = remaining(condition.part, known)
        return not part if isinstance(part, bool) else Not(part, condition.column)
    if isinstance(condition, (And, Or, Xor)):
        return _joined(condition, [remaining(part, known) for part in condition.parts])
    if lists_of(condition) or any(field.name not in known for field in fields_of(condition)):
        return condition
    return evaluate(condition, known)


def _joined(whole: And | Or | Xor, parts: list[Condition | bool]) -> Condition | bool:
    """Join what is left of the parts of and, or, xor."""
    left = [part for part in parts if not isinstance(part, bool)]
    truths = [part for part in parts if isinstance(part, bool)]
    if isinstance(whole, And) and False in truths:
        return False
    if isinstance(whole, Or) and True in truths:
        return True
    odd = isinstance(whole, Xor) and sum(truths) % 2 == 1
    if not left:
        return isinstance(whole, And) or odd
    made: Condition = left[0] if len(left) == 1 else type(whole)(tuple(left), left[0].column)
    return Not(made, made.column) if odd else made
