"""Steered records: a decision turned into A, AAAA, CNAME, MX or SRV records."""

from __future__ import annotations

from lbdns.answer.asked_tests import asked_bits
from lbdns.answer.match import Match
from lbdns.answer.reply import Client, Records
from lbdns.answer.serving_view import ServingView
from lbdns.dns.codes import TYPE_CNAME
from lbdns.dns.options.client_subnet import ClientSubnet
from lbdns.snapshot.lookup.steered_data import steered_data
from lbdns.steering.kernel.decide import decide
from lbdns.steering.kernel.numbers import FAMILY_NAMED, NO_RULES
from lbdns.steering.kernel.view import Decision, Query

DRAW_BITS = 64  # of randomness, that every draw of a query follows from


def make_query(client: Client, subnet: ClientSubnet | None, now_s: int, draw: int) -> Query:
    """Return what a decision needs to know of a query, but for the load balancer and family."""
    query = Query()
    query.now_s = now_s
    query.draw_base = draw
    query.resolver_version = 4 if len(client.address) == 4 else 6
    query.resolver_high, query.resolver_low = halves(client.address)
    if subnet is not None and subnet.source:
        query.ecs_version = 4 if subnet.family == 1 else 6
        query.ecs_bits = subnet.source
        query.ecs_high, query.ecs_low = halves(subnet.packed)
    return query


def halves(address: bytes) -> tuple[int, int]:
    """Return an address's 128 bits as two words, an IPv4 address in the top 32 bits of the first."""
    whole = address.ljust(16, b"\0")
    return int.from_bytes(whole[:8], "big"), int.from_bytes(whole[8:], "big")


def steer(view: ServingView, matched: Match, qtype: int, query: Query) -> Decision:
    """Return the decision for a load balancer that a look-up for `qtype` matched: the view's, until its next one."""
    query.lb = matched.load_balancer
    query.family = matched.family
    query.wants_cname = qtype == TYPE_CNAME
    rules = view.columns["lb_rules"][query.lb]
    if rules != NO_RULES:
        # The look-up left it there, after aliases the one that they lead to.
        query.name = view.suffixes.name
        query.asked_bits = asked_bits(view, query, qtype) if view.columns["rules_asks_python"][rules] else 0
    decide(view.steering, query, view.decision)
    return view.decision


def records_of(view: ServingView, owner: bytes, qtype: int, family: int, decision: Decision) -> Records | None:
    """Return the records of a decision, None where it has none; a CNAME where that is the endpoint's way."""
    data = steered_data(view.columns, qtype, family, decision)
    if data is None:
        return None
    is_plain = data.type == TYPE_CNAME or family == FAMILY_NAMED
    return Records(owner, data.type, decision.ttl, data.rdatas, is_plain=is_plain, signed_ttl=decision.signed_ttl)
