"""Samples of what was answered: one reply in N, with the decision behind it, into a ring that others read.

Each reply is sampled with probability 1/N whatever came before it: how many replies it is from one sample to the next
is drawn from a geometric distribution, by a generator of its own. So N times the samples of any kind is an unbiased
estimate of its replies, with a variance of (N - 1) times their number, and N may change at any moment; a record says
which held.

| N                  | when                                                                                        |
|--------------------|---------------------------------------------------------------------------------------------|
| settled anew       | each second: what it takes to write three quarters of the quota, 1 where there are so few   |
| doubled            | within one, once seven eighths of the quota are written, and with each 128th of it          |
| nothing is written | once all of it is: what the samples left out stand for is counted as missed                 |

Both roads write by `write_sample`, from the reply's bytes and the decision, so that the same query makes the same
record. Runs interpreted and compiled (types in the `.pxd`).
"""

from __future__ import annotations

import math

from lbdns.dns.codes import *
from lbdns.fastpath.read import Server
from lbdns.mapped.columns import *
from lbdns.mapped.sample_ring import SampleRing, begin_record, end_record, is_owned
from lbdns.mapped.sample_words import *
from lbdns.snapshot.lookup.name_rows import *
from lbdns.steering.kernel.hashing import mix64
from lbdns.steering.kernel.numbers import *
from lbdns.steering.kernel.view import Decision, Query, View

# Compiled, these are the C functions of the .pxd, and what stands here is not looked at.
globals()["log_of"] = math.log
globals()["whole"] = int


class Sampler:
    """What one thread samples by. `quota`: samples a second, 0 for none, of which any fraction is one once in a while;
    any thread may set it.

    Before `write_sample` the caller sets what follows from neither reply nor decision: `unix_ns`, `generation`,
    `transport`, `is_steered`, `kind` (of the first look-up, NO_KIND where no zone was asked), `seen_view` and
    `known_view` (numbers of views), `scope`.
    """

    def __init__(self, ring: SampleRing, seed: int) -> None:
        """Sample into a ring; `seed`: 64 random bits."""
        self.ring = ring
        self.random = seed
        self.quota = 0.0
        self.mask_4 = MASK_64
        self.mask_6 = MASK_64
        self.has_networks = True
        self.interval = 0
        self.weight = 0
        self.left = NEVER
        self.drawn = ring.words[HEAD_SEEN] + NEVER
        self.written = 0
        self.seen_before = ring.words[HEAD_SEEN]
        self.period_began_ns = 0
        self.period_ends_ns = 0
        self.unix_ns = 0
        self.generation = 0
        self.transport = TRANSPORT_UDP
        self.is_steered = False
        self.kind = NO_KIND
        self.seen_view = 0
        self.known_view = 0
        self.scope = 0

    def set_privacy(self, bits_4: int, bits_6: int) -> None:
        """Cut networks to so many bits from now on; to 0: leave them out."""
        self.has_networks = bits_4 > 0
        self.mask_4 = MASK_64 << (64 - bits_4) & MASK_64
        self.mask_6 = MASK_64 << (64 - bits_6) & MASK_64


def no_sampler() -> Sampler:
    """Return one that samples nothing."""
    return Sampler(SampleRing(memoryview(bytearray(SAMPLE_BYTES)), 0), 0)


def begin_batch(sampler: Sampler, now_ns: int) -> None:
    """Settle the interval anew where a second is over; `now_ns`: of CLOCK_MONOTONIC."""
    if now_ns < sampler.period_ends_ns:
        return
    seen = sampler.drawn - sampler.left
    interval = 0
    if sampler.quota > 0:
        interval = 1
        if sampler.period_began_ns:
            wanted = (seen - sampler.seen_before) / AIM / sampler.quota
            wanted = wanted * PERIOD_NS / (now_ns - sampler.period_began_ns)
            if wanted > 1.0:
                interval = 1 + whole(wanted) if wanted < INTERVAL_MAX else INTERVAL_MAX  # type: ignore[name-defined]
    sampler.seen_before = seen
    sampler.written = 0
    sampler.period_began_ns = now_ns
    sampler.period_ends_ns = now_ns + PERIOD_NS
    set_interval(sampler, interval)
    sampler.ring.words[HEAD_SEEN] = seen


def set_interval(sampler: Sampler, interval: int) -> None:
    """Sample one in so many from the next reply on, none for 0. What was drawn is drawn anew: a geometric distribution
    has no memory."""
    if interval == sampler.interval:
        return
    sampler.interval = interval
    sampler.drawn -= sampler.left
    draw_next(sampler)
    sampler.ring.words[HEAD_INTERVAL] = interval


