"""The last steps of a decision: which endpoints of the decided pool answer, in which order, with which addresses, and
for how long.

Bounds, since compiled code checks none: a list of addresses is cut at ADDRESSES_MAX, and `Decision.addresses` has room
for RESOLVED_MAX behind them, the most that one endpoint adds.
"""

from __future__ import annotations

from lbdns.mapped.columns import *
from lbdns.mapped.fence import read_fence
from lbdns.steering.kernel.hashing import address_key, draw64, mix64, rendezvous_score
from lbdns.steering.kernel.numbers import *
from lbdns.steering.kernel.view import Decision, Query, View


def draw32(query: Query, salt: int) -> int:
    """Return draw number `salt` of this query, 32 bits."""
    if query.draw_fixed:
        return query.draw_base >> 32
    return draw64(query.draw_base, salt) >> 32


def reason_against_endpoint(view: View, query: Query, decision: Decision, endpoint: int) -> int:
    """Return why an endpoint of the decided pool does not answer this query (SKIPPED_*), or 0 where it may."""
    is_apex = view.lb_flags[decision.lb] & LB_APEX
    return reason_in_family(view, is_apex, query.family, decision.pool, decision.is_fallback, endpoint)


def reason_in_family(view: View, is_apex: int, family: int, pool: int, is_fallback: bool, endpoint: int) -> int:
    """Return why an endpoint of a pool does not answer in a family, for a load balancer that is at an apex (not 0) or
    not (SKIPPED_*); 0 where it may.

    Health does not count in a fallback pool that serves as such, and without a monitor only where it was forced.
    """
    if not view.endpoint_enabled[endpoint]:
        return SKIPPED_DISABLED
    if not view.endpoint_families[endpoint] & (1 << family):
        return SKIPPED_FAMILY
    if not view.endpoint_weight[endpoint] and not view.pool_shape[pool * 3 + family] & SHAPE_ZERO:
        return SKIPPED_WEIGHT_ZERO
    if not is_resolved(view, family, endpoint) and not (may_be_cname(view, family, endpoint) and not is_apex):
        return SKIPPED_UNRESOLVED
    if not is_fallback:
        state = view.endpoint_state[view.endpoint_slot[endpoint]]
        counts = view.pool_flags[pool] & POOL_MONITORED or state & BYTE_COUNTS
        if counts and (state & STATE_MASK) != HEALTHY:
            return SKIPPED_DOWN
    return 0


def is_unresolved(view: View, is_apex: int, pool: int) -> bool:
    """Return whether a pool has no endpoint for any address family, and would have one but for hostnames that have no
    address; `is_apex` as above."""
    if not view.pool_flags[pool] & POOL_HAS_HOSTNAME:
        return False
    start = view.pool_endpoint_start[pool]
    lacks = False
    for endpoint in range(start, start + view.pool_endpoint_count[pool]):
        for family in range(ADDRESS_FAMILIES):
            reason = reason_in_family(view, is_apex, family, pool, False, endpoint)
            if not reason:
                return False
            if reason == SKIPPED_UNRESOLVED:
                lacks = True
    return lacks


def may_be_cname(view: View, family: int, endpoint: int) -> bool:
    """Return whether the endpoint is answered by its CNAME where a name may have one: `flatten_cname: false`, an
    address query."""
    return (
        family != FAMILY_NAMED
        and (view.endpoint_flags[endpoint] & (ENDPOINT_HOSTNAME | ENDPOINT_FLATTEN)) == ENDPOINT_HOSTNAME
    )


def is_cname(view: View, lb: int, family: int, endpoint: int) -> bool:
    """Return whether the endpoint is answered by its CNAME at this load balancer: an apex has none."""
    return may_be_cname(view, family, endpoint) and not view.lb_flags[lb] & LB_APEX


def is_resolved(view: View, family: int, endpoint: int) -> bool:
    """Return whether the endpoint has something to answer with in this family now."""
    if family == FAMILY_NAMED or not view.endpoint_flags[endpoint] & ENDPOINT_HOSTNAME:
        return True
    return view.resolved_count[view.endpoint_slot[endpoint] * ADDRESS_FAMILIES + family] > 0


