"""What is counted of an answer: of every reply its RCODE and type, of a decision its parts."""

from __future__ import annotations

from lbdns.fastpath.read import Server
from lbdns.mapped.counter_words import *
from lbdns.mapped.counters import Counters, count_reply, count_slot
from lbdns.steering.kernel.view import Decision, View


def count_served(counters: Counters, server: Server) -> None:
    """Count what `serve` has just answered: the reply, and of a decision its parts."""
    count_reply(counters, server.rcode, server.qtype)
    if server.is_steered:
        count_decision(counters, server, server.decision)


def count_decision(counters: Counters, view: View, decision: Decision) -> None:
    """Count a decision by location source, load balancer, pool and endpoints."""
    counters.words[SOURCES_FIRST + decision.location_source] += 1
    count_slot(counters, LOAD_BALANCERS_FIRST, view.lb_slot[decision.lb])
    if decision.pool < 0:
        return
    count_slot(counters, POOLS_FIRST, view.pool_slot[decision.pool])
    for index in range(decision.pick_count):
        count_slot(counters, ENDPOINTS_FIRST, view.endpoint_slot[decision.picks[index]])