def draw_next(sampler: Sampler) -> None:
    """Draw which of the replies to come is the next sample."""
    if sampler.interval == 0:
        sampler.left = NEVER
    elif sampler.interval == 1:
        sampler.left = 1
    else:
        sampler.random = (sampler.random + GOLDEN_64) & MASK_64
        drawn = ((mix64(sampler.random) >> 11) + 1) * UNIT_53
        share = 1.0 / sampler.interval
        sampler.left = 1 + whole(log_of(drawn) / log_of(1.0 - share))  # type: ignore[name-defined]
    sampler.drawn += sampler.left


def is_due(sampler: Sampler) -> bool:
    """Count a reply, and return whether it is the next sample; then `take` says whether it is written."""
    sampler.left -= 1
    return sampler.left == 0


def take(sampler: Sampler) -> bool:
    """Return whether a sample that is due may be written, and draw the next."""
    sampler.weight = sampler.interval
    is_taken = sampler.written < sampler.quota and is_owned(sampler.ring)
    if is_taken:
        sampler.written += 1
    else:
        sampler.ring.words[HEAD_MISSED] += sampler.weight
    draw_next(sampler)
    guard = whole(sampler.quota * GUARD)  # type: ignore[name-defined]
    step = 1 + whole(sampler.quota / STEPS)  # type: ignore[name-defined]
    if sampler.written >= guard and (sampler.written - guard) % step == 0 and sampler.interval < INTERVAL_MAX:
        set_interval(sampler, 2 * sampler.interval)
    return is_taken


def sample_served(sampler: Sampler, server: Server, base: int) -> None:
    """Write what `serve` has just answered at `server.outgoing[base:]`; `unix_ns` is set."""
    sampler.generation = server.generation
    sampler.transport = TRANSPORT_TCP if server.is_stream else TRANSPORT_UDP
    sampler.is_steered = server.is_steered
    sampler.kind = server.kind
    sampler.seen_view = server.seen_view if server.has_views else 0
    sampler.known_view = server.listener_view
    sampler.scope = server.decision.scope if server.is_steered else server.view_scope
    write_sample(sampler, server, server.query, server.decision, server.outgoing, base)


def write_sample(
    sampler: Sampler,
    view: View,
    query: Query,
    decision: Decision,
    reply: memoryview | bytearray,
    base: int,
) -> None:
    """Write a record about the reply at `reply[base:]`."""
    begin_record(sampler.ring)
    word = sampler.ring.place * SAMPLE_WORDS
    half = sampler.ring.place * SAMPLE_HALVES
    octet = sampler.ring.place * SAMPLE_BYTES
    sampler.ring.words[word + SAMPLE_UNIX_NS] = sampler.unix_ns
    sampler.ring.halves[half + SAMPLE_INTERVAL] = sampler.weight
    sampler.ring.halves[half + SAMPLE_GENERATION] = sampler.generation
    sampler.ring.octets[octet + SAMPLE_TRANSPORT] = sampler.transport
    sampler.ring.octets[octet + SAMPLE_RCODE] = reply[base + 3] & RCODE_MASK
    put_question(sampler.ring, octet, reply, base)
    put_networks(sampler, word, octet, query)
    if sampler.kind != NO_KIND:
        sampler.ring.words[word + SAMPLE_DRAW] = query.draw_base
        sampler.ring.octets[octet + SAMPLE_KIND] = 1 + sampler.kind
        sampler.ring.octets[octet + SAMPLE_VIEW] = sampler.seen_view
        sampler.ring.octets[octet + SAMPLE_KNOWN_VIEW] = sampler.known_view
        sampler.ring.octets[octet + SAMPLE_SCOPE] = sampler.scope
        if sampler.is_steered:
            put_decision(sampler.ring, half, octet, view, query, decision)
    end_record(sampler.ring)


def put_question(ring: SampleRing, octet: int, reply: memoryview | bytearray, base: int) -> None:
    """Put name and type of a reply's question into the record, where it has one."""
    if not reply[base + 5]:
        return
    at = base + HEADER_BYTES
    size = 0
    label = 1
    while label:
        label = reply[at + size]
        ring.octets[octet + SAMPLE_NAME + size] = label
        size += 1
        for _ in range(label):
            byte = reply[at + size]
            ring.octets[octet + SAMPLE_NAME + size] = byte + CASE_STEP if UPPER_A <= byte <= UPPER_Z else byte
            size += 1
    ring.octets[octet + SAMPLE_NAME_BYTES] = size
    ring.octets[octet + SAMPLE_QTYPE] = reply[at + size]
    ring.octets[octet + SAMPLE_QTYPE + 1] = reply[at + size + 1]