def pick_endpoints(view: View, query: Query, decision: Decision) -> None:
    """Pick the endpoints of the decided pool: one by weight or hash where weights differ or clients stick, else all.

    | weights differ | ip_cookie | endpoint policy | picks                               |
    |----------------|-----------|-----------------|-------------------------------------|
    | any            | yes       | any             | one, by weighted hash               |
    | yes            | no        | hash            | one, by weighted hash               |
    | yes            | no        | other           | one, by weighted draw               |
    | no             | no        | hash            | all, the hash's choice first        |
    | no             | no        | other           | all, rotated                        |
    """
    pool = decision.pool
    pool_flags = view.pool_flags[pool]
    start = view.pool_endpoint_start[pool]
    shape = view.pool_shape[pool * 3 + query.family]
    count = 0
    total = 0
    for endpoint in range(start, start + view.pool_endpoint_count[pool]):
        if reason_against_endpoint(view, query, decision, endpoint):
            continue
        decision.picks[count] = endpoint
        count += 1
        total += 1 if shape & SHAPE_ZERO else view.endpoint_weight[endpoint]
    decision.pick_count = count
    if count == 0:
        return
    sticky = view.lb_flags[decision.lb] & LB_STICKY
    hashed = sticky or pool_flags & POOL_HASH
    if shape & SHAPE_ONE or sticky:
        decision.mode = MODE_HASHED if hashed else MODE_WEIGHTED
        decision.address_draw = mix64(decision.hash_key) >> 32 if hashed else draw32(query, SALT_ADDRESS)
        chosen = hash_choice(view, decision, shape) if hashed else weighted_choice(view, query, decision, shape, total)
        decision.picks[0] = decision.picks[chosen]
        decision.pick_count = 1
    else:
        chosen = hash_choice(view, decision, shape) if hashed else (draw32(query, SALT_ROTATION) * count) >> 32
        rotate(decision, chosen)
        keep_first_or_flattened(view, query, decision)


def weighted_choice(view: View, query: Query, decision: Decision, shape: int, total: int) -> int:
    """Return the index in `picks` that the endpoint draw falls on; `total` is the weight of all picks."""
    drawn = (draw32(query, SALT_ENDPOINT) * total) >> 32
    for index in range(decision.pick_count):
        weight = 1 if shape & SHAPE_ZERO else view.endpoint_weight[decision.picks[index]]
        if drawn < weight:
            return index
        drawn -= weight
    return 0


def hash_choice(view: View, decision: Decision, shape: int) -> int:
    """Return the index in `picks` that weighted rendezvous hashing gives this source address."""
    best = 0
    best_score = -1.0
    for index in range(decision.pick_count):
        endpoint = decision.picks[index]
        weight = 1 if shape & SHAPE_ZERO else view.endpoint_weight[endpoint]
        score = rendezvous_score(decision.hash_key, view.endpoint_hash[endpoint], weight)
        if score > best_score:
            best = index
            best_score = score
    return best


def reverse(decision: Decision, start: int, end: int) -> None:
    """Reverse `picks[start:end]` in place."""
    end -= 1
    while start < end:
        held = decision.picks[start]
        decision.picks[start] = decision.picks[end]
        decision.picks[end] = held
        start += 1
        end -= 1


def rotate(decision: Decision, first: int) -> None:
    """Rotate the picks so that index `first` leads, without allocating (three reversals)."""
    if first:
        reverse(decision, 0, first)
        reverse(decision, first, decision.pick_count)
        reverse(decision, 0, decision.pick_count)


def keep_first_or_flattened(view: View, query: Query, decision: Decision) -> None:
    """A CNAME stands alone (RFC 1034 3.6.2): where one leads it is the answer, else those without addresses go."""
    if is_cname(view, decision.lb, query.family, decision.picks[0]):
        decision.pick_count = 1
        return
    kept = 0
    for index in range(decision.pick_count):
        if is_resolved(view, query.family, decision.picks[index]):
            decision.picks[kept] = decision.picks[index]
            kept += 1
    decision.pick_count = kept


