"""Whether a load balancer's rules can be served: what they ask at once, and the bounds of what is made of them."""

from __future__ import annotations

from collections.abc import Iterator

from lbdns.base.errors import LbdnsError, Problem
from lbdns.config.checks.facts import Facts
from lbdns.config.yaml.source import Placed
from lbdns.expressions.expression_error import ExpressionError
from lbdns.expressions.tree import lists_of
from lbdns.model.balancer import LoadBalancer


def check_rule_bounds(placed: Placed[LoadBalancer], facts: Facts) -> Iterator[Problem]:
    """Yield the rule that costs most where those of a load balancer exceed a bound, and those that cannot be served.

    Its conditions have no other mistakes. Databases that cannot be read are told of elsewhere.
    """
    balancer = placed.item
    if facts.networks is None or not balancer.rules:
        return
    named = {one.name for rule in balancer.rules for one in lists_of(rule.tree)}
    if not named <= facts.networks.keys():
        return
    from lbdns.snapshot.compile.rule_bounds import excess
    from lbdns.steering.rules.condition_folding import reads_names

    key: tuple[object, ...] = (balancer.type, *map(id, balancer.rules))  # rules that are alike are one object
    if any(reads_names(rule.condition) for rule in balancer.rules):
        key = (*key, balancer.name)
    if key not in facts.about_bounds:
        try:
            facts.about_bounds[key] = excess(balancer, facts.region, facts.geodata, facts.networks)
        except ExpressionError:
            yield from _cannot_be_served(placed, facts)
            return
        except LbdnsError:
            facts.about_bounds[key] = None
    found = facts.about_bounds[key]
    if found is not None:
        name = balancer.rules[found.position].name
        told = f'rule "{name}": ' if name else ""
        message = f"{told}{found.told}; this rule costs most: leave it out, or ask for less in it"
        yield placed.source.problem(("rules", found.position, "condition"), message)


def _cannot_be_served(placed: Placed[LoadBalancer], facts: Facts) -> Iterator[Problem]:
    from lbdns.steering.rules.condition_folding import FoldedFor, fold

    constants = FoldedFor(placed.item.name, placed.item.type, facts.region)
    for position, rule in enumerate(placed.item.rules):
        try:
            fold(rule.condition, constants)
        except ExpressionError as error:
            told = f'rule "{rule.name}", ' if rule.name else ""
            for column, message in error.problems:
                at = ("rules", position, "condition")
                yield placed.source.problem(at, f"{told}column {column}: {message}")
