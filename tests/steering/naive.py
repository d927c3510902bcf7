"""The naive oracle of steering: what a query must be answered, computed slowly and obviously.

An independent reading of the rules on dictionaries and lists. It imports the model alone, compiles nothing, keeps
nothing between queries but look-ups of places, and walks whole configurations where the server walks tables. A change
to steering edits this file first; `decide`, interpreted and compiled, must then agree with it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from lbdns.model.balancer import LoadBalancer
from lbdns.model.pool import Pool
from tests.steering.naive_answers import can_answer, choose_address, choose_answers, is_cname, resolves, ttl_s
from tests.steering.naive_candidates import (
    SetSeeker,
    candidates,
    differs_by_place,
    ecs_address,
    fastest_first,
    locate,
    place_told,
    policy_of,
    prefers_ecs,
    set_at,
)
from tests.steering.naive_places import Address, is_private, private_blocks, turning_points
from tests.steering.naive_rules import facts, matching, prefix_around, put_over, rule_scopes, ruled
from tests.steering.naive_world import HASHED_BITS, Asked, World, address_key, draw, mix64, name_hash, rendezvous

ANSWER, NO_POOL, NO_ENDPOINT, FIXED = "answer", "no pool", "no endpoint", "fixed"
RANDOM_POLICIES = ("random", "least_outstanding_requests", "least_connections")  # DNS counts no connections
ALL, WEIGHTED, HASHED = "all", "weighted", "hashed"
DISABLED, DOWN, UNRESOLVED, SHED, WEIGHT_ZERO = "disabled", "down", "unresolved", "shed", "weight zero"


# --- which of them is taken ------------------------------------------------------------------------------------------


def is_monitored(pool: Pool) -> bool:
    return pool.monitor is not None or pool.monitor_group is not None


def endpoint_is_up(world: World, pool: Pool, index: int) -> bool:
    """Tell whether an endpoint's health lets it serve; unknown counts as down where a monitor is attached."""
    if is_monitored(pool):
        return world.health.get((pool.name, index)) == "healthy"
    return (pool.name, index) not in world.forced or world.health[pool.name, index] == "healthy"


def pool_word(world: World, pool: Pool) -> str:
    """Return healthy, degraded, unknown or critical, counted from the endpoints."""
    enabled = [index for index, endpoint in enumerate(pool.origins) if endpoint.enabled]
    if not enabled:
        return "critical"
    needed = max(pool.minimum_origins, 1)
    if not is_monitored(pool) and not any((pool.name, index) in world.forced for index in enabled):
        return "healthy"  # health is not considered, `minimum_origins` neither
    up = [index for index in enabled if endpoint_is_up(world, pool, index)]
    unknown = [index for index in enabled if (pool.name, index) not in world.health] if is_monitored(pool) else []
    if len(up) >= needed:
        return "healthy" if up == enabled else "degraded"
    return "unknown" if len(up) + len(unknown) >= needed else "critical"


def shedding(lb: LoadBalancer, pool: Pool) -> tuple[float, str]:
    """Return (percent, policy) of the shedding that applies to this load balancer's queries."""
    shed = pool.load_shedding
    if lb.session_affinity == "ip_cookie":
        return shed.session_percent, shed.session_policy
    return shed.default_percent, shed.default_policy


def hash_key(lb: LoadBalancer, asked: Asked) -> int:
    address = ecs_address(lb, asked)
    if address is not None:
        return address_key(address, HASHED_BITS[address.version])
    return address_key(asked.resolver, asked.resolver.max_prefixlen)


def is_shed(lb: LoadBalancer, pool: Pool, asked: Asked) -> bool:
    percent, policy = shedding(lb, pool)
    threshold = Fraction(round(percent / 100 * 2**32), 2**32)
    if policy == "hash":
        return Fraction(mix64(hash_key(lb, asked) ^ mix64(name_hash(pool.name))) >> 32, 2**32) < threshold
    return draw(asked, 16 + (name_hash(pool.name) & 0xFFFFFFFF)) < threshold


