"""`decide`: the one function that steers a query. Pure: no clock, no random generator, no log, no I/O.

The road of a decision: which row decides (`vary`: the load balancer's own, or a variant that its rules and pool sets
make of it) -> locate (ECS, resolver or PoP; gives a place class, and the ECS scope) -> the list of candidate
pools of that class -> pick a pool (first up, weighted or fastest; pools that are disabled, down, unresolved or shed
drop out) -> pick its endpoints (endpoints.py: all, one by weight, one by hash) -> which of their addresses, and for how
long.

Policies are gone by now: at compile time they became a way to pick (`SELECT_*`) and, per place class, a list of pools.
So every table is total: a class always has a list, a list always has a fallback pool behind it.

Runs interpreted and compiled (types in the `.pxd`); both agree to the bit. Indices come from a checked snapshot, so the
compiled code leaves out bounds checks.
"""

from __future__ import annotations

from lbdns.mapped.columns import *
from lbdns.steering.kernel.endpoints import draw32, is_unresolved, list_answers, pick_endpoints
from lbdns.steering.kernel.hashing import address_key, mix64
from lbdns.steering.kernel.message_tests import bits_of
from lbdns.steering.kernel.numbers import *
from lbdns.steering.kernel.view import Decision, Query, View


def decide(view: View, query: Query, decision: Decision) -> int:
    """Fill `decision` for `query` and return its outcome (OUTCOME_*)."""
    decision.base = query.lb
    decision.lb = query.lb
    decision.verdict = NO_VERDICT
    decision.set_verdict = NO_VERDICT
    decision.scope = 0
    decision.rule_scope = 0
    if view.lb_flags[query.lb] & LB_VARIES and vary(view, query, decision):
        decision.outcome = OUTCOME_FIXED
        return decision.outcome
    locate(view, query, decision)
    decision.pool_list = list_of(view, decision)
    scope_of_hash(view, query, decision)
    decision.passed_count = 0
    decision.pick_count = 0
    decision.mode = MODE_ALL
    decision.ttl = view.lb_ttl[decision.lb]
    decision.signed_ttl = decision.ttl
    decision.is_fallback = False
    decision.pool = pick_pool(view, query, decision)
    if decision.pool == NO_POOL:
        fallback = view.lb_fallback[decision.lb]
        if not view.pool_flags[fallback] & POOL_ENABLED:
            decision.outcome = OUTCOME_NO_POOL
            return decision.outcome
        decision.pool = fallback
        decision.is_fallback = True
    pick_endpoints(view, query, decision)
    list_answers(view, query, decision)
    decision.outcome = OUTCOME_ANSWER if decision.pick_count else OUTCOME_NO_ENDPOINT
    return decision.outcome


def vary(view: View, query: Query, decision: Decision) -> bool:
    """Settle which row decides: rules first, then the pool sets of what they made. Return whether that is one that
    answers without records (fixed_response); the decision is made then.

    What is decided here depends on the ECS address as well: its scope is where the one of places begins.
    """
    if view.lb_rules[decision.base] != NO_RULES:
        decision.verdict = verdict_of_rules(view, query, decision, view.lb_rules[decision.base])
        follow(view, decision, decision.verdict)
    decision.location_source = LOCATED_BY_NOTHING
    decision.place_class = CLASS_UNKNOWN
    if view.lb_select[decision.lb] == SELECT_SET:
        locate(view, query, decision)
        decision.set_verdict = list_of(view, decision)
        follow(view, decision, decision.set_verdict)
    decision.rule_scope = decision.scope
    if not view.lb_flags[decision.lb] & LB_FIXED:
        return False
    decision.ttl = view.lb_ttl[decision.lb]
    decision.signed_ttl = decision.ttl
    decision.pool = NO_POOL
    decision.pool_list = 0
    decision.passed_count = 0
    decision.pick_count = 0
    decision.address_count = 0
    decision.mode = MODE_ALL
    decision.is_fallback = False
    decision.is_alias = False
    return True