def list_answers(view: View, query: Query, decision: Decision) -> None:
    """Settle what of the picked endpoints is answered: their addresses, at most the pool's `max_answers` of them where
    all would be, and the TTL. The picks are then those that have a part in it.
    """
    decision.is_alias = False
    decision.address_count = 0
    if decision.pick_count == 0:
        return
    count = decision.pick_count
    if query.family != FAMILY_NAMED:
        decision.is_alias = is_cname(view, decision.lb, query.family, decision.picks[0])
        if decision.is_alias:
            return
        if query.wants_cname:
            decision.pick_count = 0
            return
        count = list_addresses(view, query.family, decision)
        decision.address_count = count
        if count == 0:
            decision.pick_count = 0
            return
    most = view.pool_max_answers[decision.pool]
    if decision.mode == MODE_ALL and most and count > most:
        keep_some(view, query, decision, count, most)
    if query.family != FAMILY_NAMED:
        shorten_ttl(view, query, decision)


def keep_some(view: View, query: Query, decision: Decision, count: int, most: int) -> None:
    """Keep `most` of `count` answers (addresses, or hosts of FAMILY_NAMED), each of them as likely as any other.

    Without a hash they are drawn. With one they are the best by rendezvous hashing of the source address, best first:
    a client keeps its own while they are there, and what comes first is what would without a bound.
    """
    hashed = view.pool_flags[decision.pool] & POOL_HASH
    if query.family == FAMILY_NAMED:
        for place in range(count):
            decision.owners[place] = decision.picks[place]
    if hashed:
        score_answers(view, query, decision, count)
    for place in range(most):
        chosen = place
        if hashed:
            for other in range(place + 1, count):
                if decision.scores[other] > decision.scores[chosen]:
                    chosen = other
        else:
            chosen += (draw32(query, SALT_ANSWER + place) * (count - place)) >> 32
        swap_answers(query, decision, place, chosen)
    if query.family != FAMILY_NAMED:
        decision.address_count = most
    decision.pick_count = 0
    for place in range(most):
        pick_once(decision, decision.owners[place])


def score_answers(view: View, query: Query, decision: Decision, count: int) -> None:
    """Set what each answer gets from the hash: an endpoint by its name, of a hostname each address for itself."""
    for place in range(count):
        endpoint = decision.owners[place]
        hashed = view.endpoint_hash[endpoint]
        if query.family != FAMILY_NAMED and view.endpoint_flags[endpoint] & ENDPOINT_HOSTNAME:
            high = word_of(decision, place * ADDRESS_BYTES)
            if query.family == FAMILY_A:
                hashed ^= address_key((high >> 32) << 32, 0, 4)
            else:
                hashed ^= address_key(high, word_of(decision, place * ADDRESS_BYTES + 8), 6)
        decision.scores[place] = mix64(decision.hash_key ^ hashed)


def word_of(decision: Decision, at: int) -> int:
    """Return the 64 bits of the listed addresses from octet `at` on."""
    word = 0
    for octet in range(8):
        word = word << 8 | decision.addresses[at + octet]
    return word


def swap_answers(query: Query, decision: Decision, some: int, other: int) -> None:
    """Let two answers change places."""
    owner = decision.owners[some]
    decision.owners[some] = decision.owners[other]
    decision.owners[other] = owner
    score = decision.scores[some]
    decision.scores[some] = decision.scores[other]
    decision.scores[other] = score
    if query.family != FAMILY_NAMED:
        for octet in range(ADDRESS_BYTES):
            held = decision.addresses[some * ADDRESS_BYTES + octet]
            decision.addresses[some * ADDRESS_BYTES + octet] = decision.addresses[other * ADDRESS_BYTES + octet]
            decision.addresses[other * ADDRESS_BYTES + octet] = held


def pick_once(decision: Decision, endpoint: int) -> None:
    """Add an endpoint to the picks, unless it is among them: a hostname may have several answers."""
    for index in range(decision.pick_count):
        if decision.picks[index] == endpoint:
            return
    decision.picks[decision.pick_count] = endpoint
    decision.pick_count += 1