def why_not(world: World, lb: LoadBalancer, pool: Pool, asked: Asked) -> str | None:
    """Return why a candidate drops out, or None."""
    if not pool.enabled:
        return DISABLED
    if pool_word(world, pool) in ("critical", "unknown"):
        return DOWN
    if asked.family != "named" and is_unresolved(world, lb, pool):
        return UNRESOLVED
    if is_shed(lb, pool, asked):
        return SHED
    return None


def is_unresolved(world: World, lb: LoadBalancer, pool: Pool) -> bool:
    """Tell whether none of a pool's endpoints can be answered in any family, and names that lead nowhere are part of
    why."""
    standing = {family: in_service(world, pool, family, is_fallback=False) for family in ("A", "AAAA")}
    speaking = [
        index for family, found in standing.items() for index in found if can_answer(world, lb, pool, index, family)
    ]
    lost = [
        index
        for family in standing
        for index in weighing(pool, family)
        if not can_answer(world, lb, pool, index, family)
    ]
    return not speaking and bool(lost)


def pool_weights(lb: LoadBalancer) -> dict[str, int]:
    """Return the weights of the random policy in hundredths; all of them 0 means equal chances."""
    given = lb.random_steering
    weights = {name: round(given.pool_weights.get(name, given.default_weight) * 100) for name in lb.default_pools}
    return weights if any(weights.values()) else dict.fromkeys(weights, 1)


def weighted_pick(weights: list[int], drawn: Fraction) -> int:
    """Return the index whose share of the whole, laid end to end, holds `drawn`."""
    reached = 0
    for index, weight in enumerate(weights):
        reached += weight
        if reached > drawn * sum(weights):
            return index
    raise AssertionError("a draw is less than 1")


def choose_pool(
    world: World, lb: LoadBalancer, listed: tuple[str, ...], asked: Asked
) -> tuple[str | None, bool, list[tuple[str, str]]]:
    """Return (pool, whether it is the fallback, the pools passed over and why).

    A list by preference is read as far as the pool taken; where all pools compete, all that drop out are told.
    """
    pools = world.configuration.pools
    reasons = {name: why_not(world, lb, pools[name], asked) for name in listed}
    weights = dict.fromkeys(listed, 1)
    if policy_of(lb) in RANDOM_POLICIES:
        weights = pool_weights(lb)
        for name in listed:
            if reasons[name] is None and weights[name] == 0:
                reasons[name] = WEIGHT_ZERO
    passed = [(name, reason) for name, reason in reasons.items() if reason is not None]
    left = [name for name in listed if reasons[name] is None]
    if not left:
        return (lb.fallback_pool, True, passed) if pools[lb.fallback_pool].enabled else (None, False, passed)
    if policy_of(lb) in RANDOM_POLICIES:
        return left[weighted_pick([weights[name] for name in left], draw(asked, 1))], False, passed
    if policy_of(lb) == "dynamic_latency":
        return fastest_first(world, left)[0], False, passed
    return left[0], False, passed[: listed.index(left[0])]


# --- which of its endpoints answer -----------------------------------------------------------------------------------


def of_family(pool: Pool, family: str) -> list[int]:
    """Return the enabled endpoints of a family, up or down: what the weights are compared over."""
    found = []
    for index, endpoint in enumerate(pool.origins):
        if family == "named":
            belongs = endpoint.ip is None
        else:
            belongs = endpoint.ip is None or endpoint.ip.version == {"A": 4, "AAAA": 6}[family]
        if endpoint.enabled and belongs:
            found.append(index)
    return found


def weighing(pool: Pool, family: str) -> dict[int, int]:
    """Return the enabled endpoints of a family that carry weight, and how much; where none does, all weigh the same."""
    weights = {index: pool.origins[index].weight_hundredths for index in of_family(pool, family)}
    return {index: weight for index, weight in weights.items() if weight} or dict.fromkeys(weights, 1)


def in_service(world: World, pool: Pool, family: str, is_fallback: bool) -> list[int]:
    """Return the endpoints of a family that carry weight and are up; all are in the fallback pool."""
    return [index for index in weighing(pool, family) if is_fallback or endpoint_is_up(world, pool, index)]