def put_networks(sampler: Sampler, word: int, octet: int, query: Query) -> None:
    """Put the networks of resolver and client into the record, cut or left out."""
    has_ecs = sampler.kind != NO_KIND and query.ecs_bits > 0
    if has_ecs:
        sampler.ring.octets[octet + SAMPLE_ECS_BITS] = query.ecs_bits
    if not sampler.has_networks:
        return
    sampler.ring.octets[octet + SAMPLE_RESOLVER_VERSION] = query.resolver_version
    sampler.ring.words[word + SAMPLE_RESOLVER] = query.resolver_high & (
        sampler.mask_6 if query.resolver_version == 6 else sampler.mask_4
    )
    if has_ecs:
        sampler.ring.octets[octet + SAMPLE_ECS_VERSION] = query.ecs_version
        sampler.ring.words[word + SAMPLE_ECS] = query.ecs_high & (
            sampler.mask_6 if query.ecs_version == 6 else sampler.mask_4
        )


def put_decision(ring: SampleRing, half: int, octet: int, view: View, query: Query, decision: Decision) -> None:
    """Put what a load balancer decided into the record."""
    ring.halves[half + SAMPLE_LOAD_BALANCER] = view.lb_slot[decision.base]
    ring.halves[half + SAMPLE_PLACE] = decision.place_class
    ring.halves[half + SAMPLE_TTL] = decision.ttl
    ring.octets[octet + SAMPLE_FAMILY] = query.family
    ring.octets[octet + SAMPLE_OUTCOME] = decision.outcome
    ring.octets[octet + SAMPLE_SOURCE] = decision.location_source
    ring.octets[octet + SAMPLE_POLICY] = view.lb_policy[decision.lb]
    flags = SAMPLE_FLAG_STEERED
    if view.lb_flags[decision.lb] & LB_STICKY:
        flags |= SAMPLE_FLAG_STICKY
    count = 0
    if decision.verdict != NO_VERDICT:
        count = put_hits(ring, half, view, decision.base, decision.verdict, count)
    if decision.set_verdict != NO_VERDICT:
        count = put_hits(ring, half, view, decision.base, decision.set_verdict, count)
    ring.octets[octet + SAMPLE_RULE_COUNT] = count
    put_passed(ring, half, octet, view, decision)
    if decision.outcome != OUTCOME_FIXED and decision.ecs_used:
        flags |= SAMPLE_FLAG_ECS_USED
    if decision.pool >= 0:
        flags |= SAMPLE_FLAG_POOL
        if decision.is_fallback:
            flags |= SAMPLE_FLAG_FALLBACK
        if decision.pick_count and decision.is_alias:
            flags |= SAMPLE_FLAG_ALIAS
        put_pool(ring, half, octet, view, decision)
    ring.octets[octet + SAMPLE_FLAGS] = flags


def put_hits(ring: SampleRing, half: int, view: View, lb: int, verdict: int, count: int) -> int:
    """Put what of a load balancer's rules and pool sets a verdict says that matched behind `count` that are there;
    return how many that makes."""
    first = view.lb_hit_start[lb]
    start = view.verdict_hit_start[verdict]
    for index in range(start, start + view.verdict_hit_count[verdict]):
        if count < SAMPLED_RULES:
            ring.halves[half + SAMPLE_RULES + count] = view.hit_slot[first + view.verdict_hit[index]]
        count += 1
    return count


def put_passed(ring: SampleRing, half: int, octet: int, view: View, decision: Decision) -> None:
    """Put the pools that were passed over into the record, and why."""
    count = decision.passed_count
    ring.octets[octet + SAMPLE_PASSED_COUNT] = min(count, OCTET_MAX)
    for index in range(min(count, SAMPLED_PASSED)):
        ring.halves[half + SAMPLE_PASSED + index] = view.pool_slot[decision.passed_pool[index]]
        ring.octets[octet + SAMPLE_REASONS + index] = decision.passed_reason[index]


def put_pool(ring: SampleRing, half: int, octet: int, view: View, decision: Decision) -> None:
    """Put the pool that was decided for and its endpoints into the record."""
    pool = decision.pool
    slot = view.pool_slot[pool]
    ring.halves[half + SAMPLE_POOL] = slot
    ring.octets[octet + SAMPLE_POOL_STATE] = view.pool_state[slot]
    if view.pop_region >= 0:
        ring.floats[half + SAMPLE_RTT] = view.pool_rtt[slot * REGION_COUNT + view.pop_region]
    ring.octets[octet + SAMPLE_MODE] = decision.mode
    if not decision.is_fallback:
        start = view.list_start[decision.pool_list]
        for index in range(min(view.list_count[decision.pool_list], OCTET_MAX)):
            if view.member_pool[start + index] == pool:
                ring.octets[octet + SAMPLE_POSITION] = 1 + index
                break
    count = decision.pick_count
    ring.octets[octet + SAMPLE_ENDPOINT_COUNT] = count
    if count:
        ring.octets[octet + SAMPLE_ENDPOINT_POSITION] = decision.picks[0] - view.pool_endpoint_start[pool]
    for index in range(min(count, SAMPLED_ENDPOINTS)):
        ring.halves[half + SAMPLE_ENDPOINTS + index] = view.endpoint_slot[decision.picks[index]]