def verdict_of_rules(view: View, query: Query, decision: Decision, rules: int) -> int:
    """Return the verdict of a decision table, and lengthen the scope where ECS matters to it.

    ip.src is the ECS address, a private one too, else the resolver's.
    """
    trie = view.rules_resolver_trie[rules]
    cell = view.rules_resolver_cells[rules]
    found = 0
    if query.ecs_bits:
        trie = view.rules_ecs_trie[rules]
        cell = view.rules_ecs_cells[rules]
        if trie != NO_TRIE:
            found = walk(view, trie, query.ecs_version, query.ecs_high, query.ecs_low)
        lengthen(decision, scope_of_rules(view, query, rules, found & 0xFF))
    elif trie != NO_TRIE:
        found = walk(view, trie, query.resolver_version, query.resolver_high, query.resolver_low)
    cell += (found >> 8) * view.rules_width[rules]
    if view.rules_test_count[rules]:
        cell += bits_of(view, query, decision, rules) * RULE_KINDS
    return view.rules_cell[cell + (RULE_KIND_CNAME if query.wants_cname else query.family)]


def scope_of_rules(view: View, query: Query, rules: int, depth: int) -> int:
    """Return the scope of a decision table whose trie knows the ECS address by `depth` bits."""
    if view.rules_scope[rules] == RULES_SCOPE_NONE:
        return 0
    if view.rules_scope[rules] == RULES_SCOPE_ADDRESS:
        return 128 if query.ecs_version == 6 else 32
    return depth if depth > 1 else 1


def lengthen(decision: Decision, bits: int) -> None:
    """Let the scope have so many bits at least."""
    if bits > decision.scope:
        decision.scope = bits


def follow(view: View, decision: Decision, verdict: int) -> None:
    """Let the row decide that a verdict names."""
    if view.verdict_lb[verdict] != OWN_ROW:
        decision.lb = view.verdict_lb[verdict]


def list_of(view: View, decision: Decision) -> int:
    """Return the candidate list of the place class, or its verdict (SELECT_SET); where the nearest pool is looked for,
    all places have one list."""
    if view.lb_select[decision.lb] == SELECT_NEAREST:
        return view.class_list[view.lb_lists[decision.lb]]
    if decision.location_source == LOCATED_BY_ECS:
        return view.class_list[view.lb_ecs_lists[decision.lb] + decision.place_class]
    return view.class_list[view.lb_lists[decision.lb] + decision.place_class]


def walk(view: View, trie: int, version: int, high: int, low: int) -> int:
    """Return leaf class << 8 | depth of an address in a trie; the depth is the prefix length that the class holds
    for."""
    record = view.trie_root[trie * 2 + (1 if version == 6 else 0)]
    depth = 0
    while record < TRIE_LEAF:
        bits = (high >> (60 - depth)) & 15 if depth < 64 else (low >> (124 - depth)) & 15
        record = view.trie_nodes[record * TRIE_WIDTH + bits]
        depth += TRIE_STRIDE
    return ((record & CLASS_MASK) << 8) | (depth - ((record >> UNUSED_SHIFT) & UNUSED_MASK))