def picks_by_hash(lb: LoadBalancer, pool: Pool) -> bool:
    return lb.session_affinity == "ip_cookie" or pool.origin_steering.policy == "hash"


def choose_endpoints(
    world: World, lb: LoadBalancer, pool: Pool, is_fallback: bool, asked: Asked
) -> tuple[str, list[int]]:
    """Return (mode, endpoint indexes in the order of the answer)."""
    differ = len({pool.origins[index].weight_hundredths for index in of_family(pool, asked.family)}) > 1
    weights = weighing(pool, asked.family)
    left = [
        index
        for index in in_service(world, pool, asked.family, is_fallback)
        if can_answer(world, lb, pool, index, asked.family)
    ]
    sticky = lb.session_affinity == "ip_cookie"
    by_hash = picks_by_hash(lb, pool)
    mode = ALL if not sticky and not differ else HASHED if by_hash else WEIGHTED
    if not left:
        return mode, []
    shares = [weights[index] for index in left]
    if mode == WEIGHTED:
        return mode, [left[weighted_pick(shares, draw(asked, 2))]]
    winner = rendezvous(pool, left, shares, hash_key(lb, asked)) if by_hash else None
    if mode == HASHED:
        assert winner is not None
        return mode, [left[winner]]
    first = math.floor(draw(asked, 3) * len(left)) if winner is None else winner
    order = left[first:] + left[:first]
    if is_cname(world, lb, pool, order[0], asked.family):
        return mode, order[:1]  # a CNAME stands alone (RFC 2181 section 10.1)
    # Behind the first, a host name is flattened whatever `flatten_cname` says, or skipped where it does not resolve.
    return mode, [index for index in order if asked.family == "named" or resolves(world, pool, index, asked.family)]


# --- for whom else this answer holds ---------------------------------------------------------------------------------


def hash_sheds(lb: LoadBalancer, pool: Pool) -> bool:
    """Tell whether a hash of the source address decides who is kept from a pool."""
    percent, policy = shedding(lb, pool)
    return policy == "hash" and 0 < percent < 100


def hash_picks(lb: LoadBalancer, pool: Pool, family: str) -> bool:
    """Tell whether a hash of the source address may decide among the endpoints of a pool."""
    sticky = lb.session_affinity == "ip_cookie"
    compared = of_family(pool, family)
    several = family != "named" and any(pool.origins[index].ip is None for index in compared)
    fewer = sticky or 0 < pool.max_answers < 8  # than the addresses that a host name may have
    return picks_by_hash(lb, pool) and (len(compared) > 1 or (several and fewer))


def may_hash(world: World, lb: LoadBalancer, listed: tuple[str, ...], family: str) -> bool:
    """Tell whether the answers that a list may lead to hang on a hash; the fallback pool sheds nobody."""
    pools = world.configuration.pools
    sheds = any(hash_sheds(lb, pools[name]) for name in listed)
    return sheds or any(hash_picks(lb, pools[name], family) for name in (*listed, lb.fallback_pool))


def decision_class(world: World, lb: LoadBalancer, differs: bool, address: Address) -> Any:
    """Return what this load balancer tells apart of ECS addresses, before any hash: the list of pools, or that the
    resolver's place decides."""
    if is_private(address):
        return "private"
    if not differs:
        return "any"
    place = place_told(world, lb, address)
    return "unknown" if place is None else candidates(world, lb, place)


def scope_bits(world: World, lb: LoadBalancer, asked: Asked, hashes: bool) -> int:
    """Return the SCOPE PREFIX-LENGTH: the shortest prefix all of whose addresses are decided alike. `hashes`: whether
    the answer may hang on a hash."""
    if asked.ecs is None or asked.ecs[1] == 0 or not prefers_ecs(lb):
        return 0
    address = asked.ecs[0]
    differs = differs_by_place(world, lb)
    if not hashes and not differs:
        return 0

    def class_at(number: int) -> Any:
        return decision_class(world, lb, differs, type(address)(number))

    own_class = class_at(int(address))
    points = turning_points([*world.tree, *private_blocks(address.version)], address.version)
    classes = {point: class_at(point) for point in points}
    bits = prefix_around(
        address, points, lambda point: classes[point] == own_class, lambda first: class_at(int(first)) == own_class
    )
    if hashes and not is_private(address):
        return max(bits, HASHED_BITS[address.version])
    return bits