def shorten_ttl(view: View, query: Query, decision: Decision) -> None:
    """A flattened hostname's answer lives no longer than what its resolution has left, and at least 1 s."""
    for index in range(decision.pick_count):
        endpoint = decision.picks[index]
        if view.endpoint_flags[endpoint] & ENDPOINT_HOSTNAME:
            left = view.resolved_expiry[view.endpoint_slot[endpoint]] - query.now_s
            if left < 1:
                left = 1
            if left < decision.ttl:
                decision.ttl = left


def list_addresses(view: View, family: int, decision: Decision) -> int:
    """Put the addresses that a decision for FAMILY_A or FAMILY_AAAA answers with into `decision.addresses`, and return
    their number, at most ADDRESSES_MAX.

    Each stands there once, ADDRESS_BYTES apart, in the order of the picks; `owners` has whose it is. Where the decision
    is for one endpoint, it is one address: the hash key's or the draws' own bits choose among equals.
    """
    size = 4 if family == FAMILY_A else 16
    kept = 0
    may_repeat = False
    for index in range(decision.pick_count):
        endpoint = decision.picks[index]
        # What an endpoint has is read behind what is kept, and moves up from there.
        number = kept
        end = kept + 1
        if view.endpoint_flags[endpoint] & (ENDPOINT_HOSTNAME | ENDPOINT_REPEATED):
            may_repeat = True
        if view.endpoint_flags[endpoint] & ENDPOINT_HOSTNAME:
            end = kept + read_resolved(view, family, decision, view.endpoint_slot[endpoint], kept)
            if decision.mode != MODE_ALL and end - kept > 1:
                number = kept + decision.address_draw % (end - kept)
                end = number + 1
        else:
            read_own(view, decision, endpoint, kept, size)
        while number < end:
            # A pool's own addresses differ where none says that it does not.
            if not may_repeat or not is_listed(decision, kept, number, size):
                move_address(decision, number, kept, size)
                decision.owners[kept] = endpoint
                kept += 1
                if kept == ADDRESSES_MAX:
                    return ADDRESSES_MAX
            number += 1
    return kept


def is_listed(decision: Decision, kept: int, number: int, size: int) -> bool:
    """Return whether address `number` is one of the first `kept`."""
    at = number * ADDRESS_BYTES
    first = 0
    while first < kept * ADDRESS_BYTES:
        octet = 0
        while octet < size and decision.addresses[first + octet] == decision.addresses[at + octet]:
            octet += 1
        if octet == size:
            return True
        first += ADDRESS_BYTES
    return False


def move_address(decision: Decision, number: int, to: int, size: int) -> None:
    """Copy address `number` to place `to`."""
    if number != to:
        for octet in range(size):
            decision.addresses[to * ADDRESS_BYTES + octet] = decision.addresses[number * ADDRESS_BYTES + octet]


def read_own(view: View, decision: Decision, endpoint: int, number: int, size: int) -> None:
    """Put the one address of an endpoint that is no hostname into `decision.addresses` at place `number`."""
    for octet in range(size):
        decision.addresses[number * ADDRESS_BYTES + octet] = view.endpoint_address[endpoint * ADDRESS_BYTES + octet]


def read_resolved(view: View, family: int, decision: Decision, slot: int, number: int) -> int:
    """Put the addresses of one family that a hostname resolved to, as mapped/resolved.py writes them, into
    `decision.addresses` from place `number` on; return how many: none where a write of them never ended."""
    at = number * ADDRESS_BYTES
    first = slot * RESOLVED_BYTES + (RESOLVED_BYTES // 2 if family != FAMILY_A else 0)
    for _ in range(READ_ATTEMPTS):
        version = view.resolved_version[slot]
        read_fence()
        count = min(view.resolved_count[slot * ADDRESS_FAMILIES + family], RESOLVED_MAX)
        for octet in range(count * ADDRESS_BYTES):
            decision.addresses[at + octet] = view.resolved_address[first + octet]
        read_fence()
        if not version & 1 and view.resolved_version[slot] == version:
            return count
    return 0