def locate(view: View, query: Query, decision: Decision) -> None:
    """Set place class, location source, hash key, and lengthen the scope as far as places decide it.

    | ECS preferred and present | private | place known | resolver asked | source             | scope              |
    |---------------------------|---------|-------------|----------------|--------------------|--------------------|
    | no                        |         |             |                | resolver, PoP      | 0                  |
    | yes                       | yes     |             |                | resolver, PoP      | the private block, |
    |                           |         |             |                |                    | if ECS matters     |
    | yes                       | no      | no          | yes            | resolver, PoP      | the network        |
    | yes                       | no      | no          | no             | ECS, as at the PoP | the network        |
    | yes                       | no      | yes         |                | ECS                | the network        |

    Where the resolver is not asked (mode `pop`), an unknown network is one class with those that get the PoP's list, so
    ECS is the source for all of them.
    """
    decision.ecs_used = False
    decision.hash_key = 0
    flags = view.lb_flags[decision.lb]
    trie = view.lb_ecs_trie[decision.lb]
    located = CLASS_UNKNOWN
    if query.ecs_bits and flags & LB_ECS_PREFERRED:
        found = walk(view, PRIVATE_TRIE, query.ecs_version, query.ecs_high, query.ecs_low)
        decision.ecs_used = found >> 8 == 0
        if trie != NO_TRIE:
            lengthen(decision, found & 0xFF)
            if decision.ecs_used:
                found = walk(view, trie, query.ecs_version, query.ecs_high, query.ecs_low)
                located = found >> 8
                lengthen(decision, found & 0xFF)
    decision.location_source = LOCATED_BY_ECS
    if located == CLASS_UNKNOWN and decision.ecs_used and trie != NO_TRIE and not flags & LB_RESOLVER_LOCATES:
        located = view.lb_pop_class[decision.lb]
    elif located == CLASS_UNKNOWN:
        trie = view.lb_resolver_trie[decision.lb]
        decision.location_source = LOCATED_BY_RESOLVER
        if trie != NO_TRIE and flags & LB_RESOLVER_LOCATES and query.resolver_version:
            located = walk(view, trie, query.resolver_version, query.resolver_high, query.resolver_low) >> 8
    if located == CLASS_UNKNOWN:
        located = view.lb_pop_class[decision.lb]
        decision.location_source = LOCATED_BY_POP if trie != NO_TRIE else LOCATED_BY_NOTHING
    decision.place_class = located


def scope_of_hash(view: View, query: Query, decision: Decision) -> None:
    """Set the hash key, and lengthen the scope where a hash of the ECS address may decide within the list.

    The key is the first 24 (IPv4) or 56 (IPv6) bits of the ECS address, or the resolver's whole address. That a list
    may hash is known from its configured pools, whatever their health, so that scopes stay a partition of the address
    space.
    """
    hashed = view.list_flags[decision.pool_list] & (LIST_HASHED << query.family)
    if decision.ecs_used:
        if query.ecs_version == 6:
            decision.hash_key = address_key(query.ecs_high & HASH_MASK_6, 0, 6)
            bits = HASH_BITS_6
        else:
            decision.hash_key = address_key(query.ecs_high & HASH_MASK_4, 0, 4)
            bits = HASH_BITS_4
    else:
        decision.hash_key = address_key(query.resolver_high, query.resolver_low, query.resolver_version)
        bits = 0
    if hashed and query.ecs_bits and view.lb_flags[decision.lb] & LB_ECS_PREFERRED:
        depth = walk(view, PRIVATE_TRIE, query.ecs_version, query.ecs_high, query.ecs_low) & 0xFF
        if depth > bits:
            bits = depth
        lengthen(decision, bits)


def pass_over(decision: Decision, pool: int, reason: int) -> None:
    """Note that a pool was passed over, for whoever explains the decision."""
    if decision.passed_count < PASSED_CAPACITY:
        decision.passed_pool[decision.passed_count] = pool
        decision.passed_reason[decision.passed_count] = reason
        decision.passed_count += 1


def is_shed(view: View, query: Query, decision: Decision, pool: int) -> bool:
    """Return whether this query is among those that `load_shedding` keeps from the pool."""
    index = pool * 2 + (1 if view.lb_flags[decision.lb] & LB_STICKY else 0)
    threshold = view.pool_shed_threshold[index]
    if threshold == 0:
        return False
    name_hash = view.pool_hash[pool]
    if view.pool_shed_policy[index] == SHED_BY_HASH:
        drawn = mix64(decision.hash_key ^ mix64(name_hash)) >> 32
    else:
        drawn = draw32(query, SALT_SHED + (name_hash & LOW_32))
    return drawn < threshold