# --- the whole -------------------------------------------------------------------------------------------------------


def decide(world: World, lb: LoadBalancer, asked: Asked) -> dict[str, Any]:
    """Return what must be answered, and on what grounds: rules first, then pool sets, then the load balancer that they
    made.

    `scope` is a number, or where texts are tested what is Between two.
    """
    hits = matching(world, lb, facts(world, lb, asked))
    least, most = rule_scopes(world, lb, asked)
    lb, is_fixed = ruled(lb, hits)
    source: str | None = None
    if not is_fixed and any(not one.disabled for one in lb.pool_sets):
        seeker: Any = SetSeeker(lb)
        source, place = locate(world, seeker, asked)
        scope = scope_bits(world, seeker, asked, hashes=False)
        least, most = max(least, scope), max(most, scope)
        for position in set_at(world, lb, place):
            found = lb.pool_sets[position]
            hits += (len(lb.rules) + position,)
            lb = lb if found.overrides is None else put_over(lb, found.overrides)
            is_fixed = found.fixed_response is not None
    if is_fixed:
        answer = {
            **NOTHING,
            "outcome": FIXED,
            "ttl": lb.ttl,
            "signed_ttl": lb.ttl,
            "location_source": source,
            "scope": 0,
        }
    else:
        answer = steer(world, lb, asked)
    least, most = max(least, answer["scope"]), max(most, answer["scope"])
    return {**answer, "scope": least if least == most else Between(least, most), "hits": list(hits)}


@dataclass(frozen=True)
class Between:
    """Stands in for a whole number that is one of these, both ends included."""

    least: int
    most: int

    def __eq__(self, other: object) -> bool:
        return isinstance(other, int) and self.least <= other <= self.most


NOTHING: dict[str, Any] = {
    "pool": None,
    "is_fallback": False,
    "endpoints": [],
    "mode": None,
    "address": None,
    "addresses": None,
    "passed": [],
}


def steer(world: World, lb: LoadBalancer, asked: Asked) -> dict[str, Any]:
    """Return what a load balancer without rules and pool sets answers."""
    source, place = locate(world, lb, asked)
    listed = candidates(world, lb, place)
    name, is_fallback, passed = choose_pool(world, lb, listed, asked)
    mode: str | None = None
    picks: list[int] = []
    address: int | None = None
    addresses: list[Address] | None = None
    ttl = lb.ttl
    if name is not None:
        pool = world.configuration.pools[name]
        shape, picks = choose_endpoints(world, lb, pool, is_fallback, asked)
        if asked.wants_cname and not (picks and is_cname(world, lb, pool, picks[0], asked.family)):
            picks = []  # a query for CNAME gets the CNAME that one for addresses would begin with, or nothing
        if picks:
            mode = shape
            by_name = asked.family == "named" or is_cname(world, lb, pool, picks[0], asked.family)
            key = hash_key(lb, asked) if picks_by_hash(lb, pool) else None
            address = None if mode == ALL else choose_address(world, pool, picks[0], asked, key)
            picks, addresses = choose_answers(world, pool, mode == ALL, by_name, picks, asked, key)
        # A CNAME lives as long as the load balancer says.
        ttl = ttl_s(world, lb, pool, picks if addresses else [], asked)
    return {
        "outcome": NO_POOL if name is None else ANSWER if picks else NO_ENDPOINT,
        "pool": name,
        "is_fallback": is_fallback,
        "endpoints": picks,
        "mode": mode,
        "address": address,
        "addresses": addresses,
        "ttl": ttl,
        "signed_ttl": lb.ttl,
        "scope": scope_bits(world, lb, asked, may_hash(world, lb, listed, asked.family)),
        "location_source": source,
        "passed": passed,
    }
