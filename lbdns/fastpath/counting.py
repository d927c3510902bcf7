"""What is counted of an answer: of every reply its RCODE and type, of a decision its parts."""

from __future__ import annotations

from lbdns.dns.cookie_words import *
from lbdns.fastpath.read import Server
from lbdns.mapped.counter_words import *
from lbdns.mapped.counters import Counters, count_reply, count_slot
from lbdns.mapped.rate_words import *
from lbdns.steering.kernel.numbers import *
from lbdns.steering.kernel.view import Decision, View


def count_served(counters: Counters, server: Server, size: int) -> None:
    """Count what `serve` has just answered with `size` bytes, 0 for none: the reply, signatures from the table, and of
    a decision its parts."""
    if server.limited:
        count_limited(counters, server.limited, server.answer_class)
    if size <= 0:
        counters.words[DROPPED_COUNT] += 1
        return
    count_reply(counters, server.rcode, server.qtype)
    if server.cookie_bytes and server.has_cookies:
        counters.words[COOKIES_FIRST + standing_of(server)] += 1
    if server.is_barred:
        counters.words[BARRED_COUNT] += 1
    if server.signatures_sent:
        counters.words[SIGNATURES_SENT] += server.signatures_sent
    if server.is_steered:
        count_decision(counters, server, server.decision)


def standing_of(server: Server) -> int:
    """Return how the cookie of the query that was answered stands (COOKIE_*)."""
    if server.cookie.is_valid:
        return COOKIE_VALID
    return COOKIE_NEW if server.cookie_bytes == CLIENT_COOKIE_BYTES else COOKIE_BAD


def count_limited(counters: Counters, limited: int, answer_class: int) -> None:
    """Count a reply that was beyond the limit by its class, and whether it was truncated or not sent."""
    counters.words[(TRUNCATED_FIRST if limited == RATE_TRUNCATED else LIMITED_FIRST) + answer_class] += 1


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