def reason_against(view: View, query: Query, decision: Decision, pool: int) -> int:
    """Return why a candidate pool gets nothing of this query (PASSED_*), or 0 where it may have it."""
    flags = view.pool_flags[pool]
    if not flags & POOL_ENABLED:
        return PASSED_DISABLED
    state = view.pool_state[view.pool_slot[pool]]
    if flags & POOL_MONITORED or state & BYTE_COUNTS:
        if not state & TAKES_TRAFFIC:
            return PASSED_DOWN
    elif not flags & POOL_HAS_ENDPOINT:
        return PASSED_DOWN
    if query.family != FAMILY_NAMED and is_unresolved(view, view.lb_flags[decision.lb] & LB_APEX, pool):
        return PASSED_UNRESOLVED
    return PASSED_SHED if is_shed(view, query, decision, pool) else 0


def pick_pool(view: View, query: Query, decision: Decision) -> int:
    """Return the pool that the list gives this query, or NO_POOL; notes the pools passed over on the way."""
    select = view.lb_select[decision.lb]
    start = view.list_start[decision.pool_list]
    end = start + view.list_count[decision.pool_list]
    if select == SELECT_WEIGHTED:
        return pick_pool_weighted(view, query, decision, start, end)
    if select == SELECT_NEAREST:
        return pick_pool_nearest(view, query, decision, start, end)
    best = NO_POOL
    best_rtt = 0.0
    for member in range(start, end):
        pool = view.member_pool[member]
        reason = reason_against(view, query, decision, pool)
        if reason:
            pass_over(decision, pool, reason)
            continue
        if select != SELECT_FASTEST:
            return pool
        rtt = 0.0
        if view.pop_region >= 0:
            rtt = view.pool_rtt[view.pool_slot[pool] * REGION_COUNT + view.pop_region]
        if best == NO_POOL or (rtt > 0 and (best_rtt <= 0 or rtt < best_rtt)):
            best = pool
            best_rtt = rtt
    return best


def pick_pool_weighted(view: View, query: Query, decision: Decision, start: int, end: int) -> int:
    """Return one available pool of the members `start` to `end` by weight, or NO_POOL."""
    total = 0
    for member in range(start, end):
        pool = view.member_pool[member]
        reason = reason_against(view, query, decision, pool)
        if not reason and not view.member_weight[member]:
            reason = PASSED_WEIGHT_ZERO
        if reason:
            pass_over(decision, pool, reason)
        else:
            total += view.member_weight[member]
    if total == 0:
        return NO_POOL
    drawn = (draw32(query, SALT_POOL) * total) >> 32
    passed = 0
    for member in range(start, end):
        pool = view.member_pool[member]
        # The pools passed over stand in list order, so one cursor tells them from the rest.
        if passed < decision.passed_count and decision.passed_pool[passed] == pool:
            passed += 1
            continue
        if drawn < view.member_weight[member]:
            return pool
        drawn -= view.member_weight[member]
    return NO_POOL


def pick_pool_nearest(view: View, query: Query, decision: Decision, start: int, end: int) -> int:
    """Return the nearest available pool of the members `start` to `end`, or NO_POOL.

    The cosine of the angle between two places falls with their distance. Pools without coordinates, and all pools where
    the place is unknown, stand last, in order.
    """
    best = NO_POOL
    best_cosine: float = NO_COSINE
    unit = decision.place_class * 3
    for member in range(start, end):
        pool = view.member_pool[member]
        reason = reason_against(view, query, decision, pool)
        if reason:
            pass_over(decision, pool, reason)
            continue
        at = pool * 3
        cosine: float = (
            view.unit_vector[unit] * view.pool_vector[at]
            + view.unit_vector[unit + 1] * view.pool_vector[at + 1]
            + view.unit_vector[unit + 2] * view.pool_vector[at + 2]
        )
        if not view.pool_flags[pool] & POOL_LOCATED or decision.place_class == CLASS_UNKNOWN:
            cosine = LAST_COSINE
        if cosine > best_cosine:
            best = pool
            best_cosine = cosine
    return best
