"""A rule's condition, tried by hand on a query: whether it holds, and the first part that failed."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, Final

from lbdns.dns.codes import TYPE_A, TYPE_AAAA, TYPE_CNAME, TYPE_MX, TYPE_SRV
from lbdns.expressions.evaluate import Lists, evaluate, first_failure
from lbdns.expressions.function_table import Fact, address_text
from lbdns.expressions.showing import show, text_literal
from lbdns.expressions.tree import fields_of
from lbdns.places.geodata import Geodata
from lbdns.publish.rule_tree import known_facts, read
from lbdns.steering.rules.rule_facts import address_facts

TRIED_TYPES: Final = {"A": TYPE_A, "AAAA": TYPE_AAAA, "CNAME": TYPE_CNAME, "MX": TYPE_MX, "SRV": TYPE_SRV}
"""Record types that a load balancer is asked for."""


@dataclass(frozen=True, slots=True)
class TriedQuery:
    """A query to try a condition on; `name`, `hostname` and `region` may be "": not said."""

    name: str
    hostname: str
    region: str
    rtype: str
    resolver: IPv4Address | IPv6Address
    ecs: IPv4Network | IPv6Network | None


def facts_of(query: TriedQuery, geodata: Geodata) -> dict[str, Fact | None]:
    """Return what conditions see of a query: ip.src is the ECS address where there is one."""
    ecs = query.ecs if query.ecs is not None and query.ecs.prefixlen else None
    facts = known_facts(query.hostname or query.name, query.region)
    if query.name:
        facts |= {**known_facts(query.name, ""), "cf.load_balancer.name": facts["cf.load_balancer.name"]}
    return {
        **facts,
        "dns.qry.type": TRIED_TYPES[query.rtype],
        "dns.rr.opt.client": ecs is not None,
        "dns.rr.opt.client.addr": address_text(ecs.network_address) if ecs is not None else None,
        **address_facts(ecs.network_address if ecs is not None else query.resolver, geodata),
    }


def try_expression(expression: str, query: TriedQuery, geodata: Geodata, lists: Lists) -> dict[str, Any]:
    """Return whether a condition holds for a query, the first part that failed, and the facts that it looked at.

    Raises ExpressionError, as well for lists that are not there.
    """
    tree = read(expression, query.hostname or query.name, lists)
    facts = facts_of(query, geodata)
    failed = first_failure(tree, facts, lists)
    return {
        "condition": show(tree),
        "holds": evaluate(tree, facts, lists),
        "failed": None if failed is None else {"part": show(failed), "column": failed.column},
        "facts": {field.name: _plain(facts.get(field.name)) for field in fields_of(tree)},
        "has_as_numbers": geodata.has_asn,
    }


def _plain(fact: Fact | None) -> Any:
    """Return a fact as JSON has it: text as it would stand in an expression, without its quotes."""
    if fact is None or isinstance(fact, (bool, int, float)):
        return fact
    return text_literal(fact)[1:-1] if isinstance(fact, bytes) else str(fact)
