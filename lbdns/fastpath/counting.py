"""What is counted of an answer: of every reply its RCODE and type, of a decision its parts."""

from __future__ import annotations

from lbdns.fastpath.read import Server
from lbdns.mapped.counter_words import *
from lbdns.mapped.counters import Counters, count_reply, count_slot
from lbdns.steering.kernel.numbers import *
from lbdns.steering.kernel.view import Decision, View


def count_served(counters: Counters, server: Server) -> None:
    """Count what `serve` has just answered: the reply, signatures from the table, and of a decision its parts."""
    count_reply(counters, server.rcode, server.qtype)
    if server.signatures_sent:
        counters.words[SIGNATURES_SENT] += server.signatures_sent
    if server.is_steered:
        count_decision(counters, server, server.decision)


def count_decision(counters: Counters, view: View, decision: Decision) -> None:
    """Count a decision by location source, load balancer, what of its rules and pool sets matched, pool and
    endpoints."""
    counters.words[SOURCES_FIRST + decision.location_source] += 1
    count_slot(counters, LOAD_BALANCERS_FIRST, view.lb_slot[decision.base])
    if decision.verdict != NO_VERDICT:
        count_hits(counters, view, decision.base, decision.verdict)
    if decision.set_verdict != NO_VERDICT:
        count_hits(counters, view, decision.base, decision.set_verdict)
    if decision.pool < 0:
        return
    count_slot(counters, POOLS_FIRST, view.pool_slot[decision.pool])
    for index in range(decision.pick_count):
        count_slot(counters, ENDPOINTS_FIRST, view.endpoint_slot[decision.picks[index]])


def count_hits(counters: Counters, view: View, lb: int, verdict: int) -> None:
    """Count what of a load balancer's rules and pool sets a verdict says that matched."""
    first = view.lb_hit_start[lb]
    start = view.verdict_hit_start[verdict]
    for index in range(start, start + view.verdict_hit_count[verdict]):
        count_slot(counters, RULES_FIRST, view.hit_slot[first + view.verdict_hit[index]])
