"""The tests of a query that only Python can make: regular expressions, and functions within functions.

They are evaluated as they stand in the rule; the fast path leaves the queries of such load balancers to this one.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from lbdns.answer.serving_view import ServingView
from lbdns.dns.name import labels_of
from lbdns.expressions.evaluate import evaluate
from lbdns.expressions.function_table import Fact, address_text
from lbdns.model.view_names import unlabelled
from lbdns.places.place import Address
from lbdns.steering.kernel.numbers import TEST_ASKED
from lbdns.steering.kernel.view import Query


def asked_bits(view: ServingView, query: Query, qtype: int) -> int:
    """Return the bits of the tests of a query's load balancer that Python makes, bit i for test i."""
    columns = view.columns
    rules = columns["lb_rules"][query.lb]
    start, count = columns["rules_test_start"][rules], columns["rules_test_count"][rules]
    facts = query_facts(view, query, qtype)
    bits = 0
    for index in range(count):
        if columns["test_op"][start + index] == TEST_ASKED:
            bits |= evaluate(view.asked_trees.tree(start + index), facts) << index
    return bits


def query_facts(view: ServingView, query: Query, qtype: int) -> dict[str, Fact | None]:
    """Return what conditions see of a query whose `lb` and `name` are known, but for what databases say of ip.src."""
    name = b"".join(label + b"." for label in labels_of(bytes(query.name))) or b"."
    has_ecs = query.ecs_bits > 0
    ecs = address_of(query.ecs_version, query.ecs_high, query.ecs_low)
    resolver = address_of(query.resolver_version, query.resolver_high, query.resolver_low)
    return {
        "cf.load_balancer.name": unlabelled(view.text("lb_text", query.lb)).encode(),
        "cf.load_balancer.region": str(view.region).encode() or None,
        "dns.qry.qu": True,
        "dns.qry.name": name,
        "dns.qry.name.len": len(name),
        "dns.qry.type": qtype,
        "dns.rr.opt.client": has_ecs,
        "dns.rr.opt.client.addr": address_text(ecs) if has_ecs else None,
        "ip.src": ecs if has_ecs else resolver,
    }


def address_of(version: int, high: int, low: int) -> Address:
    """Return the address that a query has in two words; version 4 or 6."""
    return IPv6Address(high << 64 | low) if version == 6 else IPv4Address(high >> 32)
