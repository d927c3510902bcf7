"""Steering policies, a module each: `plan(load_balancer, context)` says at compile time what a query will find.

| `steering_policy` | module |
|---|---|
| `off` | off |
| `geo` | geo |
| `random`, `least_outstanding_requests`, `least_connections` | random_weighted (counts are 0 in DNS-only mode) |
| `proximity` | proximity |
| `dynamic_latency` | dynamic_latency |
| `""` | geo where any of region_pools, country_pools, pop_pools is set, else off |
"""

from __future__ import annotations

from collections.abc import Callable

from lbdns.model.balancer import LoadBalancer
from lbdns.steering.policies import dynamic_latency, geo, off, proximity, random_weighted
from lbdns.steering.policies.context import Context, Reads
from lbdns.steering.policies.plan import Plan

PLANNERS: dict[str, Callable[[LoadBalancer, Context], Plan]] = {
    "off": off.plan,
    "geo": geo.plan,
    "random": random_weighted.plan,
    "least_outstanding_requests": random_weighted.plan,
    "least_connections": random_weighted.plan,
    "proximity": proximity.plan,
    "dynamic_latency": dynamic_latency.plan,
}
POLICIES = tuple(PLANNERS)


def plan(load_balancer: LoadBalancer, context: Context) -> tuple[Plan, Reads]:
    """Return the plan of a load balancer by its effective policy, and what it rests on beside the load balancer, this
    server's place and the units."""
    made = PLANNERS[load_balancer.effective_policy](load_balancer, context)
    return made, context.take_reads()


def prefers_ecs(load_balancer: LoadBalancer) -> bool:
    """Return whether a client's ECS counts before the resolver and the PoP (`location_strategy.prefer_ecs`).

    | prefer_ecs | yes where |
    |---|---|
    | always | always |
    | never | never |
    | proximity, geo | the effective policy is the one named |
    """
    preference = load_balancer.location_strategy.prefer_ecs
    if preference in ("always", "never"):
        return preference == "always"
    return preference == load_balancer.effective_policy
